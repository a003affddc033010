// The two parts of a problem's state.
#pragma once

#include "apo/base/state.h"

namespace apo {

class Network;
struct Problem;

/// Parameters and buffers, by their names: what a run of the same kind can go on with.
void visit_network(Network& network, StateVisitor& visitor);

/// Where its batches are in their streams.
void visit_streams(Problem& problem, StateVisitor& visitor);

}  // namespace apo
