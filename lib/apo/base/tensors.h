// Lists of tensors: θ, g and the like, one tensor per parameter, in the model's order.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace apo {

using at::Tensor;
using TensorList = std::vector<Tensor>;

/// The same storage without its history.
TensorList detached(const TensorList& tensors);

/// Deep copies, detached.
TensorList clone(const TensorList& tensors);

/// Zeros of the same shapes, types and devices.
TensorList zeros_like(const TensorList& tensors);

/// Gives each of `tensors` the storage of its value: nothing is copied.
void set_storage(TensorList& tensors, const TensorList& values);

/// The value of a one-element tensor on the host. On a GPU this waits for it.
double to_double(const Tensor& scalar);

/// The elements of all tensors in a row, wherever they are: one copy for all that are on a GPU.
std::vector<double> to_doubles(const TensorList& tensors);

/// Numbers that are to be looked at later: on the CPU themselves, detached; on another device all
/// their elements in one tensor.
TensorList packed(const TensorList& numbers);

}  // namespace apo
