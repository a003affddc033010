// A trace of an earlier run, for replays.
#pragma once

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apo/tuning/replay.h"
#include "support/files.h"

namespace apo::test {

/// A trace.json of a run of `rates.size()` steps with these rates.
inline nlohmann::ordered_json trace_of(const std::vector<double>& rates) {
  std::vector<int64_t> steps;
  for (size_t t = 0; t < rates.size(); ++t) steps.push_back(static_cast<int64_t>(t));
  return {{"format", "apo-trace"},
          {"config", {{"tuner", {{"name", "apo"}}}, {"optimizer", {{"name", "sgd"}}}}},
          {"steps", {{"step", steps}, {"loss", rates}, {"learning_rate", rates}}},
          {"epochs", {{"step", nlohmann::ordered_json::array()}}},
          {"hyperparameters", nlohmann::ordered_json::object()}};
}

inline std::filesystem::path write_json(const std::filesystem::path& path,
                                        const nlohmann::ordered_json& json) {
  std::ofstream(path) << json.dump();
  return path;
}

/// Its rates halve every ten steps from `first` on.
inline RecordedValues falling_rates(double first, int64_t steps) {
  std::vector<double> rates;
  for (int64_t t = 0; t < steps; ++t) {
    rates.push_back(first * std::pow(2, -static_cast<double>(t) / 10));
  }
  const TemporaryFolder folder;
  return read_recorded(write_json(folder / "trace.json", trace_of(rates)));
}

/// Of falling_rates, in a run of any length.
inline std::unique_ptr<Tuner> make_falling_replay() {
  return replay_of(falling_rates(0.05, 40), {}, 40);
}

}  // namespace apo::test
