#include "apo/objective/quadratic.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <tuple>

#include "apo/base/dual_level.h"
#include "apo/base/guards.h"
#include "apo/base/stepwise.h"

namespace apo {
namespace {

Tensor in_float64(const Tensor& tensor) {
  return tensor.detach().to(at::kDouble);
}

/// ⟨a_i, b_i⟩ of each parameter, summed over each group: [G], float64.
Tensor inner_products(const TensorList& a, const TensorList& b, const Hyperparameters& phi) {
  TensorList products;
  products.reserve(a.size());
  for (size_t i = 0; i < a.size(); ++i) products.push_back((a[i] * b[i]).sum(at::kDouble));
  return phi.sum_by_group(at::stack(products));
}

/// f(x̃, θ), and its derivative along the tangents of some parameters.
struct Moved {
  Tensor z;
  Tensor u;
};

/// tangents: none for a parameter that does not move.
Moved moved_outputs(Network& network, const Tensor& x, const TensorList& tangents) {
  const at::NoGradGuard no_grad;
  const Stepwise layers;
  const DualLevel level;
  const SwapGuard buffers = kept_buffers(network);
  const auto index = static_cast<uint64_t>(level.index());
  for (size_t i = 0; i < tangents.size(); ++i) {
    if (!tangents[i].defined()) continue;
    network.parameters()[i]._set_fw_grad(tangents[i], index, /*is_inplace_op=*/false);
  }
  const auto [z, u] = at::_unpack_dual(network.forward(x), level.index());
  return {z.detach(), u.defined() ? u.detach() : at::zeros_like(z)};
}

/// The outputs with θ as it is, and how each group's rate moves them: u is [G, B, …, outputs].
Moved moved_by_groups(Network& network,
                      const Tensor& x,
                      const TensorList& derivative,
                      const Hyperparameters& phi) {
  if (phi.groups() == 1) {
    const auto [z, u] = moved_outputs(network, x, derivative);
    return {z, u.unsqueeze(0)};
  }
  Moved all;
  TensorList moves;
  for (int64_t group = 0; group < phi.groups(); ++group) {
    TensorList tangents(derivative.size());
    for (size_t i = 0; i < tangents.size(); ++i) {
      if (phi.group_of(i) == group) tangents[i] = derivative[i];
    }
    const Moved one = moved_outputs(network, x, tangents);
    all.z = one.z;
    moves.push_back(one.u);
  }
  all.u = at::stack(moves);
  return all;
}

/// First and second derivative at η = 0 of a function of the outputs z + Σ η_l u_l.
struct Expansion {
  Tensor slope;      ///< [G]
  Tensor curvature;  ///< [G, G]
};

Expansion expand(const std::function<Tensor(const Tensor& z)>& value, const Moved& outputs) {
  const at::AutoGradMode with_gradients(true);
  const int64_t groups = outputs.u.size(0);
  const Tensor eta = at::zeros({groups}, outputs.u.options()).requires_grad_();
  std::vector<int64_t> shape(static_cast<size_t>(outputs.u.dim()), 1);
  shape[0] = groups;
  const Tensor z = outputs.z + (outputs.u * eta.view(shape)).sum(0);
  const Tensor slope = torch::autograd::grad({value(z)}, {eta}, {}, true, true)[0];
  TensorList rows;
  for (int64_t l = 0; l < groups; ++l) {
    rows.push_back(torch::autograd::grad({slope[l]}, {eta}, {}, true)[0]);
  }
  return {in_float64(slope), in_float64(at::stack(rows))};
}

/// a: by g, or where that is clipped, and so less steep than the loss, by a forward pass of x.
Tensor descent_of_x(const PendingStep& step,
                    const TensorList& derivative,
                    const Hyperparameters& phi) {
  Network& network = *step.problem.network;
  if (step.rule.clips()) {
    const Moved outputs = moved_by_groups(network, step.x.inputs, derivative, phi);
    return -expand(OutputLoss{*step.problem.loss, step.x}, outputs).slope;
  }
  Tensor descent = -inner_products(step.g, derivative, phi);
  const double w = step.rule.coupled_decay();  // g is that of the loss and w ½‖θ‖²
  if (w != 0) descent += w * inner_products(detached(network.parameters()), derivative, phi);
  return descent;
}

}  // namespace

QuadraticTerms quadratic_terms(const PendingStep& step,
                               const Discrepancy& discrepancy,
                               const ProximalOptions& options,
                               const Hyperparameters& phi) {
  const at::NoGradGuard no_grad;
  Network& network = *step.problem.network;
  const TensorList theta = detached(network.parameters());
  const TensorList derivative =
      step.rule.rate_derivative({theta, step.g, step.xi, options.momentum}, phi);
  const Moved outputs = moved_by_groups(network, step.x_tilde.inputs, derivative, phi);

  QuadraticTerms terms;
  terms.descent = descent_of_x(step, derivative, phi);

  const OutputLoss loss{*step.problem.loss, step.x_tilde};
  const Expansion of_loss = expand(loss, outputs);
  terms.held_out = -of_loss.slope;
  const bool linear = options.loss_term == LossTerm::linear;
  terms.curvature = linear ? at::zeros_like(of_loss.curvature) : of_loss.curvature;
  const auto distance = [&](const Tensor& z) { return discrepancy(z, outputs.z, loss); };
  terms.discrepancy = expand(distance, outputs).curvature;
  average(*step.problem.group,
          {&terms.descent, &terms.held_out, &terms.curvature, &terms.discrepancy});
  terms.proximal = options.lambda * terms.discrepancy;
  if (options.weight_lambda != 0) {
    const Tensor squares = inner_products(derivative, derivative, phi);
    terms.proximal = terms.proximal + options.weight_lambda * squares.diag();
  }
  return terms;
}

Tensor nonnegative_minimiser(const Tensor& a, const Tensor& m, const Tensor& guess, int sweeps) {
  constexpr double kSmallest = 1e-30;  // of a rate that does not move the outputs
  Tensor eta = guess.clone();
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    for (int64_t l = 0; l < eta.numel(); ++l) {
      const Tensor slope = a[l] - (m[l] * eta).sum();
      eta[l].copy_((eta[l] + slope / m[l][l].clamp_min(kSmallest)).clamp_min(0));
    }
  }
  return eta;
}

}  // namespace apo
