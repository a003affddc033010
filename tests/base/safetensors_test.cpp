#include "apo/base/safetensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "support/files.h"

namespace apo {
namespace {

/// A safetensors file of this header and two floats.
std::string safetensors(const std::string& header) {
  std::string content(8, '\0');
  content[0] = static_cast<char>(header.size());
  return content + header + std::string(8, '\0');
}

TEST(Safetensors, AHeaderThatMisdescribesItsTensorsIsAnError) {
  const auto entry = [](const std::string& type, const std::string& shape, const std::string& at) {
    return safetensors(R"({"x":{"dtype":")" + type + R"(","shape":)" + shape +
                       R"(,"data_offsets":)" + at + "}}");
  };
  EXPECT_EQ(parse_safetensors(entry("F32", "[2]", "[0,8]"), "here").at("x").numel(), 2);
  for (const std::string& content :
       {entry("F32", "[3]", "[0,8]"),
        entry("F32", "[2]", "[0,9]"),
        entry("F32", "[2]", "[8,16]"),
        entry("F32", "[2]", "[8,0]"),
        entry("F33", "[2]", "[0,8]"),
        entry("F32", "[-2]", "[0,8]"),
        entry("F32", "[2.0]", "[0,8]"),
        entry("F32", "[4611686018427387904,8]", "[0,8]"),
        entry("F32", "[18446744073709551615]", "[0,8]"),
        safetensors(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                    R"("y":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
        safetensors("[1]"),
        safetensors("{\"x\":3}"),
        safetensors("{"),
        std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10),
        std::string("abc")}) {
    EXPECT_NE(test::data_error_of([&] { parse_safetensors(content, "here"); }).find("here: "),
              std::string::npos);
  }
}

TEST(Safetensors, ATypeThatIsNotReadIsNamedWithThoseThatAre) {
  for (const char* type : {"C64", "F8_E4M3", "F8_E5M2"}) {
    const std::string content = safetensors(std::string(R"({"x":{"dtype":")") + type +
                                            R"(","shape":[1],"data_offsets":[0,8]}})");
    const std::string said = test::data_error_of([&] { parse_safetensors(content, "here"); });
    EXPECT_NE(said.find(std::string("the tensor 'x' is of the type ") + type), std::string::npos);
    EXPECT_NE(said.find("accepted: F64, F32"), std::string::npos) << said;
  }
  const std::string unsigned_numbers =
      safetensors(R"({"x":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}})");
  EXPECT_EQ(parse_safetensors(unsigned_numbers, "here").at("x").scalar_type(), at::kUInt64);
}

TEST(Safetensors, AFileIsReadAsItsContentIs) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "x.safetensors";
  AtomicFile file(path);
  const Tensor matrix = at::arange(6, at::kShort).view({2, 3});
  write_safetensors({{"matrix", matrix}, {"none", at::empty({0}, at::kUInt16)}}, file);
  file.commit();
  const auto read = read_safetensors(path);
  const test::Bytes bytes = test::read_file(path);
  const auto parsed = parse_safetensors({bytes.begin(), bytes.end()}, "here");
  ASSERT_EQ(read.size(), 2);
  EXPECT_TRUE(read.at("matrix").equal(matrix));
  EXPECT_TRUE(parsed.at("matrix").equal(matrix));
  EXPECT_EQ(read.at("none").scalar_type(), at::kUInt16);
}

TEST(Safetensors, AFileThatIsNotThereOrCutIsAnErrorInOneLine) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "x.safetensors";
  EXPECT_NE(test::data_error_of([&] { read_safetensors(path); }).find("cannot be read"),
            std::string::npos);
  const std::string whole =
      safetensors(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})");
  for (size_t length = 0; length < whole.size(); ++length) {
    test::write_file(path, test::cut({whole.begin(), whole.end()}, length));
    test::data_error_of([&] { read_safetensors(path); });
  }
}

}  // namespace
}  // namespace apo
