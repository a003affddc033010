#include "apo/config/folders.h"

#include <algorithm>

namespace apo {

namespace fs = std::filesystem;

std::vector<fs::path> config_folders(const fs::path& executable) {
  std::vector<fs::path> roots = {"configs"};
  for (fs::path folder = executable.parent_path();; folder = folder.parent_path()) {
    roots.push_back(folder / "configs");
    roots.push_back(folder / "share/apo-train/configs");
    if (folder == folder.parent_path()) break;
  }
  std::vector<fs::path> folders;
  std::error_code error;
  for (const fs::path& root : roots) {
    for (const fs::path& folder : {root, root / "paper", root / "smoke"}) {
      const bool is_new = std::none_of(folders.begin(), folders.end(), [&](const fs::path& other) {
        return fs::equivalent(folder, other, error);
      });
      if (fs::is_directory(folder, error) && is_new) folders.push_back(folder);
    }
  }
  return folders;
}

fs::path this_executable() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

}  // namespace apo
