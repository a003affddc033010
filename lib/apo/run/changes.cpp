#include "apo/run/changes.h"

#include <algorithm>
#include <array>
#include <string>

#include "apo/base/error.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// Keys that do not enter the state.
constexpr std::array kFree = {"name",
                              "device",
                              "threads",
                              "dataset.root",
                              "train.epochs",
                              "train.steps",
                              "train.evaluate_every",
                              "train.checkpoint_every",
                              "train.keep_checkpoints",
                              "train.on_divergence",
                              "train.rollback_factor",
                              "train.rollback_limit",
                              "train.cuda_graph",
                              "trace"};

void compare(const std::string& key, const Json& before, const Json& now) {
  if (before == now || std::find(kFree.begin(), kFree.end(), key) != kFree.end()) return;
  if (!before.is_object() || !now.is_object()) {
    const auto shown = [](const Json& value) { return value.is_null() ? "nothing" : value.dump(); };
    throw Error(ErrorKind::config,
                key + " = " + shown(now) + ": the run that is there has " + shown(before) +
                    " and cannot go on with another; accepted: that value, or another name");
  }
  const std::string prefix = key.empty() ? "" : key + ".";
  for (const auto& [name, value] : now.items()) {
    compare(prefix + name, before.value(name, Json()), value);
  }
  for (const auto& [name, value] : before.items()) {
    if (!now.contains(name)) compare(prefix + name, value, Json());
  }
}

}  // namespace

void check_can_resume(const Json& before, const Json& now) {
  Json known = before;
  const Json::json_pointer average("/train/average");
  if (!known.contains(average)) known[average] = {{"half_life", 0}};  // from before there was one
  compare("", known, now);
}

}  // namespace apo
