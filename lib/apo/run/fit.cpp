#include "apo/run/fit.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/explain.h"

namespace apo {
namespace {

[[noreturn]] void fail(const std::string& model, const std::string& what) {
  throw Error(ErrorKind::config, fmt::format("model.name = {}: {}", model, what));
}

/// "[64, 3]", of one example of a batch.
std::string shape_of_one(at::IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes.slice(1), ", "));
}

/// In evaluation mode.
Tensor outputs_of(Network& network, const std::string& model, const Tensor& example) {
  const at::NoGradGuard no_grad;
  const EvaluationMode mode(network);
  try {
    return network.forward(example);
  } catch (const Error&) {  // which says it better
    throw;
  } catch (const std::exception& error) {  // LibTorch's own, or what a script raises
    const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
    const std::string why = of_torch ? of_torch->what_without_backtrace() : error.what();
    if (is_of_the_machine(why)) throw;
    const std::string reason = explained(why);
    fail(model,
         fmt::format("takes no inputs as those of the data set, of an example {} {} ({}); "
                     "accepted: another model, or other inputs, as real numbers are",
                     c10::getDtypeNames(example.scalar_type()).first,
                     shape_of_one(example.sizes()),
                     reason.substr(0, reason.find('\n'))));
  }
}

/// Examples in the smallest batch of a stream.
int64_t smallest_batch(int64_t examples, int64_t batch_size) {
  const int64_t rest = examples % batch_size;
  return rest > 0 ? rest : batch_size;
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
  const Batch first = problem.train->slice(0, 1);
  const Tensor z = outputs_of(*problem.network, model, first.inputs);
  std::vector<int64_t> expected = first.targets.sizes().vec();
  if (classes > 0) expected.push_back(outputs);
  if (z.sizes() == at::IntArrayRef(expected)) return;
  fail(model,
       fmt::format("its outputs for an example are {}; the targets of the data set want {}",
                   shape_of_one(z.sizes()),
                   shape_of_one(expected)));
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
    key = fmt::format("tuner.discrepancy_batch_size = {}: of {} training examples {} has but one",
                      sizes.discrepancy,
                      sizes.examples,
                      whose);
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
