// Columns that grow side by side and are wanted one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace apo {

/// Keeps texts on the disk in parts, but the last few kilobytes of each. All throw Error(output)
/// in the name of the file they are for.
class Spool {
 public:
  /// What is appended comes back whole, in its order.
  struct Text {
    std::string waiting;
    std::vector<std::pair<int64_t, int64_t>> parts;  ///< begin and size in the file
  };

  /// Its file is beside `target` and has no name: it goes with the process.
  explicit Spool(std::filesystem::path target);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  void append(Text& text, std::string_view more);
  void read(const Text& text, const std::function<void(std::string_view)>& take) const;

 private:
  std::filesystem::path target_;
  int file_ = -1;
  int64_t bytes_ = 0;
};

}  // namespace apo
