#include "apo/problem/toy.h"

#include <ATen/core/grad_mode.h>

namespace apo {

Toy::Toy(const ProblemSetting& setting, std::vector<std::string> names, const TensorList& start)
    : setting_(setting), names_(std::move(names)) {
  for (const Tensor& tensor : start) {
    parameters_.push_back(tensor.to(options()).clone().requires_grad_());
  }
}

std::optional<Metrics> Toy::evaluate(Part, const Poll&) {
  const at::NoGradGuard no_grad;
  return Metrics{to_double(objective()), std::nullopt};
}

void Toy::visit_state(StateVisitor& visitor) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    visitor.shared("parameters/" + names_[i], parameters_[i]);
  }
  visitor.integer("batches", batches_);
  visitor.integer("discrepancy_batches", discrepancy_batches_);
}

at::TensorOptions Toy::options() const {
  return at::TensorOptions().dtype(setting_.dtype).device(setting_.device);
}

Batch Toy::next(RandomStream stream, int64_t number) {
  at::Generator generator = make_generator(setting_.seed, stream, static_cast<uint64_t>(number));
  return draw(generator);
}

}  // namespace apo
