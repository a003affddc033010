// Tables of one's own: a CSV file with a header, one of whose columns is the target.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/random.h"
#include "apo/config/characters.h"
#include "apo/data/files.h"
#include "apo/data/formats.h"
#include "apo/data/own.h"
#include "apo/data/table.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Whole numbers of no more kinds are classes where nothing is said.
constexpr size_t kMostObviousClasses = 50;
constexpr int64_t kMostFeatures = 100'000;

Tensor tensor_of(const std::vector<double>& numbers) {
  Tensor tensor = at::empty({std::ssize(numbers)}, at::kDouble);
  std::copy(numbers.begin(), numbers.end(), tensor.mutable_data_ptr<double>());
  return tensor;
}

Tensor tensor_of(const std::vector<int32_t>& words) {
  Tensor tensor = at::empty({std::ssize(words)}, at::kLong);
  std::copy(words.begin(), words.end(), tensor.mutable_data_ptr<int64_t>());
  return tensor;
}

/// Mean and deviation of the training rows; a constant has deviation 1.
struct Scale {
  double mean = 0;
  double deviation = 1;

  Scale(const Tensor& numbers, const Tensor& training) {
    const Tensor seen = numbers.index_select(0, training);
    mean = seen.mean().item<double>();
    const double spread = std::sqrt((seen - mean).square().mean().item<double>());
    if (spread > 1e-12 * std::abs(mean)) deviation = spread;
  }
  Tensor of(const Tensor& numbers) const { return (numbers - mean) / deviation; }
};

/// A number as it was written, for the name of a class.
std::string word_of(double number) {
  return fmt::format("{}", number);
}

/// The different numbers, from the least; not all of them where there are more than `most`.
std::vector<double> kinds_of(const std::vector<double>& numbers, size_t most) {
  std::vector<double> kinds = numbers;
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  kinds.resize(std::min(kinds.size(), most + 1));
  return kinds;
}

bool is_of_classes(const TableColumn& target, CsvTask task) {
  if (task != CsvTask::automatic || target.has_words) return task != CsvTask::numbers;
  const auto is_whole = [](double number) { return number == std::floor(number); };
  return std::all_of(target.numbers.begin(), target.numbers.end(), is_whole) &&
         kinds_of(target.numbers, kMostObviousClasses).size() <= kMostObviousClasses;
}

/// Class numbers [N], in the order of the classes' names or numbers; `names` are those.
Tensor classes_of(const TableColumn& target, std::vector<std::string>& names) {
  if (target.has_words) {
    names = target.kinds;
    return tensor_of(target.words);
  }
  const std::vector<double> kinds = kinds_of(target.numbers, target.numbers.size());
  std::vector<int32_t> words;
  words.reserve(target.numbers.size());
  for (const double number : target.numbers) {
    const auto place = std::lower_bound(kinds.begin(), kinds.end(), number) - kinds.begin();
    words.push_back(static_cast<int32_t>(place));
  }
  names.reserve(kinds.size());
  for (const double kind : kinds) names.push_back(word_of(kind));
  return tensor_of(words);
}

/// float32 [N, F]: numbers standardised, a word as one 1 among as many 0 as there are kinds.
/// `about`: what was done to each column.
Tensor features_of(const Table& table, const Tensor& training, Json& about, const fs::path& path) {
  int64_t width = 0;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const TableColumn& column = table.columns[i];
    if (i != table.target) width += column.has_words ? std::ssize(column.kinds) : 1;
  }
  if (width < 1 || width > kMostFeatures) {
    data_error(path,
               fmt::format("its columns make {} inputs, a word counting for as many as there are; "
                           "accepted: 1 to {}",
                           width,
                           kMostFeatures));
  }
  const Tensor features = at::zeros({table.rows, width}, at::kFloat);
  int64_t at = 0;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const TableColumn& column = table.columns[i];
    if (i == table.target) continue;
    if (column.has_words) {
      const auto kinds = std::ssize(column.kinds);
      features.narrow(1, at, kinds).scatter_(1, tensor_of(column.words).unsqueeze(1), 1);
      about.push_back({{"name", column.name}, {"words", column.kinds}});
      at += kinds;
    } else {
      const Tensor numbers = tensor_of(column.numbers);
      const Scale scale(numbers, training);
      features.select(1, at++).copy_(scale.of(numbers));
      about.push_back(
          {{"name", column.name}, {"mean", scale.mean}, {"deviation", scale.deviation}});
    }
  }
  return features;
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Of the rows of the table, bool [N], those that are for the test.
Tensor test_rows(
    const Table& table, const Tensor& targets, int64_t classes, double share, uint64_t seed) {
  const int64_t own = table.rows - table.training_rows;
  if (own > 0 || share == 0) {
    Tensor rows = at::zeros({table.rows}, at::kBool);
    rows.narrow(0, table.training_rows, own).fill_(true);
    return rows;
  }
  return drawn(
      targets, classes, share, make_generator(seed, RandomStream::validation_split, kTestPart));
}

}  // namespace

Dataset read_csv(const fs::path& path,
                 const fs::path& test_path,
                 const CsvOptions& options,
                 uint64_t seed) {
  const Table table = read_table(path,
                                 test_path,
                                 {.separator = options.separator,
                                  .words = options.words,
                                  .leave_out = options.leave_out,
                                  .target = options.target});
  const TableColumn& target = table.columns[table.target];
  if (options.task == CsvTask::numbers && target.has_words) {
    data_error(path,
               fmt::format("the target, '{}', has words; task: numbers wants numbers",
                           in_one_line(target.name)));
  }
  Dataset dataset;
  Tensor targets;
  if (is_of_classes(target, options.task)) {
    std::vector<std::string> names;
    targets = classes_of(target, names);
    dataset.classes = std::ssize(names);
    dataset.about["class_names"] = text_of(names);
    if (names.size() < 2) {
      data_error(path,
                 fmt::format("the target, '{}', is of one class; expected two or more",
                             in_one_line(target.name)));
    }
  }
  const Tensor is_test = test_rows(table,
                                   targets.defined() ? targets : tensor_of(target.numbers),
                                   dataset.classes,
                                   options.test_share,
                                   seed);
  const Tensor training = is_test.logical_not().nonzero().squeeze(1);
  const Tensor testing = is_test.nonzero().squeeze(1);
  if (training.size(0) == 0) data_error(path, "no row is left to train on");
  Json columns = Json::array();
  const Tensor features = features_of(table, training, columns, path);
  dataset.about["columns"] = text_of(columns);
  if (!targets.defined()) {
    const Tensor numbers = tensor_of(target.numbers);
    const Scale scale(numbers, training);
    targets = scale.of(numbers).to(at::kFloat).unsqueeze(1);
    dataset.about["target"] =
        text_of({{"name", target.name}, {"mean", scale.mean}, {"deviation", scale.deviation}});
  }
  const auto part = [&](const Tensor& rows) {
    return Split{features.index_select(0, rows), targets.index_select(0, rows)};
  };
  dataset.train = part(training);
  if (testing.size(0) > 0) dataset.test = part(testing);
  return dataset;
}

void CsvOptions::visit(OptionVisitor& visitor) {
  visit_path(visitor, "path", path, "CSV file with a header line, plain or .gz");
  visitor.require(!path.empty(), "path", "must name a CSV file");
  visitor.word("target", target, {}, "the column to predict; default: the last");
  visitor.one_of(
      "task",
      task,
      {{"auto", CsvTask::automatic}, {"classes", CsvTask::classes}, {"numbers", CsvTask::numbers}},
      "what the target is; auto: classes where it has words, or whole numbers of at "
      "most 50 kinds");
  visit_path(visitor, "test_path", test_path, "CSV file of the test set, with the same columns");
  visitor.real("test_share",
               test_share,
               Range::half_open(0, 1),
               "without test_path, of the rows those drawn from the seed for the test set, of each "
               "class alike");
  visitor.one_of("separator",
                 separator,
                 {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}},
                 "between fields");
  visitor.words("words", words, {}, "columns of words, though they look like numbers");
  visitor.words("leave_out", leave_out, {}, "columns that are no inputs");
}

std::unique_ptr<Dataset> load_csv(const CsvOptions& options, const DataRequest& request) {
  const fs::path path = file_at(options.path);
  const fs::path test_path = options.test_path.empty() ? fs::path() : file_at(options.test_path);
  return as_requested(read_csv(path, test_path, options, request.seed), request, path);
}

}  // namespace apo
