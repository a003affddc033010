#include "apo/config/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "apo/base/error.h"
#include "apo/config/scalar.h"
#include "apo/config/writer.h"

namespace apo {
namespace {

constexpr const char* kLambda = "tuner.lambda";

/// A folder's name has at most 255 bytes; the rest is for suffixes.
constexpr size_t kMaximalLabel = 200;

[[noreturn]] void fail(const std::string& place, const std::string& message) {
  throw Error(ErrorKind::config, place + ": " + message);
}

void require_distinct(const std::string& key, const std::vector<ConfigNode>& values) {
  std::unordered_set<std::string> earlier;
  for (const ConfigNode& value : values) {
    if (!earlier.insert(to_json(value).dump()).second) {
      fail(value.where, fmt::format("grid: {} takes {} twice", key, shown(value)));
    }
  }
}

/// Each axis must leave the values of those before it alone.
void require_apart(const std::vector<Axis>& earlier, const std::string& key, const ConfigNode& at) {
  for (const Axis& axis : earlier) {
    if (axis.key == key) fail(at.where, fmt::format("grid: {} is given twice", key));
    if (axis.key.starts_with(key + ".")) {
      fail(at.where,
           fmt::format("grid: {} would replace {}; put it before that one", key, axis.key));
    }
  }
}

void add_axis(std::vector<Axis>& axes, const std::string& key, const ConfigNode& list) {
  if (list.items.size() > kMaximalGridRuns) {
    fail(list.where, fmt::format("more than {} runs", kMaximalGridRuns));
  }
  require_apart(axes, key, list);
  require_distinct(key, list.items);
  axes.push_back({key, list.items});
}

void collect_axes(const ConfigNode& mapping, const std::string& path, std::vector<Axis>& axes) {
  for (const auto& [name, where, rank, value] : mapping.entries) {
    const std::string key = path.empty() ? name : fmt::format("{}.{}", path, name);
    if (value.is_mapping() && !value.entries.empty()) {
      collect_axes(value, key, axes);
    } else if (!value.is_sequence()) {
      fail(value.where,
           fmt::format("grid: {} {} {}; a list of values is accepted",
                       key,
                       value.is_scalar() ? "=" : "is",
                       shown(value)));
    } else if (value.items.empty()) {
      fail(value.where, fmt::format("grid: {} has no values; at least one is needed", key));
    } else if (key == "grid" || key.starts_with("grid.")) {
      fail(where, "grid: a grid has no grid");
    } else {
      add_axis(axes, key, value);
    }
  }
}

/// A list's items and a mapping's values joined by '+'; of a mapping with a name, the name.
std::string text_of(const ConfigNode& value) {
  if (const auto* name = value.find("name"); name != nullptr && name->value.is_scalar()) {
    return name->value.text;
  }
  std::string text = value.text;
  const auto join = [&](const ConfigNode& part) {
    if (!text.empty()) text += '+';
    text += text_of(part);
  };
  std::for_each(value.items.begin(), value.items.end(), join);
  for (const auto& entry : value.entries) join(entry.value);
  return text;
}

std::string folder_safe(std::string text) {
  for (char& c : text) {
    const bool safe = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                      std::string_view("._=,+-").find(c) != std::string_view::npos;
    if (!safe) c = '_';
  }
  return text.substr(0, kMaximalLabel);
}

/// Labels that are taken.
class Labels {
 public:
  /// `label`, or label_2, label_3, … where it is taken.
  std::string unique(const std::string& label) {
    int& suffix = suffixes_.emplace(label, 1).first->second;
    std::string candidate = label;
    while (!taken_.insert(candidate).second) candidate = fmt::format("{}_{}", label, ++suffix);
    return candidate;
  }

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> suffixes_;  // the last one given to each
};

std::string place_of_grid(const Document& document) {
  for (const char* key : {"grid", kLambda}) {
    if (const ConfigNode* node = document.find(key)) return node->where;
  }
  return document.root().where;
}

size_t number_of_runs(const std::vector<Axis>& axes, const Document& document) {
  size_t runs = 1;
  for (const Axis& axis : axes) {
    runs *= axis.values.size();
    if (runs > kMaximalGridRuns) {
      fail(place_of_grid(document), fmt::format("more than {} runs", kMaximalGridRuns));
    }
  }
  return runs;
}

std::vector<Axis> axes_of(const Document& document) {
  std::vector<Axis> axes;
  if (const ConfigNode* grid = document.find("grid"); grid != nullptr && !grid->is_null()) {
    if (!grid->is_mapping()) {
      fail(grid->where, "grid must be a mapping of keys to lists, not " + shown(*grid));
    }
    collect_axes(*grid, "", axes);
  }
  const ConfigNode* lambda = document.find(kLambda);
  if (lambda != nullptr && lambda->is_sequence()) {
    if (lambda->items.empty()) {
      fail(lambda->where, fmt::format("{} has no values; at least one is needed", kLambda));
    }
    if (lambda->items.size() > 1) add_axis(axes, kLambda, *lambda);
  }
  return axes;
}

}  // namespace

Grid::Grid(const Document& document) : axes_(axes_of(document)), base_(document) {
  const size_t runs = number_of_runs(axes_, document);
  base_.remove("grid");
  const ConfigNode* lambda = base_.find(kLambda);
  if (lambda != nullptr && lambda->is_sequence()) {
    base_.set(kLambda, ConfigNode(lambda->items.front()));
  }
  Labels labels;
  labels_.reserve(runs);
  for (size_t index = 0; index < runs; ++index) {
    std::string label;
    for (const auto& [key, value] : values(index)) {
      label += fmt::format("{}{}={}", label.empty() ? "" : ",", key, text_of(value));
    }
    labels_.push_back(axes_.empty() ? "" : labels.unique(folder_safe(label)));
  }
}

std::vector<std::pair<std::string, ConfigNode>> Grid::values(size_t index) const {
  std::vector<std::pair<std::string, ConfigNode>> values(axes_.size());
  for (size_t i = axes_.size(); i-- > 0;) {
    const Axis& axis = axes_[i];
    values[i] = {axis.key, axis.values[index % axis.values.size()]};
    index /= axis.values.size();
  }
  return values;
}

GridRun Grid::run(size_t index) const {
  GridRun run{.label = labels_.at(index), .values = values(index), .document = base_};
  for (const auto& [key, value] : run.values) run.document.set(key, raised_to_grid(value));
  return run;
}

}  // namespace apo
