#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/softmax.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/terminal.h"
#include "apo/data/stream.h"
#include "apo/run/use_model.h"
#include "apo/run/weights_file.h"

namespace apo {
namespace {

/// The tensor `inputs` of a file, in the model's shape. Pixels, bytes, are normalised as the
/// model's were; other numbers are taken as they are.
Split read_inputs(const TrainedModel& model, const std::filesystem::path& path) {
  const WeightsFile file = read_weights(path);
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::data,
                 fmt::format("{}: {}; accepted: a tensor 'inputs' of the shape [N, {}]",
                             path.string(),
                             what,
                             fmt::join(model.shape.input, ", ")));
  };
  const auto found = file.tensors.find("inputs");
  if (found == file.tensors.end()) throw fail("has no tensor 'inputs'");
  const Tensor& inputs = found->second;
  if (inputs.dim() == 0 || inputs.sizes().slice(1) != at::IntArrayRef(model.shape.input)) {
    throw fail(fmt::format("its inputs have the shape [{}]", fmt::join(inputs.sizes(), ", ")));
  }
  const bool pixels = inputs.scalar_type() == at::kByte || inputs.is_floating_point();
  if (!pixels && !model.normalisation.mean.empty()) {
    throw fail("its inputs are integers; pictures are bytes, or real numbers that are normalised");
  }
  return {inputs.to(model.device), {}};
}

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

/// Writes what a network makes of batches, in their order.
class Writer {
 public:
  Writer(const TrainedModel& model, bool json, bool has_targets)
      : json_(json),
        has_targets_(has_targets),
        classes_(model.loss->has_classes()),
        single_(dtype_of(model.experiment.precision) == at::kFloat),
        outputs_(static_cast<size_t>(model.shape.outputs)) {}

  /// z: [B, …, outputs].
  void write(const Tensor& z, const Tensor& targets) {
    positions_ = z.numel() / z.size(0) / z.size(-1);
    std::string text = is_first_ && !json_ ? header() : "";
    is_first_ = false;
    const Tensor logits = z.flatten(0, -2).to(at::kDouble);
    const Rows outputs(logits, outputs_);
    const Rows shown(classes_ ? logits.softmax(-1) : logits, outputs_);
    const Rows labels(logits.argmax(-1), 1);
    const Rows known(has_targets_ ? targets.flatten() : logits, classes_ ? 1 : outputs_);
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
    if (positions_ > 1) text += ",position";
    if (has_targets_) text += classes_ ? ",target" : columns("target", outputs_);
    if (classes_) text += ",label";
    text += fmt::format("{}\n", columns(classes_ ? "p" : "y", outputs_));
    return text;
  }

  std::string csv_line(size_t row, const Rows& shown, const Rows& labels, const Rows& known) const {
    std::string text = fmt::format("{}", row_ / positions_);
    if (positions_ > 1) text += fmt::format(",{}", row_ % positions_);
    if (has_targets_) text += fmt::format(",{}", known.joined(row, single_, ","));
    if (classes_) text += fmt::format(",{}", labels.joined(row, false, ","));
    text += fmt::format(",{}\n", shown.joined(row, single_, ","));
    return text;
  }

  std::string json_line(size_t row,
                        const Rows& outputs,
                        const Rows& shown,
                        const Rows& labels,
                        const Rows& known) const {
    std::string text = fmt::format(R"({{"example": {})", row_ / positions_);
    if (positions_ > 1) text += fmt::format(R"(, "position": {})", row_ % positions_);
    if (has_targets_) {
      const std::string target = known.joined(row, single_, ", ");
      text += fmt::format(R"(, "target": {})", classes_ ? target : fmt::format("[{}]", target));
    }
    const std::string of_outputs = outputs.joined(row, single_, ", ");
    if (classes_) {
      text += fmt::format(R"(, "label": {}, "probabilities": [{}], "logits": [{}])",
                          labels.joined(row, false, ""),
                          shown.joined(row, single_, ", "),
                          of_outputs);
    } else {
      text += fmt::format(R"(, "outputs": [{}])", of_outputs);
    }
    text += "}\n";
    return text;
  }

  bool json_;
  bool has_targets_;
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
  const Split split = of_file ? read_inputs(model, request.inputs) : load_part(model, request.part);
  const bool pixels = split.inputs.scalar_type() == at::kByte;
  const SplitInOrder examples(split,
                              pixels || !of_file ? model.normalisation : Normalisation{},
                              dtype_of(model.experiment.precision));
  const at::NoGradGuard no_grad;
  model.network->train(false);
  Writer writer(model, request.json, split.targets.defined());
  const int64_t count = split.inputs.size(0);
  for (int64_t begin = 0; begin < count; begin += kEvaluationBatch) {
    const Batch x = examples.slice(begin, std::min(begin + kEvaluationBatch, count));
    writer.write(model.network->forward(x.inputs), x.targets);
  }
}

}  // namespace apo
