#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/softmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apo/base/terminal.h"
#include "apo/data/stream.h"
#include "apo/run/new_examples.h"
#include "apo/run/use_model.h"

namespace apo {
namespace {

/// The shortest that reads back as the same number of the type; JSON has no word for others.
std::string number(double value, bool single) {
  if (!std::isfinite(value)) return "null";
  return single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
}

/// Rows of numbers, on the host.
struct Rows {
  std::vector<double> values;
  size_t columns;

  Rows(const Tensor& rows, size_t columns) : columns(columns) {
    const Tensor flat = rows.to(at::kCPU, at::kDouble).contiguous();
    const double* begin = flat.const_data_ptr<double>();
    values.assign(begin, begin + flat.numel());
  }
  std::string joined(size_t row, bool single, const char* comma) const {
    std::string text;
    for (size_t i = row * columns; i < (row + 1) * columns; ++i) {
      if (i > row * columns) text += comma;
      text += number(values[i], single);
    }
    return text;
  }
};

/// The target of a table's regression was standardised; what is written is in its own units.
struct Scale {
  double mean = 0;
  double deviation = 1;
  Tensor of(const Tensor& numbers) const {
    return mean == 0 && deviation == 1 ? numbers : numbers.to(at::kDouble) * deviation + mean;
  }
};

Scale scale_of(const TrainedModel& model) {
  const auto target = metadata_of(model, "target");
  const auto number = [&](const char* key) {
    return target.is_object() && target.contains(key) && target[key].is_number();
  };
  if (model.loss->has_classes() || !number("mean") || !number("deviation")) return {};
  return {target["mean"], target["deviation"]};
}

/// A field of CSV, in quotes where it needs them (RFC 4180).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Writes what a network makes of batches, in their order.
class Writer {
 public:
  /// names: of the examples, where they have some.
  Writer(const TrainedModel& model, bool json, bool has_targets, std::vector<std::string> names)
      : json_(json),
        has_targets_(has_targets),
        names_(std::move(names)),
        class_names_(model.class_names),
        scale_(scale_of(model)),
        classes_(model.loss->has_classes()),
        single_(dtype_of(model.experiment.precision) == at::kFloat),
        outputs_(static_cast<size_t>(model.shape.outputs)) {}

  /// z: [B, …, outputs].
  void write(const Tensor& z, const Tensor& targets) {
    positions_ = z.numel() / z.size(0) / z.size(-1);
    std::string text = is_first_ && !json_ ? header() : "";
    is_first_ = false;
    const Tensor logits = scale_.of(z.flatten(0, -2).to(at::kDouble));
    const Rows outputs(logits, outputs_);
    const Rows shown(classes_ ? logits.softmax(-1) : logits, outputs_);
    const Rows labels(logits.argmax(-1), 1);
    const Rows known(has_targets_ ? scale_.of(targets.flatten()) : logits, classes_ ? 1 : outputs_);
    const auto rows = static_cast<size_t>(logits.size(0));
    for (size_t row = 0; row < rows; ++row, ++row_) {
      text += json_ ? json_line(row, outputs, shown, labels, known)
                    : csv_line(row, shown, labels, known);
    }
    deliver(text);
  }

 private:
  std::string columns(const char* name, size_t count) const {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += fmt::format(",{}{}", name, i);
    return text;
  }

  std::string header() const {
    std::string text = "example";
    if (!names_.empty()) text += ",file";
    if (positions_ > 1) text += ",position";
    if (has_targets_) text += classes_ ? ",target" : columns("target", outputs_);
    if (classes_) text += ",label";
    if (!class_names_.empty()) text += ",class";
    text += fmt::format("{}\n", columns(classes_ ? "p" : "y", outputs_));
    return text;
  }

  std::string csv_line(size_t row, const Rows& shown, const Rows& labels, const Rows& known) const {
    std::string text = fmt::format("{}", row_ / positions_);
    if (!names_.empty()) text += fmt::format(",{}", field(name_of_row()));
    if (positions_ > 1) text += fmt::format(",{}", row_ % positions_);
    if (has_targets_) text += fmt::format(",{}", known.joined(row, single_, ","));
    if (classes_) text += fmt::format(",{}", labels.joined(row, false, ","));
    if (!class_names_.empty()) text += fmt::format(",{}", field(class_of(row, labels)));
    text += fmt::format(",{}\n", shown.joined(row, single_, ","));
    return text;
  }

  std::string json_line(size_t row,
                        const Rows& outputs,
                        const Rows& shown,
                        const Rows& labels,
                        const Rows& known) const {
    std::string text = fmt::format(R"({{"example": {})", row_ / positions_);
    if (!names_.empty()) text += fmt::format(R"(, "file": {})", json_text(name_of_row()));
    if (positions_ > 1) text += fmt::format(R"(, "position": {})", row_ % positions_);
    if (has_targets_) {
      const std::string target = known.joined(row, single_, ", ");
      text += fmt::format(R"(, "target": {})", classes_ ? target : fmt::format("[{}]", target));
    }
    const std::string of_outputs = outputs.joined(row, single_, ", ");
    if (classes_) {
      text += fmt::format(R"(, "label": {})", labels.joined(row, false, ""));
      if (!class_names_.empty()) {
        text += fmt::format(R"(, "class": {})", json_text(class_of(row, labels)));
      }
      text += fmt::format(R"(, "probabilities": [{}], "logits": [{}])",
                          shown.joined(row, single_, ", "),
                          of_outputs);
    } else {
      text += fmt::format(R"(, "outputs": [{}])", of_outputs);
    }
    text += "}\n";
    return text;
  }

  const std::string& name_of_row() const { return names_[static_cast<size_t>(row_ / positions_)]; }
  const std::string& class_of(size_t row, const Rows& labels) const {
    return class_names_[static_cast<size_t>(labels.values[row])];
  }

  bool json_;
  bool has_targets_;
  std::vector<std::string> names_;
  std::vector<std::string> class_names_;
  Scale scale_;
  bool classes_;
  bool single_;
  size_t outputs_;
  int64_t positions_ = 1;  ///< of an example
  int64_t row_ = 0;        ///< written so far
  bool is_first_ = true;
};

}  // namespace

void predict(const UseRequest& request) {
  TrainedModel model = load_trained(request.model, request.overrides);
  const bool of_file = !request.inputs.empty();
  NewExamples found =
      of_file ? read_examples(model, request.inputs) : NewExamples{load_part(model, request.part)};
  const Split& split = found.split;
  const bool pixels = split.inputs.scalar_type() == at::kByte;
  const SplitInOrder examples(split,
                              pixels || !of_file ? model.normalisation : Normalisation{},
                              dtype_of(model.experiment.precision));
  const at::NoGradGuard no_grad;
  model.network->train(false);
  Writer writer(model, request.json, split.targets.defined(), std::move(found.names));
  const int64_t count = split.size();
  for (int64_t begin = 0; begin < count; begin += kEvaluationBatch) {
    const Batch x = examples.slice(begin, std::min(begin + kEvaluationBatch, count));
    writer.write(model.network->forward(x.inputs), x.targets);
  }
}

}  // namespace apo
