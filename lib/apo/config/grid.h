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

/// The most keys of a grid.
inline constexpr size_t kMaximalGridKeys = 100;
/// The most runs of a grid.
inline constexpr size_t kMaximalGridRuns = 10'000;
/// The most values of all the runs of a grid together.
inline constexpr size_t kMaximalGridNodes = 1'000'000;

/// The axes under `grid`, in the file's order, and `tuner.lambda` last if it is a list of several.
/// Errors (ErrorKind::config) name the place of what is no list, empty or given twice.
std::vector<Axis> grid_axes(const Document& document);

/// The cross product of the axes, the last one running fastest. Without axes: one run.
std::vector<GridRun> expand_grid(const Document& document);

}  // namespace apo
