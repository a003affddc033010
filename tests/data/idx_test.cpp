#include <gmock/gmock.h>

#include <filesystem>

#include "apo/data/dataset.h"
#include "apo/data/formats.h"
#include "apo/data/stream.h"
#include "support/files.h"

namespace apo {
namespace {

using test::Bytes;
using test::cut;
using test::data_error_of;
using test::write_file;
using testing::HasSubstr;

/// A big-endian word.
void append(Bytes& bytes, uint32_t word) {
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<uint8_t>(word >> shift));
}

/// Pixel (row, column) of picture i.
uint8_t pixel(uint32_t i, uint32_t row, uint32_t column) {
  return static_cast<uint8_t>(i * 101 + row * 7 + column);
}

Bytes images(uint32_t count) {
  Bytes bytes;
  for (const uint32_t word : {0x803u, count, 28u, 28u}) append(bytes, word);
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t row = 0; row < 28; ++row) {
      for (uint32_t column = 0; column < 28; ++column) bytes.push_back(pixel(i, row, column));
    }
  }
  return bytes;
}

/// Labels 0, 1, …, 9, 0, …
Bytes labels(uint32_t count) {
  Bytes bytes;
  append(bytes, 0x801);
  append(bytes, count);
  for (uint32_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(i % 10));
  return bytes;
}

class Idx : public testing::Test {
 protected:
  Split read(const Bytes& images, const Bytes& labels, int64_t examples = 0) {
    write_file(images_path_, images);
    write_file(labels_path_, labels);
    return read_idx(images_path_, labels_path_, {"training", examples});
  }
  std::string error(const Bytes& images, const Bytes& labels, int64_t examples = 0) {
    return data_error_of([&] { read(images, labels, examples); });
  }

  test::TemporaryFolder folder_;
  std::filesystem::path images_path_ = folder_ / "images";
  std::filesystem::path labels_path_ = folder_ / "labels";
};

TEST_F(Idx, PixelsAndLabelsAreWhereTheFormatPutsThem) {
  const Split split = read(images(12), labels(12));
  ASSERT_EQ(split.inputs.sizes(), (std::vector<int64_t>{12, 1, 28, 28}));
  ASSERT_EQ(split.inputs.scalar_type(), at::kByte);
  ASSERT_EQ(split.targets.scalar_type(), at::kLong);
  EXPECT_EQ(split.inputs[3][0][5][20].item<int>(), pixel(3, 5, 20));
  EXPECT_EQ(split.inputs[11][0][27][0].item<int>(), pixel(11, 27, 0));
  EXPECT_EQ(split.targets[11].item<int>(), 1);
}

TEST_F(Idx, FirstExamplesAreReadWhereFewerAreAskedFor) {
  const Split split = read(images(12), labels(12), 5);
  EXPECT_EQ(split.inputs.size(0), 5);
  EXPECT_EQ(split.targets[4].item<int>(), 4);
}

TEST_F(Idx, MoreExamplesThanThereAreIsAnErrorThatSaysHowMany) {
  EXPECT_EQ(error(images(12), labels(12), 13),
            images_path_.string() + ": 13 training examples asked for; there are 12");
}

TEST_F(Idx, EveryTruncationOfAHeaderIsAnError) {
  for (size_t length = 0; length < 16; ++length) {
    EXPECT_EQ(error(cut(images(2), length), labels(2)),
              images_path_.string() + ": ends at byte " + std::to_string(length) +
                  "; expected a header of 16 bytes (IDX images)");
  }
  for (size_t length = 0; length < 8; ++length) {
    EXPECT_EQ(error(images(2), cut(labels(2), length)),
              labels_path_.string() + ": ends at byte " + std::to_string(length) +
                  "; expected a header of 8 bytes (IDX labels)");
  }
}

TEST_F(Idx, LengthsOtherThanTheHeaderSaysAreErrors) {
  const size_t whole = images(2).size();
  EXPECT_EQ(error(cut(images(2), whole - 1), labels(2)),
            images_path_.string() +
                ": ends at byte 1583; expected 1584 bytes (2 images after the header of 16 bytes)");
  EXPECT_THAT(error(cut(images(2), whole + 1), labels(2)), HasSubstr("goes on after byte 1584"));
  EXPECT_THAT(error(images(2), cut(labels(2), 9)), HasSubstr("ends at byte 9; expected 10 bytes"));
  EXPECT_THAT(error(images(2), cut(labels(2), 11)), HasSubstr("goes on after byte 10"));
}

TEST_F(Idx, SwappedFilesAreToldByTheirMagicNumber) {
  EXPECT_EQ(
      error(labels(2), images(2)),
      images_path_.string() + ": magic 0x00000801 at byte 0; expected 0x00000803 (IDX images)");
  EXPECT_EQ(
      error(images(2), images(2)),
      labels_path_.string() + ": magic 0x00000803 at byte 0; expected 0x00000801 (IDX labels)");
}

TEST_F(Idx, CountsThatDifferOrAreOutOfBoundsAreErrors) {
  EXPECT_EQ(error(images(2), labels(3)),
            labels_path_.string() + ": 3 labels at byte 4; expected 2, the number of images in " +
                images_path_.string());
  Bytes none = images(2);
  none[7] = 0;
  EXPECT_THAT(error(none, labels(2)), HasSubstr("count 0 at byte 4; expected 1 to 1000000"));
  Bytes many = images(2);
  many[4] = 0xff;
  EXPECT_THAT(error(many, labels(2)), HasSubstr("count 4278190082 at byte 4"));
}

TEST_F(Idx, OtherPictureSizesAreErrors) {
  for (const size_t byte : {8, 11, 12, 15}) {
    Bytes bytes = images(2);
    bytes[byte] = 32;
    EXPECT_THAT(error(bytes, labels(2)),
                HasSubstr(byte < 12 ? "at byte 8; expected 28" : "at byte 12; expected 28"));
  }
}

TEST_F(Idx, LabelsOutOfRangeAreErrors) {
  Bytes bytes = labels(5);
  bytes[8 + 3] = 10;
  EXPECT_EQ(error(images(5), bytes),
            labels_path_.string() + ": label 10 at byte 11; expected 0 to 9");
}

TEST_F(Idx, GzipFilesReadLikePlainOnes) {
  test::write_gzip(images_path_, images(40));
  test::write_gzip(labels_path_, labels(40));
  const Split split = read_idx(images_path_, labels_path_, {"training", 0});
  EXPECT_TRUE(split.inputs.equal(read(images(40), labels(40)).inputs));
}

TEST_F(Idx, EveryTruncationOfAGzipFileIsAnError) {
  test::write_gzip(folder_ / "whole", labels(100));
  const Bytes whole = test::read_file(folder_ / "whole");
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THAT(error(images(100), cut(whole, length)), HasSubstr(labels_path_.string() + ": "))
        << length;
  }
}

TEST_F(Idx, CorruptGzipFilesAreErrors) {
  test::write_gzip(folder_ / "whole", images(3));
  const Bytes whole = test::read_file(folder_ / "whole");
  Bytes checksum = whole;
  checksum[whole.size() - 8] ^= 1;
  EXPECT_THAT(error(checksum, labels(3)), HasSubstr("corrupt gzip stream"));
  Bytes middle = whole;
  middle[whole.size() / 2] ^= 0x10;
  EXPECT_THAT(error(middle, labels(3)), HasSubstr(images_path_.string()));
}

/// What goes beyond the header's counts is not decompressed: one byte of it tells enough.
TEST_F(Idx, GzipBombsAreNotDecompressed) {
  gzFile file = gzopen(images_path_.c_str(), "wb1");
  const Bytes head = images(2);
  gzwrite(file, head.data(), static_cast<unsigned>(head.size()));
  const Bytes zeros(1 << 20);
  for (int i = 0; i < 64; ++i) gzwrite(file, zeros.data(), static_cast<unsigned>(zeros.size()));
  gzclose(file);
  write_file(labels_path_, labels(2));
  EXPECT_THAT(data_error_of([&] {
                read_idx(images_path_, labels_path_, {"training", 0});
              }),
              HasSubstr("goes on after byte 1584; expected 1584 bytes"));
}

TEST_F(Idx, UnreadableFilesAreErrors) {
  std::filesystem::create_directory(images_path_);
  write_file(labels_path_, labels(2));
  EXPECT_THAT(data_error_of([&] {
                read_idx(images_path_, labels_path_, {"training", 0});
              }),
              HasSubstr("is no file but a folder"));
  EXPECT_THAT(data_error_of([&] {
                read_idx(folder_ / "none", labels_path_, {"training", 0});
              }),
              HasSubstr("cannot be opened: No such file"));
}

TEST(FashionMnist, DebiansPackageLoadsWithThePublishedStatistics) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "the package dataset-fashion-mnist is not installed";
  }
  DataRequest request;
  request.root = "/usr/share/datasets";
  const auto dataset = load_fashion_mnist({}, request);
  EXPECT_EQ(dataset->classes, 10);
  EXPECT_EQ(dataset->train.inputs.sizes(), (std::vector<int64_t>{60'000, 1, 28, 28}));
  EXPECT_EQ(dataset->test.inputs.sizes(), (std::vector<int64_t>{10'000, 1, 28, 28}));
  const Normalisation statistics = channel_statistics(dataset->train.inputs);
  // Published with four digits.
  EXPECT_NEAR(statistics.mean[0], .2860, 5e-5);
  EXPECT_NEAR(statistics.deviation[0], .3530, 5e-5);
  for (int64_t label = 0; label < 10; ++label) {
    EXPECT_EQ(dataset->test.targets.eq(label).sum().item<int64_t>(), 1000);
  }
}

}  // namespace
}  // namespace apo
