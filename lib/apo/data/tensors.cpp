// Examples of one's own, of any type and shape: tensors of a safetensors file.
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/safetensors.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
#include "apo/data/accepted.h"
#include "apo/data/files.h"
#include "apo/data/formats.h"
#include "apo/data/own.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr std::array kParts = {"train", "validation", "test"};
constexpr std::array kKinds = {"inputs", "targets", "weights"};

/// "float32 [100, 3]".
std::string describe(const Tensor& tensor) {
  return fmt::format("{} [{}]",
                     c10::getDtypeNames(tensor.scalar_type()).first,
                     fmt::join(tensor.sizes().begin(), tensor.sizes().end(), ", "));
}

bool is_real(const Tensor& tensor) {
  return tensor.is_floating_point();
}

/// The tensors of the file by their names, taken out one by one.
class Contents {
 public:
  Contents(fs::path path, bool mapped)
      : path_(std::move(path)),
        file_(mapped ? std::make_shared<const MappedFile>(path_) : nullptr),
        tensors_(mapped ? map_safetensors(file_) : read_safetensors(path_)) {
    for (const char* part : kParts) {
      for (const char* kind : kKinds) names_.push_back(fmt::format("{}_{}", part, kind));
    }
    for (const auto& [name, tensor] : tensors_) {
      if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
      data_error(path_,
                 fmt::format("unknown tensor '{}'{}; accepted: {}",
                             name.substr(0, 100),
                             did_you_mean(name, names_),
                             list_or(names_)));
    }
  }

  const fs::path& path() const { return path_; }
  /// nullptr: all is in memory.
  const std::shared_ptr<const MappedFile>& file() const { return file_; }

  bool has(const std::string& part) const {
    return std::any_of(kKinds.begin(), kKinds.end(), [&](const char* kind) {
      return tensors_.count(fmt::format("{}_{}", part, kind)) > 0;
    });
  }

  /// Undefined where it is not there.
  Tensor take(const std::string& name) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return {};
    Tensor tensor = std::move(found->second);
    tensors_.erase(found);
    if (tensor.dim() == 0 || tensor.numel() == 0) {
      data_error(path_,
                 fmt::format("{} is {}; expected one example or more", name, describe(tensor)));
    }
    require_finite(tensor, name, path_);
    return with_sign(tensor, name, path_);
  }

  Tensor take_needed(const std::string& name) {
    Tensor tensor = take(name);
    if (!tensor.defined()) data_error(path_, "lacks the tensor " + name);
    return tensor;
  }

 private:
  fs::path path_;
  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, Tensor> tensors_;
  std::vector<std::string> names_;
};

/// Of an example, or of a position of it. positions: of the targets, [N, …].
void require_weights(const Tensor& weights,
                     const std::string& name,
                     at::IntArrayRef positions,
                     const fs::path& path) {
  const bool per_example = weights.sizes() == positions.slice(0, 1);
  if (!per_example && weights.sizes() != positions) {
    data_error(path,
               fmt::format("{} is {}; expected a weight for each example, [{}], or each of [{}]",
                           name,
                           describe(weights),
                           positions[0],
                           fmt::join(positions.begin(), positions.end(), ", ")));
  }
  bool all_zero = true;
  require_values(weights, name, path, "weights >= 0", [&all_zero](const Tensor& block) {
    const Tensor numbers = block.to(at::kDouble);
    all_zero = all_zero && numbers.sum().item<double>() == 0;
    return numbers.ge(0);
  });
  if (all_zero) data_error(path, name + " are all 0");
}

/// Checked alone. Of real targets [N] come [N, 1], and likewise of real inputs.
Split take_part(Contents& contents, const std::string& part) {
  const auto column = [](const Tensor& t) {
    return is_real(t) && t.dim() == 1 ? t.unsqueeze(1) : t;
  };
  const Tensor inputs = column(contents.take_needed(part + "_inputs"));
  const Tensor targets = column(contents.take_needed(part + "_targets"));
  if (inputs.size(0) != targets.size(0)) {
    data_error(contents.path(),
               fmt::format("{}_inputs is {} and {}_targets {}; expected as many targets as inputs",
                           part,
                           describe(inputs),
                           part,
                           describe(targets)));
  }
  const int64_t dimensions = targets.dim() - (is_real(targets) ? 1 : 0);
  const std::string name = part + "_weights";
  const Tensor weights = contents.take(name);
  if (weights.defined()) {
    require_weights(weights, name, targets.sizes().slice(0, dimensions), contents.path());
  }
  Split split(inputs, targets, weights);
  split.file = contents.file();
  return split;
}

/// Error (data) where examples of the part are not like those of the training set.
void require_alike(const Split& train,
                   const Split& other,
                   const std::string& part,
                   const fs::path& path) {
  const auto compare = [&](const Tensor& a, const Tensor& b, const char* kind) {
    const bool same_type = a.scalar_type() == b.scalar_type() ||
                           (kind == std::string("targets") && !is_real(a) && !is_real(b));
    if (same_type && a.sizes().slice(1) == b.sizes().slice(1)) return;
    data_error(path,
               fmt::format("{}_{} is {}; expected examples like those of train_{}, {}",
                           part,
                           kind,
                           describe(b),
                           kind,
                           describe(a)));
  };
  compare(train.inputs, other.inputs, "inputs");
  compare(train.targets, other.targets, "targets");
}

/// How many classes there are, checked: as many as are asked for, or the greatest target tells.
int64_t count_classes(const std::vector<std::pair<std::string, const Split*>>& parts,
                      int64_t asked,
                      const fs::path& path) {
  int64_t classes = 0;
  const int64_t most = asked > 0 ? asked : kMostClasses;
  for (const auto& [part, split] : parts) {
    require_values(split->targets,
                   part + "_targets",
                   path,
                   fmt::format("classes from 0 to {}", most - 1),
                   [&](const Tensor& block) {
                     const Tensor numbers = block.to(at::kLong);
                     classes = std::max(classes, numbers.max().item<int64_t>() + 1);
                     return numbers.ge(0).logical_and(numbers.lt(most));
                   });
  }
  if (asked > 0) return asked;
  if (classes < 2) {
    data_error(path, "all targets are 0; expected two classes or more, or dataset.classes");
  }
  return classes;
}

}  // namespace

Dataset read_tensors(const fs::path& path, int64_t classes, bool mapped) {
  Contents contents(path, mapped);
  Dataset dataset;
  std::vector<std::pair<std::string, const Split*>> parts;
  for (const auto& [part, split] : {std::pair{"train", &dataset.train},
                                    std::pair{"validation", &dataset.validation},
                                    std::pair{"test", &dataset.test}}) {
    if (split != &dataset.train && !contents.has(part)) continue;
    *split = take_part(contents, part);
    require_alike(dataset.train, *split, part, path);
    parts.emplace_back(part, split);
  }
  if (!is_real(dataset.train.targets)) {
    dataset.classes = count_classes(parts, classes, path);
  } else if (classes > 0) {
    throw Error(ErrorKind::config,
                fmt::format("dataset.classes = {}: the targets of {} are real numbers; accepted: 0",
                            classes,
                            path.string()));
  }
  return dataset;
}

void TensorsOptions::visit(OptionVisitor& visitor) {
  visit_path(visitor,
             "path",
             path,
             "safetensors file with train_inputs, train_targets and, where there are such, "
             "train_weights and the same of validation and test");
  visitor.require(!path.empty(), "path", "must name a safetensors file");
  visitor.integer("classes",
                  classes,
                  Range::between(0, static_cast<double>(kMostClasses)),
                  "of integer targets; 0: the greatest of them and one more");
  visit_mapping(visitor, mapped);
}

std::unique_ptr<Dataset> load_tensors(const TensorsOptions& options, const DataRequest& request) {
  const fs::path path = file_at(options.path);
  const bool mapped = is_mapped(options.mapped, path, request);
  return as_requested(read_tensors(path, options.classes, mapped), request, path);
}

}  // namespace apo
