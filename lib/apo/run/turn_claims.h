// Where members of a population that are processes tell each other how they stand: files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apo/train/selection.h"

namespace apo {

/// Of one member at the end of one turn.
struct TurnClaim {
  bool lost = false;  ///< the others have given it up, from this turn on for good
  Standing standing;  ///< where it is not lost
};

/// The files `turns/TURN/member=M.json` in a population's folder. The first that makes such a file
/// has the word: the member itself, or another that has lost its patience. So all come to the same
/// verdict, whenever they lost it; what was said stays as the population's record.
class TurnClaims {
 public:
  TurnClaims(const std::filesystem::path& folder, size_t members);

  /// What holds of the member: what it says here, or what was said before. Throws Error(output).
  TurnClaim publish(int64_t turn, size_t member, const Standing& standing) const;
  /// What holds: that it is lost, or what was said before. `by`: the member who says so.
  TurnClaim give_up(int64_t turn, size_t member, size_t by) const;
  /// Nothing where nothing was said yet. Throws Error(data) where the file is damaged.
  std::optional<TurnClaim> find(int64_t turn, size_t member) const;

  /// The turn from which on the others are without it; nothing where they are not.
  std::optional<int64_t> lost_since(size_t member) const;

  /// Who has copied whom so far: of all turns whose ends all have reached.
  std::vector<PopulationEvent> events(const PbtOptions& options,
                                      const Range& initial_range,
                                      uint64_t seed) const;

 private:
  std::filesystem::path file(int64_t turn, size_t member) const;
  TurnClaim claim(int64_t turn, size_t member, const std::string& text) const;
  /// Of all members; nothing where one is still on its way. `lost`: lost_since of each.
  std::optional<Standings> standings(int64_t turn,
                                     const std::vector<std::optional<int64_t>>& lost) const;

  std::filesystem::path folder_;
  size_t members_;
};

}  // namespace apo
