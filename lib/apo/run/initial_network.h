// The network that a run begins with.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/group.h"
#include "apo/model/network.h"
#include "apo/run/experiment.h"
#include "apo/run/weights_file.h"

namespace apo {

struct InitialNetwork {
  std::unique_ptr<Network> network;
  std::optional<int64_t> file_checksum;  ///< Model::file_checksum
};

/// The experiment's model for examples of this shape, as its seed initialises it, with what is
/// frozen. group: of ranks that train it. Throws Error(config).
InitialNetwork make_network(const Experiment& experiment,
                            const ModelShape& shape,
                            at::Device device,
                            Group& group = alone());

/// Lets the network begin with the weights that the section names, where there are such. outputs:
/// of the network. Returns what is to be said of them and of frozen parts. Throws as take_weights.
std::vector<std::string> settle_parameters(const ModelSection& model,
                                           const std::optional<WeightsFile>& weights,
                                           int64_t outputs,
                                           Network& network);

}  // namespace apo
