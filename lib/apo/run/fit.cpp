#include "apo/run/fit.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <string>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/explain.h"

namespace apo {
namespace {

std::string described(const Tensor& tensor) {
  return fmt::format("{} {}", c10::toString(tensor.scalar_type()), fmt::streamed(tensor.sizes()));
}

/// In evaluation mode.
Tensor outputs_of(Network& network, const Tensor& example) {
  const at::NoGradGuard no_grad;
  network.train(false);
  try {
    Tensor z = network.forward(example);
    network.train(true);
    return z;
  } catch (const std::exception& error) {  // LibTorch's own, or what a script raises
    const std::string reason = explained(error.what());
    throw Error(ErrorKind::config,
                fmt::format("model: cannot take an example, {}: {}; accepted: a network for this "
                            "data set",
                            described(example),
                            reason.substr(0, reason.find('\n'))));
  }
}

}  // namespace

void require_fit(Problem& problem, const UpdateRule& rule, int64_t outputs, bool classes) {
  if (rule.traits().needs_curvature) {
    throw Error(ErrorKind::config,
                "optimizer.name = kfac: sees no linear or convolutional layers in a script; "
                "accepted: the other optimizers");
  }
  const Batch first = problem.train->slice(0, 1);
  const Tensor z = outputs_of(*problem.network, first.inputs);
  std::vector<int64_t> expected = first.targets.sizes().vec();
  if (classes) expected.push_back(outputs);
  if (z.sizes() == at::IntArrayRef(expected)) return;
  throw Error(ErrorKind::config,
              fmt::format("model: gives {} for an example, {}; accepted: {}, {}",
                          fmt::streamed(z.sizes()),
                          described(first.inputs),
                          fmt::streamed(at::IntArrayRef(expected)),
                          classes ? "an output for each class" : "the shape of the targets"));
}

}  // namespace apo
