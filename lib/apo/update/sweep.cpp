#include "apo/update/sweep.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorIterator.h>
#include <ATen/TensorOperators.h>
#include <ATen/ceil_div.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

// Compiled for several processors, of which the loader picks one. Without -ffast-math and without
// contraction to fused multiply-adds they all round alike. Clang 14 has no clones of templates; the
// sanitizers are not up yet when the loader picks.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define APO_VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define APO_VECTORISED
#endif

namespace apo::sweep {
namespace {

enum class Kind { plain, nesterov, adaptive };

Kind kind_of(const ElementwiseStep& step) {
  if (!step.square.empty()) return Kind::adaptive;
  return step.velocity.empty() ? Kind::plain : Kind::nesterov;
}

/// The numbers of a parameter's step in the type of its arrays.
template <class T>
struct Numbers {
  Numbers(const ElementwiseStep& step, size_t i)
      : rate(to_double(step.rate[i])),
        momentum(step.momentum),
        epsilon(step.square.empty() ? 0 : to_double(step.epsilon[i])),
        direction_scale(scale(step.direction_correction)),
        square_scale(scale(step.square_correction)),
        decay(step.decay),
        shrinkage(step.shrinkage * (step.schedule.defined() ? to_double(step.schedule) : 1)) {}
  static double scale(const Tensor& correction) {
    return correction.defined() ? 1 / to_double(correction) : 1;
  }
  T rate, momentum, epsilon, direction_scale, square_scale, decay, shrinkage;
};

template <class T>
struct Arrays {
  const T* theta;
  const T* d;
  const T* other;
};

template <class T>
[[gnu::always_inline]] inline T denominator(T s, const Numbers<T>& c) {
  return std::sqrt(s * c.square_scale) + c.epsilon;
}

/// r
template <Kind kind, class T>
[[gnu::always_inline]] inline T ratio(T d, T other, const Numbers<T>& c) {
  if constexpr (kind == Kind::plain) return d;
  if constexpr (kind == Kind::nesterov) return d + c.momentum * other;
  return d * c.direction_scale / denominator(other, c);
}

template <class T>
APO_VECTORISED void average_squares_loop(T* s, const T* g, T decay, int64_t n) {
  const T fresh = 1 - decay;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) s[i] = s[i] * decay + fresh * g[i] * g[i];
}

template <Kind kind, class T>
APO_VECTORISED void step_loop(T* next, const Arrays<T>& at, const Numbers<T>& numbers, int64_t n) {
  const Numbers<T> c = numbers;
  const T* theta = at.theta;
  const T* d = at.d;
  const T* other = at.other;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T r = ratio<kind>(d[i], other[i], c);
    next[i] = theta[i] - (c.rate * (r + c.decay * theta[i]) + c.shrinkage * theta[i]);
  }
}

template <Kind kind, class T>
APO_VECTORISED Slopes
slopes_loop(const T* v, const Arrays<T>& at, const Numbers<T>& numbers, int64_t n) {
  const Numbers<T> c = numbers;
  const T* theta = at.theta;
  const T* d = at.d;
  const T* other = at.other;
  double rate = 0;
  double epsilon = 0;
#pragma omp simd reduction(+ : rate, epsilon)
  for (int64_t i = 0; i < n; ++i) {
    const T r = ratio<kind>(d[i], other[i], c);
    rate -= static_cast<double>(v[i] * (r + c.decay * theta[i]));
    if constexpr (kind == Kind::adaptive) {
      epsilon += static_cast<double>(v[i] * (r / denominator(other[i], c)));
    }
  }
  return {rate, epsilon * static_cast<double>(c.rate)};
}

/// Calls body(T(), kind) with the type and the kind of a parameter's step as types.
template <class Body>
void dispatch(const ElementwiseStep& step, size_t i, Body body) {
  AT_DISPATCH_FLOATING_TYPES(step.direction[i].scalar_type(), "sweep", [&] {
    switch (kind_of(step)) {
      case Kind::plain:
        return body(scalar_t(), std::integral_constant<Kind, Kind::plain>());
      case Kind::nesterov:
        return body(scalar_t(), std::integral_constant<Kind, Kind::nesterov>());
      case Kind::adaptive:
        return body(scalar_t(), std::integral_constant<Kind, Kind::adaptive>());
    }
  });
}

constexpr int64_t kBlock = 1 << 14;

int64_t blocks_of(int64_t n) {
  return at::ceil_div(n, kBlock);
}

/// Calls loop(block, begin, end) for the blocks of [0, n), on LibTorch's threads. Its iterator is
/// the way to them: at::parallel_for would be compiled in here, with an OpenMP of its own.
template <class Loop>
void in_blocks(int64_t n, Loop loop) {
  const Tensor blocks = at::empty({blocks_of(n)}, at::kByte);
  const char* first = static_cast<const char*>(blocks.const_data_ptr());
  const auto some = [&](char** at, const int64_t*, int64_t length, int64_t rows) {
    for (int64_t block = at[0] - first, last = block + length * rows; block < last; ++block) {
      loop(block, block * kBlock, std::min(n, (block + 1) * kBlock));
    }
  };
  at::TensorIteratorConfig config;
  config.check_all_same_dtype(false).resize_outputs(false).add_output(blocks);
  config.build().for_each(some, 1);
}

template <class T>
T* data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

template <class T>
Arrays<T> arrays_at(const ElementwiseStep& step, size_t i, const Tensor& theta, int64_t begin) {
  const TensorList& other = !step.square.empty()     ? step.square
                            : !step.velocity.empty() ? step.velocity
                                                     : step.direction;
  return {data<T>(theta) + begin, data<T>(step.direction[i]) + begin, data<T>(other[i]) + begin};
}

}  // namespace

bool has_loop(const ElementwiseStep& step) {
  return step.square.empty() ? !step.direction_correction.defined() : step.velocity.empty();
}

void take(const ElementwiseStep& step, size_t i, const Tensor& theta, const Tensor& next) {
  dispatch(step, i, [&](auto zero, auto kind) {
    using T = decltype(zero);
    const Numbers<T> numbers(step, i);
    in_blocks(theta.numel(), [&](int64_t, int64_t begin, int64_t end) {
      step_loop<kind.value>(
          data<T>(next) + begin, arrays_at<T>(step, i, theta, begin), numbers, end - begin);
    });
  });
}

Slopes slopes(const ElementwiseStep& step, size_t i, const Tensor& theta, const Tensor& v) {
  std::vector<Slopes> parts(blocks_of(theta.numel()));
  const Tensor& decayed = step.decay == 0 ? step.direction[i] : theta;  // one array less to read
  dispatch(step, i, [&](auto zero, auto kind) {
    using T = decltype(zero);
    const Numbers<T> numbers(step, i);
    in_blocks(theta.numel(), [&](int64_t block, int64_t begin, int64_t end) {
      parts[block] = slopes_loop<kind.value>(
          data<T>(v) + begin, arrays_at<T>(step, i, decayed, begin), numbers, end - begin);
    });
  });
  Slopes sum;
  for (const Slopes& part : parts) {
    sum.rate += part.rate;
    sum.epsilon += part.epsilon;
  }
  return sum;
}

void average_squares(const Tensor& s, const Tensor& g, double decay) {
  AT_DISPATCH_FLOATING_TYPES(s.scalar_type(), "average_squares", [&] {
    in_blocks(s.numel(), [&](int64_t, int64_t begin, int64_t end) {
      average_squares_loop(
          data<scalar_t>(s) + begin, data<scalar_t>(g) + begin, scalar_t(decay), end - begin);
    });
  });
}

}  // namespace apo::sweep
