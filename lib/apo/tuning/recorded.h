// φ of each base step of an earlier run, from its trace.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/options.h"

namespace apo {

/// Numbers at rising steps, the first of them 0.
struct RecordedCurve {
  std::vector<int64_t> step;
  std::vector<double> value;

  /// Of the last record at `at` or before it.
  double held(int64_t at) const;
  /// Between two records by the share of the way, the logarithm's of numbers above 0; behind the
  /// last one as held.
  double between(double at) const;
};

/// What a run's base steps used: its learned values with the factor that its schedule, or a
/// rollback, made of the learning rate.
class RecordedValues {
 public:
  /// In steps; at least 1.
  int64_t steps() const { return steps_; }
  /// Of hyperparameters, the learning rate first.
  const std::vector<std::string>& names() const { return names_; }
  /// In the network's order; none where one value is all layers'.
  const std::vector<std::string>& layers() const { return layers_; }
  const std::string& optimizer() const { return optimizer_; }
  /// What outlying gradients were clipped to, UpdateRule::clip_outliers; 0: they were not.
  double clip_outliers() const { return clip_outliers_; }
  /// CRC-32 of the file.
  uint32_t checksum() const { return checksum_; }

  /// The values of hyperparameter h, one for each layer or one, at a step or between two: those of
  /// both, mixed as RecordedCurve::between does. Behind the last step the last step's. Pre: at ≥ 0.
  std::vector<double> at(double step, size_t h) const;
  /// A recorded value of hyperparameter h that the range does not contain.
  std::optional<double> outside(size_t h, const Range& range) const;

 private:
  friend RecordedValues read_recorded(const std::filesystem::path& path);

  std::vector<double> at_step(int64_t step, size_t h) const;

  int64_t steps_ = 0;
  std::vector<std::string> names_;
  std::vector<std::string> layers_;
  std::string optimizer_;
  double clip_outliers_ = 0;
  uint32_t checksum_ = 0;
  RecordedCurve rate_;    ///< η used by steps, of layers the geometric mean
  RecordedCurve factor_;  ///< of layers, by which the step's rates differ from the learned ones
  std::vector<std::vector<RecordedCurve>> learned_;  ///< [h][layer]; of a single rate none
};

/// Reads a trace.json, or that of the run whose folder `path` is. Throws Error(data) where it is
/// none, is damaged, or lacks values that the run used.
RecordedValues read_recorded(const std::filesystem::path& path);

}  // namespace apo
