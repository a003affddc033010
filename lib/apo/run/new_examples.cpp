#include "apo/run/new_examples.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>

#include "apo/base/error.h"
#include "apo/base/regular_file.h"
#include "apo/config/characters.h"
#include "apo/data/accepted.h"
#include "apo/data/csv_reader.h"
#include "apo/data/files.h"
#include "apo/data/picture.h"
#include "apo/data/table.h"
#include "apo/run/weights_file.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Whatever has no other ending that is known.
WeightsFile read_as_safetensors(const fs::path& path) {
  require_regular(path);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return read_weights(path);  // says so
  try {
    return read_weights(path);
  } catch (const Error& error) {
    throw Error(error.kind(),
                fmt::format("{}; accepted: a safetensors file; a table, whose ending is .csv or "
                            ".tsv, or .gz behind that; a .png, .jpg or .jpeg",
                            error.what()));
  }
}

/// The tensor `inputs` of a file, in the model's shape. Pixels, bytes, are normalised as the
/// model's were; other numbers are taken as they are.
Tensor read_tensor(const TrainedModel& model, const std::filesystem::path& path) {
  const WeightsFile file = read_as_safetensors(path);
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::data,
                 fmt::format("{}: {}; accepted: a tensor 'inputs' of the shape [N, {}]",
                             path.string(),
                             what,
                             fmt::join(model.shape.input, ", ")));
  };
  const auto found = file.tensors.find("inputs");
  if (found == file.tensors.end()) throw fail("has no tensor 'inputs'");
  const Tensor inputs = with_sign(found->second, "inputs", path);
  if (inputs.dim() == 0 || inputs.sizes().slice(1) != at::IntArrayRef(model.shape.input)) {
    throw fail(fmt::format("its inputs have the shape [{}]", fmt::join(inputs.sizes(), ", ")));
  }
  const bool pixels = inputs.scalar_type() == at::kByte || inputs.is_floating_point();
  if (!pixels && !model.normalisation.mean.empty()) {
    throw fail("its inputs are integers; pictures are bytes, or real numbers that are normalised");
  }
  return inputs;
}

/// What became of a column of the table that the model was trained on, as csv.cpp notes it.
struct Feature {
  std::string name;
  double mean = 0;
  double deviation = 1;
  std::vector<std::string> words = {};  ///< of a column of numbers: none
};

std::vector<Feature> features_of(const TrainedModel& model) {
  std::vector<Feature> features;
  int64_t width = 0;
  try {
    for (const Json& column : metadata_of(model, "columns")) {
      Feature feature{.name = column.at("name")};
      if (column.contains("words")) {
        feature.words = column.at("words");
      } else {
        feature.mean = column.at("mean");
        feature.deviation = column.at("deviation");
      }
      width += std::max<int64_t>(std::ssize(feature.words), 1);
      features.push_back(std::move(feature));
    }
  } catch (const Json::exception&) {
    data_error(model.file, "its metadata's 'columns' are none of a table");
  }
  if (features.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("--on: {} was trained on no table; accepted: a safetensors file, or "
                            "pictures where it takes such",
                            model.file.string()));
  }
  if (model.shape.input != std::vector<int64_t>{width}) {
    data_error(model.file, "its metadata's 'columns' are not what it takes");
  }
  return features;
}

/// How to read a table with these columns, whatever others it has.
TableFormat format_of(const std::vector<Feature>& features, const fs::path& path, char separator) {
  std::vector<std::string> header;
  CsvReader(path, separator).next(header);
  TableFormat format{.separator = separator, .target = features.front().name};
  for (const Feature& feature : features) {
    if (std::find(header.begin(), header.end(), feature.name) == header.end()) {
      data_error(
          path,
          fmt::format("has no column '{}', which the model reads", in_one_line(feature.name)));
    }
    if (!feature.words.empty()) format.words.push_back(feature.name);
  }
  for (const std::string& name : header) {
    const bool read = std::any_of(
        features.begin(), features.end(), [&](const Feature& f) { return f.name == name; });
    if (!read) format.leave_out.push_back(name);
  }
  return format;
}

/// Of each kind of word in the column its place among those that the model knows.
std::vector<int64_t> places_of(const TableColumn& column,
                               const Feature& feature,
                               const fs::path& path) {
  std::vector<int64_t> places;
  places.reserve(column.kinds.size());
  for (const std::string& kind : column.kinds) {
    const auto found = std::find(feature.words.begin(), feature.words.end(), kind);
    if (found == feature.words.end()) {
      data_error(path,
                 fmt::format("column '{}': the model knows no word '{}'; accepted: {}",
                             in_one_line(feature.name),
                             in_one_line(kind),
                             in_one_line(fmt::format("{}", fmt::join(feature.words, ", ")))));
    }
    places.push_back(found - feature.words.begin());
  }
  return places;
}

/// float32 [N, F], as csv.cpp makes them.
Tensor read_rows(const TrainedModel& model, const fs::path& path) {
  const std::vector<Feature> features = features_of(model);
  const Table table = read_table(path, {}, format_of(features, path, model.separator));
  const Tensor rows = at::zeros({table.rows, model.shape.input.front()}, at::kFloat);
  auto* values = rows.mutable_data_ptr<float>();
  const auto width = model.shape.input.front();
  int64_t at = 0;
  for (const Feature& feature : features) {
    const auto column = std::find_if(table.columns.begin(),
                                     table.columns.end(),
                                     [&](const TableColumn& c) { return c.name == feature.name; });
    if (column->has_words != !feature.words.empty()) {
      data_error(path,
                 fmt::format("column '{}' has words; expected numbers", in_one_line(feature.name)));
    }
    if (feature.words.empty()) {
      for (int64_t row = 0; row < table.rows; ++row) {
        const double number = column->numbers[static_cast<size_t>(row)];
        values[row * width + at] = static_cast<float>((number - feature.mean) / feature.deviation);
      }
      ++at;
      continue;
    }
    const std::vector<int64_t> places = places_of(*column, feature, path);
    for (int64_t row = 0; row < table.rows; ++row) {
      const auto kind = static_cast<size_t>(column->words[static_cast<size_t>(row)]);
      values[row * width + at + places[kind]] = 1;
    }
    at += std::ssize(feature.words);
  }
  return rows;
}

/// Of a file itself.
std::vector<fs::path> pictures_in(const fs::path& path) {
  if (is_picture(path)) return {path};
  std::vector<fs::path> pictures;
  for (const fs::path& entry : entries_of(path)) {
    std::error_code ignored;
    if (is_picture(entry)) {
      pictures.push_back(entry);
    } else if (fs::is_directory(entry, ignored) && !fs::is_symlink(entry, ignored)) {
      for (fs::path& below : pictures_in(entry)) pictures.push_back(std::move(below));
    } else {
      data_error(entry, "is no .png, .jpg or .jpeg; move it away");
    }
  }
  return pictures;
}

NewExamples read_pictures(const TrainedModel& model, const fs::path& path) {
  const std::vector<int64_t>& input = model.shape.input;
  if (input.size() != 3 || model.normalisation.mean.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("--on: {} was trained on no pictures; accepted: a safetensors file, or "
                            "a table where it takes such",
                            model.file.string()));
  }
  const std::vector<fs::path> files = pictures_in(path);
  if (files.empty()) data_error(path, "has no pictures");
  NewExamples examples;
  const Tensor pictures = at::empty({std::ssize(files), input[0], input[1], input[2]}, at::kByte);
  for (size_t i = 0; i < files.size(); ++i) {
    pictures[static_cast<int64_t>(i)].copy_(
        PictureFile(files[i]).decode(input[0], input[1], input[2]));
    examples.names.push_back(files[i].string());
  }
  examples.split.inputs = pictures;
  return examples;
}

bool is_table(const fs::path& path) {
  const fs::path plain = path.extension() == ".gz" ? path.stem() : path;
  return plain.extension() == ".csv" || plain.extension() == ".tsv";
}

}  // namespace

NewExamples read_examples(const TrainedModel& model, const fs::path& path) {
  NewExamples examples;
  std::error_code ignored;
  if (is_picture(path) || fs::is_directory(path, ignored)) {
    examples = read_pictures(model, path);
  } else {
    examples.split.inputs = is_table(path) ? read_rows(model, path) : read_tensor(model, path);
  }
  examples.split.inputs = examples.split.inputs.to(model.device);
  return examples;
}

}  // namespace apo
