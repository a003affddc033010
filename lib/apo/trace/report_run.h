// A run as report/page.js reads it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "apo/trace/curve.h"
#include "apo/trace/report.h"

namespace apo {

struct RunOnPage {
  nlohmann::ordered_json facts;   ///< label, status, message, warnings, final, best, clock
  nlohmann::ordered_json config;  ///< resolved; null where it is not known
  std::map<std::string, Curve> curves;
  std::vector<std::pair<std::string, Curve>> hyperparameters;  ///< but a global learning rate
};

/// Reads the run's folder; curves have at most `most` points.
RunOnPage read_run(const ReportRun& run, size_t most);

}  // namespace apo
