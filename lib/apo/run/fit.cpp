#include "apo/run/fit.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <c10/core/ScalarType.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/explain.h"
#include "apo/base/guards.h"

namespace apo {
namespace {

/// So many examples, and fewer, a network is tried on: what is right for one may not be for more.
constexpr int64_t kTried = 2;

[[noreturn]] void fail(const std::string& model, const std::string& what) {
  throw Error(ErrorKind::config, fmt::format("{}: {}", model, what));
}

/// "[64, 3]", of one example of a batch.
std::string shape_of_one(at::IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes.slice(1), ", "));
}

std::string shape(at::IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

/// What `pass` gives, or one line of what `say` makes of its failure's cause.
template <class Pass, class Say>
auto tried(const std::string& model, Pass&& pass, Say&& say) {
  try {
    return pass();
  } catch (const Error&) {  // which says it better
    throw;
  } catch (const std::exception& error) {  // LibTorch's own, or what a script raises
    if (is_of_the_machine(error.what())) throw;
    fail(model, say(explained(error.what())));
  }
}

/// In evaluation mode.
Tensor outputs_of(Network& network, const std::string& model, const Tensor& examples) {
  const at::NoGradGuard no_grad;
  const EvaluationMode mode(network);
  return tried(
      model,
      [&] { return network.forward(examples.clone()); },
      [&](const std::string& reason) {
        const std::string type = c10::getDtypeNames(examples.scalar_type()).first;
        if (examples.size(0) > 1) {
          return fmt::format(
              "takes one example and not {}, {} {} ({}); accepted: a module that "
              "takes batches of any size",
              examples.size(0),
              type,
              shape(examples.sizes()),
              reason);
        }
        return fmt::format(
            "takes no inputs as those of the data set, of an example {} {} ({}); "
            "accepted: another model, or other inputs, as real numbers are",
            type,
            shape_of_one(examples.sizes()),
            reason);
      });
}

/// Whether BatchNorm has something to normalise by where a batch is one example.
bool takes_one_example(const Problem& problem) {
  const at::NoGradGuard no_grad;
  const SwapGuard buffers = kept_buffers(*problem.network);
  try {
    problem.network->forward(problem.train->slice(0, 1).inputs);
  } catch (const std::exception&) {  // LibTorch's own, or what a script raises
    return false;
  }
  return true;
}

}  // namespace

void require_fit(Problem& problem, const std::string& model, int64_t outputs, int64_t classes) {
  for (int64_t examples = 1; examples <= kTried; ++examples) {
    if (examples > problem.train->size()) return;
    const Batch x = problem.train->slice(0, examples);
    const Tensor z = outputs_of(*problem.network, model, x.inputs);
    std::vector<int64_t> expected = x.targets.sizes().vec();
    if (classes > 0) expected.push_back(outputs);
    if (z.sizes() == at::IntArrayRef(expected)) continue;
    if (z.dim() == 0 || z.size(0) != examples) {
      fail(model,
           fmt::format("its outputs for {} examples are {}; the targets of the data set want {}; "
                       "accepted: a module whose outputs are [examples, …]",
                       examples,
                       shape(z.sizes()),
                       shape(expected)));
    }
    fail(model,
         fmt::format("its outputs for an example are {}; the targets of the data set want {}",
                     shape_of_one(z.sizes()),
                     shape_of_one(expected)));
  }
}

void require_trainable(Problem& problem, const std::string& model) {
  const int64_t examples = std::min(kTried, problem.train->size());
  Network& network = *problem.network;
  Batch x = problem.train->slice(0, examples);
  const Tensor inputs = x.inputs;
  x.inputs = inputs.clone();  // which a forward may change
  const SwapGuard buffers = kept_buffers(network);
  std::optional<EvaluationMode> mode;
  if (examples < kTried) mode.emplace(network);  // BatchNorm trains on more than one
  const at::AutoGradMode with_gradients(true);
  tried(
      model,
      [&] { return gradient(loss_on(problem, x), network.parameters()); },
      [&](const std::string& reason) {
        return fmt::format(
            "cannot be trained: the gradient of its loss fails ({}); accepted: a "
            "module whose outputs depend on its parameters by operations that have "
            "derivatives",
            reason);
      });
  if (at::equal(x.inputs, inputs)) return;
  fail(model,
       "its forward changes its input in place, which others read; accepted: one that leaves it as "
       "it is");
}

int64_t smallest_batch(int64_t examples, int64_t batch_size) {
  const int64_t rest = examples % batch_size;
  return rest > 0 ? rest : batch_size;
}

void require_examples_for_all(int64_t ranks, const BatchSizes& sizes) {
  const int64_t batch = smallest_batch(sizes.examples, sizes.own);
  const int64_t seen = smallest_batch(sizes.examples, sizes.discrepancy);
  if (std::min(batch, seen) >= ranks) return;
  throw Error(ErrorKind::config,
              fmt::format("dataset.batch_size = {}: of {} training examples a batch {}has {}, for "
                          "{} ranks; accepted: at least one for each, in the last of an epoch, too",
                          sizes.own,
                          sizes.examples,
                          batch < ranks ? "" : "of the tuner ",
                          std::min(batch, seen),
                          ranks));
}

void require_batch_statistics(Problem& problem, const BatchSizes& sizes, const TunerTraits& tuner) {
  if (problem.network->buffers().empty()) return;
  const int64_t batch = smallest_batch(sizes.examples, sizes.own) / sizes.parts;
  const int64_t seen = smallest_batch(sizes.examples, sizes.discrepancy) / sizes.parts;
  const std::string whose = sizes.parts == 1
                                ? "one batch"
                                : fmt::format("one rank's part of a batch, of {},", sizes.parts);
  std::string key;
  if (batch == 1) {
    key = fmt::format("dataset.batch_size = {}: of {} training examples {} has but one",
                      sizes.own,
                      sizes.examples,
                      whose);
  } else if (tuner.interval > 0 && seen == 1) {
    const std::string size =
        tuner.discrepancy_batch_size > 0 || tuner.discrepancy_share == 1
            ? fmt::format("tuner.discrepancy_batch_size = {}", sizes.discrepancy)
            : fmt::format("dataset.batch_size = {}, of which the tuner looks at {}",
                          sizes.own,
                          sizes.discrepancy);
    key = fmt::format("{}: of {} training examples {} has but one", size, sizes.examples, whose);
  } else if (tuner.share > 1 && std::min(batch, seen) <= tuner.share) {
    key = fmt::format("tuner.lean = true: a quarter of a batch of {} is one example",
                      std::min(batch, seen));
  }
  if (key.empty() || takes_one_example(problem)) return;
  throw Error(ErrorKind::config,
              key +
                  ", whose maps of one value BatchNorm cannot normalise; accepted: sizes that "
                  "leave two or more, or larger pictures" +
                  (sizes.parts == 1 ? "" : ", or model.batch_norm_sync"));
}

}  // namespace apo
