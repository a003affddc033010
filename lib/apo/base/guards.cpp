#include "apo/base/guards.h"

namespace apo {

SwapGuard::SwapGuard(TensorList& tensors, const TensorList& values) : tensors_(tensors) {
  for (const Tensor& tensor : tensors) originals_.push_back(tensor.detach());
  set_storage(tensors_, values);
}

SwapGuard::~SwapGuard() {
  set_storage(tensors_, originals_);
}

}  // namespace apo
