// A part of a data set, in memory or in a file that is mapped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "apo/base/mapped_file.h"
#include "apo/base/tensors.h"
#include "apo/data/batch.h"

namespace apo {

/// Examples along the first dimension. inputs: [N, …] of any type, pictures uint8 [N, C, H, W],
/// other whole numbers reach a network as int64;
/// targets: as a loss compares with them, classes [N] or one per position [N, …], whole numbers of
/// any type, each in [0, classes), or real numbers [N, …, outputs].
struct Split : Batch {
  Split() = default;
  explicit Split(Batch tensors) : Batch(std::move(tensors)) {}
  Split(Tensor inputs, Tensor targets, Tensor weights = {})
      : Batch{std::move(inputs), std::move(targets), std::move(weights)} {}

  /// Where the tensors lie, on the CPU, if not in memory.
  std::shared_ptr<const MappedFile> file = {};
  /// Of a mapped part, int64 [N]: its examples among those of the tensors; undefined: all of them.
  Tensor rows = {};
  /// Of a mapped part: where its examples are wanted.
  at::Device wanted_on = at::kCPU;

  /// Of none: 0.
  int64_t size() const;
  bool is_mapped() const { return file != nullptr; }
  /// Where its examples are given.
  at::Device device() const { return is_mapped() ? wanted_on : inputs.device(); }
  /// On the device whole, or where it is mapped with examples that are wanted there.
  Split on(at::Device device) const;

  template <class Map>
  Split mapped(const Map& map) const {
    Split split = *this;
    static_cast<Batch&>(split) = Batch::mapped(map);
    return split;
  }

  /// Examples [begin, end), on the device: of what is in memory they are views.
  Batch slice(int64_t begin, int64_t end) const;
  /// Copies of those that `chosen` numbers, int64 [B], in its order. Of a mapped part they are on
  /// the CPU, and so must `chosen` be. Throws Error(data) where the mapped file has changed.
  Batch select(const Tensor& chosen) const;
};

/// To the device where that is another; to a GPU through memory from which it can fetch them while
/// the host goes on.
Batch sent(const Batch& examples, at::Device device);

/// `use` of the tensor's rows in blocks of some megabytes, in order: all, or those that `rows`,
/// int64 [n], numbers. Blocks are contiguous, and only to be read.
void for_each_block(const Tensor& tensor,
                    const Tensor& rows,
                    const std::function<void(const Tensor& block)>& use);

}  // namespace apo
