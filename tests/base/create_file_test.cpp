#include "apo/base/create_file.h"

#include <gtest/gtest.h>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

class CreateFile : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  fs::path file_ = folder_ / "file";
  fs::path scratch_ = folder_ / "scratch";
};

TEST_F(CreateFile, TheFirstMakesItAndOthersLeaveIt) {
  fs::create_directory(scratch_);
  EXPECT_TRUE(create_file(file_, "one", scratch_));
  EXPECT_FALSE(create_file(file_, "two", scratch_));
  EXPECT_EQ(read_file(file_, 100), "one");
  EXPECT_TRUE(fs::is_empty(scratch_));
}

TEST_F(CreateFile, NothingElseIsEverInTheFilesOwnFolder) {
  EXPECT_THROW(create_file(file_, "one", scratch_), Error);  // where it would be written first
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

}  // namespace
}  // namespace apo
