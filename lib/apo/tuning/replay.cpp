#include "apo/tuning/replay.h"

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "apo/base/error.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"

namespace apo {
namespace {

std::vector<std::string> names_of(const std::vector<HyperparameterSpec>& specs) {
  std::vector<std::string> names;
  names.reserve(specs.size());
  for (const HyperparameterSpec& spec : specs) names.push_back(spec.name);
  return names;
}

/// φ of step t of T is what step s of the S of an earlier run used:
///     s = t, or stretched  s = t (S − 1) / (T − 1)
/// so that the first is the first and the last the last; between two steps both are mixed, by their
/// logarithms where they are above 0.
class Replay : public Tuner {
 public:
  explicit Replay(const ReplayOptions& options)
      : Tuner({.bounds = options.bounds.by_name(),
               .finds_first_rate = true,
               .auto_by_default = true,
               .replays = true}),
        options_(options) {}

  void prepare(const TunedRun& run) override {
    RecordedValues recorded = read_recorded(options_.trace);
    require_hyperparameters(recorded, run.rule);
    require_clipping(recorded, run.rule);
    require_layers(recorded, run.problem);
    if (!options_.stretch && run.steps > recorded.steps()) {
      throw Error(ErrorKind::config,
                  fmt::format("tuner.trace: has {} steps, and the run is to have {}; accepted: at "
                              "most as many, or tuner.stretch: true",
                              recorded.steps(),
                              run.steps));
    }
    take(std::move(recorded), run.steps);
  }

  void take(RecordedValues recorded, int64_t steps) {
    recorded_ = std::move(recorded);
    steps_ = steps;
    own_traits().tuned = recorded_.names();
    own_traits().per_layer = !recorded_.layers().empty();
    forget();
  }

  std::optional<int64_t> file_checksum() const override { return recorded_.checksum(); }

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    for (size_t k = 0; k < recorded_.names().size(); ++k) set(k, context.step, phi);
    return {};
  }

  void rate_scaled(double factor) override {
    scale_ *= factor;
    forget();
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.real("scale", scale_);
    if (visitor.restores()) forget();
  }

 private:
  void require_hyperparameters(const RecordedValues& recorded, const UpdateRule& rule) const {
    const std::vector<HyperparameterSpec> specs = rule.hyperparameters();
    for (size_t h = 0; h < recorded.names().size(); ++h) {
      const std::string& name = recorded.names()[h];
      const auto spec = std::find_if(
          specs.begin(), specs.end(), [&name](const auto& each) { return each.name == name; });
      if (spec == specs.end()) {
        throw Error(ErrorKind::config,
                    fmt::format("tuner.trace: has values of {}, which the optimizer has not; "
                                "accepted: an optimizer that has it, as the trace's {}, or a trace "
                                "of {} alone",
                                name,
                                recorded.optimizer(),
                                list_or(names_of(specs))));
      }
      require_range(recorded, h, spec->range);
    }
  }

  /// The default depends on the tuner, so it is another here than in the run of the trace.
  static void require_clipping(const RecordedValues& recorded, const UpdateRule& rule) {
    if (recorded.clip_outliers() == rule.clip_outliers()) return;
    throw Error(ErrorKind::config,
                fmt::format("optimizer.clip_outliers = {}: the gradients of the trace's run were "
                            "clipped by {}, which its rates are for; accepted: {}",
                            rule.clip_outliers(),
                            recorded.clip_outliers(),
                            recorded.clip_outliers()));
  }

  /// Of those above 0 that may be none: a rate may have been annealed to nothing.
  void require_range(const RecordedValues& recorded, size_t h, Range range) const {
    range.lower_open = false;
    const auto outside = recorded.outside(h, range);
    if (!outside) return;
    throw Error(
        ErrorKind::data,
        fmt::format(
            "{}: {} = {}: {}", options_.trace, recorded.names()[h], *outside, range.describe()));
  }

  void require_layers(const RecordedValues& recorded, const Problem& problem) const {
    if (recorded.layers().empty()) return;
    std::vector<std::string> layers;
    layers_of(problem.network->parameter_names(), layers);
    if (layers == recorded.layers()) return;
    const auto [theirs, ours] = std::mismatch(
        recorded.layers().begin(), recorded.layers().end(), layers.begin(), layers.end());
    const auto shown = [](auto at, const std::vector<std::string>& all) {
      return at == all.end() ? std::string("none") : *at;
    };
    throw Error(ErrorKind::config,
                fmt::format("tuner.trace: has a value for each of {} layers, and the network has "
                            "{}, of which {} is {} there; accepted: a trace of the same layers, or "
                            "one with tuner.scope: global",
                            recorded.layers().size(),
                            layers.size(),
                            shown(ours, layers),
                            shown(theirs, recorded.layers())));
  }

  double place_of(int64_t step) const {
    const auto now = static_cast<double>(step);
    if (!options_.stretch || recorded_.steps() == steps_) return now;
    const auto last = static_cast<double>(std::max<int64_t>(1, steps_ - 1));
    return now * static_cast<double>(recorded_.steps() - 1) / last;
  }

  std::vector<double> values_at(int64_t step, size_t k, const Hyperparameters& phi) const {
    std::vector<double> values = recorded_.at(place_of(step), k);
    if (k > 0) return values;
    const Range& range = phi.specs()[phi.index(recorded_.names()[k])].range;
    for (double& value : values) value = std::clamp(scale_ * value, range.lower, range.upper);
    return values;
  }

  /// Where it is another than it was: each write is a kernel or two.
  void set(size_t k, int64_t step, Hyperparameters& phi) {
    const size_t h = phi.index(recorded_.names()[k]);
    std::vector<double> values = values_at(step, k, phi);
    if (values == set_[k]) return;
    if (values.size() == 1) {
      phi.set(h, values.front());
    } else {
      phi.set(h, on_device(k, step, phi));
    }
    set_[k] = std::move(values);
  }

  /// Of many steps at once, for a copy from the host waits for the device.
  Tensor on_device(size_t k, int64_t step, const Hyperparameters& phi) {
    Ahead& ahead = ahead_[k];
    if (!ahead.rows.defined() || step < ahead.begin || step >= ahead.begin + kAhead) {
      std::vector<double> numbers;
      for (int64_t i = 0; i < kAhead; ++i) {
        const std::vector<double> row = values_at(step + i, k, phi);
        numbers.insert(numbers.end(), row.begin(), row.end());
      }
      const at::Device device = phi.value(phi.index(recorded_.names()[k])).device();
      ahead = {step, at::tensor(numbers, at::kDouble).view({kAhead, -1}).to(device)};
    }
    return ahead.rows[step - ahead.begin];
  }

  void forget() {
    set_.assign(recorded_.names().size(), {});
    ahead_.assign(recorded_.names().size(), {});
  }

  static constexpr int64_t kAhead = 256;  // steps
  struct Ahead {
    int64_t begin = 0;
    Tensor rows = {};  ///< [kAhead, layers], on φ's device
  };

  ReplayOptions options_;
  RecordedValues recorded_;
  int64_t steps_ = 1;
  std::vector<std::vector<double>> set_;  ///< what φ has of each
  std::vector<Ahead> ahead_;
  double scale_ = 1;  ///< of η, by rollbacks
};

}  // namespace

void ReplayOptions::visit(OptionVisitor& visitor) {
  visit_path(visitor, "trace", trace, "the trace.json of an earlier run, or its folder");
  visitor.require(!trace.empty(), "trace", "must be given: the folder of a run, or its trace.json");
  visitor.flag("stretch",
               stretch,
               "over the whole run, however long: by the share of the run, not by the step");
  bounds.visit(visitor);
}

std::unique_ptr<Tuner> make_replay(const ReplayOptions& options) {
  return std::make_unique<Replay>(options);
}

std::unique_ptr<Tuner> replay_of(RecordedValues recorded,
                                 const ReplayOptions& options,
                                 int64_t steps) {
  auto tuner = std::make_unique<Replay>(options);
  tuner->take(std::move(recorded), steps);
  return tuner;
}

}  // namespace apo
