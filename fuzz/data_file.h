// Files of data sets for fuzz targets, and what must hold for all that is read from one.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>

#include "apo/data/dataset.h"
#include "finding.h"

namespace apo::fuzz {

/// A file that lies in memory and is gone with its scope.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const uint8_t> bytes) : descriptor_(memfd_create("fuzz", 0)) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    require(written == static_cast<ssize_t>(bytes.size()), "there is memory for a file");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

inline void require_sound(const Split& split, int64_t classes) {
  require(split.inputs.dim() == 4 && split.inputs.size(0) > 0, "there are pictures");
  require(split.inputs.size(0) == split.targets.size(0), "each picture has a label");
  require(split.targets.min().item<int64_t>() >= 0, "labels are no less than 0");
  require(split.targets.max().item<int64_t>() < classes, "labels are less than the classes");
}

/// Of a data set of the user's own. classes: 0 where targets are real numbers.
inline void require_fits(const Split& split, int64_t classes) {
  require(split.inputs.size(0) > 0, "there are examples");
  require(split.inputs.size(0) == split.targets.size(0), "each example has a target");
  require((classes == 0) == split.targets.is_floating_point(), "real targets have no classes");
  if (classes == 0) return;
  const Tensor targets = split.targets.to(at::kLong);
  require(targets.min().item<int64_t>() >= 0, "classes are no less than 0");
  require(targets.max().item<int64_t>() < classes, "classes are less than their number");
}

/// A mapped part has the examples of one that was read.
inline void require_same(const Split& read, const Split& mapped) {
  const Batch expected = read.slice(0, read.size());
  const Batch examples = mapped.slice(0, mapped.size());
  const auto same = [](const Tensor& a, const Tensor& b) {
    return a.defined() == b.defined() &&
           (!a.defined() || (a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
                             (a.nbytes() == 0 || std::memcmp(a.contiguous().const_data_ptr(),
                                                             b.contiguous().const_data_ptr(),
                                                             a.nbytes()) == 0)));
  };
  require(mapped.is_mapped(), "the part is mapped");
  require(same(expected.inputs, examples.inputs), "inputs are the same");
  require(same(expected.targets, examples.targets), "targets are the same");
  require(same(expected.weights, examples.weights), "weights are the same");
}

}  // namespace apo::fuzz
