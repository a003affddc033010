// The parts of the paper that are no training runs: Table 2's schedules, and the theorems.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/terminal.h"
#include "apo/study/oracle.h"
#include "apo/study/schedule_search.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

std::vector<double> to_vector(const Tensor& row) {
  const Tensor values = row.contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

/// Table 2, Fig. 12 and 13: for SGD and SGD + APO each family's schedule, rates and losses.
Json table_2(int64_t most_evaluations) {
  const NoisyQuadraticStudy study;
  Json result = {{"study", "table2"}, {"convention", "f = ½ xᵀHx"}};
  for (const SearchedMethod method : {SearchedMethod::sgd, SearchedMethod::apo}) {
    Json& of_method = result[method == SearchedMethod::sgd ? "sgd" : "apo"];
    for (const FoundSchedule& found : search_schedules(study, method, most_evaluations)) {
      Json& family = of_method[found.family];
      family["loss"] = to_vector(found.losses);
      family["learning_rate"] = to_vector(found.learning_rates);
      if (method == SearchedMethod::apo) family["lambda"] = to_vector(found.schedule);
    }
  }
  const UnrolledRuns greedy = unroll_greedy(study);
  result["greedy"]["loss"] = to_vector(greedy.losses[0]);
  result["greedy"]["learning_rate"] = to_vector(greedy.learning_rates[0]);
  return result;
}

Json to_json(const std::vector<OracleStep>& run) {
  Json json;
  for (const OracleStep& step : run) {
    json["loss"].push_back(step.loss);
    json["effective_gradient"].push_back(step.effective_gradient);
    json["distance"].push_back(step.distance);
  }
  return json;
}

/// Theorems 1 and 2 on a model of one parameter and four examples.
Json theorems() {
  const CircleModel model({0.5, 1, 1.5, 2});
  Json result = {{"study", "theorems"}};
  const auto [squared, lambda] = theorem_1_setting(model);
  constexpr int kSteps = 200;
  const auto descent = projected_gradient_descent(model, squared, 2.5, lambda, kSteps);
  result["theorem_1"] = to_json(descent);
  result["theorem_1"]["lambda"] = lambda;
  for (int t = 1; t <= kSteps; ++t) {
    result["theorem_1"]["bound"].push_back(theorem_1_bound(descent, lambda, t));
  }
  const SeparableLoss strongly_convex{.targets = model.outputs(1), .with_log_cosh = true};
  result["theorem_2"] = to_json(proximal_newton(model, strongly_convex, 1.4, 6));
  result["theorem_2"]["ratio_bound"] = SeparableLoss::kHessianLipschitz / SeparableLoss::kStrength;
  return result;
}

int study(int argc, char** argv) {
  CLI::App app("Computes the parts of the APO paper that are no training runs.");
  std::string output;
  int64_t evaluations = 5000;
  app.add_option("--output", output, "JSON file to write")->required();
  app.require_subcommand(1);
  CLI::App* table = app.add_subcommand("table2", "schedules for the noisy quadratic");
  table->add_option("--evaluations", evaluations, "of the loss, at most, by each search")
      ->check(CLI::PositiveNumber);
  app.add_subcommand("theorems", "the oracle version and the bounds of Theorems 1 and 2");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream asked;
    std::ostringstream complaint;
    const int code = app.exit(error, asked, complaint);
    say(complaint.str());
    deliver(asked.str());
    return code;
  }
  check_writable(output);  // before a search of minutes
  const Json result = app.got_subcommand(table) ? table_2(evaluations) : theorems();
  write_file(output, result.dump() + "\n");
  return 0;
}
int study_and_explain(int argc, char** argv) {
  try {
    return study(argc, argv);
  } catch (const ReaderLeft&) {
  } catch (const Error& error) {
    say(std::string("apo-study: error: ") + error.what() + "\n");
  }
  return 1;
}

}  // namespace
}  // namespace apo

int main(int argc, char** argv) {
  apo::protect_outputs();
  return apo::study_and_explain(argc, argv);
}
