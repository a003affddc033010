// Readers of the data sets' file formats. Each checks whatever bytes it is given: damage is an
// Error (ErrorKind::data) in one line that names file, place and expectation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "apo/data/dataset.h"
#include "apo/data/own.h"

namespace apo {

/// Which examples of a split to read.
struct SplitRequest {
  /// "training" or "test", for messages.
  std::string kind;
  /// The first n; 0: all.
  int64_t examples = 0;
};

/// A pair of IDX files, plain or gzip: pictures of 28 × 28 and labels 0 to 9.
Split read_idx(const std::filesystem::path& images,
               const std::filesystem::path& labels,
               const SplitRequest& request);

/// A record of CIFAR's binary format: label bytes, then the planes red, green and blue of 32 × 32.
struct CifarFormat {
  int64_t label_bytes;  ///< the last of them is the label
  int64_t classes;
};
constexpr CifarFormat kCifar10{.label_bytes = 1, .classes = 10};
constexpr CifarFormat kCifar100{.label_bytes = 2, .classes = 100};

/// One of CIFAR's binary files: all its records, or the first `limit`.
Split read_cifar(const std::filesystem::path& path, const CifarFormat& format, int64_t limit);

/// SVHN's cropped digits: a MATLAB file with X, uint8 32 × 32 × 3 × N, and y, N × 1 in 1 to 10,
/// where 10 is the digit 0.
Split read_svhn(const std::filesystem::path& path, const SplitRequest& request);

/// A safetensors file with the tensors PART_inputs, PART_targets and PART_weights of train and
/// where there are such of validation and test: all parts, whole. classes: of integer targets; 0:
/// the greatest of them and one more. mapped: they stay in the file.
Dataset read_tensors(const std::filesystem::path& path, int64_t classes, bool mapped);

/// A table, standardised; its test set is in `test_path`, or where that is "" drawn from the seed.
Dataset read_csv(const std::filesystem::path& path,
                 const std::filesystem::path& test_path,
                 const CsvOptions& options,
                 uint64_t seed);

/// A text, plain or gzip, of 4 GiB at most; or, mapped, a plain one of any size.
Dataset read_text(const std::filesystem::path& path, const TextOptions& options, bool mapped);

}  // namespace apo
