#include "apo/problem/toy.h"

namespace apo {
namespace {

class Drawn : public Batches {
 public:
  Drawn(uint64_t seed, RandomStream stream, Draw draw, int64_t steps_per_pass)
      : seed_(seed), stream_(stream), draw_(std::move(draw)), steps_per_pass_(steps_per_pass) {}

  Batch next() override {
    at::Generator generator = make_generator(seed_, stream_, static_cast<uint64_t>(drawn_++));
    return draw_(generator);
  }
  int64_t steps_per_pass() const override { return steps_per_pass_; }
  void visit_state(StateVisitor& visitor) override { visitor.integer("drawn", drawn_); }

 private:
  uint64_t seed_;
  RandomStream stream_;
  Draw draw_;
  int64_t steps_per_pass_;
  int64_t drawn_ = 0;
};

class Point : public Network {
 public:
  explicit Point(const Tensor& start) : Network({{start.clone().requires_grad_()}, {"point"}}) {}
  Tensor forward(const Tensor&) override { return parameters()[0].unsqueeze(0); }
};

}  // namespace

std::unique_ptr<Batches> make_drawn(uint64_t seed,
                                    RandomStream stream,
                                    Draw draw,
                                    int64_t steps_per_pass) {
  return std::make_unique<Drawn>(seed, stream, std::move(draw), steps_per_pass);
}

std::unique_ptr<Network> make_point(const Tensor& start) {
  return std::make_unique<Point>(start);
}

at::TensorOptions tensor_options(const ProblemSetting& setting) {
  return at::TensorOptions().dtype(setting.dtype).device(setting.device);
}

std::unique_ptr<Problem> make_toy(const ProblemSetting& setting,
                                  std::unique_ptr<Network> network,
                                  std::unique_ptr<Loss> loss,
                                  const Draw& draw,
                                  std::function<Tensor(const TensorList& theta)> objective) {
  auto problem = std::make_unique<Problem>();
  problem->network = std::move(network);
  problem->loss = std::move(loss);
  problem->batches = make_drawn(setting.seed, RandomStream::training_batches, draw);
  problem->discrepancy_batches = make_drawn(setting.seed, RandomStream::discrepancy_batches, draw);
  problem->objective = std::move(objective);
  problem->seed = setting.seed;
  return problem;
}

}  // namespace apo
