#include "apo/data/files.h"

#include <gmock/gmock.h>

#include "apo/data/dataset.h"
#include "support/files.h"

namespace apo {
namespace {

using test::data_error_of;
using test::write_file;
using testing::HasSubstr;

const FileSource kSource{.name = "things",
                         .folders = {"things", "Things/raw"},
                         .archive = "things.tar.gz",
                         .package = ""};

TEST(FindFiles, TheFirstFolderThatHoldsThemAllIsTaken) {
  test::TemporaryFolder root;
  write_file(root / "things/a", {});
  for (const char* name : {"Things/raw/a", "Things/raw/b.gz", "a", "b"})
    write_file(root / name, {});
  const auto paths = find_files(kSource, root.path(), {"a", "b"});
  EXPECT_EQ(paths[0], root / "Things/raw/a");
  EXPECT_EQ(paths[1], root / "Things/raw/b.gz");
}

TEST(FindFiles, TheRootItselfIsTakenLast) {
  test::TemporaryFolder root;
  write_file(root / "a", {});
  EXPECT_EQ(find_files(kSource, root.path(), {"a"})[0], root / "a");
  write_file(root / "things/a", {});
  EXPECT_EQ(find_files(kSource, root.path(), {"a"})[0], root / "things/a");
}

TEST(FindFiles, TheErrorSaysWhatIsMissingWhereAndHowToGetIt) {
  test::TemporaryFolder root;
  write_file(root / "things/a", {});
  const std::string path = root.path().string();
  EXPECT_EQ(data_error_of([&] {
              find_files(kSource, root.path(), {"a", "b", "c"});
            }),
            path + ": missing files of things: b, c (plain or .gz), looked for in " + path +
                "/things, " + path + "/Things/raw, " + path +
                "; get them with: scripts/download_data.sh things --root " + path);
}

TEST(FindFiles, TheErrorSaysToUnpackAnArchiveThatLiesThere) {
  test::TemporaryFolder root;
  write_file(root / "things.tar.gz", {});
  const std::string path = root.path().string();
  EXPECT_THAT(data_error_of([&] { find_files(kSource, root.path(), {"a"}); }),
              HasSubstr("unpack the archive that lies there: tar -xzf " + path +
                        "/things.tar.gz -C " + path));
}

TEST(FindFiles, FoldersOfAFilesNameAreNotTaken) {
  test::TemporaryFolder root;
  std::filesystem::create_directories(root / "things/a");
  EXPECT_THAT(data_error_of([&] { find_files(kSource, root.path(), {"a"}); }),
              HasSubstr("missing files"));
}

TEST(FindFiles, FashionMnistIsAlsoADebianPackage) {
  test::TemporaryFolder root;
  DataRequest request;
  request.root = root.path();
  const std::string message = data_error_of([&] { load_fashion_mnist({}, request); });
  EXPECT_THAT(message, HasSubstr("scripts/download_data.sh fashion_mnist"));
  EXPECT_THAT(message, HasSubstr("apt-get install dataset-fashion-mnist"));
}

TEST(ReadRows, BlocksJoinToTheWholeFile) {
  test::TemporaryFolder folder;
  test::Bytes bytes((5 << 20) + 3);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7 + (i >> 8));
  write_file(folder / "rows", bytes);
  InputFile file(folder / "rows");
  const Tensor rows = read_rows(file, 5, 1 << 30);
  ASSERT_EQ(rows.size(0), static_cast<int64_t>(bytes.size() / 5));
  EXPECT_EQ(std::memcmp(rows.const_data_ptr(), bytes.data(), bytes.size() / 5 * 5), 0);
  EXPECT_EQ(file.position(), static_cast<int64_t>(bytes.size()));
}

}  // namespace
}  // namespace apo
