#include "apo/data/files.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "apo/base/error.h"
#include "apo/base/regular_file.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlockBytes = 4 << 20;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::optional<fs::path> plain_or_gz(const fs::path& folder, const std::string& name) {
  for (const fs::path& path : {folder / name, folder / (name + ".gz")}) {
    if (is_file(path)) return path;
  }
  return {};
}

std::string join(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

/// zlib's message without the path before it.
std::string reason(const fs::path& path, const std::string& message) {
  const std::string prefix = path.string() + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

/// The sentence for the user who lacks files.
std::string how_to_get(const FileSource& source, const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders) {
    const fs::path archive = folder / source.archive;
    if (!source.archive.empty() && is_file(archive)) {
      return fmt::format("unpack the archive that lies there: tar -xzf {} -C {}",
                         archive.string(),
                         folder.string());
    }
  }
  std::string text = fmt::format(
      "get them with: scripts/download_data.sh {} --root {}", source.name, folders.back().string());
  if (!source.package.empty()) {
    text += fmt::format(" (or apt-get install {}, and root /usr/share/datasets)", source.package);
  }
  return text;
}

}  // namespace

std::vector<fs::path> find_files(const FileSource& source,
                                 const fs::path& root,
                                 const std::vector<std::string>& names) {
  std::vector<fs::path> folders;
  for (const std::string& folder : source.folders) folders.push_back(root / folder);
  folders.push_back(root.empty() ? fs::path(".") : root);

  std::vector<std::string> missing = names;
  for (const fs::path& folder : folders) {
    std::vector<fs::path> paths;
    std::vector<std::string> lacking;
    for (const std::string& name : names) {
      if (const auto path = plain_or_gz(folder, name)) {
        paths.push_back(*path);
      } else {
        lacking.push_back(name);
      }
    }
    if (lacking.empty()) return paths;
    if (lacking.size() < missing.size()) missing = lacking;
  }

  std::vector<std::string> looked;
  for (const fs::path& folder : folders) looked.push_back(folder.string());
  data_error(folders.back(),
             fmt::format("missing files of {}: {} (plain or .gz), looked for in {}; {}",
                         source.name,
                         join(missing),
                         join(looked),
                         how_to_get(source, folders)));
}

void data_error(const fs::path& path, const std::string& problem) {
  throw Error(ErrorKind::data, path.string() + ": " + problem);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code failure;
  fs::directory_iterator entry(folder, failure);
  while (!failure && entry != fs::directory_iterator()) {
    if (!entry->path().filename().string().starts_with('.')) entries.push_back(entry->path());
    entry.increment(failure);
  }
  if (failure) data_error(folder, "cannot be read: " + failure.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

int64_t examples_to_read(int64_t asked,
                         int64_t available,
                         const fs::path& path,
                         const std::string& kind) {
  if (asked > available) {
    data_error(path, fmt::format("{} {} examples asked for; there are {}", asked, kind, available));
  }
  return asked > 0 ? asked : available;
}

void check_labels(const Tensor& labels,
                  std::pair<int64_t, int64_t> range,
                  const fs::path& path,
                  const std::function<std::string(int64_t)>& place) {
  const Tensor inside = labels.ge(range.first).logical_and(labels.le(range.second));
  const Tensor wrong = inside.logical_and(labels.eq(labels.floor())).logical_not().nonzero();
  if (wrong.size(0) == 0) return;
  const auto i = wrong[0].item<int64_t>();
  data_error(path,
             fmt::format("label {} at {}; expected {} to {}",
                         labels[i].item<double>(),
                         place(i),
                         range.first,
                         range.second));
}

InputFile::InputFile(fs::path path) : path_(std::move(path)) {
  require_regular(path_);
  errno = 0;
  file_ = gzopen(path_.c_str(), "rb");
  if (file_ == nullptr) {
    data_error(path_, fmt::format("cannot be opened: {}", std::strerror(errno)));
  }
  gzbuffer(static_cast<gzFile>(file_), 1 << 17);
}

InputFile::~InputFile() {
  gzclose(static_cast<gzFile>(file_));
}

size_t InputFile::read(void* to, size_t count) {
  const auto file = static_cast<gzFile>(file_);
  errno = 0;
  const size_t got = gzfread(to, 1, count, file);
  position_ += static_cast<int64_t>(got);
  if (got == count) return got;

  int status = Z_OK;
  const char* message = gzerror(file, &status);
  if (status == Z_ERRNO) data_error(path_, fmt::format("cannot be read: {}", std::strerror(errno)));
  if (status == Z_BUF_ERROR) {
    data_error(
        path_,
        fmt::format("the gzip stream is cut short after byte {} of its contents", position_));
  }
  if (status != Z_OK && status != Z_STREAM_END) {
    data_error(path_,
               fmt::format("corrupt gzip stream after byte {} of its contents ({})",
                           position_,
                           reason(path_, message)));
  }
  return got;
}

bool InputFile::at_end() {
  uint8_t byte = 0;
  return read(&byte, 1) == 0;
}

Tensor read_rows(ByteSource& source, int64_t width, int64_t limit) {
  const int64_t block_rows = std::max<int64_t>(1, kBlockBytes / width);
  TensorList blocks;
  for (int64_t rows = 0; rows < limit;) {
    const int64_t wanted = std::min(block_rows, limit - rows);
    Tensor block = at::empty({wanted, width}, at::kByte);
    const auto bytes = static_cast<size_t>(wanted * width);
    const int64_t got = static_cast<int64_t>(source.read(block.data_ptr(), bytes)) / width;
    blocks.push_back(block.narrow(0, 0, got));
    rows += got;
    if (got < wanted) break;
  }
  return blocks.empty() ? at::empty({0, width}, at::kByte) : at::cat(blocks);
}

}  // namespace apo
