#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>

#include "apo/base/error.h"
#include "apo/base/random.h"
#include "apo/data/dataset.h"

namespace apo {
namespace {

/// The numbers of the examples of each class; all together where an example has no class of its
/// own.
TensorList strata(const Tensor& targets, int64_t classes) {
  if (classes == 0 || targets.dim() > 1) return {at::arange(targets.size(0), at::kLong)};
  const Tensor numbers = targets.to(at::kLong);
  TensorList strata;
  for (int64_t c = 0; c < classes; ++c) strata.push_back(numbers.eq(c).nonzero().squeeze(1));
  return strata;
}

}  // namespace

Tensor drawn(const Tensor& targets, int64_t classes, double share, at::Generator generator) {
  Tensor held = at::zeros({targets.size(0)}, at::kBool);
  for (const Tensor& stratum : strata(targets, classes)) {
    const auto size = static_cast<double>(stratum.size(0));
    const Tensor order = at::randperm(stratum.size(0), generator, at::kLong);
    const Tensor chosen = order.narrow(0, 0, std::llround(share * size));
    held.index_fill_(0, stratum.index_select(0, chosen), true);
  }
  return held;
}

void hold_out(Dataset& dataset, double share, uint64_t seed) {
  if (dataset.validation.targets.defined()) {
    throw Error(
        ErrorKind::config,
        fmt::format("dataset.validation_share = {}: the data set has a validation set of its "
                    "own; accepted: 0",
                    share));
  }
  const Split whole = dataset.train;
  const Tensor held = drawn(
      whole.targets, dataset.classes, share, make_generator(seed, RandomStream::validation_split));
  const auto part = [&](const Tensor& which) {
    const Tensor examples = which.nonzero().squeeze(1);
    if (!whole.is_mapped()) return Split(whole.select(examples));
    Split split = whole;
    split.rows = examples;
    return split;
  };
  dataset.validation = part(held);
  dataset.train = part(held.logical_not());
  if (dataset.validation.size() == 0 || dataset.train.size() == 0) {
    throw Error(ErrorKind::config,
                fmt::format("dataset.validation_share = {}: of {} training examples it makes a "
                            "validation set of {}; accepted: a share that leaves both some",
                            share,
                            whole.size(),
                            dataset.validation.size()));
  }
  if (!dataset.normalisation.mean.empty()) {
    dataset.normalisation = channel_statistics(dataset.train.inputs, dataset.train.rows);
  }
}

}  // namespace apo
