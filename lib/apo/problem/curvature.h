// What a Kronecker-factored rule sees of a batch: the second moments of each layer's inputs and
// output gradients.
#pragma once

#include <optional>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

struct LayerTap;

/// Whose gradients make the Fisher matrix: of targets drawn from the network's own predictions, or
/// of the training targets (the empirical Fisher).
enum class Fisher { sampled, empirical };

struct CurvatureOptions {
  Fisher fisher = Fisher::sampled;
  int64_t position_stride = 1;  ///< of the positions along an axis, Ω is a mean over every n-th
};

/// The Fisher matrix of a layer is near Ω ⊗ Γ. A convolution sums over its positions T, of which a
/// linear layer has one:
///     Ω = E[Σ_t a_t a_tᵀ], a the patch that it reads, with a 1 behind it where there is a bias
///     Γ = E[Σ_t ∇_t ∇_tᵀ] / T, ∇_t the gradient of one example's loss in the outputs at t
/// Source: Martens & Grosse 2015 (linear); Grosse & Martens 2016, section 3 (convolution).
struct LayerMoments {
  size_t weight;               ///< its position among the parameters
  std::optional<size_t> bias;  ///< likewise
  Tensor inputs;               ///< Ω: [in, in], with a bias [in + 1, in + 1]
  Tensor output_gradients;     ///< Γ: [out, out]
};

/// The moments of every tapped layer. loss: the batch mean, whose graph holds the taps; it is
/// freed.
std::vector<LayerMoments> layer_moments(const std::vector<LayerTap>& taps,
                                        const Tensor& loss,
                                        const TensorList& parameters,
                                        int64_t position_stride = 1);

}  // namespace apo
