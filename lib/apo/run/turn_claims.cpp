#include "apo/run/turn_claims.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "apo/base/create_file.h"
#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/trace/run_folder.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMostBytes = 4096;
constexpr size_t kMostDigits = 18;  // of a turn

/// JSON has no infinity.
double real_in(const Json& json) {
  return json.is_null() ? std::numeric_limits<double>::infinity() : json.get<double>();
}

TurnClaim parsed(const fs::path& path) {
  const Json json = Json::parse(read_file(path, kMostBytes), nullptr, /*allow_exceptions=*/false);
  try {
    if (json.contains("lost_by")) return {.lost = true, .standing = {}};
    return {.lost = false,
            .standing = {.loss = real_in(json.at("loss")),
                         .rate = real_in(json.at("learning_rate")),
                         .step = json.at("step").get<int64_t>()}};
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::data, path.string() + ": is damaged: " + error.what());
  }
}

}  // namespace

TurnClaims::TurnClaims(const fs::path& folder, size_t members)
    : folder_(folder / kTurns), members_(members) {}

TurnClaim TurnClaims::publish(int64_t turn, size_t member, const Standing& standing) const {
  const Json json = {
      {"loss", standing.loss}, {"learning_rate", standing.rate}, {"step", standing.step}};
  return claim(turn, member, json.dump());
}

TurnClaim TurnClaims::give_up(int64_t turn, size_t member, size_t by) const {
  return claim(turn, member, Json{{"lost_by", by}}.dump());
}

std::optional<TurnClaim> TurnClaims::find(int64_t turn, size_t member) const {
  const fs::path path = file(turn, member);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  return parsed(path);
}

/// Who is lost says nothing afterwards: it is the last word on a member that tells.
std::optional<int64_t> TurnClaims::lost_since(size_t member) const {
  std::optional<int64_t> last;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() > kMostDigits || name.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    const int64_t turn = std::stoll(name);
    if (turn > last.value_or(-1) && fs::exists(file(turn, member), ignored)) last = turn;
  }
  return last && parsed(file(*last, member)).lost ? last : std::nullopt;
}

std::optional<Standings> TurnClaims::standings(
    int64_t turn, const std::vector<std::optional<int64_t>>& lost) const {
  Standings all(members_);
  for (size_t m = 0; m < members_; ++m) {
    if (lost[m].value_or(turn + 1) <= turn) continue;
    const std::optional<TurnClaim> claim = find(turn, m);
    if (!claim || claim->lost) return std::nullopt;
    all[m] = claim->standing;
  }
  return all;
}

std::vector<PopulationEvent> TurnClaims::events(const PbtOptions& options,
                                                const Range& initial_range,
                                                uint64_t seed) const {
  std::vector<std::optional<int64_t>> lost;
  for (size_t m = 0; m < members_; ++m) lost.push_back(lost_since(m));
  std::vector<PopulationEvent> all;
  for (int64_t turn = 0;; ++turn) {
    const std::optional<Standings> known = standings(turn, lost);
    if (!known) return all;
    const auto events = exploit_and_explore(*known, turn, options, initial_range, seed);
    if (!events) return all;
    all.insert(all.end(), events->begin(), events->end());
  }
}

fs::path TurnClaims::file(int64_t turn, size_t member) const {
  return folder_ / std::to_string(turn) / (member_name(member) + ".json");
}

TurnClaim TurnClaims::claim(int64_t turn, size_t member, const std::string& text) const {
  const fs::path path = file(turn, member);
  make_folder(path.parent_path());
  create_file(path, text + "\n", path.parent_path());
  return parsed(path);
}

}  // namespace apo
