#include <gmock/gmock.h>
#include <matio.h>

#include <algorithm>
#include <cmath>

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

/// A MATLAB file, written by matio.
class MatWriter {
 public:
  explicit MatWriter(const std::filesystem::path& path, mat_ft version = MAT_FT_MAT5)
      : file_(Mat_CreateVer(path.c_str(), nullptr, version)) {}
  ~MatWriter() { Mat_Close(file_); }
  MatWriter(const MatWriter&) = delete;
  MatWriter& operator=(const MatWriter&) = delete;

  template <class T>
  void add(const char* name,
           matio_classes kind,
           matio_types type,
           std::vector<size_t> shape,
           std::vector<T> values,
           matio_compression compression = MAT_COMPRESSION_ZLIB) {
    const auto rank = static_cast<int>(shape.size());
    matvar_t* variable = Mat_VarCreate(name, kind, type, rank, shape.data(), values.data(), 0);
    Mat_VarWrite(file_, variable, compression);
    Mat_VarFree(variable);
  }
  void add_pictures(std::vector<size_t> shape,
                    matio_compression compression = MAT_COMPRESSION_ZLIB);
  void add_labels(const Bytes& labels, matio_compression compression = MAT_COMPRESSION_ZLIB) {
    add<uint8_t>("y", MAT_C_UINT8, MAT_T_UINT8, {labels.size(), 1}, labels, compression);
  }

 private:
  mat_t* file_;
};

uint8_t pixel(size_t row, size_t column, size_t channel, size_t i) {
  return static_cast<uint8_t>(row * 3 + column * 11 + channel * 50 + i * 7);
}

void MatWriter::add_pictures(std::vector<size_t> shape, matio_compression compression) {
  Bytes x;  // the first index runs fastest
  const size_t count = shape.size() < 4 ? 1 : shape[3];
  for (size_t i = 0; i < count; ++i) {
    for (size_t channel = 0; channel < shape[2]; ++channel) {
      for (size_t column = 0; column < shape[1]; ++column) {
        for (size_t row = 0; row < shape[0]; ++row) x.push_back(pixel(row, column, channel, i));
      }
    }
  }
  add<uint8_t>("X", MAT_C_UINT8, MAT_T_UINT8, std::move(shape), std::move(x), compression);
}

class Svhn : public testing::Test {
 protected:
  Split read(int64_t examples = 0) { return read_svhn(path_, {"training", examples}); }
  std::string error(int64_t examples = 0) {
    return data_error_of([&] { read(examples); });
  }
  std::string error(const Bytes& bytes) {
    write_file(path_, bytes);
    return error();
  }
  /// Three pictures.
  Bytes good_file(matio_compression compression) {
    {
      MatWriter file(path_);
      file.add_pictures({32, 32, 3, 3}, compression);
      file.add_labels({1, 9, 10}, compression);
    }
    return test::read_file(path_);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "train_32x32.mat";
};

TEST_F(Svhn, PicturesStandUprightAndLabelTenIsTheDigitZero) {
  for (const auto compression : {MAT_COMPRESSION_NONE, MAT_COMPRESSION_ZLIB}) {
    good_file(compression);
    const Split split = read();
    ASSERT_EQ(split.inputs.sizes(), (std::vector<int64_t>{3, 3, 32, 32}));
    EXPECT_TRUE(split.inputs.is_contiguous());
    for (size_t i = 0; i < 3; ++i) {
      for (size_t channel = 0; channel < 3; ++channel) {
        const Tensor plane = split.inputs.select(0, static_cast<int64_t>(i))
                                 .select(0, static_cast<int64_t>(channel));
        EXPECT_EQ(plane[2][30].item<int>(), pixel(2, 30, channel, i));
        EXPECT_EQ(plane[31][0].item<int>(), pixel(31, 0, channel, i));
      }
    }
    EXPECT_EQ(split.targets.scalar_type(), at::kLong);
    EXPECT_EQ(split.targets[0].item<int>(), 1);
    EXPECT_EQ(split.targets[1].item<int>(), 9);
    EXPECT_EQ(split.targets[2].item<int>(), 0);
  }
}

TEST_F(Svhn, LabelsOfAnyNumericTypeAndOrderOfVariablesLoad) {
  {
    MatWriter file(path_);
    file.add<double>("y", MAT_C_DOUBLE, MAT_T_DOUBLE, {2, 1}, {3, 10});
    file.add<char>("note", MAT_C_CHAR, MAT_T_UINT8, {1, 2}, {'h', 'i'});
    file.add_pictures({32, 32, 3, 2}, MAT_COMPRESSION_NONE);
  }
  EXPECT_EQ(read().targets[0].item<int>(), 3);
  EXPECT_EQ(read().targets[1].item<int>(), 0);
  {
    MatWriter file(path_);
    file.add_pictures({32, 32, 3, 3});
    file.add<int16_t>("y", MAT_C_INT16, MAT_T_INT16, {1, 3}, {5, 6, 7}, MAT_COMPRESSION_NONE);
  }
  EXPECT_EQ(read().targets[2].item<int>(), 7);
}

TEST_F(Svhn, APictureAloneHasThreeDimensions) {
  {
    MatWriter file(path_);
    file.add_pictures({32, 32, 3});
    file.add_labels({4});
  }
  EXPECT_EQ(read().inputs.size(0), 1);
}

TEST_F(Svhn, FirstExamplesAreReadWhereFewerAreAskedFor) {
  good_file(MAT_COMPRESSION_ZLIB);
  const Split split = read(2);
  EXPECT_EQ(split.inputs.size(0), 2);
  EXPECT_EQ(split.targets.size(0), 2);
  EXPECT_EQ(error(4), path_.string() + ": 4 training examples asked for; there are 3");
}

TEST_F(Svhn, OtherShapesAndTypesAreErrors) {
  const auto x_error = [&](std::vector<size_t> shape) {
    {
      MatWriter file(path_);
      file.add_pictures(shape);
      file.add_labels({1, 2});
    }
    return error();
  };
  EXPECT_EQ(
      x_error({32, 31, 3, 2}),
      path_.string() +
          ": variable X is 32x31x3x2 uint8; expected 32x32x3xN uint8 with N from 1 to 600000");
  EXPECT_THAT(x_error({32, 32, 1, 2}), HasSubstr("variable X is 32x32x1x2 uint8"));
  {
    MatWriter file(path_);
    file.add<double>("X", MAT_C_DOUBLE, MAT_T_DOUBLE, {32, 32, 3}, std::vector<double>(3072, .5));
    file.add_labels({1});
  }
  EXPECT_THAT(error(), HasSubstr("variable X is 32x32x3 double; expected"));
  {
    MatWriter file(path_);
    file.add_pictures({32, 32, 3, 4});
    file.add<uint8_t>("y", MAT_C_UINT8, MAT_T_UINT8, {2, 2}, {1, 2, 3, 4});
  }
  EXPECT_THAT(error(), HasSubstr("variable y is 2x2 uint8; expected Nx1"));
}

TEST_F(Svhn, MissingVariablesAndCountsThatDifferAreErrors) {
  { MatWriter(path_).add_labels({1}); }
  EXPECT_THAT(error(), HasSubstr("no real numeric variable X; expected X (32x32x3xN uint8)"));
  { MatWriter(path_).add_pictures({32, 32, 3, 1}); }
  EXPECT_THAT(error(), HasSubstr("no real numeric variable y"));
  {
    MatWriter file(path_);
    file.add_pictures({32, 32, 3, 2});
    file.add_labels({1, 2, 3});
  }
  EXPECT_THAT(error(), HasSubstr("variable y holds 3 labels; expected 2"));
}

TEST_F(Svhn, LabelsOutOfRangeAreErrors) {
  const auto label_error = [&](double label) {
    {
      MatWriter file(path_);
      file.add_pictures({32, 32, 3, 2});
      file.add<double>("y", MAT_C_DOUBLE, MAT_T_DOUBLE, {2, 1}, {1, label});
    }
    return error();
  };
  EXPECT_EQ(label_error(0), path_.string() + ": label 0 at y(2); expected 1 to 10");
  EXPECT_THAT(label_error(11), HasSubstr("label 11 at y(2)"));
  EXPECT_THAT(label_error(1.5), HasSubstr("label 1.5 at y(2)"));
  EXPECT_THAT(label_error(NAN), HasSubstr("label nan at y(2)"));
}

TEST_F(Svhn, OtherVersionsAreErrors) {
  { MatWriter(path_, MAT_FT_MAT4).add<double>("y", MAT_C_DOUBLE, MAT_T_DOUBLE, {1, 1}, {1}); }
  EXPECT_THAT(error(), HasSubstr("expected a MATLAB 5 header of 128 bytes"));
  Bytes bytes = good_file(MAT_COMPRESSION_NONE);
  bytes[125] = 2;  // as a MATLAB 7.3 file has it
  EXPECT_THAT(error(bytes), HasSubstr("is a MATLAB 7.3 (HDF5) file"));
  bytes[125] = 1;
  std::swap(bytes[126], bytes[127]);
  EXPECT_THAT(error(bytes), HasSubstr("big-endian"));
}

TEST_F(Svhn, ClassesOtherThanRealNumbersAreNoX) {
  {
    MatWriter file(path_);
    file.add<char>("X", MAT_C_CHAR, MAT_T_UINT8, {1, 3072}, std::vector<char>(3072, 'x'));
    file.add_labels({1});
  }
  EXPECT_THAT(error(), HasSubstr("no real numeric variable X"));
  // Cell, structure, object, text, sparse and, with the flag 0x08, complex.
  Bytes bytes = good_file(MAT_COMPRESSION_NONE);
  constexpr size_t kFlags = 128 + 16;
  ASSERT_EQ(bytes[kFlags], MAT_C_UINT8);
  for (const int other : {0, 1, 2, 3, 4, 5, 16, 17, 255}) {
    bytes[kFlags] = static_cast<uint8_t>(other);
    EXPECT_THAT(error(bytes), HasSubstr("no real numeric variable X")) << other;
  }
  bytes[kFlags] = MAT_C_UINT8;
  bytes[kFlags + 1] = 0x08;
  EXPECT_THAT(error(bytes), HasSubstr("no real numeric variable X"));
}

TEST_F(Svhn, SizesThatOverflowAreErrors) {
  Bytes bytes = good_file(MAT_COMPRESSION_NONE);
  constexpr size_t kShape = 128 + 8 + 16 + 8;  // after the element's tag, the flags, its own tag
  ASSERT_EQ(bytes[kShape], 32);
  std::fill_n(bytes.begin() + kShape, 16, uint8_t{0xff});
  EXPECT_THAT(error(bytes), HasSubstr("claims more than 2^40 elements"));
  std::fill_n(bytes.begin() + kShape + 4, 4, uint8_t{0});  // no elements, yet bytes of them
  EXPECT_THAT(error(bytes), HasSubstr("9216 bytes of elements; expected 0"));
}

/// What goes beyond the array is not decompressed: one byte of it tells enough.
TEST_F(Svhn, CompressedBombsAreNotDecompressed) {
  Bytes bytes = good_file(MAT_COMPRESSION_NONE);
  const auto array_bytes = size_t{8} + bytes[132] + (size_t{bytes[133]} << 8);
  Bytes array(bytes.begin() + 128, bytes.begin() + 128 + static_cast<std::ptrdiff_t>(array_bytes));
  array.resize(16 << 20);
  uLongf size = compressBound(array.size());
  Bytes bomb(size);
  ASSERT_EQ(compress2(bomb.data(), &size, array.data(), array.size(), 1), Z_OK);
  bytes.resize(128);
  for (const size_t value : {size_t{15}, size_t{size}}) {
    for (const int shift : {0, 8, 16, 24}) bytes.push_back(static_cast<uint8_t>(value >> shift));
  }
  bytes.insert(bytes.end(), bomb.begin(), bomb.begin() + static_cast<std::ptrdiff_t>(size));
  EXPECT_THAT(error(bytes), HasSubstr("its compressed data go on after the array's end"));
}

TEST_F(Svhn, EveryTruncationIsAnError) {
  for (const auto compression : {MAT_COMPRESSION_NONE, MAT_COMPRESSION_ZLIB}) {
    const Bytes whole = good_file(compression);
    for (size_t length = whole.size() - 1; length > 0; length -= length > 200 ? 97 : 1) {
      std::filesystem::resize_file(path_, length);
      EXPECT_THAT(error(), HasSubstr(path_.string() + ": ")) << length;
    }
    EXPECT_THAT(error(cut(whole, whole.size() - 1)), HasSubstr("the file ends at byte"));
    EXPECT_THAT(error(cut(whole, whole.size() + 1)), HasSubstr("within the tag at byte"));
    EXPECT_THAT(error(Bytes()), HasSubstr("ends at byte 0"));
  }
}

/// In compressed data any flipped bit is an error: the checksum is compared.
TEST_F(Svhn, FlippedBitsOfCompressedDataAreErrors) {
  const Bytes whole = good_file(MAT_COMPRESSION_ZLIB);
  for (size_t place = 128; place < whole.size(); place += 13) {
    Bytes bytes = whole;
    bytes[place] ^= 4;
    EXPECT_THAT(error(bytes), HasSubstr(path_.string() + ": ")) << place;
  }
}

/// Elsewhere the pixels carry no checksum; a header's damage must be an error or change nothing.
TEST_F(Svhn, DamagedHeadersNeverGiveOtherShapes) {
  const Bytes whole = good_file(MAT_COMPRESSION_NONE);
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  const auto patch = [&](size_t place, int value) {
    file.seekp(static_cast<std::streamoff>(place)).put(static_cast<char>(value)).flush();
  };
  for (size_t place = 116; place < 200; ++place) {
    for (const int value : {0, 1, 15, 0x7f, 0x80, 0xff}) {
      patch(place, value);
      try {
        EXPECT_EQ(read().inputs.size(0), 3);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data);
      }
    }
    patch(place, whole[place]);
  }
}

TEST_F(Svhn, NamesThatWouldBreakTheMessageAreErrors) {
  Bytes bytes = good_file(MAT_COMPRESSION_NONE);
  const auto name = std::find(bytes.begin() + 128, bytes.end(), 'X');
  *name = '\n';
  EXPECT_THAT(error(bytes), HasSubstr("byte 0x0a in its name; expected letters"));
}

TEST_F(Svhn, DeeplyNestedCellsAreSkipped) {
  constexpr size_t kDepth = 10'000;
  const auto word = [](Bytes& bytes, size_t value) {
    for (const int shift : {0, 8, 16, 24}) bytes.push_back(static_cast<uint8_t>(value >> shift));
  };
  Bytes bytes = cut(good_file(MAT_COMPRESSION_NONE), 128);
  for (size_t left = kDepth; left > 0; --left) {
    const size_t size = 40 + (left - 1) * 48;
    for (const size_t value : {size_t{14}, size, size_t{6}, size_t{8}, size_t{1}, size_t{0}}) {
      word(bytes, value);
    }
    for (const size_t value : {5, 8, 1, 1, 1, 0}) word(bytes, value);
  }
  EXPECT_THAT(error(bytes), HasSubstr("no real numeric variable X"));
}

TEST_F(Svhn, TrainingAndTestFilesLoad) {
  std::filesystem::create_directory(folder_ / "svhn");
  for (const char* name : {"svhn/train_32x32.mat", "svhn/test_32x32.mat"}) {
    MatWriter file(folder_ / name);
    file.add_pictures({32, 32, 3, 2});
    file.add_labels({10, 1});
  }
  DataRequest request;
  request.root = folder_.path();
  request.train_examples = 1;
  const auto dataset = load_svhn({}, request);
  EXPECT_EQ(dataset->train.inputs.size(0), 1);
  EXPECT_EQ(dataset->test.inputs.size(0), 2);
  EXPECT_EQ(dataset->classes, 10);
}

}  // namespace
}  // namespace apo
