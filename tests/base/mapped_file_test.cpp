#include "apo/base/mapped_file.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Mapped : public testing::Test {
 protected:
  std::shared_ptr<const MappedFile> map(const test::Bytes& bytes) {
    test::write_file(path_, bytes);
    return std::make_shared<const MappedFile>(path_);
  }

  test::TemporaryFolder folder_;
  fs::path path_ = folder_ / "bytes";
};

TEST_F(Mapped, TensorsAreTheFilesBytesWhereverTheyBegin) {
  const auto file = map({9, 1, 0, 2, 0, 3, 0});  // 1, 2, 3 behind one byte
  const Tensor expected = at::tensor({1, 2, 3}, at::kShort);
  const Tensor whole = tensor_in(file, 0, {7}, at::kByte);
  EXPECT_EQ(static_cast<const char*>(whole.const_data_ptr()), file->bytes());
  EXPECT_TRUE(tensor_in(file, 1, {3}, at::kShort).equal(expected));  // no place for 16 bits: a copy
}

TEST_F(Mapped, ATensorKeepsItsFile) {
  const Tensor bytes = tensor_in(map({5, 6}), 0, {2}, at::kByte);
  EXPECT_TRUE(bytes.equal(at::tensor({5, 6}, at::kByte)));
  EXPECT_NE(mapped_file_at(bytes.const_data_ptr()), nullptr);
}

TEST_F(Mapped, IsKnownByItsAddressesWhileItIsMapped) {
  auto file = map({1, 2, 3});
  const char* begin = file->bytes();
  EXPECT_EQ(mapped_file_at(begin + 2), path_.string());
  EXPECT_EQ(mapped_file_at(begin + 3), nullptr);
  file.reset();
  EXPECT_EQ(mapped_file_at(begin), nullptr);
}

TEST_F(Mapped, AnotherSizeOrTimeIsAnError) {
  const auto file = map({1, 2, 3});
  file->require_unchanged();
  fs::last_write_time(path_, fs::last_write_time(path_) + std::chrono::seconds(1));
  EXPECT_THAT(
      test::data_error_of([&] { file->require_unchanged(); }),
      HasSubstr(path_.string() +
                ": has changed while it was being read; expected the file to stay as it was"));
  const auto again = map({1, 2, 3});
  fs::resize_file(path_, 2);
  EXPECT_THAT(test::data_error_of([&] { again->require_unchanged(); }), HasSubstr("has changed"));
}

TEST_F(Mapped, AFileReplacedByAnotherStaysTheOldOne) {
  const auto file = map({1, 2, 3});
  test::write_file(folder_ / "other", {4});
  fs::rename(folder_ / "other", path_);
  file->require_unchanged();
  EXPECT_EQ(file->bytes()[2], 3);
}

TEST_F(Mapped, NothingIsAFileOfNoBytes) {
  EXPECT_EQ(map({})->size(), 0);
}

TEST_F(Mapped, WhatIsNotThereIsAnError) {
  EXPECT_THAT(test::data_error_of([&] { MappedFile file(folder_ / "no"); }),
              HasSubstr("no: cannot be read: No such file"));
  EXPECT_THAT(test::data_error_of([&] { MappedFile file(folder_.path()); }),
              HasSubstr("is no file but a folder"));
}

}  // namespace
}  // namespace apo
