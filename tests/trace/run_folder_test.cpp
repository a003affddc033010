#include "apo/trace/run_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

class RunFolders : public testing::Test {
 protected:
  /// A folder as a run leaves it that has ended.
  void leave_a_run() const {
    RunFolder folder(path(), Existing::refuse);
    folder.claim();
    write_file(path() / "config.yaml", "name: x\n");
    write_file(path() / "report.html", "");
    fs::create_directories(path() / "checkpoints");
  }
  fs::path path() const { return folder_ / "run"; }

  test::TemporaryFolder folder_;
};

TEST_F(RunFolders, ARunIsReplacedOnlyOnDemand) {
  leave_a_run();
  EXPECT_THROW(RunFolder(path(), Existing::refuse), Error);
  RunFolder(path(), Existing::replace).claim();
  EXPECT_FALSE(fs::exists(path() / "config.yaml") || fs::exists(path() / "checkpoints"));
}

TEST_F(RunFolders, EventFilesOfOtherProgramsStay) {
  leave_a_run();
  const std::string mine = "events.out.tfevents.1764282000.apo-train";
  const std::string other = "events.out.tfevents.1764282000.host.7.0";
  for (const std::string& name : {mine, other}) write_file(path() / name, "");
  RunFolder(path(), Existing::replace).claim();
  EXPECT_FALSE(fs::exists(path() / mine));
  EXPECT_TRUE(fs::exists(path() / other));
}

TEST_F(RunFolders, ThoseWhoShareAFolderKeepOutWhoWantsItForItself) {
  RunFolder one(path(), Existing::resume, LockKind::shared);
  one.claim(/*keep_files=*/true);
  EXPECT_NO_THROW(RunFolder(path(), Existing::resume, LockKind::shared).claim(true));
  EXPECT_THROW(RunFolder(path(), Existing::replace), Error);
}

TEST_F(RunFolders, ToGoOnARunKeepsItsFiles) {
  leave_a_run();
  RunFolder(path(), Existing::resume).claim(/*keep_files=*/true);
  EXPECT_TRUE(fs::exists(path() / "config.yaml") && fs::exists(path() / "checkpoints"));
}

TEST_F(RunFolders, ToGoOnARunLosesWhatTellsOfItsEnd) {
  leave_a_run();
  for (const char* name : {"summary.json", "population.json"}) write_file(path() / name, "{}");
  RunFolder(path(), Existing::resume).claim(/*keep_files=*/true);
  EXPECT_FALSE(fs::exists(path() / "summary.json"));
  EXPECT_FALSE(fs::exists(path() / "population.json"));
}

TEST_F(RunFolders, OneThatIsNoRunsIsNeverTouched) {
  write_file(folder_ / "thesis.tex", "years of work");
  for (const Existing existing : {Existing::refuse, Existing::replace, Existing::resume}) {
    EXPECT_THROW(RunFolder(folder_.path(), existing), Error);
  }
  EXPECT_TRUE(fs::exists(folder_ / "thesis.tex"));
}

TEST_F(RunFolders, OneWhoseRunDiedBeforeItsConfigurationCanBeTaken) {
  fs::create_directories(path());
  write_file(path() / ".lock", "");
  write_file(path() / "config.yaml.tmp", "name");
  EXPECT_NO_THROW(RunFolder(path(), Existing::refuse).claim());
}

TEST_F(RunFolders, OfAPopulationTheMembersFromANumberOnCanBeTakenAway) {
  for (size_t m = 0; m < 4; ++m) {
    fs::create_directories(path() / member_name(m));
    if (m != 2) write_file(path() / member_name(m) / "config.yaml", "name: x\n");
  }
  write_file(path() / member_name(2) / "thesis.tex", "years of work");
  remove_members_from(1, path());
  EXPECT_TRUE(fs::exists(path() / "member=0/config.yaml"));
  EXPECT_FALSE(fs::exists(path() / "member=1"));
  EXPECT_TRUE(fs::exists(path() / "member=2/thesis.tex"));
  EXPECT_FALSE(fs::exists(path() / "member=3"));
}

TEST_F(RunFolders, ASecondRunIsRefusedWhileTheFirstLives) {
  leave_a_run();
  RunFolder first(path(), Existing::resume);
  try {
    RunFolder second(path(), Existing::replace);
    FAIL() << "was let in";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("another apo-train"), std::string::npos);
  }
}

TEST_F(RunFolders, TheLockOfADeadProcessIsNotInTheWay) {
  leave_a_run();
  const pid_t child = fork();
  if (child == 0) {
    new RunFolder(path(), Existing::resume);  // never unlocked
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(RunFolder(path(), Existing::resume).claim(true));
}

}  // namespace
}  // namespace apo
