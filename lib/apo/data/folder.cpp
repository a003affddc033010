// Pictures of one's own: a folder for each class, of PNG and JPEG files.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "apo/base/random.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
#include "apo/data/accepted.h"
#include "apo/data/files.h"
#include "apo/data/own.h"
#include "apo/data/picture.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

struct LabelledFile {
  fs::path path;
  int64_t label = 0;
  size_t place = 0;  ///< among the files of its class
};
using Files = std::vector<LabelledFile>;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// The names of the folders in `folder`, each a class.
std::vector<std::string> class_names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& entry : entries_of(folder)) {
    if (!is_folder(entry)) {
      data_error(entry, "is no folder; expected one for each class, and pictures in those");
    }
    names.push_back(entry.filename().string());
    if (is_utf8(names.back())) continue;
    data_error(folder,
               fmt::format("the folder '{}' has a name that is not UTF-8; accepted: names of "
                           "classes in UTF-8",
                           in_one_line(names.back())));
  }
  if (names.size() < 2) {
    data_error(
        folder,
        fmt::format("has {} folders; expected one for each of two or more classes, or train/ "
                    "and test/ with those",
                    names.size()));
  }
  return names;
}

/// Of each class one in turn, so that the first n are of all classes.
Files files_in(const fs::path& folder, const std::vector<std::string>& names) {
  Files files;
  for (const std::string& name : class_names_in(folder)) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      data_error(folder / name,
                 fmt::format("no such class in the training set{}", did_you_mean(name, names)));
    }
    size_t place = 0;
    for (const fs::path& entry : entries_of(folder / name)) {
      if (!is_picture(entry)) data_error(entry, "is no .png, .jpg or .jpeg; move it away");
      files.push_back({entry, found - names.begin(), place++});
    }
    if (place == 0) data_error(folder / name, "has no pictures");
  }
  std::stable_sort(files.begin(), files.end(), [](const LabelledFile& a, const LabelledFile& b) {
    return a.place < b.place;
  });
  return files;
}

/// What all pictures shall be, as the options say or the first of them is.
struct Form {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  fs::path of;  ///< whose size it is; "": the options say it

  Form(const FolderOptions& options, const fs::path& first) {
    const PictureFile file(first);
    channels = options.channels > 0 ? options.channels : file.channels();
    height = options.height > 0 ? options.height : file.height();
    width = options.height > 0 ? options.width : file.width();
    if (options.height == 0) of = first;
  }
};

/// uint8 [C, H, W]. Another size is an Error, or where the options say the size it is resized.
Tensor read_picture(const fs::path& path, const Form& form) {
  const PictureFile file(path);
  const bool fits = file.height() == form.height && file.width() == form.width;
  if (!fits && !form.of.empty()) {
    data_error(path,
               fmt::format("is {} x {} (height x width); {} is {} x {}; accepted: pictures of one "
                           "size, or dataset.height and dataset.width, to which they are resized",
                           file.height(),
                           file.width(),
                           form.of.filename().string(),
                           form.height,
                           form.width));
  }
  return file.decode(form.channels, form.height, form.width);
}

Split read_pictures(const Files& files, const Form& form) {
  const auto count = std::ssize(files);
  const Tensor pictures = at::empty({count, form.channels, form.height, form.width}, at::kByte);
  const Tensor labels = at::empty({count}, at::kLong);
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const LabelledFile& file = files[static_cast<size_t>(i)];
      pictures[i].copy_(read_picture(file.path, form));
      labels[i].fill_(file.label);
    }
  });
  return {pictures, labels};
}

/// Takes those out of `files` that are drawn for the test.
Files take_test(Files& files, size_t classes, double share, uint64_t seed) {
  Tensor labels = at::empty({std::ssize(files)}, at::kLong);
  for (size_t i = 0; i < files.size(); ++i) labels[static_cast<int64_t>(i)] = files[i].label;
  const Tensor held = drawn(labels,
                            static_cast<int64_t>(classes),
                            share,
                            make_generator(seed, RandomStream::validation_split, kTestPart));
  Files test;
  Files rest;
  for (size_t i = 0; i < files.size(); ++i) {
    const bool is_test = held[static_cast<int64_t>(i)].item<bool>();
    (is_test ? test : rest).push_back(std::move(files[i]));
  }
  files = std::move(rest);
  return test;
}

struct Parts {
  std::vector<std::string> class_names;
  Files train;
  Files validation;
  Files test;
};

Parts parts_in(const fs::path& folder, const FolderOptions& options, uint64_t seed) {
  const bool divided = is_folder(folder / "train");
  const fs::path training = divided ? folder / "train" : folder;
  Parts parts;
  parts.class_names = class_names_in(training);
  parts.train = files_in(training, parts.class_names);
  if (!divided) {
    if (options.test_share > 0) {
      parts.test = take_test(parts.train, parts.class_names.size(), options.test_share, seed);
    }
    return parts;
  }
  for (const fs::path& entry : entries_of(folder)) {
    const std::string name = entry.filename().string();
    if (name == "test") {
      parts.test = files_in(entry, parts.class_names);
    } else if (name == "validation" || name == "val") {
      parts.validation = files_in(entry, parts.class_names);
    } else if (name != "train") {
      data_error(entry, "beside train/ only test/ and validation/ or val/ are expected");
    }
  }
  return parts;
}

void keep_first(Files& files, int64_t asked, const fs::path& folder, const std::string& kind) {
  files.resize(static_cast<size_t>(examples_to_read(asked, std::ssize(files), folder, kind)));
}

}  // namespace

void FolderOptions::visit(OptionVisitor& visitor) {
  visit_path(
      visitor,
      "path",
      path,
      "folder with one for each class, or with train/, test/ and validation/ that have those");
  visitor.require(!path.empty(), "path", "must name a folder");
  visitor.real("test_share",
               test_share,
               Range::half_open(0, 1),
               "without train/ and test/, of the pictures those drawn from the seed for the test "
               "set, of each class alike");
  const Range side = Range::between(0, 16384);
  visitor.integer("height", height, side, "rows, to which pictures are resized; 0: as they are");
  visitor.integer("width", width, side, "columns, likewise");
  visitor.require((height > 0) == (width > 0), "height", "is given with width, or not at all");
  visitor.integer(
      "channels", channels, Range::between(0, 3), "1: grey, 3: colour, 0: as the first picture");
  visitor.require(channels != 2, "channels", "must be 0, 1 or 3");
}

std::unique_ptr<Dataset> load_folder(const FolderOptions& options, const DataRequest& request) {
  const fs::path folder = folder_at(options.path);
  Parts parts = parts_in(folder, options, request.seed);
  keep_first(parts.train, request.train_examples, folder, "training");
  keep_first(parts.test, request.test_examples, folder, "test");
  if (parts.train.empty()) data_error(folder, "no picture is left to train on");
  const Form form(options, parts.train.front().path);
  Dataset dataset;
  dataset.classes = std::ssize(parts.class_names);
  dataset.train = read_pictures(parts.train, form);
  if (!parts.validation.empty()) dataset.validation = read_pictures(parts.validation, form);
  if (!parts.test.empty()) dataset.test = read_pictures(parts.test, form);
  dataset.about["class_names"] = nlohmann::ordered_json(parts.class_names).dump();
  return as_requested(std::move(dataset), request, folder);
}

}  // namespace apo
