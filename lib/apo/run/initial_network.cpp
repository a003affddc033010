#include "apo/run/initial_network.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apo/base/random.h"
#include "apo/model/freeze.h"
#include "apo/model/module_network.h"
#include "apo/run/weights.h"

namespace apo {
namespace {

/// Initial parameters depend on the seed alone, not on what used LibTorch's generator before.
std::shared_ptr<Model> make_model(const Experiment& experiment, const ModelShape& shape) {
  const auto seed = static_cast<uint64_t>(experiment.seed);
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(make_generator(seed, RandomStream::model).current_seed());
  return experiment.model.choice.make(shape);
}

/// The frozen among the network's tensors: they are all among its buffers.
std::string frozen_names(const std::vector<std::string>& names,
                         const std::vector<std::string>& patterns) {
  const std::vector<bool> is_frozen = chosen(names, patterns);
  std::vector<std::string> frozen;
  for (size_t i = 0; i < names.size(); ++i) {
    if (is_frozen[i]) frozen.push_back(names[i]);
  }
  return fmt::format("frozen: {}", fmt::join(frozen, ", "));
}

}  // namespace

InitialNetwork make_network(const Experiment& experiment,
                            const ModelShape& shape,
                            at::Device device,
                            Group& group) {
  std::shared_ptr<Model> model = make_model(experiment, shape);
  const std::optional<int64_t> checksum = model->file_checksum();
  return {network_of(std::move(model),
                     {.device = device,
                      .precision = experiment.precision,
                      .frozen = experiment.model.freeze,
                      .batch_norm = experiment.model.batch_norm_sync ? &group : nullptr}),
          checksum};
}

std::vector<std::string> settle_parameters(const ModelSection& model,
                                           const std::optional<WeightsFile>& weights,
                                           int64_t outputs,
                                           Network& network) {
  std::vector<std::string> notes;
  if (weights) {
    notes = take_weights(
        *weights, {.partial = model.partial, .new_head = model.new_head}, outputs, network);
  }
  if (!model.freeze.empty()) {
    notes.push_back(frozen_names(network.buffer_names(), model.freeze));
  }
  return notes;
}

}  // namespace apo
