// The family of data sets: examples and their targets, decoded once and kept whole, or mapped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apo/base/options.h"
#include "apo/base/registry.h"
#include "apo/base/tensors.h"
#include "apo/data/split.h"

namespace apo {

/// Per-channel mean and standard deviation, as fractions of 1 (pixel value / 255). Of none: inputs
/// are taken as they are.
struct Normalisation {
  std::vector<double> mean = {};
  std::vector<double> deviation = {};
};

/// Exact statistics of pictures, by counting their 256 values. A constant channel gets deviation 1.
/// images: uint8 [N, C, H, W] on the CPU; rows: Split::rows.
Normalisation channel_statistics(const Tensor& images, const Tensor& rows = {});

struct Dataset {
  Split train;
  Split test;                        ///< of none: undefined tensors
  int64_t classes = 0;               ///< 0: targets are real numbers
  Normalisation normalisation = {};  ///< of the inputs, by those of the training set
  Split validation = {};             ///< of none: undefined tensors
  /// What else one needs to use a network trained on it, JSON by name, to be kept beside its
  /// parameters: class_names; of a table what its columns have become.
  std::map<std::string, std::string> about = {};

  /// Of a position of a network: one for each class, or for each number of a target.
  int64_t outputs() const { return classes > 0 ? classes : train.targets.size(-1); }
};

/// Which of the examples are held out: `share` of them, of each class alike where an example is of
/// one; bool [N]. targets: of the examples, classes or, where `classes` is 0, numbers.
Tensor drawn(const Tensor& targets, int64_t classes, double share, at::Generator generator);

/// Makes `share` of the training examples the validation set: of each class alike where an example
/// is of one, drawn from the seed. The rest keeps its order, and pictures are normalised by it.
/// Throws Error(config) where either would be empty.
void hold_out(Dataset& dataset, double share, uint64_t seed);

/// With its normalisation: by the training pictures' channel statistics.
std::unique_ptr<Dataset> dataset_of_pictures(Split train, Split test, int64_t classes);

/// What is asked of a data set's files.
struct DataRequest {
  /// The folder that holds the official files, themselves or in the set's customary subfolder.
  std::filesystem::path root;
  /// The first n examples; 0: all. More than there are is an Error.
  int64_t train_examples = 0;
  int64_t test_examples = 0;
  uint64_t seed = 0;
  /// Of a file that can be mapped: larger ones are, unless the user says otherwise.
  int64_t most_bytes_in_memory = std::numeric_limits<int64_t>::max();
};

/// Random pictures of the given shape whose label can be learned: a class's picture plus noise.
/// Needs no files. All, where the request asks for all, are 1,000 and 200.
struct SyntheticOptions {
  int64_t channels = 1;
  int64_t height = 28;
  int64_t width = 28;
  int64_t classes = 10;
  void visit(OptionVisitor& visitor);
};

// Each loads the train and the test set, on the CPU. Errors (ErrorKind::data) name file, place and
// expectation.
std::unique_ptr<Dataset> load_mnist(const NoOptions&, const DataRequest&);
std::unique_ptr<Dataset> load_fashion_mnist(const NoOptions&, const DataRequest&);
std::unique_ptr<Dataset> load_cifar10(const NoOptions&, const DataRequest&);
std::unique_ptr<Dataset> load_cifar100(const NoOptions&, const DataRequest&);
std::unique_ptr<Dataset> load_svhn(const NoOptions&, const DataRequest&);
std::unique_ptr<Dataset> make_synthetic(const SyntheticOptions&, const DataRequest&);

const Registry<Dataset, const DataRequest&>& datasets();

}  // namespace apo
