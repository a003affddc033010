#include "apo/base/files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "apo/base/error.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  const fs::path folder_ = fs::path(testing::TempDir()) / "apo_files_test";
};

TEST_F(Files, CheckingLeavesTheFileAsItIsAndNothingBesideIt) {
  const fs::path file = folder_ / "study.json";
  write_file(file, "old");
  check_writable(file);
  check_writable(folder_ / "new.json");
  std::string text;
  std::ifstream(file) >> text;
  EXPECT_EQ(text, "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(Files, WhatCannotBeWrittenIsFoundBeforehand) {
  for (const fs::path& path : {folder_ / "absent" / "study.json", folder_}) {
    EXPECT_THROW(check_writable(path), Error) << path;
  }
}

}  // namespace
}  // namespace apo
