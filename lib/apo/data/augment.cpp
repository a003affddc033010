// crop_flip: pad, crop at random, flip at random, as one gather.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/where.h>

#include "apo/data/stream.h"

namespace apo {
namespace {

constexpr int64_t kPadding = 4;

}  // namespace

/// y[b, c, i, j] = x[b, c, i + r_b − 4, j′ + s_b − 4], or 0 outside of x, with offsets (r, s) and
/// j′ = W − 1 − j where b is flipped, else j.
Tensor crop_and_flip(const Tensor& images, const Tensor& offsets, const Tensor& flips) {
  const int64_t batch = images.size(0);
  const int64_t channels = images.size(1);
  const int64_t height = images.size(2);
  const int64_t width = images.size(3);

  const Tensor i = at::arange(height, offsets.options());
  const Tensor j = at::arange(width, offsets.options());
  const Tensor flipped = at::where(flips.unsqueeze(1), j.flip(0), j);                  // [B, W]
  const Tensor rows = (i + offsets.narrow(1, 0, 1) - kPadding).unsqueeze(2);           // [B, H, 1]
  const Tensor columns = (flipped + offsets.narrow(1, 1, 1) - kPadding).unsqueeze(1);  // [B, 1, W]

  const Tensor outside = rows.lt(0)
                             .logical_or(rows.ge(height))
                             .logical_or(columns.lt(0))
                             .logical_or(columns.ge(width));  // [B, H, W]
  const Tensor index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1);
  const Tensor per_channel =
      index.view({batch, 1, height * width}).expand({batch, channels, height * width});
  return at::gather(images.flatten(2), 2, per_channel)
      .view(images.sizes())
      .masked_fill_(outside.unsqueeze(1), 0);
}

}  // namespace apo
