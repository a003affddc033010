#include "apo/base/tensors.h"

#include <ATen/ops/empty.h>
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

double to_double(const Tensor& scalar) {
  return scalar.detach().to(at::kCPU, at::kDouble).item<double>();
}

std::vector<double> to_doubles(const TensorList& scalars) {
  if (scalars.empty()) return {};
  TensorList flat;
  for (const Tensor& scalar : scalars) flat.push_back(scalar.detach().reshape({}).to(at::kDouble));
  const Tensor host = at::stack(flat).to(at::kCPU).contiguous();
  return {host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel()};
}

}  // namespace apo
