#include "apo/config/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "apo/base/error.h"
#include "apo/config/parse.h"
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
  if (axes.size() == kMaximalGridKeys) {
    fail(list.where, fmt::format("grid: more than {} keys", kMaximalGridKeys));
  }
  require_apart(axes, key, list);
  require_distinct(key, list.items);
  axes.push_back({key, list.items});
}

void collect_axes(const ConfigNode& mapping, const std::string& path, std::vector<Axis>& axes) {
  for (const auto& [name, where, order, value] : mapping.entries) {
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

/// The next combination of indices, the last one fastest; false after the last combination.
bool advance(std::vector<size_t>& index, const std::vector<Axis>& axes) {
  for (size_t i = axes.size(); i-- > 0;) {
    if (++index[i] < axes[i].values.size()) return true;
    index[i] = 0;
  }
  return false;
}

std::string place_of_grid(const Document& document) {
  for (const char* key : {"grid", kLambda}) {
    if (const ConfigNode* node = document.find(key)) return node->where;
  }
  return document.root().where;
}

void require_few_runs(const std::vector<Axis>& axes, const Document& document) {
  size_t runs = 1;
  for (const Axis& axis : axes) {
    runs *= axis.values.size();
    if (runs > kMaximalGridRuns) {
      fail(place_of_grid(document), fmt::format("more than {} runs", kMaximalGridRuns));
    }
  }
}

}  // namespace

std::vector<Axis> grid_axes(const Document& document) {
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

std::vector<GridRun> expand_grid(const Document& document) {
  const std::vector<Axis> axes = grid_axes(document);
  require_few_runs(axes, document);
  Document base = document;
  base.remove("grid");
  const ConfigNode* lambda = base.find(kLambda);
  if (lambda != nullptr && lambda->is_sequence()) {
    base.set(kLambda, ConfigNode(lambda->items.front()));
  }
  std::vector<GridRun> runs;
  size_t nodes = 0;
  Labels labels;
  std::vector<size_t> index(axes.size(), 0);
  do {
    GridRun run{.label = "", .values = {}, .document = base};
    for (size_t i = 0; i < axes.size(); ++i) {
      const ConfigNode& value = axes[i].values[index[i]];
      run.document.set(axes[i].key, raised_to_grid(value));
      run.values.emplace_back(axes[i].key, value);
      run.label += fmt::format("{}{}={}", i > 0 ? "," : "", axes[i].key, text_of(value));
    }
    if (!axes.empty()) run.label = labels.unique(folder_safe(run.label));
    nodes += count_nodes(run.document.root());
    if (nodes > kMaximalGridNodes) {
      fail(place_of_grid(document),
           fmt::format("its runs hold more than {} values together", kMaximalGridNodes));
    }
    runs.push_back(std::move(run));
  } while (advance(index, axes));
  return runs;
}

}  // namespace apo
