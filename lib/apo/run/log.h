// What a run says while it trains.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace apo {

/// Lines for the terminal, and with the time for the run's log.txt. None of them ends a run: a
/// log.txt that cannot be written any more is said once.
class RunLog {
 public:
  /// level: trace, debug, info, warn, error or off. `label` goes before every line on the terminal.
  RunLog(const std::filesystem::path& folder, const std::string& level, const std::string& label);

  void info(const std::string& line);
  void warn(const std::string& line);

 private:
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace apo
