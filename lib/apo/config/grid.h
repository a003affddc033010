// A configuration with lists of values, as the runs that it stands for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apo/config/document.h"

namespace apo {

/// A dotted key and the values that it takes.
struct Axis {
  std::string key;
  std::vector<ConfigNode> values;
};

struct GridRun {
  /// "optimizer.name=sgd,seed=1": fit for a folder's name, unique in its grid; "" where there is
  /// no grid.
  std::string label;
  /// This run's place on the axes, in their order.
  std::vector<std::pair<std::string, ConfigNode>> values;
  /// The document with this run's values set and without `grid`.
  Document document;
};

/// The most runs of a grid.
inline constexpr size_t kMaximalGridRuns = 10'000;

/// The cross product of the axes, the last one running fastest. Without axes: one run.
class Grid {
 public:
  /// Errors (ErrorKind::config) name the place of what is no list, empty or given twice.
  explicit Grid(const Document& document);

  /// Those under `grid`, in the file's order, and `tuner.lambda` last if it is a list of several.
  const std::vector<Axis>& axes() const { return axes_; }
  /// The number of runs.
  size_t size() const { return labels_.size(); }
  /// An Error (ErrorKind::config) where a value has no place in the document. Pre: index < size().
  GridRun run(size_t index) const;

 private:
  /// Of run `index`, in the order of the axes.
  std::vector<std::pair<std::string, ConfigNode>> values(size_t index) const;

  std::vector<Axis> axes_;
  Document base_;  ///< without `grid`
  std::vector<std::string> labels_;
};

}  // namespace apo
