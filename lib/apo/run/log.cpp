#include "apo/run/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <unistd.h>

#include <mutex>
#include <string_view>
#include <utility>

#include "apo/base/terminal.h"
#include "apo/base/text.h"

namespace apo {
namespace {

/// Lines that never end a run: spdlog's own sink throws where stderr cannot be written.
class TerminalSink : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const std::string_view text(line.data(), line.size());
    const size_t columns = terminal_columns(STDERR_FILENO);
    say(columns > 0 ? wrapped(text, columns) : std::string(text));
  }
  void flush_() override {}
};

}  // namespace

RunLog::RunLog(const std::filesystem::path& folder,
               const std::string& level,
               const std::string& label) {
  auto terminal = std::make_shared<TerminalSink>();
  terminal->set_pattern(label.empty() ? "%v" : label + "  %v");
  auto file = std::make_shared<spdlog::sinks::basic_file_sink_st>((folder / "log.txt").string());
  file->set_pattern("%Y-%m-%dT%H:%M:%S%z %l %v");
  logger_ = std::make_shared<spdlog::logger>("run", spdlog::sinks_init_list{terminal, file});
  logger_->set_level(spdlog::level::from_str(level));
  logger_->flush_on(spdlog::level::info);
  logger_->set_error_handler([said = false](const std::string& why) mutable {
    if (!std::exchange(said, true)) say("warning: " + why + "\n");
  });
}

void RunLog::info(const std::string& line) {
  logger_->info(line);
}

void RunLog::warn(const std::string& line) {
  logger_->warn(line);
}

}  // namespace apo
