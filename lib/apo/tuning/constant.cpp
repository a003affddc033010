#include "apo/tuning/tuner.h"

namespace apo {
namespace {

class Constant : public Tuner {
 public:
  TunerReport before_step(const StepContext&, Hyperparameters&) override { return {}; }
};

}  // namespace

std::unique_ptr<Tuner> make_constant(const NoOptions&) {
  return std::make_unique<Constant>();
}

}  // namespace apo
