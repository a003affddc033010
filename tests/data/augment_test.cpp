#include <ATen/ops/empty_like.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "apo/data/stream.h"

namespace apo {
namespace {

/// The picture as it would be cropped and flipped by hand.
Tensor naive(const Tensor& images, const Tensor& offsets, const Tensor& flips) {
  const int64_t height = images.size(2);
  const int64_t width = images.size(3);
  Tensor result = at::empty_like(images);
  for (int64_t b = 0; b < images.size(0); ++b) {
    Tensor padded = at::zeros({images.size(1), height + 8, width + 8}, at::kByte);
    padded.narrow(1, 4, height).narrow(2, 4, width).copy_(images[b]);
    Tensor crop = padded.narrow(1, offsets[b][0].item<int64_t>(), height)
                      .narrow(2, offsets[b][1].item<int64_t>(), width);
    if (flips[b].item<bool>()) crop = crop.flip(2);
    result[b].copy_(crop);
  }
  return result;
}

TEST(CropAndFlip, EqualsTheLoopOverExamplesForEveryOffset) {
  at::Generator generator = make_generator(1, RandomStream::synthetic_data);
  const Tensor images = at::randint(1, 256, {162, 3, 9, 7}, generator, at::kByte);
  std::vector<int64_t> offsets;
  std::vector<int64_t> flips;
  for (int64_t i = 0; i < 162; ++i) {
    offsets.push_back(i / 2 / 9);
    offsets.push_back(i / 2 % 9);
    flips.push_back(i % 2);
  }
  const Tensor offset = at::tensor(offsets, at::kLong).view({-1, 2});
  const Tensor flip = at::tensor(flips, at::kLong).to(at::kBool);
  const Tensor result = crop_and_flip(images, offset, flip);
  EXPECT_EQ(result.scalar_type(), at::kByte);
  EXPECT_TRUE(result.equal(naive(images, offset, flip)));
}

TEST(CropAndFlip, TheMiddleCropUnflippedIsThePicture) {
  at::Generator generator = make_generator(2, RandomStream::synthetic_data);
  const Tensor images = at::randint(0, 256, {2, 1, 28, 28}, generator, at::kByte);
  const Tensor middle = at::tensor({4, 4, 4, 4}, at::kLong).view({2, 2});
  EXPECT_TRUE(crop_and_flip(images, middle, at::zeros({2}, at::kBool)).equal(images));
}

}  // namespace
}  // namespace apo
