#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <png.h>
#include <turbojpeg.h>

#include "apo/data/own.h"
#include "apo/data/picture.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using test::Bytes;
using test::data_error_of;
using testing::HasSubstr;

/// pixels: uint8 [C, H, W], of 1, 3 or 4 channels.
Bytes png_of(const Tensor& pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(pixels.size(1));
  image.width = static_cast<png_uint_32>(pixels.size(2));
  const int64_t channels = pixels.size(0);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  const Tensor rows = pixels.permute({1, 2, 0}).contiguous();
  Bytes bytes(1 << 16);
  png_alloc_size_t size = bytes.size();
  EXPECT_NE(
      png_image_write_to_memory(&image, bytes.data(), &size, 0, rows.const_data_ptr(), 0, nullptr),
      0);
  return test::cut(bytes, size);
}

Bytes jpeg_of(const Tensor& pixels) {
  const tjhandle handle = tjInitCompress();
  const bool grey = pixels.size(0) == 1;
  const Tensor rows = pixels.permute({1, 2, 0}).contiguous();
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg-turbo's
  EXPECT_EQ(tjCompress2(handle,
                        rows.const_data_ptr<uint8_t>(),
                        static_cast<int>(pixels.size(2)),
                        0,
                        static_cast<int>(pixels.size(1)),
                        grey ? TJPF_GRAY : TJPF_RGB,
                        &data,
                        &size,
                        grey ? TJSAMP_GRAY : TJSAMP_444,
                        100,
                        TJFLAG_ACCURATEDCT),
            0);
  Bytes bytes(data, data + size);
  tjFree(data);
  tjDestroy(handle);
  return bytes;
}

Tensor ramp(int64_t channels, int64_t height, int64_t width) {
  return at::arange(channels * height * width, at::kByte).view({channels, height, width});
}

class Folder : public testing::Test {
 protected:
  void write(const std::string& name, const Bytes& bytes) {
    test::write_file(folder_ / name, bytes);
  }
  /// Two classes of grey pictures, whose first pixel counts them.
  void write_classes(const std::string& where, int64_t cats, int64_t dogs) {
    for (int64_t i = 0; i < cats + dogs; ++i) {
      const std::string name = i < cats ? "cat" : "dog";
      const std::string number = std::to_string(100 + i);
      write(where + name + "/" + number + ".png", png_of(at::full({1, 2, 2}, i, at::kByte)));
    }
  }
  std::unique_ptr<Dataset> load(FolderOptions options = {}, const DataRequest& request = {}) {
    options.path = folder_.path();
    return load_folder(options, request);
  }
  std::string error(const FolderOptions& options = {}) {
    return data_error_of([&] { load(options); });
  }

  test::TemporaryFolder folder_;
};

TEST_F(Folder, PngIsReadToThePixel) {
  for (const int64_t channels : {1, 3}) {
    const Tensor pixels = ramp(channels, 3, 5);
    write("x.png", png_of(pixels));
    const PictureFile file(folder_ / "x.png");
    EXPECT_EQ(file.channels(), channels);
    EXPECT_TRUE(file.decode(channels).equal(pixels));
    EXPECT_EQ(file.decode(4 - channels).size(0), 4 - channels);
  }
  Tensor clear = at::full({4, 2, 2}, 200, at::kByte);
  clear[3].zero_();
  write("x.png", png_of(clear));
  EXPECT_EQ(PictureFile(folder_ / "x.png").decode(3).sum().item<int64_t>(), 0);
}

TEST_F(Folder, JpegIsReadAsNearAsItIsWritten) {
  for (const int64_t channels : {1, 3}) {
    const Tensor pixels = ramp(channels, 8, 10);
    write("x.JPG", jpeg_of(pixels));
    const PictureFile file(folder_ / "x.JPG");
    EXPECT_EQ(file.channels(), channels);
    const Tensor off = file.decode(channels).to(at::kInt) - pixels.to(at::kInt);
    EXPECT_LE(off.abs().max().item<int>(), 8);  // of 3 channels that differ by 80 levels each
  }
}

TEST_F(Folder, ATruncatedPictureIsAnError) {
  for (const Bytes& whole : {png_of(ramp(3, 4, 4)), jpeg_of(ramp(1, 8, 8))}) {
    for (size_t length = 0; length < whole.size(); length += 13) {
      write("x", test::cut(whole, length));
      try {
        const PictureFile file(folder_ / "x");
        file.decode(1);
        // What marks the end may be missing: the picture is whole without.
        EXPECT_GE(length + 12, whole.size());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data);
      }
    }
  }
}

TEST_F(Folder, AClassWhoseNameIsNotUtf8IsRefused) {
  write_classes("", 2, 2);
  write("gr\xfcn/1.png", png_of(ramp(1, 2, 2)));
  EXPECT_THAT(error(), HasSubstr("the folder 'gr\\xfcn' has a name that is not UTF-8"));
}

TEST_F(Folder, AHeaderThatClaimsManyPixelsIsRefused) {
  Bytes bytes = png_of(ramp(1, 2, 2));
  for (const size_t at : {16u, 20u}) bytes[at + 1] = 0x0f;  // some 983,040 each
  const auto crc = static_cast<uint32_t>(crc32(0, bytes.data() + 12, 17));
  for (const int i : {0, 1, 2, 3}) bytes[29 + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
  write("x.png", bytes);
  EXPECT_THAT(data_error_of([&] { PictureFile(folder_ / "x.png"); }),
              HasSubstr("pixels; accepted: 67108864 at most"));
}

TEST_F(Folder, ClassesAreTheFoldersByNameAndTheFirstExamplesAreOfAll) {
  write_classes("train/", 3, 2);
  write_classes("test/", 1, 1);
  const auto dataset = load();
  EXPECT_EQ(dataset->classes, 2);
  EXPECT_EQ(dataset->about.at("class_names"), R"(["cat","dog"])");
  const Tensor& first = dataset->train.inputs.select(1, 0).select(1, 0).select(1, 0);
  EXPECT_TRUE(first.equal(at::tensor({0, 3, 1, 4, 2}, at::kByte)));
  EXPECT_TRUE(dataset->train.targets.equal(at::tensor({0, 1, 0, 1, 0}, at::kLong)));
  EXPECT_EQ(dataset->test.targets.size(0), 2);
  EXPECT_EQ(dataset->normalisation.mean.size(), 1);
  EXPECT_EQ(load({}, {.root = {}, .train_examples = 2})->train.targets.sum().item<int64_t>(), 1);
}

TEST_F(Folder, WithoutPartsTheTestSetIsDrawnOfEachClassAlike) {
  write_classes("", 10, 5);
  const auto dataset = load();
  EXPECT_EQ(dataset->train.targets.size(0), 12);
  EXPECT_EQ(dataset->test.targets.sum().item<int64_t>(), 1);
  EXPECT_FALSE(load({.test_share = 0})->test.inputs.defined());
}

TEST_F(Folder, AValidationSetMayLieBesideTheTrainingSet) {
  write_classes("train/", 2, 2);
  write_classes("val/", 1, 1);
  const auto dataset = load();
  EXPECT_EQ(dataset->validation.targets.size(0), 2);
  EXPECT_FALSE(dataset->test.inputs.defined());
}

TEST_F(Folder, PicturesOfOtherSizesAreResizedWhereASizeIsGiven) {
  write_classes("", 2, 2);
  write("cat/large.png", png_of(at::full({3, 8, 6}, 77, at::kByte)));
  EXPECT_THAT(error({.test_share = 0}),
              HasSubstr("large.png: is 8 x 6 (height x width); 100.png is 2 x 2"));
  const auto dataset = load({.test_share = 0, .height = 4, .width = 4, .channels = 3});
  EXPECT_EQ(dataset->train.inputs.sizes(), (std::vector<int64_t>{5, 3, 4, 4}));
  EXPECT_TRUE(dataset->train.inputs[4].eq(77).all().item<bool>());
}

TEST_F(Folder, WhatIsNoPictureOfAClassIsNamed) {
  write_classes("train/", 2, 2);
  write("train/cat/notes.txt", {1});
  EXPECT_THAT(error(), HasSubstr("cat/notes.txt: is no .png, .jpg or .jpeg"));
  fs::remove(folder_ / "train/cat/notes.txt");
  write("train/cat/bad.png", {1, 2, 3});
  EXPECT_THAT(error(), HasSubstr("cat/bad.png: is neither PNG nor JPEG"));
  fs::remove(folder_ / "train/cat/bad.png");
  write("train/.DS_Store", {1});
  write("test/cats/1.png", png_of(ramp(1, 2, 2)));
  write("test/dog/1.png", png_of(ramp(1, 2, 2)));
  EXPECT_THAT(error(), HasSubstr("no such class in the training set; did you mean 'cat'?"));
  fs::remove_all(folder_ / "test");
  fs::create_directory(folder_ / "train/eel");
  EXPECT_THAT(error(), HasSubstr("eel: has no pictures"));
}

}  // namespace
}  // namespace apo
