#include "apo/trace/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "apo/base/terminal.h"

namespace apo {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRedraw{100};

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.2f} %", 100 * *share) : "-";
}

/// Columns of the terminal now; where there is none, as COLUMNS says.
size_t width() {
  constexpr size_t kUsual = 80;
  const size_t now = terminal_columns(STDERR_FILENO);
  if (now > 0) return now;
  const char* columns = std::getenv("COLUMNS");
  const int given = columns != nullptr ? std::atoi(columns) : 0;
  return given > 0 ? static_cast<size_t>(given) : kUsual;
}

/// Those of `parts` (of ASCII) that fit `room` columns, in their order; the first in `importance`
/// are kept first, and the very first is cut if need be.
std::string fitted(const std::vector<std::string>& parts,
                   const std::vector<size_t>& importance,
                   size_t room) {
  constexpr const char* kGap = "  ";
  std::vector<bool> kept(parts.size(), false);
  std::string line;
  for (const size_t next : importance) {
    kept[next] = true;
    std::string longer;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (kept[i]) longer += (longer.empty() ? "" : kGap) + parts[i];
    }
    kept[next] = longer.size() <= room;
    if (kept[next]) line = std::move(longer);
  }
  return line.empty() ? parts[importance.front()].substr(0, room) : line;
}

}  // namespace

Console::Console(ConsoleOptions options) : options_(std::move(options)), begin_(Clock::now()) {}

void Console::on_step(const StepRecord& record) {
  if (options_.live && Clock::now() - drawn_ > kRedraw) draw(record);
}

void Console::on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>&) {
  if (!record.skipped || skip_reported_) return;
  skip_reported_ = true;
  clear();
  options_.log(
      fmt::format("warning: by the objective step {} would be far too "
                  "large and its meta step is left out; further cases are only counted",
                  record.step));
}

void Console::on_search(const SearchRecord& record) {
  if (!record.first && skip_reported_) return;
  clear();
  if (record.first) {
    options_.log(fmt::format(
        "warning: a line search replaces the given learning rate {} by {:.4g}; to begin with the "
        "given one set tuner.form=paper",
        record.old_rate,
        record.new_rate));
    return;
  }
  skip_reported_ = true;
  options_.log(
      fmt::format("warning: with learning rate {:.4g} step {} would undo the training; a line "
                  "search sets it to {:.4g}; further cases are only counted; to avoid them try a "
                  "smaller optimizer.learning_rate, or tuner.form=paper, which never searches",
                  record.old_rate,
                  record.step,
                  record.new_rate));
}

void Console::on_epoch(const EpochRecord& record) {
  clear();
  std::string line = fmt::format("epoch {:>3}  step {:>6}  train loss {:<9.4g} accuracy {:<8}",
                                 record.epoch,
                                 record.step,
                                 record.train.loss,
                                 percent(record.train.accuracy));
  if (record.test) {
    line += fmt::format(
        "  test loss {:<9.4g} accuracy {:<8}", record.test->loss, percent(record.test->accuracy));
    accuracy_ = percent(record.test->accuracy);
  }
  if (record.validation) {
    line += fmt::format("  validation loss {:<9.4g} accuracy {:<8}",
                        record.validation->loss,
                        percent(record.validation->accuracy));
  }
  if (record.average && record.average->test) {
    const Metrics& test = *record.average->test;
    line +=
        fmt::format("  of the average {:<9.4g} accuracy {:<8}", test.loss, percent(test.accuracy));
  }
  line += fmt::format(
      "  learning rate {:<9.4g}  {}", record.learning_rate, duration(record.wall_seconds));
  options_.log(line);
}

void Console::on_rollback(const RollbackRecord& record) {
  clear();
  options_.log(
      fmt::format("warning: diverged at step {}; goes on from the checkpoint at step {} with "
                  "learning rate {:.4g}",
                  record.step,
                  record.to_step,
                  record.learning_rate));
}

void Console::on_warning(const WarningRecord& record) {
  if (!warned_.insert(record.kind).second) return;
  clear();
  options_.warn(fmt::format("warning: step {}: {}", record.step, record.message));
}

void Console::on_freeze(int64_t step) {
  clear();
  options_.log(fmt::format("step {}: from here on the hyperparameters stay as they are", step));
}

void Console::on_end(const RunSummary& summary) {
  clear();
  if (!summary.message.empty()) options_.log(summary.message);
}

void Console::draw(const StepRecord& record) {
  drawn_ = Clock::now();
  const double seconds = std::chrono::duration<double>(drawn_ - begin_).count();
  const auto done = static_cast<double>(record.step + 1);
  const double rate = done / seconds;
  const double left = (static_cast<double>(options_.total_steps) - done) / rate;
  const std::vector<std::string> parts = {
      fmt::format("epoch {}/{}",
                  record.step / options_.steps_per_epoch + 1,
                  (options_.total_steps - 1) / options_.steps_per_epoch + 1),
      fmt::format("step {}/{}", record.step + 1, options_.total_steps),
      fmt::format("loss {:.4g}", record.loss),
      fmt::format("test {}", accuracy_.empty() ? "-" : accuracy_),
      fmt::format("lr {:.3g}", record.learning_rate),
      fmt::format("{:.0f} steps/s", rate),
      fmt::format("{} left", duration(left))};
  // In the last column a terminal may wrap already.
  say("\r\x1b[K" + fitted(parts, {1, 2, 6, 3, 4, 0, 5}, width() - 1));
}

void Console::clear() const {
  if (!options_.live) return;
  say("\r\x1b[K");
}

}  // namespace apo
