#include "apo/base/cgroup.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace apo {
namespace {

namespace fs = std::filesystem;

/// Calls `take` for every part of the list "cpu,cpuacct".
template <class Take>
void for_each_word(const std::string& list, Take&& take) {
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) take(word);
}

/// Our group for each controller of version 1, and for "" that of version 2, from lines such as
/// "4:memory:/slurm/job_7".
std::map<std::string, fs::path> our_groups(const fs::path& root) {
  std::map<std::string, fs::path> groups;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path path = line.substr(second + 1);
    if (controllers.empty()) groups[""] = path;
    for_each_word(controllers, [&](const std::string& name) { groups[name] = path; });
  }
  return groups;
}

/// Where a hierarchy of groups is mounted, and which of its groups is there: a container's own,
/// often.
struct Mount {
  fs::path group;
  fs::path folder;
};

/// By the same names.
std::map<std::string, Mount> mounts(const fs::path& root) {
  std::map<std::string, Mount> found;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::string word;
    std::string type;
    std::string options;
    Mount mount;
    std::istringstream(line) >> word >> word >> word >> mount.group >> mount.folder;
    std::istringstream(line.substr(dash + 3)) >> type >> word >> options;
    if (type == "cgroup2") found.try_emplace("", mount);
    if (type != "cgroup") continue;
    for_each_word(options, [&](const std::string& name) { found.try_emplace(name, mount); });
  }
  return found;
}

double first_number(const fs::path& file) {
  double number = -1;
  std::ifstream(file) >> number;
  return number;
}

void bound(double& limit, double by) {
  if (by > 0) limit = std::min(limit, by);
}

/// Of one group, whichever of the files it has; "max" and -1 stand for no limit.
void bound_by_group(GroupLimits& limits, const fs::path& group) {
  bound(limits.memory_bytes, first_number(group / "memory.max"));
  bound(limits.memory_bytes, first_number(group / "memory.limit_in_bytes"));
  double quota = -1;
  double period = 0;
  std::ifstream(group / "cpu.max") >> quota >> period;
  if (period > 0) bound(limits.cores, quota / period);
  period = first_number(group / "cpu.cfs_period_us");
  if (period > 0) bound(limits.cores, first_number(group / "cpu.cfs_quota_us") / period);
}

}  // namespace

GroupLimits group_limits(const fs::path& root) {
  GroupLimits limits;
  const auto groups = our_groups(root);
  for (const auto& [name, mount] : mounts(root)) {
    if (!name.empty() && name != "cpu" && name != "memory") continue;
    const fs::path top = root / mount.folder.relative_path();
    bound_by_group(limits, top);
    const auto ours = groups.find(name);
    if (ours == groups.end()) continue;
    // A group outside of what is mounted (a container's path on its host) has only the top here.
    fs::path below = ours->second.lexically_relative(mount.group);
    for (; !below.empty() && *below.begin() != ".." && below != "."; below = below.parent_path()) {
      bound_by_group(limits, top / below);
    }
  }
  return limits;
}

}  // namespace apo
