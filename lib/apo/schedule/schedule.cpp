#include "apo/schedule/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace apo {
namespace {

/// c = 1
class None : public Schedule {
 public:
  double factor(int64_t, int64_t) const override { return 1; }
};

/// Three parts of a run of T steps: W = round(wT) of warm-up, then at 1, then the last F of them
/// falling.
///     c_t = (t + 1) / (W + 1)                       t < W
///     c_t = e + (1 − e) s((t − (T − F)) / F)        t ≥ T − F, with s(0) = 1 and s(1) = 0
class Trapezoid : public Schedule {
 public:
  using Shape = double (*)(double);

  struct Parts {
    double warmup;
    double fall;
    double end;
  };

  Trapezoid(const Parts& parts, Shape shape) : parts_(parts), shape_(shape) {}

  double factor(int64_t t, int64_t steps) const override {
    const auto now = static_cast<double>(t);
    const auto all = static_cast<double>(steps);
    const double rising = std::round(parts_.warmup * all);
    if (now < rising) return (now + 1) / (rising + 1);
    const double falling = std::min(std::round(parts_.fall * all), all - rising);
    const double fallen = now - (all - falling);
    if (fallen <= 0) return 1;
    return parts_.end + (1 - parts_.end) * shape_(fallen / falling);
  }

 private:
  Parts parts_;
  Shape shape_;
};

double line(double p) {
  return 1 - p;
}

double half_wave(double p) {
  return (1 + std::cos(std::numbers::pi * p)) / 2;
}

std::unique_ptr<Schedule> falling(const FallOptions& options, Trapezoid::Shape shape) {
  return std::make_unique<Trapezoid>(
      Trapezoid::Parts{options.warmup, 1 - options.warmup, options.end_factor}, shape);
}

void visit_warmup(double& warmup, OptionVisitor& visitor) {
  visitor.real("warmup",
               warmup,
               Range::half_open(0, 1),
               "share of the run in which the factor rises from 0 to 1, in equal parts");
}

void visit_end(double& end_factor, OptionVisitor& visitor) {
  visitor.real("end_factor", end_factor, Range::between(0, 1), "the factor that it falls to");
}

}  // namespace

void FallOptions::visit(OptionVisitor& visitor) {
  visit_warmup(warmup, visitor);
  visit_end(end_factor, visitor);
}

void WarmupStableDecayOptions::visit(OptionVisitor& visitor) {
  visit_warmup(warmup, visitor);
  visitor.real(
      "decay", decay, Range::between(0, 1), "share of the run, its last, in which it falls");
  visit_end(end_factor, visitor);
  visitor.require(
      warmup + decay <= 1, "decay", "must leave `warmup` its share: both are at most 1");
}

std::unique_ptr<Schedule> make_no_schedule(const NoOptions&) {
  return std::make_unique<None>();
}

std::unique_ptr<Schedule> make_linear_schedule(const FallOptions& options) {
  return falling(options, line);
}

std::unique_ptr<Schedule> make_cosine_schedule(const FallOptions& options) {
  return falling(options, half_wave);
}

std::unique_ptr<Schedule> make_warmup_stable_decay(const WarmupStableDecayOptions& options) {
  return std::make_unique<Trapezoid>(
      Trapezoid::Parts{options.warmup, options.decay, options.end_factor}, line);
}

const Registry<Schedule>& schedules() {
  static const Registry<Schedule> registry = {
      member("none", "the tuner's η as it is", make_no_schedule),
      member("linear", "falls in a straight line to the end of the run", make_linear_schedule),
      member("cosine", "falls in half a cosine wave to the end of the run", make_cosine_schedule),
      member("warmup_stable_decay",
             "rises, stays, and falls in a straight line at the end",
             make_warmup_stable_decay),
  };
  return registry;
}

}  // namespace apo
