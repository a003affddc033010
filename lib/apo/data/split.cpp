#include "apo/data/split.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>

#include <algorithm>
#include <cstring>

namespace apo {
namespace {

constexpr int64_t kBlockBytes = 16 << 20;

/// index_select along the first dimension, for tensors in a mapped file: it copies bytes whatever
/// their type, on this thread alone, beside a step that has all others. is_in_memory: or lies in
/// order, in which the system reads ahead by itself.
Tensor copied(const Tensor& from, const Tensor& rows, bool is_in_memory) {
  std::vector<int64_t> sizes = from.sizes().vec();
  sizes[0] = rows.size(0);
  Tensor to = at::empty(sizes, from.options());
  const size_t bytes = from.nbytes() / static_cast<size_t>(from.size(0));
  const auto* first = static_cast<const char*>(from.const_data_ptr());
  auto* next = static_cast<char*>(to.mutable_data_ptr());
  const auto* row = rows.const_data_ptr<int64_t>();
  const auto place = [&](int64_t i) { return first + static_cast<size_t>(row[i]) * bytes; };
  for (int64_t i = 0; i < rows.size(0) && !is_in_memory; ++i) announce_read(place(i), bytes);
  for (int64_t i = 0; i < rows.size(0); ++i, next += bytes) std::memcpy(next, place(i), bytes);
  return to;
}

/// LibTorch has few kernels for unsigned numbers of more than a byte.
Tensor selected(const Tensor& from, const Tensor& rows) {
  const at::ScalarType type = from.scalar_type();
  if (type != at::kUInt16 && type != at::kUInt32) return from.index_select(0, rows);
  return from.view(type == at::kUInt16 ? at::kShort : at::kInt).index_select(0, rows).view(type);
}

}  // namespace

int64_t Split::size() const {
  if (rows.defined()) return rows.size(0);
  return inputs.defined() ? inputs.size(0) : 0;
}

Split Split::on(at::Device device) const {
  if (!is_mapped()) return mapped([&](const Tensor& t) { return t.to(device); });
  Split split = *this;
  split.wanted_on = device;
  return split;
}

Batch Split::slice(int64_t begin, int64_t end) const {
  if (!is_mapped()) {
    return Batch::mapped([&](const Tensor& t) { return t.narrow(0, begin, end - begin); });
  }
  const Tensor chosen = rows.defined() ? rows.narrow(0, begin, end - begin)
                                       : at::arange(begin, end, at::TensorOptions(at::kLong));
  file->require_unchanged();
  return sent(Batch::mapped([&](const Tensor& t) { return copied(t, chosen, true); }), wanted_on);
}

Batch Split::select(const Tensor& chosen) const {
  if (!is_mapped()) {
    return Batch::mapped([&](const Tensor& t) { return selected(t, chosen); });
  }
  file->require_unchanged();
  const Tensor places = rows.defined() ? rows.index_select(0, chosen) : chosen;
  return Batch::mapped([&](const Tensor& t) { return copied(t, places, file->fits_memory()); });
}

Batch sent(const Batch& examples, at::Device device) {
  if (device.is_cpu()) return examples;
  return examples.mapped([&](const Tensor& t) {
    return t.is_cpu() ? t.pin_memory().to(device, /*non_blocking=*/true) : t;
  });
}

void for_each_block(const Tensor& tensor,
                    const Tensor& rows,
                    const std::function<void(const Tensor& block)>& use) {
  const int64_t count = rows.defined() ? rows.size(0) : tensor.size(0);
  const auto bytes = static_cast<int64_t>(tensor.nbytes()) / std::max<int64_t>(1, tensor.size(0));
  const int64_t most = std::max<int64_t>(1, kBlockBytes / std::max<int64_t>(1, bytes));
  for (int64_t begin = 0; begin < count; begin += most) {
    const int64_t size = std::min(most, count - begin);
    use(rows.defined() ? copied(tensor, rows.narrow(0, begin, size), true)
                       : tensor.narrow(0, begin, size).contiguous());
  }
}

}  // namespace apo
