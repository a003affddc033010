// Numbers with names that are looked at later: one copy fetches them all.
#pragma once

#include <span>

#include "apo/base/tensors.h"

namespace apo {

/// A tensor's elements on the host.
using Numbers = std::span<const double>;

/// Terms<T>: a struct with a member of type T for each term, which `mapped(f)` maps one by one to
/// those of a Terms<U>.
template <template <class> class Terms>
class Packed {
 public:
  Packed() = default;
  /// On the CPU the terms themselves, detached; on another device all their elements in one tensor.
  explicit Packed(const Terms<Tensor>& terms) {
    TensorList list;
    counts_ = terms.mapped([&list](const Tensor& term) {
      list.push_back(term);
      return term.numel();
    });
    tensors_ = packed(list);
  }

  Packed clone() const {
    Packed copy = *this;
    copy.tensors_ = apo::clone(tensors_);
    return copy;
  }

  const TensorList& tensors() const { return tensors_; }

  /// The terms in what to_doubles(tensors()) has put at `next`, which goes on behind them.
  Terms<Numbers> read(const double*& next) const {
    return counts_.mapped([&next](int64_t count) {
      const Numbers term(next, static_cast<size_t>(count));
      next += count;
      return term;
    });
  }

 private:
  TensorList tensors_;
  Terms<int64_t> counts_;
};

}  // namespace apo
