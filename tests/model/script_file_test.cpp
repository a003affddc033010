#include "apo/model/script_file.h"

#include <caffe2/serialize/inline_container.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apo/model/model.h"
#include "support/files.h"
#include "support/scripts.h"

namespace apo {
namespace {

using testing::HasSubstr;

std::string error_of(const torch::jit::Module& module) {
  return test::data_error_of([&] { test::saved_and_read(module); });
}

TEST(TorchscriptFile, TellsWhetherItsModuleDraws) {
  EXPECT_FALSE(test::saved_and_read(test::classifier_script(16, 4, 3))->draws());
  EXPECT_TRUE(test::saved_and_read(test::classifier_script(16, 4, 3, 0.5))->draws());
  const auto draws = [](const char* expression) {
    return test::saved_and_read(test::script_of(std::string("def forward(self, x):\n    return ") +
                                                expression + "\n"))
        ->draws();
  };
  EXPECT_TRUE(draws("x + torch.rand_like(x)"));
  EXPECT_TRUE(draws("x * torch.bernoulli(x)"));
  EXPECT_FALSE(draws("torch.dropout(x, 0.5, False)"));
}

TEST(TorchscriptFile, MessagesNameTheFileAndWhatIsWrong) {
  const auto forward = [](const std::string& lines) { return error_of(test::script_of(lines)); };
  EXPECT_THAT(forward("def forward(self, x, mask):\n    return x * mask\n"),
              HasSubstr("its forward takes (Tensor x, Tensor mask) to Tensor"));
  EXPECT_THAT(forward("def forward(self, x):\n    return x, x\n"), HasSubstr("(Tensor x) to ("));
  EXPECT_THAT(forward("def forward(self):\n    return self.weight\n"), HasSubstr("takes () to"));
  EXPECT_THAT(forward("def other(self, x):\n    return x\n"), HasSubstr("has no method forward"));
  EXPECT_THAT(forward("def forward(self, x):\n    self.counter = self.counter + 1\n    return x\n"),
              HasSubstr("assigns counter"));
  torch::jit::Module none = test::script_named("Empty");
  none.define("def forward(self, x):\n    return x\n");
  EXPECT_THAT(error_of(none), HasSubstr("model.pt: has no parameter"));
  EXPECT_NO_THROW(test::saved_and_read(
      test::script_of("def forward(self, x, scale: float=2.0):\n    return x * scale\n")));
}

TEST(TorchscriptFile, RefusesWhatIsNoModule) {
  const test::TemporaryFolder folder;
  const auto error_at = [&](const std::filesystem::path& path) {
    return test::data_error_of([&] { read_script(path); });
  };
  EXPECT_THAT(error_at(folder / "missing.pt"), HasSubstr("missing.pt: "));
  EXPECT_THAT(error_at(folder.path()), HasSubstr("is no file"));
  test::write_file(folder / "text.pt", {'n', 'o', '\n'});
  EXPECT_THAT(error_at(folder / "text.pt"), HasSubstr("cannot be read: "));

  const auto archive = [&](const char* record, uint64_t version) {
    const std::filesystem::path path = folder / "archive.pt";
    caffe2::serialize::PyTorchStreamWriter writer(path.string());
    writer.setMinVersion(version);
    writer.writeRecord(record, "x", 1);
    writer.writeEndOfFile();
    return path;
  };
  EXPECT_THAT(error_at(archive("data.pkl", 3)), HasSubstr("holds tensors"));
  EXPECT_THAT(error_at(archive("archive_format", 3)), HasSubstr("torch.export"));
  EXPECT_THAT(error_at(archive("else", 3)), HasSubstr("without a module"));
  EXPECT_THAT(error_at(archive("constants.pkl", 99)), HasSubstr("version 99"));
}

TEST(TorchscriptFile, RefusesATruncatedFileWhereverItIsCut) {
  const test::TemporaryFolder folder;
  test::linear_script(2, 2).save((folder / "whole.pt").string());
  const test::Bytes whole = test::read_file(folder / "whole.pt");
  for (size_t length = 0; length < whole.size(); length += 97) {
    test::write_file(folder / "cut.pt", test::cut(whole, length));
    test::data_error_of([&] { read_script(folder / "cut.pt"); });
  }
}

TEST(TorchscriptFile, ChecksumTellsFilesApart) {
  const test::TemporaryFolder folder;
  const auto checksum = [&](uint64_t seed) {
    test::linear_script(2, 2, seed).save((folder / "model.pt").string());
    return *make_torchscript({.path = (folder / "model.pt").string()}, {})->file_checksum();
  };
  const int64_t first = checksum(0);
  EXPECT_NE(first, 0);
  EXPECT_EQ(checksum(0), first);
  EXPECT_NE(checksum(1), first);
}

}  // namespace
}  // namespace apo
