#include "apo/config/folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "apo/config/find.h"
#include "config/sample.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using sample::error_of;
using testing::HasSubstr;

/// An empty working folder, and an installed program beside it.
class FindConfig : public testing::Test {
 protected:
  FindConfig()
      : before_(fs::current_path()),
        root_(fs::path(testing::TempDir()) / ("apo_find_config_" + std::to_string(getpid()))) {
    fs::create_directories(root_ / "here");
    fs::current_path(root_ / "here");
    executable_ = root_ / "prefix/bin/apo-train";
  }
  ~FindConfig() override {
    fs::current_path(before_);
    fs::remove_all(root_);
  }

  static void write(const fs::path& file) {
    if (file.has_parent_path()) fs::create_directories(file.parent_path());
    std::ofstream(file) << "seed: 1\n";
  }

  const fs::path before_;
  const fs::path root_;
  fs::path executable_;
};

TEST_F(FindConfig, TakesAFileThatIsThereWithoutANote) {
  write("a.yaml");
  write("configs/a.yaml");
  EXPECT_EQ(find_config("a.yaml", config_folders(executable_)).file, "a.yaml");
  EXPECT_EQ(find_config("a.yaml", config_folders(executable_)).note, "");
}

TEST_F(FindConfig, CompletesTheName) {
  write("sub/a.yaml");
  EXPECT_EQ(find_config("sub/a", config_folders(executable_)).note, "config: found sub/a.yaml");
}

TEST_F(FindConfig, LooksForABareNameHereAndAroundTheProgram) {
  const fs::path installed = root_ / "prefix/share/apo-train/configs/paper/c.yaml";
  write("configs/smoke/b.yaml");
  write(root_ / "prefix/configs/b.yaml");
  write(installed);
  EXPECT_EQ(find_config("b", config_folders(executable_)).file, "configs/smoke/b.yaml");
  EXPECT_EQ(find_config("c.yaml", config_folders(executable_)).file, installed);
  EXPECT_EQ(find_config("c.yaml", config_folders(executable_)).note,
            "config: found " + installed.string());
}

TEST_F(FindConfig, IsNotMisledByAFolderOfThatName) {
  fs::create_directories("b");
  write("configs/b.yaml");
  EXPECT_EQ(find_config("b", config_folders(executable_)).file, "configs/b.yaml");
  fs::remove("configs/b.yaml");
  EXPECT_EQ(find_config("b", config_folders(executable_)).file, "b");
}

TEST_F(FindConfig, SaysWhereItLookedAndWhatIsNear) {
  write("configs/mnist_mlp.yaml");
  const std::string message =
      error_of([&] { find_config("mnist_mpl.yaml", config_folders(executable_)); });
  EXPECT_THAT(message, HasSubstr("mnist_mpl.yaml: no such configuration; looked in ., configs"));
  EXPECT_THAT(message, HasSubstr("; did you mean 'mnist_mlp'?"));
  EXPECT_EQ(error_of([&] { find_config("configs/mnist_mpl.yaml", config_folders(executable_)); }),
            "configs/mnist_mpl.yaml: no such file; did you mean 'configs/mnist_mlp.yaml'?");
  EXPECT_EQ(error_of([&] { find_config("no/such.yaml", config_folders(executable_)); }),
            "no/such.yaml: no such file");
}

}  // namespace
}  // namespace apo
