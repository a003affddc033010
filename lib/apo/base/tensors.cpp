#include "apo/base/tensors.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

namespace apo {

TensorList detached(const TensorList& tensors) {
  TensorList aliases;
  aliases.reserve(tensors.size());
  for (const Tensor& tensor : tensors) aliases.push_back(tensor.detach());
  return aliases;
}

TensorList clone(const TensorList& tensors) {
  TensorList copies;
  copies.reserve(tensors.size());
  for (const Tensor& tensor : tensors) copies.push_back(tensor.detach().clone());
  return copies;
}

TensorList zeros_like(const TensorList& tensors) {
  TensorList zeros;
  zeros.reserve(tensors.size());
  for (const Tensor& tensor : tensors) zeros.push_back(at::zeros_like(tensor.detach()));
  return zeros;
}

void set_storage(TensorList& tensors, const TensorList& values) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].set_data(values[i]);
}

double to_double(const Tensor& scalar) {
  return scalar.detach().to(at::kCPU, at::kDouble).item<double>();
}

std::vector<double> to_doubles(const TensorList& scalars) {
  TensorList on_device;
  for (const Tensor& scalar : scalars) {
    if (!scalar.is_cpu()) on_device.push_back(scalar.detach().reshape({}).to(at::kDouble));
  }
  const Tensor fetched = on_device.empty() ? Tensor() : at::stack(on_device).to(at::kCPU);
  std::vector<double> values;
  values.reserve(scalars.size());
  int64_t next = 0;
  for (const Tensor& scalar : scalars) {
    values.push_back(to_double(scalar.is_cpu() ? scalar : fetched[next++]));
  }
  return values;
}

}  // namespace apo
