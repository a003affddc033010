#include "apo/problem/supervised.h"

#include "apo/model/model.h"

namespace apo {
namespace {

StreamOptions stream_options(const SupervisedOptions& options, RandomStream stream) {
  const bool own_size =
      stream == RandomStream::discrepancy_batches && options.discrepancy_batch_size > 0;
  return {.batch_size = own_size ? options.discrepancy_batch_size : options.batch_size,
          .augmentation = options.augmentation,
          .seed = options.seed,
          .stream = stream,
          .dtype = dtype_of(options.precision),
          .rank = options.group->rank(),
          .ranks = options.group->size()};
}

}  // namespace

std::unique_ptr<Problem> make_supervised(std::unique_ptr<Network> network,
                                         std::unique_ptr<Loss> loss,
                                         const Dataset& dataset,
                                         const SupervisedOptions& options) {
  const Split train = dataset.train.on(options.device);
  const Normalisation& statistics = dataset.normalisation;
  const auto stream = [=](RandomStream of) -> std::unique_ptr<Batches> {
    return std::make_unique<BatchStream>(train, statistics, stream_options(options, of));
  };
  const at::ScalarType dtype = dtype_of(options.precision);
  auto problem = std::make_unique<Problem>();
  problem->network = std::move(network);
  problem->loss = std::move(loss);
  problem->batches = stream(RandomStream::training_batches);
  problem->discrepancy_batches = stream(RandomStream::discrepancy_batches);
  problem->statistics_batches = [stream] { return stream(RandomStream::statistics_batches); };
  problem->train = std::make_unique<SplitInOrder>(train, statistics, dtype);
  const auto in_order = [&](const Split& split) -> std::unique_ptr<Examples> {
    if (!split.inputs.defined()) return nullptr;
    return std::make_unique<SplitInOrder>(split.on(options.device), statistics, dtype);
  };
  problem->validation = in_order(dataset.validation);
  problem->test = in_order(dataset.test);
  problem->seed = options.seed;
  problem->group = options.group;
  return problem;
}

std::unique_ptr<Problem> make_supervised(std::shared_ptr<Model> model,
                                         const Dataset& dataset,
                                         const SupervisedOptions& options) {
  return make_supervised(
      network_of(std::move(model), {.device = options.device, .precision = options.precision}),
      make_cross_entropy(),
      dataset,
      options);
}

}  // namespace apo
