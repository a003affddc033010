#include "apo/run/changes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "apo/base/error.h"
#include "apo/config/writer.h"
#include "apo/run/plan.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// Keys of where a run is trained, and of what it keeps of itself.
constexpr std::array kOfThePlace = {"name",
                                    "device",
                                    "threads",
                                    "dataset.root",
                                    "dataset.mapped",
                                    "model.path",
                                    "tuner.trace",
                                    "train.checkpoint_every",
                                    "train.keep_checkpoints",
                                    "train.population.patience",
                                    "train.cuda_graph",
                                    "trace"};

/// Others that do not enter the state.
constexpr std::array kOfTheLength = {"model.batch_norm_sync",
                                     "train.epochs",
                                     "train.steps",
                                     "train.evaluate_every",
                                     "train.patience",
                                     "train.on_divergence",
                                     "train.rollback_factor",
                                     "train.rollback_limit",
                                     "train.rank_patience"};

/// Keys whose default is not what there was before them, and what was.
constexpr std::array kBeforeThem = {std::pair("optimizer.clip_outliers", "0")};

constexpr const char* kConfig = "config.yaml";

using IsFree = bool (*)(const std::string& key);

bool is_of_the_place(const std::string& key) {
  return std::find(kOfThePlace.begin(), kOfThePlace.end(), key) != kOfThePlace.end();
}

bool is_not_of_the_state(const std::string& key) {
  return is_of_the_place(key) ||
         std::find(kOfTheLength.begin(), kOfTheLength.end(), key) != kOfTheLength.end();
}

std::optional<Change> first_change(const std::string& key,
                                   const Json& before,
                                   const Json& now,
                                   IsFree is_free) {
  if (before == now || is_free(key)) return std::nullopt;
  if (!before.is_object() || !now.is_object()) {
    const auto shown = [](const Json& value) { return value.is_null() ? "nothing" : value.dump(); };
    return Change{key, shown(before), shown(now)};
  }
  const std::string prefix = key.empty() ? "" : key + ".";
  for (const auto& [name, value] : now.items()) {
    const auto change = first_change(prefix + name, before.value(name, Json()), value, is_free);
    if (change) return change;
  }
  for (const auto& [name, value] : before.items()) {
    if (now.contains(name)) continue;
    if (auto change = first_change(prefix + name, value, Json(), is_free)) return change;
  }
  return std::nullopt;
}

/// As it is where this program does not take it.
Json with_new_keys(const Json& before) {
  try {
    return resolved_anew(Document::parse(to_yaml(before), kConfig));
  } catch (const Error&) {
    return before;
  }
}

}  // namespace

Json resolved_anew(Document document) {
  for (const auto& [key, value] : kBeforeThem) {
    if (!document.find(key)) document.set(key, value, kConfig);
  }
  return make_plan(document, kConfig, std::nullopt).runs.front().config;
}

void check_can_resume(const Json& before, const Json& now) {
  const auto change = first_change("", with_new_keys(before), now, is_not_of_the_state);
  if (!change) return;
  throw Error(ErrorKind::config,
              change->key + " = " + change->now + ": the run that is there has " + change->before +
                  " and cannot go on with another; accepted: that value, or another name");
}

std::optional<Change> change_of_results(const Json& before, const Json& now) {
  return first_change("", before, now, is_of_the_place);
}

}  // namespace apo
