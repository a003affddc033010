// Data sets of the user's own, in files that the configuration names: their options, and what they
// have in common.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apo/base/options.h"
#include "apo/data/dataset.h"

namespace apo {

/// Whether a set is mapped: what a step wants of it is read from the file then, and not the whole
/// once.
enum class Mapping {
  automatic,  ///< where the file is larger than DataRequest::most_bytes_in_memory
  always,
  never,
};

/// A safetensors file with the tensors train_inputs and train_targets, and where there are such
/// train_weights and the same of validation and test.
struct TensorsOptions {
  std::string path = {};
  int64_t classes = 0;  ///< of integer targets; 0: the greatest of them and one more
  Mapping mapped = Mapping::automatic;
  void visit(OptionVisitor& visitor);
};

/// What the target of a table is.
enum class CsvTask {
  automatic,  ///< classes where it has words, or whole numbers of few kinds
  classes,
  numbers,
};

/// A table of one's own, with a header. Inputs are float32 [N, F]: numbers with mean 0 and
/// deviation 1 over the training set, words as a 1 among zeros. Targets are classes, in the order
/// of their names, or numbers [N, 1], standardised likewise.
struct CsvOptions {
  std::string path = {};
  std::string target = {};  ///< the name of the column; "": the last
  CsvTask task = CsvTask::automatic;
  std::string test_path = {};  ///< "": none
  double test_share = 0.2;     ///< without test_path
  char separator = ',';
  std::vector<std::string> words = {};
  std::vector<std::string> leave_out = {};
  void visit(OptionVisitor& visitor);
};

/// A text of one's own, byte by byte: examples are `length` bytes, uint8 [N, length], and for each
/// of them the next, of 256 classes. The test set is the end of the text.
struct TextOptions {
  std::string path = {};
  int64_t length = 64;
  double test_share = 0.1;
  Mapping mapped = Mapping::automatic;
  void visit(OptionVisitor& visitor);
};

/// Pictures of one's own, PNG and JPEG: a folder for each class, or train/, test/ and validation/
/// that hold those.
struct FolderOptions {
  std::string path = {};
  double test_share = 0.2;  ///< where there is no train/
  int64_t height = 0;       ///< to which pictures are resized; 0: they are all of one size
  int64_t width = 0;
  int64_t channels = 0;  ///< 0: those of the first picture
  void visit(OptionVisitor& visitor);
};

// Each loads the parts that there are, on the CPU; of a part that is not there the tensors are
// undefined. Errors (ErrorKind::data) name file, place and expectation.
std::unique_ptr<Dataset> load_tensors(const TensorsOptions&, const DataRequest&);
std::unique_ptr<Dataset> load_csv(const CsvOptions&, const DataRequest&);
std::unique_ptr<Dataset> load_text(const TextOptions&, const DataRequest&);
std::unique_ptr<Dataset> load_folder(const FolderOptions&, const DataRequest&);

/// Of RandomStream::validation_split, what draws a test set: no draw of a validation set is like
/// it.
constexpr uint64_t kTestPart = 1;

/// The most classes that targets may tell of: a stray number makes no network of terabytes.
constexpr int64_t kMostClasses = 1'000'000;

/// The path, relative to where the program stands, where a file is there. Error (data), with the
/// absolute path that was looked at.
std::filesystem::path file_at(const std::string& path);
/// The same of a folder.
std::filesystem::path folder_at(const std::string& path);

/// The key `mapped`.
void visit_mapping(OptionVisitor& visitor, Mapping& mapping);
/// Whether the file is to be mapped. Error (data) where its size is not known.
bool is_mapped(Mapping mapping, const std::filesystem::path& path, const DataRequest& request);

/// Error (data) where `good`, given a block of rows, is not true of all of it: "path: name[3, 1] =
/// 7; expected …", of the first value that is not. Works through blocks, for a mask of the whole
/// might not fit.
void require_values(const Tensor& values,
                    const std::string& name,
                    const std::filesystem::path& path,
                    const std::string& expected,
                    const std::function<Tensor(const Tensor& block)>& good);
/// Real numbers are finite.
void require_finite(const Tensor& values,
                    const std::string& name,
                    const std::filesystem::path& path);

/// The first n examples of a part, which may be undefined, as request and `kind` ("training",
/// "test") ask. Error (data) where there are fewer.
Split first_examples(const Split& part,
                     int64_t asked,
                     const std::filesystem::path& path,
                     const std::string& kind);

/// Of a data set whose parts are whole, those that the request asks for: the first examples, and
/// where training examples are pictures (uint8 [N, C, H, W]) with their normalisation.
std::unique_ptr<Dataset> as_requested(Dataset whole,
                                      const DataRequest& request,
                                      const std::filesystem::path& path);

}  // namespace apo
