#include "apo/config/find.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) && !fs::is_directory(path, error);
}

/// `path` or `path`.yaml.
std::optional<fs::path> file_at(const fs::path& path) {
  if (is_file(path)) return path;
  fs::path with_extension = path;
  with_extension += ".yaml";
  if (is_file(with_extension)) return with_extension;
  return std::nullopt;
}

/// Without what may be meant as `.yaml`.
std::string without_extension(const std::string& name) {
  const fs::path path = name;
  for (const char* extension : {".yaml", ".yml", ".YAML", ".YML", ".json"}) {
    if (path.extension() == extension) return name.substr(0, name.rfind('.'));
  }
  return name;
}

/// The file in a subfolder of `folders`, however deep, that is called nearly so, or "". A name with
/// folders is held against the way from `folders`, too.
std::string near_below(const std::string& name, const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  std::vector<std::string> files;
  std::error_code error;
  for (const fs::path& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
      if (entry.path().extension() != ".yaml") continue;
      const fs::path way = entry.path().lexically_relative(folder);
      for (const std::string& word : {way.stem().string(), without_extension(way.string())}) {
        names.push_back(word);
        files.push_back(entry.path().string());
      }
    }
  }
  const std::string near = nearest(without_extension(name), names);
  if (near.empty()) return "";
  // In a fixed order, whatever the file system's.
  std::string first;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == near && (first.empty() || files[i] < first)) first = files[i];
  }
  return fmt::format("; did you mean '{}'?", first);
}

[[noreturn]] void fail_for_path(const fs::path& path, const std::vector<fs::path>& folders) {
  const fs::path folder = path.parent_path();
  const std::string near =
      nearest(without_extension(path.filename().string()), config_names(folder));
  const std::string hint =
      near.empty() ? near_below(path.string(), folders)
                   : fmt::format("; did you mean '{}'?", (folder / (near + ".yaml")).string());
  throw Error(ErrorKind::config, in_one_line(path.string()) + ": no such file" + hint);
}

[[noreturn]] void fail_for_name(const std::string& name, const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  std::vector<std::string> looked_in = {"."};
  for (const fs::path& folder : folders) {
    const std::vector<std::string> here = config_names(folder);
    names.insert(names.end(), here.begin(), here.end());
    looked_in.push_back(folder.string());
  }
  std::string hint = did_you_mean(without_extension(name), names);
  if (hint.empty()) hint = near_below(name, folders);
  throw Error(ErrorKind::config,
              fmt::format("{}: no such configuration; looked in {}{}",
                          in_one_line(name),
                          fmt::join(looked_in, ", "),
                          hint));
}

}  // namespace

std::vector<std::string> config_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

FoundConfig find_config(const std::string& name, const std::vector<fs::path>& folders) {
  if (is_file(name)) return {name, ""};
  const bool bare = name.find('/') == std::string::npos;
  std::vector<fs::path> places = {""};
  if (bare) places.insert(places.end(), folders.begin(), folders.end());
  for (const fs::path& folder : places) {
    if (const auto file = file_at(folder / name)) return {*file, "config: found " + file->string()};
  }
  // Reading will say what is wrong with it.
  std::error_code error;
  if (fs::exists(name, error)) return {name, ""};
  if (!bare) fail_for_path(name, folders);
  fail_for_name(name, folders);
}

}  // namespace apo
