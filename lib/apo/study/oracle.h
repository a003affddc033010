// The oracle version of APO, which minimises the proximal objective exactly over all that a model
// can output (APO paper, section 3): Theorems 1 and 2, in numbers.
#pragma once

#include <vector>

namespace apo {

using Outputs = std::vector<double>;

/// A model of one parameter: f(x, θ) = (cos xθ, sin xθ). Over N examples its outputs are a curve in
/// ℝ²ᴺ of constant speed √Σx², and, since Z″ is orthogonal to Z′, of constant curvature.
class CircleModel {
 public:
  /// inputs: multiples of ½, so that θ and θ + 4π are the same.
  explicit CircleModel(std::vector<double> inputs) : inputs_(std::move(inputs)) {}

  Outputs outputs(double theta) const;   ///< Z(θ)
  Outputs velocity(double theta) const;  ///< Z′(θ)
  double speed() const;                  ///< ‖Z′‖
  double curvature() const;              ///< C = √Σx⁴ / Σx²

  /// The θ of the smallest ⟨slope, Z(θ) − Z_k⟩ + Σ weights · (Z(θ) − Z_k)² over the whole curve:
  /// the best of a fine grid, then bisection of the derivative to the last bit.
  double minimise(const Outputs& slope, const Outputs& weights, const Outputs& z_k) const;

 private:
  std::vector<double> inputs_;
};

/// A separable loss: L(Z) = Σ ½ (z − t)², or with log cosh(z − t) added.
struct SeparableLoss {
  Outputs targets;
  bool with_log_cosh = false;

  double value(const Outputs& z) const;
  Outputs gradient(const Outputs& z) const;
  Outputs curvature(const Outputs& z) const;  ///< ∂²L/∂z²

  /// The constants of the theorems, for one output.
  double lipschitz() const { return with_log_cosh ? 2 : 1; }  ///< L of the gradient
  static constexpr double kStrength = 1;                      ///< μ, of the convexity
  /// L_H: the largest derivative of sech², 4 / (3 √3).
  static constexpr double kHessianLipschitz = 0.76980035891950105;
};

struct OracleStep {
  double theta = 0;
  double loss = 0;
  double effective_gradient = 0;  ///< ‖the part of ∇L along the curve‖
  double distance = 0;            ///< ‖Z − Z*‖, Z* the targets
};

/// Eq. 14: linear loss term, squared Euclidean discrepancy. steps + 1 records, the first at θ₀.
std::vector<OracleStep> projected_gradient_descent(
    const CircleModel& model, const SeparableLoss& loss, double theta, double lambda, int steps);

/// Eq. 17: linear loss term, second-order discrepancy, λ = ½.
std::vector<OracleStep> proximal_newton(const CircleModel& model,
                                        const SeparableLoss& loss,
                                        double theta,
                                        int steps);

/// Theorem 1's setting: a squared loss whose targets, Z(1) with 0.3 added to each output, are off
/// the curve, so that L* > 0 and the bound with L* = 0 is looser; and the least λ that it allows,
/// max(C G, L / 4), where the gradient Z − T is no longer than G = ‖Z‖ + ‖T‖.
struct Theorem1Setting {
  SeparableLoss loss;
  double lambda = 0;
};
Theorem1Setting theorem_1_setting(const CircleModel& model);

/// The right-hand side of Eq. 15 after T steps: 16 λ (L(Z₀) − L*) / T, with L* = 0.
double theorem_1_bound(const std::vector<OracleStep>& run, double lambda, int steps);

}  // namespace apo
