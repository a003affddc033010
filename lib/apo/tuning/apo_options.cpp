#include <algorithm>
#include <tuple>
#include <utility>

#include "apo/objective/discrepancy.h"
#include "apo/tuning/meta_optimizer.h"
#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// What some update rule declares, each name once.
std::vector<HyperparameterSpec> tunable() {
  std::vector<HyperparameterSpec> specs;
  for (const auto& member : update_rules()) {
    for (const HyperparameterSpec& spec : member.recipe()->make({})->hyperparameters()) {
      const auto same = [&spec](const HyperparameterSpec& s) { return s.name == spec.name; };
      if (std::none_of(specs.begin(), specs.end(), same)) specs.push_back(spec);
    }
  }
  return specs;
}

std::vector<std::string> names_of(const std::vector<HyperparameterSpec>& specs) {
  std::vector<std::string> names;
  names.reserve(specs.size());
  for (const HyperparameterSpec& spec : specs) names.push_back(spec.name);
  return names;
}

/// Those of the same form, scope and solver.
ApoOptions defaults_beside(const ApoOptions& said) {
  ApoOptions options;
  options.form = said.form;
  options.scope = said.scope;
  options.solver = said.solver;
  options.take_defaults();
  return options;
}

}  // namespace

ApoOptions::ApoOptions() : meta_optimizer(meta_rules(), "rmsprop") {}

void ApoOptions::visit(OptionVisitor& visitor) {
  visitor.real(
      "lambda", lambda, Range::at_least(0), "λ, weight of the discrepancy; a list is a grid");
  const std::tuple before(form, scope, solver);
  visitor.one_of("form",
                 form,
                 {{"robust", Form::robust}, {"paper", Form::paper}},
                 "robust: line searches where the first rate is far off or a step would undo the "
                 "training, and a bias-corrected meta-optimizer; paper: neither");
  visitor.one_of(
      "solver",
      solver,
      {{"gradient", Solver::gradient}, {"exact", Solver::exact}},
      "a gradient step of the meta-optimizer, or J's minimiser along the step, which needs "
      "neither a first rate nor a meta-optimizer");
  visitor.require(
      solver == Solver::gradient || form == Form::robust,
      "solver",
      "the paper's form takes gradient steps; accepted: gradient, or tuner.form: robust");
  const std::vector<HyperparameterSpec> specs = tunable();
  visitor.words(
      "tune", tune, names_of(specs), "hyperparameters to tune, of those the optimizer has");
  visitor.require(solver == Solver::gradient || tune == std::vector<std::string>{"learning_rate"},
                  "tune",
                  "the exact solver finds learning rates alone; accepted: [learning_rate], or "
                  "tuner.solver: gradient");
  visitor.section("bounds", "where a tuned hyperparameter stays", [&](OptionVisitor& each) {
    for (const HyperparameterSpec& spec : specs) {
      each.interval(spec.name.c_str(), bounds[spec.name], spec.range, "lower and upper bound");
    }
  });
  visitor.one_of("scope",
                 scope,
                 {{"global", Scope::global}, {"per_layer", Scope::per_layer}},
                 "what shares a value: all, or a module's parameters");
  if (before != std::tuple(form, scope, solver)) take_defaults();
  visitor.integer(
      "interval", interval, Range::at_least(1), "K, base steps per meta step; per layer: 5");
  visitor.flag("through_momentum",
               through_momentum,
               "look through the real update, as the exact solver does by default; else tune as if "
               "there were no momentum");
  visitor.one_of("loss_term",
                 loss_term,
                 {{"loss", LossTerm::loss}, {"linear", LossTerm::linear}},
                 "h: the loss, or its Taylor term (Eq. 4)");
  visitor.word("discrepancy",
               discrepancy,
               ChoiceOf<Discrepancy>(discrepancies(), discrepancies().front().name).names(),
               "D, how the move of the outputs is measured");
  visitor.real("weight_lambda", weight_lambda, Range::at_least(0), "λ_w, weight of ½‖θ′ − θ‖²");
  visitor.integer("discrepancy_batch_size",
                  discrepancy_batch_size,
                  Range::at_least(0),
                  "examples in x̃; 0: the batch size, of the exact solver half of it");
  visitor.flag("lean",
               lean,
               "meta steps that look at a quarter of x and of x̃: cheaper, with noisier gradients");
  visitor.one_of(
      "descent",
      descent,
      {{"own", Descent::own}, {"held_out", Descent::held_out}, {"geometric", Descent::geometric}},
      "of the exact solver: the loss's slope on the step's own batch, which holds its noise, "
      "on the other one, or the geometric mean of both");
  visitor.real("memory",
               memory,
               Range::half_open(0, 1),
               "of the exact solver: decay of its running means, per meta step");
  const ApoOptions defaults = defaults_beside(*this);
  for (const auto& [key, unsaid] : {std::pair("descent", descent == defaults.descent),
                                    std::pair("memory", memory == defaults.memory)}) {
    visitor.require(solver == Solver::exact || unsaid,
                    key,
                    "is of the exact solver, which tuner.solver does not say");
  }
  visit_freeze_after(freeze_after, visitor);
  visitor.section("meta_optimizer", "what moves the hyperparameters", [this](OptionVisitor& meta) {
    meta.choice(meta_optimizer, "an update rule");
    meta.real("learning_rate",
              meta_learning_rate,
              Range::at_least(0),
              "of the meta-optimizer; per layer: 0.03, in the paper's form 0.001");
  });
  visitor.require(
      solver == Solver::gradient || (meta_optimizer.name() == defaults.meta_optimizer.name() &&
                                     meta_learning_rate == defaults.meta_learning_rate),
      "meta_optimizer",
      "the exact solver has none; accepted with it: tuner.solver: gradient");
}

/// Many values are a harder problem: smaller and more frequent meta steps. The paper's 0.001
/// (Appendix C) hardly moves them in a few epochs.
void ApoOptions::take_defaults() {
  meta_optimizer =
      UpdateRuleChoice(form == Form::paper ? paper_meta_rules() : meta_rules(), "rmsprop");
  interval = scope == Scope::per_layer ? 5 : 10;
  meta_learning_rate = scope != Scope::per_layer ? 0.1 : form == Form::paper ? 0.001 : 0.03;
  through_momentum = solver == Solver::exact;
}

}  // namespace apo
