#include "apo/base/tensors.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>

namespace apo {
namespace {

/// The elements as float64.
Tensor in_a_row(const Tensor& tensor) {
  return tensor.detach().to(at::kDouble).reshape({-1});
}

}  // namespace

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
  return scalar.item().toDouble();
}

std::vector<double> to_doubles(const TensorList& tensors) {
  TensorList on_device;
  for (const Tensor& tensor : tensors) {
    if (!tensor.is_cpu()) on_device.push_back(in_a_row(tensor));
  }
  const Tensor fetched = on_device.empty() ? Tensor() : at::cat(on_device).to(at::kCPU);
  std::vector<double> values;
  values.reserve(tensors.size());
  int64_t next = 0;
  const auto append = [&values](const Tensor& row) {
    const auto* first = row.const_data_ptr<double>();
    values.insert(values.end(), first, first + row.numel());
  };
  for (const Tensor& tensor : tensors) {
    if (!tensor.is_cpu()) {
      append(fetched.narrow(0, next, tensor.numel()));
      next += tensor.numel();
    } else if (tensor.numel() == 1) {
      values.push_back(to_double(tensor));
    } else {
      append(in_a_row(tensor));
    }
  }
  return values;
}

TensorList packed(const TensorList& numbers) {
  if (numbers.front().is_cpu()) return detached(numbers);
  TensorList rows;
  for (const Tensor& number : numbers) rows.push_back(in_a_row(number));
  return {at::cat(rows)};
}

}  // namespace apo
