#include "apo/run/changes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "apo/base/error.h"
#include "apo/config/writer.h"
#include "apo/run/plan.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// Keys that do not enter the state.
constexpr std::array kFree = {"name",
                              "device",
                              "threads",
                              "dataset.root",
                              "dataset.mapped",
                              "model.path",
                              "train.epochs",
                              "train.steps",
                              "train.evaluate_every",
                              "train.patience",
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

/// What an older program has resolved, with the keys that have come since: a new key's default is
/// what there was before it. As it is where this program does not take it.
Json with_new_keys(const Json& before) {
  try {
    const Document document = Document::parse(to_yaml(before), "config.yaml");
    return make_plan(document, "config.yaml", std::nullopt).runs.front().config;
  } catch (const Error&) {
    return before;
  }
}

}  // namespace

void check_can_resume(const Json& before, const Json& now) {
  compare("", with_new_keys(before), now);
}

}  // namespace apo
