#include "apo/train/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "apo/base/error.h"

namespace apo {
namespace {

constexpr int64_t kAtBound = 10;    // meta steps
constexpr int64_t kUnmoved = 50;    // meta steps
constexpr int64_t kDominated = 20;  // meta steps
constexpr int64_t kStepsPerMetaStep = 10;
constexpr double kMoves = 1e-5;
constexpr double kRunsAway = 10;
constexpr int64_t kFound = 100;  // steps
constexpr double kMostProximal = 0.5;
constexpr double kLearned = 0.01;
/// A bound goes through the stored form and back.
constexpr double kRounding = 1e-9;

struct Kind {
  const char* name;
  const char* section;  ///< of docs/troubleshooting.md
};
constexpr Kind kBound{"at_bound", "it-sits-at-a-bound"};
constexpr Kind kStill{"unmoved", "it-does-not-move"};
constexpr Kind kRuns{"runs_away", "it-runs-away"};
constexpr Kind kDiscrepancy{"discrepancy", "the-discrepancy-dominates"};
constexpr std::array kKinds = {kBound, kStill, kRuns, kDiscrepancy};

void say_once(std::set<std::string>& told,
              const std::function<void(const WarningRecord&)>& tell,
              const Kind& kind,
              int64_t step,
              const std::string& message) {
  if (!told.insert(kind.name).second) return;
  tell({kind.name, step, fmt::format("{}; docs/troubleshooting.md#{}", message, kind.section)});
}

bool is_at(double bound, double value) {
  return std::isfinite(bound) && std::abs(value - bound) <= kRounding * std::abs(bound);
}

}  // namespace

Diagnosis::Diagnosis(DiagnosisOptions options, std::function<void(const WarningRecord&)> tell)
    : options_(std::move(options)), tell_(std::move(tell)) {
  for (const std::string& name : options_.tuned) {
    const auto range = options_.ranges.find(name.substr(0, name.find('/')));
    watched_.push_back(
        {.name = name, .range = range == options_.ranges.end() ? Range::any() : range->second});
  }
}

void Diagnosis::on_step(const StepRecord& record) {
  if (record.step == 0) untrained_loss_ = record.loss;
  loss_ = record.loss;
  if (!options_.meta_steps && !watched_.empty()) {
    see(watched_.front(), record.learned_rate.value_or(record.learning_rate), record.step);
  }
  if (meta_step_ == record.step) see_proximal(record);
}

void Diagnosis::on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) {
  skipped_ += record.skipped ? 1 : 0;
  for (size_t k = 0; k < values.size() && k < watched_.size(); ++k) {
    see(watched_[k], values[k].value, record.step);
  }
  if (!options_.proximal) return;
  meta_step_ = record.step;
  proximal_ = record.objective - record.loss_term;
}

bool Diagnosis::is_learned() const {
  return loss_ < kLearned * untrained_loss_;
}

void Diagnosis::see(Watched& watched, double value, int64_t step) {
  const int64_t unit = options_.meta_steps ? 1 : kStepsPerMetaStep;
  const char* what = options_.meta_steps ? "meta steps" : "steps";
  watched.value = value;
  const bool upper = is_at(watched.range.upper, value);
  const bool bound = upper || is_at(watched.range.lower, value);
  watched.at_bound = bound ? watched.at_bound + 1 : 0;
  const double least = options_.meta_steps ? kMoves * std::abs(watched.anchor) : 0;
  const bool moved = std::abs(value - watched.anchor) > least;
  watched.unmoved = moved || bound || is_learned() ? 0 : watched.unmoved + 1;
  if (moved) watched.anchor = value;
  if (watched.at_bound == kAtBound * unit) {
    say_once(
        told_,
        tell_,
        kBound,
        step,
        fmt::format("{} has been at {:.4g}, the {} end of its range, for {} {}: where that is no "
                    "cap of yours, widen tuner.bounds.{}",
                    watched.name,
                    value,
                    upper ? "upper" : "lower",
                    watched.at_bound,
                    what,
                    watched.name.substr(0, watched.name.find('/'))));
  }
  if (watched.unmoved == kUnmoved * unit) {
    const std::string skipped =
        skipped_ > 0 ? fmt::format(", {} meta steps were skipped so far", skipped_) : "";
    say_once(told_,
             tell_,
             kStill,
             step,
             fmt::format("{} has stood at {:.4g} for {} {}{}: nothing that the tuner sees moves it",
                         watched.name,
                         value,
                         watched.unmoved,
                         what,
                         skipped));
  }
}

void Diagnosis::see_proximal(const StepRecord& record) {
  const bool dominates = proximal_ > kMostProximal * record.loss && !is_learned();
  dominated_ = dominates ? dominated_ + 1 : 0;
  if (dominated_ != kDominated) return;
  say_once(
      told_,
      tell_,
      kDiscrepancy,
      record.step,
      fmt::format("the proximal term of J has been more than half of the loss, {:.3g} of {:.3g}, "
                  "for {} meta steps: {} is larger than J asks for; try a smaller tuner.lambda, "
                  "or meta steps that move more",
                  proximal_,
                  record.loss,
                  dominated_,
                  watched_.empty() ? "what is tuned" : watched_.front().name));
}

void Diagnosis::on_epoch(const EpochRecord& record) {
  for (Watched& watched : watched_) {
    const double before = watched.an_epoch_ago;
    if (record.step >= kFound) watched.an_epoch_ago = watched.value;
    if (!(before > 0) || !(watched.value > 0) || is_learned()) continue;
    const double times = watched.value / before;
    if (times <= kRunsAway && times >= 1 / kRunsAway) continue;
    say_once(
        told_,
        tell_,
        kRuns,
        record.step,
        fmt::format("{} went from {:.4g} to {:.4g} in one epoch: where the loss suffers, hold it "
                    "with tuner.bounds.{} or tuner.freeze_after",
                    watched.name,
                    before,
                    watched.value,
                    watched.name.substr(0, watched.name.find('/'))));
  }
}

void Diagnosis::visit_state(StateVisitor& visitor) {
  try {
    visit_all(visitor);
  } catch (const Error&) {  // the checkpoint of an older program, which had none: begins anew
    if (!visitor.restores()) throw;
  }
}

void Diagnosis::visit_all(StateVisitor& visitor) {
  for (const Kind& kind : kKinds) {
    bool told = told_.count(kind.name) > 0;
    visitor.flag(kind.name, told);
    told_.erase(kind.name);
    if (told) told_.insert(kind.name);
  }
  visitor.real("untrained_loss", untrained_loss_);
  visitor.real("loss", loss_);
  visitor.integer("dominated", dominated_);
  visitor.integer("skipped", skipped_);
  for (size_t k = 0; k < watched_.size(); ++k) {
    visitor.section(fmt::format("value{}", k), [&](StateVisitor& v) {
      v.real("value", watched_[k].value);
      v.real("anchor", watched_[k].anchor);
      v.integer("at_bound", watched_[k].at_bound);
      v.integer("unmoved", watched_[k].unmoved);
      v.real("an_epoch_ago", watched_[k].an_epoch_ago);
    });
  }
}

}  // namespace apo
