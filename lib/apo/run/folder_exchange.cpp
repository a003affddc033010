#include "apo/run/folder_exchange.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "apo/base/patience.h"
#include "apo/checkpoint/checkpoint.h"
#include "apo/trace/run_folder.h"

namespace apo {
namespace {

constexpr double kSilent = 5;  // seconds of waiting that are not worth a word
constexpr double kShortestPause = 0.01;
constexpr double kLongestPause = 0.1;  // within which a signal is heard

std::string names_of(const std::vector<size_t>& members) {
  std::vector<std::string> names;
  std::transform(members.begin(), members.end(), std::back_inserter(names), member_name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

FolderExchange::FolderExchange(FolderExchangeOptions options)
    : options_(std::move(options)), claims_(options_.folder, options_.members) {
  for (size_t m = 0; m < options_.members; ++m) lost_.push_back(claims_.lost_since(m));
}

std::optional<Standings> FolderExchange::meet(int64_t turn, const Standings& here) {
  const Standing& own = *here.front();
  options_.save(own.step);
  if (claims_.publish(turn, options_.member, own).lost) {
    lost_[options_.member] = turn;
    return std::nullopt;
  }
  return wait_for_all(turn);
}

std::optional<Standings> FolderExchange::wait_for_all(int64_t turn) {
  Waiting waiting;
  Standings all(options_.members);
  bool told = false;
  for (;;) {
    const std::vector<size_t> missing = look(turn, all);
    if (missing.empty()) return all;
    if (options_.interrupted()) return std::nullopt;
    const double waited = waiting.so_far().count();
    if (waited >= options_.patience) {
      for (const size_t member : missing) {
        note(turn, member, claims_.give_up(turn, member, options_.member), all);
      }
      continue;
    }
    if (waited > kSilent && !std::exchange(told, true)) {
      options_.tell(fmt::format("turn {}: waits for {}", turn, names_of(missing)));
    }
    const double pause = std::min(
        {std::clamp(waited / 10, kShortestPause, kLongestPause), options_.patience - waited});
    std::this_thread::sleep_for(std::chrono::duration<double>(pause));
  }
}

std::vector<size_t> FolderExchange::look(int64_t turn, Standings& all) {
  std::vector<size_t> missing;
  for (size_t m = 0; m < all.size(); ++m) {
    if (all[m] || lost_[m].value_or(turn + 1) <= turn) continue;
    if (const std::optional<TurnClaim> claim = claims_.find(turn, m)) {
      note(turn, m, *claim, all);
    } else {
      missing.push_back(m);
    }
  }
  return missing;
}

void FolderExchange::note(int64_t turn, size_t member, const TurnClaim& claim, Standings& all) {
  if (!claim.lost) {
    all[member] = claim.standing;
    return;
  }
  lost_[member] = turn;
  options_.tell(fmt::format("turn {}: {} is lost; goes on without it", turn, member_name(member)));
}

void FolderExchange::restore(size_t member,
                             int64_t steps,
                             const std::function<void(StateVisitor&)>& visit) {
  const std::filesystem::path folder = options_.folder / member_name(member) / "checkpoints";
  const Checkpoint from = read_checkpoint(folder / (checkpoint_name(steps) + ".json"));
  apo::restore(from.state, options_.device, [&](StateVisitor& visitor) {
    visitor.section(kPopulationSection, visit);
  });
}

}  // namespace apo
