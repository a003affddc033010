#include <fmt/format.h>

#include <algorithm>

#include "apo/base/error.h"
#include "apo/base/terminal.h"
#include "apo/run/assemble.h"
#include "apo/run/collect.h"
#include "apo/run/ended.h"
#include "apo/run/population_files.h"
#include "apo/run/turn_claims.h"
#include "apo/trace/run_folder.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Where the members of a population are that are processes.
struct Members {
  Members(const Experiment& of, const Json& config, fs::path where)
      : experiment(of),
        folder(std::move(where)),
        all(static_cast<size_t>(of.train.population.members)),
        claims(folder, all) {
    for (size_t m = 0; m < all; ++m) {
      if (const auto turn = claims.lost_since(m)) {
        lost.push_back({m, member_name(m), fmt::format("since turn {}", *turn)});
        lost_json.push_back({{"member", m}, {"turn", *turn}});
        continue;
      }
      const fs::path own = folder / member_name(m);
      const std::string why = missing_by(config, own);
      if (why.empty()) {
        ended.push_back(ended_member(experiment, folder, m, exit_code_in(own)));
      } else {
        missing.push_back({m, member_name(m), why});
      }
    }
  }

  void write() const {
    Json events = Json::array();
    for (const PopulationEvent& event : claims.events(experiment.train.population,
                                                      initial_range(experiment),
                                                      static_cast<uint64_t>(experiment.seed))) {
      events.push_back(to_json(event));
    }
    write_population(experiment.name, folder, ended, events, lost_json, missing.empty());
    if (!lost.empty()) show(list_of("lost", lost, all, "members"));
    if (!missing.empty()) show(list_of("missing", missing, all, "members"));
  }

  const Experiment& experiment;
  fs::path folder;
  size_t all;
  TurnClaims claims;
  std::vector<EndedRun> ended;
  std::vector<LeftRun> missing;
  std::vector<LeftRun> lost;
  Json lost_json = Json::array();
};

}  // namespace

int collect_population(const PlannedRun& run, const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / kTurns, ignored)) {
    throw Error(ErrorKind::data,
                fmt::format("{}: no member of this population has begun as a process (--member)",
                            folder.string()));
  }
  const FolderTurn turn(folder);
  const Members members(run.experiment, run.config, folder);
  if (members.ended.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: none of the {} members of this population has ended; {}: {}",
                            folder.string(),
                            members.all,
                            (members.missing.empty() ? members.lost : members.missing)[0].label,
                            (members.missing.empty() ? members.lost : members.missing)[0].status));
  }
  members.write();
  const bool failed = std::any_of(members.ended.begin(),
                                  members.ended.end(),
                                  [](const EndedRun& member) { return member.exit_code != 0; });
  return failed || !members.missing.empty() || !members.lost.empty() ? 5 : 0;
}

void collect_whole_population(const Experiment& experiment,
                              const Json& config,
                              const fs::path& folder) {
  const FolderTurn turn(folder);
  std::error_code ignored;
  if (fs::exists(folder / "summary.json", ignored)) return;
  const Members members(experiment, config, folder);
  if (members.missing.empty()) members.write();
}

}  // namespace apo
