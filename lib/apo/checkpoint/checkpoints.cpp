#include "apo/checkpoint/checkpoints.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/files.h"

namespace apo {

namespace fs = std::filesystem;

namespace {

constexpr const char* kBest = "best";
constexpr const char* kScheduled = "scheduled";

}  // namespace

Checkpoints::Checkpoints(fs::path folder, int64_t keep)
    : folder_(std::move(folder)), keep_(static_cast<size_t>(keep)) {}

Checkpoints::~Checkpoints() {
  if (writing_.valid()) writing_.wait();
}

void Checkpoints::save(Checkpoint checkpoint) {
  wait();
  writing_ = std::async(std::launch::async, [this, kept = std::move(checkpoint)] { write(kept); });
}

void Checkpoints::wait() {
  if (writing_.valid()) writing_.get();
}

void Checkpoints::keep_also(const std::vector<int64_t>& steps) {
  wait();
  kept_also_.clear();
  std::transform(steps.begin(), steps.end(), std::back_inserter(kept_also_), checkpoint_name);
}

void Checkpoints::write(const Checkpoint& checkpoint) const {
  make_folder(folder_);
  write_checkpoint(folder_, checkpoint);
  const std::string name = checkpoint_name(checkpoint.step);
  if (checkpoint.best) point(kBest, name);
  if (checkpoint.scheduled) point(kScheduled, name);
  prune();
}

/// A link takes the other's place at once. Where links cannot be made there are none.
void Checkpoints::point(const std::string& to, const std::string& name) const {
  for (const std::string suffix : {".safetensors", ".json"}) {
    std::error_code failure;
    const fs::path link = folder_ / (to + suffix);
    const fs::path temporary = link.string() + ".tmp";
    fs::remove(temporary, failure);
    fs::create_symlink(name + suffix, temporary, failure);
    if (failure) continue;
    fs::rename(temporary, link, failure);
    if (failure) {
      throw Error(ErrorKind::output, link.string() + ": cannot be written: " + failure.message());
    }
  }
}

/// The JSON goes first: without it the other file is no checkpoint, and goes the next time.
void Checkpoints::prune() const {
  std::vector<fs::path> files = all();
  files.resize(std::min(files.size(), keep_));
  for (const std::string& name : kept_also_) files.emplace_back(name + ".json");
  std::error_code ignored;
  for (const std::string link : {kBest, kScheduled}) {
    const fs::path target = fs::read_symlink(folder_ / (link + ".json"), ignored);
    if (!ignored) files.push_back(target);
  }
  const auto is_kept = [&](const fs::path& path) {
    const std::string stem = path.stem().string();
    const auto same = [&](const fs::path& file) { return file.stem() == stem; };
    return !stem.starts_with(kCheckpointPrefix) || std::any_of(files.begin(), files.end(), same);
  };
  std::vector<fs::path> gone;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    if (!is_kept(entry.path())) gone.push_back(entry.path());
  }
  const auto is_json = [](const fs::path& path) { return path.extension() == ".json"; };
  std::stable_partition(gone.begin(), gone.end(), is_json);
  for (const fs::path& path : gone) fs::remove(path, ignored);
}

std::vector<fs::path> Checkpoints::all() const {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kCheckpointPrefix) && entry.path().extension() == ".json") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end(), std::greater<>());
  return files;
}

std::optional<Checkpoint> Checkpoints::newest_scheduled(
    const std::function<void(const std::string&)>& warn) {
  wait();
  const fs::path link = folder_ / (std::string(kScheduled) + ".json");
  std::error_code ignored;
  if (!fs::exists(link, ignored)) return newest(warn);
  try {
    return read_checkpoint(link);
  } catch (const Error& error) {
    warn(error.what());
    return newest(warn);
  }
}

std::optional<Checkpoint> Checkpoints::newest(const std::function<void(const std::string&)>& warn) {
  wait();
  const std::vector<fs::path> files = all();
  for (const fs::path& file : files) {
    try {
      return read_checkpoint(file);
    } catch (const Error& error) {
      warn(error.what());
    }
  }
  if (files.empty()) return std::nullopt;
  throw Error(ErrorKind::data,
              folder_.string() + ": no checkpoint is whole; accepted: --overwrite, to start anew");
}

}  // namespace apo
