// The folder that a run owns.
#pragma once

#include <filesystem>
#include <string>

namespace apo {

/// The averaged weights at the end of a run; one that goes on has another end.
inline constexpr const char* kAverageModel = "model_average.safetensors";

/// What to do with a run that is in the folder already.
enum class Existing {
  refuse,
  replace,
  resume,  ///< go on with it, or start anew where there is none or it cannot go on
};

/// In a population's folder, where its members are processes: how they stand at the ends of turns.
inline constexpr const char* kTurns = "turns";

/// Whether a process has the folder for itself, or beside others that know of each other.
enum class LockKind { exclusive, shared };

/// The folder of a population's member, in the population's.
std::string member_name(size_t member);

/// Throws Error(config) where the folder holds a run and `existing` is `refuse`, or holds things
/// but no run: such a folder is never written into.
void check_run_folder(const std::filesystem::path& folder, Existing existing);

/// Throws Error(config) where a grid's runs cannot have their folders in this one: it is a single
/// run's or a population's, or holds something else.
void check_grid_folder(const std::filesystem::path& folder);

/// A run folder that no other process can have at the same time, or only those that share it. The
/// lock is the kernel's: it ends with the process, however that ends.
class RunFolder {
 public:
  /// Checks the folder and, where it is there, locks it. Makes nothing. Throws Error: config, also
  /// where another process trains into it; output.
  RunFolder(std::filesystem::path path, Existing existing, LockKind kind = LockKind::exclusive);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Makes and locks the folder. Of a run that is there, the files that a run writes go, nothing
  /// else; or where they are to be kept those alone that tell of an end, which is to come again.
  /// Throws Error: config, output.
  void claim(bool keep_files = false);
  /// Takes away the files that a run writes, and the folder if nothing else is in it.
  void remove();
  const std::filesystem::path& path() const { return path_; }

 private:
  void lock();

  std::filesystem::path path_;
  Existing existing_;
  LockKind kind_;
  int lock_ = -1;
};

/// Takes away the runs of members, from number `first` on, of a population that was in the folder.
/// Throws Error: config, output.
void remove_members_from(size_t first, const std::filesystem::path& folder);

}  // namespace apo
