// Initial parameters from a file, and what is said of it.
#pragma once

#include <string>
#include <vector>

#include "apo/model/network.h"
#include "apo/run/weights_file.h"

namespace apo {

struct WeightsOptions {
  bool partial = false;   ///< the file may lack some of the network's tensors, and hold others
  bool new_head = false;  ///< the last linear layer stays as it was initialised
};

/// Copies the file's tensors into the network's parameters and buffers of the same names, converted
/// to their types. outputs: of the network. Returns what is to be said of it, a line or more: which
/// were taken, which were not there, which are left over. Throws Error(data) where a tensor has
/// another shape or holds what is no number, or, unless `partial`, where one is missing or left
/// over; Error(config) where no layer can be the head. Then some may have been copied.
std::vector<std::string> take_weights(const WeightsFile& file,
                                      const WeightsOptions& options,
                                      int64_t outputs,
                                      Network& network);

}  // namespace apo
