#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apo/base/terminal.h"
#include "apo/config/characters.h"
#include "apo/data/stream.h"
#include "apo/run/use_model.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// So that a vocabulary's matrix is not made.
constexpr int64_t kMostClasses = 1000;
constexpr int64_t kMostClassesShown = 20;

/// How often which class was taken for which.
class Confusion {
 public:
  Confusion(int64_t classes, at::Device device)
      : classes_(classes),
        counts_(at::zeros({classes * classes}, at::TensorOptions(at::kLong).device(device))) {}

  void add(const Tensor& z, const Tensor& targets) {
    const Tensor taken_for = z.argmax(-1).flatten();
    counts_ += at::bincount(targets.flatten() * classes_ + taken_for, {}, classes_ * classes_);
  }

  /// [class][taken for].
  std::vector<std::vector<int64_t>> rows() const {
    const Tensor on_host = counts_.to(at::kCPU);
    const int64_t* count = on_host.const_data_ptr<int64_t>();
    std::vector<std::vector<int64_t>> rows;
    rows.reserve(static_cast<size_t>(classes_));
    for (int64_t row = 0; row < classes_; ++row, count += classes_) {
      rows.emplace_back(count, count + classes_);
    }
    return rows;
  }

 private:
  int64_t classes_;
  Tensor counts_;
};

/// A loss that counts on the way.
class CountingLoss : public Loss {
 public:
  CountingLoss(std::unique_ptr<Loss> loss, Confusion& confusion)
      : loss_(std::move(loss)), confusion_(confusion) {}
  Tensor value(const Tensor& z, const Batch& x) const override { return loss_->value(z, x); }
  Tensor plain_value(const Tensor& z, const Batch& x) const override {
    return loss_->plain_value(z, x);
  }
  bool has_classes() const override { return loss_->has_classes(); }
  Tensor correct(const Tensor& z, const Batch& x) const override {
    confusion_.add(z, x.targets);
    return loss_->correct(z, x);
  }

 private:
  std::unique_ptr<Loss> loss_;
  Confusion& confusion_;
};

struct ClassResult {
  int64_t examples = 0;
  std::optional<double> accuracy;  ///< of those that are of the class
  int64_t mistaken_for = -1;       ///< most often; -1: for none
  int64_t mistakes = 0;            ///< so often
};

ClassResult result_of(const std::vector<int64_t>& row, size_t own) {
  ClassResult result;
  for (size_t other = 0; other < row.size(); ++other) {
    result.examples += row[other];
    if (other == own || row[other] <= result.mistakes) continue;
    result.mistaken_for = static_cast<int64_t>(other);
    result.mistakes = row[other];
  }
  if (result.examples > 0) {
    result.accuracy = static_cast<double>(row[own]) / static_cast<double>(result.examples);
  }
  return result;
}

/// All that there is to say.
struct Evaluation {
  Metrics metrics = {};
  int64_t examples = 0;
  std::vector<std::vector<int64_t>> confusion = {};  ///< of none: empty
};

Evaluation evaluate_on(TrainedModel& model, const Split& split) {
  Evaluation evaluation{.examples = split.size()};
  Problem problem;
  problem.network = std::move(model.network);
  problem.loss = std::move(model.loss);
  problem.test = std::make_unique<SplitInOrder>(
      split, model.normalisation, dtype_of(model.experiment.precision));
  std::optional<Confusion> confusion;
  const int64_t classes = problem.loss->has_classes() ? model.shape.outputs : 0;
  if (classes > 0 && classes <= kMostClasses) {
    confusion.emplace(classes, model.device);
    problem.loss = std::make_unique<CountingLoss>(std::move(problem.loss), *confusion);
  }
  evaluation.metrics = *evaluate(problem, Part::test);
  if (confusion) evaluation.confusion = confusion->rows();
  return evaluation;
}

std::string as_json(const TrainedModel& model, Part part, const Evaluation& evaluation) {
  Json json = {{"model", model.file.string()},
               {"architecture", model.experiment.model.choice.name()},
               {"dataset", model.experiment.dataset.choice.name()},
               {"part", name_of(part)},
               {"examples", evaluation.examples},
               {"loss", evaluation.metrics.loss}};
  if (evaluation.metrics.accuracy) json["accuracy"] = *evaluation.metrics.accuracy;
  if (evaluation.confusion.empty()) return json.dump() + "\n";
  for (size_t own = 0; own < evaluation.confusion.size(); ++own) {
    const ClassResult result = result_of(evaluation.confusion[own], own);
    Json of_class = {{"class", own},
                     {"examples", result.examples},
                     {"accuracy", result.accuracy ? Json(*result.accuracy) : Json()}};
    if (!model.class_names.empty()) of_class["name"] = model.class_names[own];
    json["classes"].push_back(std::move(of_class));
  }
  json["confusion"] = evaluation.confusion;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string as_text(const TrainedModel& model, Part part, const Evaluation& evaluation) {
  std::string text = fmt::format("{}: {} on {}, {}\n  {:<9} {}\n  {:<9} {:.6g}\n",
                                 model.file.string(),
                                 model.experiment.model.choice.name(),
                                 model.experiment.dataset.choice.name(),
                                 name_of(part),
                                 "examples",
                                 evaluation.examples,
                                 "loss",
                                 evaluation.metrics.loss);
  if (evaluation.metrics.accuracy) {
    text += fmt::format("  {:<9} {:.6g}\n", "accuracy", *evaluation.metrics.accuracy);
  }
  if (evaluation.confusion.empty()) return text;
  if (std::ssize(evaluation.confusion) > kMostClassesShown) {
    return text + fmt::format("  {:<9} {}, each of them with --json\n",
                              "classes",
                              evaluation.confusion.size());
  }
  const auto name = [&](int64_t label) {
    const bool named = !model.class_names.empty();
    return named ? in_one_line(model.class_names[static_cast<size_t>(label)])
                 : std::to_string(label);
  };
  text += "  examples  accuracy  class, and most often mistaken for\n";
  for (size_t own = 0; own < evaluation.confusion.size(); ++own) {
    const ClassResult result = result_of(evaluation.confusion[own], own);
    const std::string accuracy = result.accuracy ? fmt::format("{:.4f}", *result.accuracy) : "-";
    const std::string mistaken =
        result.mistakes > 0
            ? fmt::format(", for {} ({})", name(result.mistaken_for), result.mistakes)
            : "";
    text += fmt::format("  {:>8}  {:>8}  {}{}\n",
                        result.examples,
                        accuracy,
                        name(static_cast<int64_t>(own)),
                        mistaken);
  }
  return text;
}

}  // namespace

void evaluate_model(const UseRequest& request) {
  TrainedModel model = load_trained(request.model, request.overrides);
  const Split split = load_part(model, request.part);
  const Evaluation evaluation = evaluate_on(model, split);
  const auto written = request.json ? as_json : as_text;
  deliver(written(model, request.part, evaluation));
}

}  // namespace apo
