// How a member that is a process meets the others: over the population's folder.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apo/run/turn_claims.h"
#include "apo/train/population.h"

namespace apo {

/// Of a member's state in its checkpoints: that of its Population.
inline constexpr const char* kPopulationSection = "population";

struct FolderExchangeOptions {
  std::filesystem::path folder;  ///< the population's
  size_t members = 0;
  size_t member = 0;  ///< who this process is
  double patience = 600;
  at::Device device = at::kCPU;
  Poll interrupted = [] { return false; };
  /// Writes a checkpoint at the end of a turn, from which the others may copy; when it returns it
  /// is on the disk.
  std::function<void(int64_t step)> save;
  std::function<void(const std::string& line)> tell;
};

/// At the end of a turn a member saves a checkpoint, says how it stands (TurnClaims), and waits for
/// the others. Whoever has not done so `patience` seconds after this process is lost, unless it is
/// quicker in the end.
class FolderExchange : public Exchange {
 public:
  explicit FolderExchange(FolderExchangeOptions options);

  std::optional<Standings> meet(int64_t turn, const Standings& here) override;
  /// Throws Error(data) where that checkpoint is gone or damaged.
  void restore(size_t member,
               int64_t steps,
               const std::function<void(StateVisitor&)>& visit) override;

  /// The turn from which on the others are without this member.
  std::optional<int64_t> lost_since() const { return lost_[options_.member]; }

 private:
  std::optional<Standings> wait_for_all(int64_t turn);
  /// Those who have said nothing yet; of the others `all` has what they said.
  std::vector<size_t> look(int64_t turn, Standings& all);
  void note(int64_t turn, size_t member, const TurnClaim& claim, Standings& all);

  FolderExchangeOptions options_;
  TurnClaims claims_;
  std::vector<std::optional<int64_t>> lost_;  ///< of each member
};

}  // namespace apo
