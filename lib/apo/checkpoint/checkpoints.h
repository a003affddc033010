// The checkpoints of a run: written beside its training, kept few, found again.
#pragma once

#include <filesystem>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "apo/checkpoint/checkpoint.h"

namespace apo {

/// The folder `checkpoints` of a run. Keeps the newest, and beside them the best and the newest
/// scheduled one, to which the links best.json and scheduled.json (and the same .safetensors)
/// point.
class Checkpoints {
 public:
  /// keep: how many of the newest, at least 1. Makes nothing yet.
  Checkpoints(std::filesystem::path folder, int64_t keep);
  /// Waits for what is being written; errors are lost, so call wait() before.
  ~Checkpoints();
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  /// Writes it on a thread of its own. One is under way at a time: waits for the one before, and
  /// throws its Error(output).
  void save(Checkpoint checkpoint);
  /// Until all is written. Throws Error(output).
  void wait();
  /// From now on those of these steps are kept beside the others: somebody else may need them.
  void keep_also(const std::vector<int64_t>& steps);

  /// The newest whole one; nothing where there is none. `warn` is told of each damaged one on the
  /// way. Throws Error(data) where all are damaged.
  std::optional<Checkpoint> newest(const std::function<void(const std::string&)>& warn);
  /// The same of the scheduled ones, which are where they would be had the run never been
  /// interrupted: what a rollback goes back to. Where that one is damaged, the newest.
  std::optional<Checkpoint> newest_scheduled(const std::function<void(const std::string&)>& warn);

 private:
  void write(const Checkpoint& checkpoint) const;
  /// Lets the link called `to` point at the checkpoint called `name`.
  void point(const std::string& to, const std::string& name) const;
  void prune() const;
  /// The JSON files, the newest first.
  std::vector<std::filesystem::path> all() const;

  std::filesystem::path folder_;
  size_t keep_;
  std::vector<std::string> kept_also_;  ///< names
  std::future<void> writing_;
};

}  // namespace apo
