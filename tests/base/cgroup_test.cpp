#include "apo/base/cgroup.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/files.h"

namespace apo {
namespace {

/// A machine as /proc and the mounts show it.
class GroupLimitsOf : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    test::write_file(root_ / name, {text.begin(), text.end()});
  }
  /// `mounted` is the group that is seen at the mount.
  void version_2(const std::string& ours, const std::string& mounted = "/") const {
    write("proc/self/cgroup", "0::" + ours + "\n");
    write("proc/self/mountinfo",
          "23 1 0:28 / / rw - ext4 /dev/sda rw\n31 23 0:26 " + mounted +
              " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  GroupLimits limits() const { return group_limits(root_.path()); }

  test::TemporaryFolder root_;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST_F(GroupLimitsOf, AMachineWithoutGroupsAreNone) {
  EXPECT_EQ(limits().cores, kInfinity);
  EXPECT_EQ(limits().memory_bytes, kInfinity);
}

TEST_F(GroupLimitsOf, NestedGroupsAreTheSmallestOnTheWayUp) {
  version_2("/system.slice/slurm/job_7/step_0");
  write("sys/fs/cgroup/system.slice/cpu.max", "800000 100000\n");
  write("sys/fs/cgroup/system.slice/memory.max", "4000000\n");
  write("sys/fs/cgroup/system.slice/slurm/job_7/cpu.max", "150000 100000\n");
  write("sys/fs/cgroup/system.slice/slurm/job_7/memory.max", "9000000\n");
  write("sys/fs/cgroup/system.slice/slurm/job_7/step_0/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/system.slice/slurm/job_7/step_0/memory.max", "max\n");
  write("sys/fs/cgroup/system.slice/slurm/job_8/memory.max", "1\n");  // another's
  EXPECT_EQ(limits().cores, 1.5);
  EXPECT_EQ(limits().memory_bytes, 4000000);
}

TEST_F(GroupLimitsOf, OurOwnGroupCount) {
  version_2("/user.slice/run.scope");
  write("sys/fs/cgroup/user.slice/run.scope/memory.max", "123\n");
  write("sys/fs/cgroup/user.slice/run.scope/cpu.max", "50000 100000\n");
  EXPECT_EQ(limits().memory_bytes, 123);
  EXPECT_EQ(limits().cores, 0.5);
}

TEST_F(GroupLimitsOf, AContainerAreAtTheMount) {
  for (const std::string ours : {"/", "/docker/abc", "/../elsewhere"}) {
    version_2(ours, "/docker/abc");
    write("sys/fs/cgroup/memory.max", "77\n");
    EXPECT_EQ(limits().memory_bytes, 77) << ours;
  }
}

TEST_F(GroupLimitsOf, AJobInAContainerAreBelowTheMount) {
  version_2("/docker/abc/job", "/docker/abc");
  write("sys/fs/cgroup/memory.max", "77\n");
  write("sys/fs/cgroup/job/memory.max", "66\n");
  EXPECT_EQ(limits().memory_bytes, 66);
}

TEST_F(GroupLimitsOf, Version1AreThoseOfEachController) {
  write("proc/self/cgroup",
        "9:name=systemd:/\n4:memory:/slurm/job_7/step\n2:cpu,cpuacct:/batch/job_7\n");
  write("proc/self/mountinfo",
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", "5000\n");
  write("sys/fs/cgroup/memory/slurm/job_7/step/memory.limit_in_bytes", "6000\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_quota_us", "300000\n");
  write("sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limits().memory_bytes, 5000);
  EXPECT_EQ(limits().cores, 3);
}

TEST_F(GroupLimitsOf, FilesThatHoldSomethingElseAreNone) {
  version_2("/a");
  write("sys/fs/cgroup/a/memory.max", "many\n");
  write("sys/fs/cgroup/a/cpu.max", "100000 0\n");
  EXPECT_EQ(limits().cores, kInfinity);
  EXPECT_EQ(limits().memory_bytes, kInfinity);
}

}  // namespace
}  // namespace apo
