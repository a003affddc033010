#include <gmock/gmock.h>

#include "apo/data/dataset.h"
#include "apo/data/formats.h"
#include "support/files.h"

namespace apo {
namespace {

using test::Bytes;
using test::cut;
using test::data_error_of;
using test::write_file;
using testing::HasSubstr;

constexpr size_t kPixels = size_t{3} * 32 * 32;

uint8_t pixel(size_t i, size_t channel, size_t row, size_t column) {
  return static_cast<uint8_t>(i * 37 + channel * 80 + row * 3 + column);
}

/// Records first … first + count − 1, with the labels (coarse,) i mod classes.
Bytes records(const CifarFormat& format, size_t first, size_t count) {
  Bytes bytes;
  for (size_t i = first; i < first + count; ++i) {
    if (format.label_bytes == 2) bytes.push_back(19);
    bytes.push_back(static_cast<uint8_t>(i % static_cast<size_t>(format.classes)));
    for (size_t channel = 0; channel < 3; ++channel) {
      for (size_t row = 0; row < 32; ++row) {
        for (size_t column = 0; column < 32; ++column) {
          bytes.push_back(pixel(i, channel, row, column));
        }
      }
    }
  }
  return bytes;
}

class Cifar : public testing::TestWithParam<CifarFormat> {
 protected:
  std::string error(const Bytes& bytes) {
    write_file(path_, bytes);
    return data_error_of([&] { read_cifar(path_, GetParam(), 1 << 20); });
  }
  size_t record_bytes() const { return static_cast<size_t>(GetParam().label_bytes) + kPixels; }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "file.bin";
};

TEST_P(Cifar, PixelsAndLabelsAreWhereTheFormatPutsThem) {
  write_file(path_, records(GetParam(), 0, 15));
  const Split split = read_cifar(path_, GetParam(), 1 << 20);
  ASSERT_EQ(split.inputs.sizes(), (std::vector<int64_t>{15, 3, 32, 32}));
  EXPECT_EQ(split.inputs[14][0][0][31].item<int>(), pixel(14, 0, 0, 31));
  EXPECT_EQ(split.inputs[3][2][30][1].item<int>(), pixel(3, 2, 30, 1));
  EXPECT_EQ(split.targets[14].item<int64_t>(), 14 % GetParam().classes);
}

TEST_P(Cifar, NoMoreThanTheLimitIsRead) {
  Bytes bytes = records(GetParam(), 0, 3);
  bytes.push_back(0);  // damage beyond it
  write_file(path_, bytes);
  EXPECT_EQ(read_cifar(path_, GetParam(), 2).targets.size(0), 2);
}

TEST_P(Cifar, PartsOfRecordsAreErrors) {
  const Bytes whole = records(GetParam(), 0, 2);
  for (const size_t length : {size_t{1}, size_t{2}, record_bytes() - 1, record_bytes() + 1}) {
    EXPECT_EQ(error(cut(whole, length)),
              path_.string() + ": ends at byte " + std::to_string(length) + " within record " +
                  std::to_string(length / record_bytes()) + "; expected whole records of " +
                  std::to_string(record_bytes()) + " bytes");
  }
  EXPECT_THAT(error({}), HasSubstr("is empty; expected records of"));
}

TEST_P(Cifar, LabelsOutOfRangeAreErrors) {
  Bytes bytes = records(GetParam(), 0, 3);
  const size_t place = 2 * record_bytes() + static_cast<size_t>(GetParam().label_bytes) - 1;
  bytes[place] = static_cast<uint8_t>(GetParam().classes);
  EXPECT_EQ(error(bytes),
            path_.string() + ": label " + std::to_string(GetParam().classes) + " at byte " +
                std::to_string(place) + " (record 2); expected 0 to " +
                std::to_string(GetParam().classes - 1));
}

TEST_P(Cifar, GzipBombsAreDecompressedNoFurtherThanTheLargestFile) {
  gzFile file = gzopen(path_.c_str(), "wb1");
  const Bytes zeros(1 << 22);
  for (int i = 0; i < 40; ++i) gzwrite(file, zeros.data(), static_cast<unsigned>(zeros.size()));
  gzclose(file);
  EXPECT_THAT(data_error_of([&] { read_cifar(path_, GetParam(), 1 << 20); }),
              HasSubstr("expected at most 50000 records"));
}

INSTANTIATE_TEST_SUITE_P(Formats,
                         Cifar,
                         testing::Values(kCifar10, kCifar100),
                         [](const auto& info) {
                           return "Cifar" + std::to_string(info.param.classes);
                         });

class Cifar10Files : public testing::Test {
 protected:
  Cifar10Files() {
    const std::string folder = "cifar-10-batches-bin/";
    for (size_t batch = 0; batch < 5; ++batch) {
      write_file(folder_ / (folder + "data_batch_" + std::to_string(batch + 1) + ".bin"),
                 records(kCifar10, 4 * batch, 4));
    }
    write_file(folder_ / (folder + "test_batch.bin"), records(kCifar10, 7, 3));
    request_.root = folder_.path();
  }

  test::TemporaryFolder folder_;
  DataRequest request_;
};

TEST_F(Cifar10Files, BatchesAreConcatenatedInOrder) {
  const auto dataset = load_cifar10({}, request_);
  ASSERT_EQ(dataset->train.inputs.sizes(), (std::vector<int64_t>{20, 3, 32, 32}));
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(dataset->train.targets[i].item<int64_t>(), i % 10);
  EXPECT_EQ(dataset->train.inputs[17][1][2][3].item<int>(), pixel(17, 1, 2, 3));
  EXPECT_EQ(dataset->test.targets[2].item<int64_t>(), 9);
  EXPECT_EQ(dataset->classes, 10);
}

TEST_F(Cifar10Files, OnlyTheBatchesThatAreNeededAreRead) {
  write_file(folder_ / "cifar-10-batches-bin/data_batch_3.bin", {1, 2, 3});
  request_.train_examples = 8;
  EXPECT_EQ(load_cifar10({}, request_)->train.targets.size(0), 8);
  request_.train_examples = 9;
  EXPECT_THAT(data_error_of([&] { load_cifar10({}, request_); }), HasSubstr("data_batch_3.bin"));
}

TEST_F(Cifar10Files, MoreExamplesThanThereAreIsAnErrorThatSaysHowMany) {
  request_.train_examples = 21;
  EXPECT_EQ(data_error_of([&] { load_cifar10({}, request_); }),
            (folder_ / "cifar-10-batches-bin").string() +
                ": 21 training examples asked for; there are 20");
  request_.train_examples = 0;
  request_.test_examples = 4;
  EXPECT_THAT(data_error_of([&] { load_cifar10({}, request_); }),
              HasSubstr("4 test examples asked for; there are 3"));
}

TEST(Cifar100Files, LoadWithTheirFineLabels) {
  test::TemporaryFolder folder;
  write_file(folder / "train.bin", records(kCifar100, 60, 5));
  test::write_gzip(folder / "test.bin.gz", records(kCifar100, 99, 1));
  DataRequest request;
  request.root = folder.path();
  const auto dataset = load_cifar100({}, request);
  EXPECT_EQ(dataset->train.targets[4].item<int64_t>(), 64);
  EXPECT_EQ(dataset->test.targets[0].item<int64_t>(), 99);
  EXPECT_EQ(dataset->classes, 100);
}

}  // namespace
}  // namespace apo
