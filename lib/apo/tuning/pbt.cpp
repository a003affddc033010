#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// Population-based training, as one member sees it: a constant rate between two turns. What is
/// done between the members is train/population.cpp.
class Pbt : public Tuner {
 public:
  explicit Pbt(const PbtOptions& options) : options_(options) {}

  std::optional<PbtOptions> population() const override { return options_; }
  std::optional<MetaStep> before_step(const StepContext&, Hyperparameters&) override {
    return std::nullopt;
  }

 private:
  PbtOptions options_;
};

}  // namespace

void PbtOptions::visit(OptionVisitor& visitor) {
  visitor.integer("population", population, Range::between(2, 1000), "members, in turns");
  visitor.integer("interval", interval, Range::at_least(1), "steps of each member in a turn");
  visitor.interval(
      "initial_range",
      initial_range,
      Range::above(0),
      "of the initial rates, log-uniform; default: optimizer.learning_rate / 10 to · 10");
  visitor.interval("factors", factors, Range::above(0), "by which a copied rate is multiplied");
  visitor.real("resample_probability",
               resample_probability,
               Range::between(0, 1),
               "of a new rate from initial_range instead");
}

std::unique_ptr<Tuner> make_pbt(const PbtOptions& options) {
  return std::make_unique<Pbt>(options);
}

}  // namespace apo
