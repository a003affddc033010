#include "apo/base/guards.h"

#include <ATen/core/grad_mode.h>

namespace apo {
namespace {

void set_storage(TensorList& tensors, const TensorList& values) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].set_data(values[i]);
}

}  // namespace

SwapGuard::SwapGuard(TensorList& tensors, const TensorList& values) : tensors_(tensors) {
  for (const Tensor& tensor : tensors) originals_.push_back(tensor.detach());
  set_storage(tensors_, values);
}

SwapGuard::~SwapGuard() {
  set_storage(tensors_, originals_);
}

}  // namespace apo
