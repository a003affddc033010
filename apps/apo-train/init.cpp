#include "init.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
#include "apo/config/find.h"
#include "apo/config/folders.h"
#include "apo/config/starter.h"
#include "apo/run/plan.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

/// An example for each data set; not those that stand below for other ends.
std::vector<std::string> examples(const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    if (folder.filename() != "configs") continue;
    for (const std::string& name : config_names(folder)) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

fs::path file_of(const std::string& name) {
  const std::vector<fs::path> folders = config_folders(this_executable());
  try {
    if (!name.empty()) return find_config(name, folders).file;
  } catch (const Error&) {
    // Said below with the names that there are.
  }
  const std::vector<std::string> names = examples(folders);
  throw Error(ErrorKind::config,
              fmt::format("--init{}{}: {}; accepted: a configuration's file, or {}{}",
                          name.empty() ? "" : " ",
                          in_one_line(name),
                          name.empty() ? "needs a name" : "no such configuration",
                          names.empty() ? "one of a folder configs/" : list_or(names),
                          did_you_mean(name, names)));
}

/// The comment that the file begins with.
std::string head_of(const fs::path& file) {
  std::ifstream stream(file);
  std::string head;
  for (std::string line; std::getline(stream, line) && line.starts_with("#");) {
    head += line + "\n";
  }
  return head;
}

}  // namespace

std::string init(const Flags& flags) {
  const fs::path file = file_of(*flags.init);
  Document document = Document::load(file);
  document.remove("name");  // the user's file has its own
  apply_overrides(flags, document);
  const Plan plan = make_plan(std::move(document), file, std::nullopt);
  return head_of(file) +
         "# Keys behind a # have the value that they have without; all there are: apo-train "
         "--list-markdown\n" +
         starter(describe_experiment(), plan.runs.front().config, plan.given);
}

}  // namespace apo
