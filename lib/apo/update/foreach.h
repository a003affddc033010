// Steps of all parameters together in a few kernels, for devices where issuing a kernel costs as
// much as running it. What steps.h declares, for tensors on such a device.
#pragma once

#include "apo/update/steps.h"

namespace apo::foreach {

/// Whether a parameter's arrays are floating-point numbers of one type and shape.
bool accepts(const TensorList& tensors);

void take_in_place(const ElementwiseSteps& steps, const TensorList& theta);
TensorList taken(const ElementwiseSteps& steps, const TensorList& theta);
Slopes slopes(const ElementwiseSteps& steps, const TensorList& theta, const TensorList& v);
void average_squares(const TensorList& s, const TensorList& g, double decay);
void gather(const TensorList& v, const TensorList& g, double decay);

}  // namespace apo::foreach
