#include "apo/study/oracle.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

namespace apo {
namespace {

constexpr double kPeriod = 4 * std::numbers::pi;
constexpr int kGridPoints = 4000;

double dot(const Outputs& a, const Outputs& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// A sign change of `f` between `below` and `above`, to the last bit.
double bisect(const std::function<double(double)>& f, double below, double above) {
  const bool rises = f(above) > 0;
  while (true) {
    const double middle = below + (above - below) / 2;
    if (middle == below || middle == above) return middle;
    ((f(middle) > 0) == rises ? above : below) = middle;
  }
}

OracleStep record(const CircleModel& model, const SeparableLoss& loss, double theta) {
  const Outputs z = model.outputs(theta);
  OracleStep step{.theta = theta, .loss = loss.value(z)};
  step.effective_gradient = std::abs(dot(loss.gradient(z), model.velocity(theta))) / model.speed();
  double squares = 0;
  for (size_t i = 0; i < z.size(); ++i) squares += std::pow(z[i] - loss.targets[i], 2);
  step.distance = std::sqrt(squares);
  return step;
}

/// Steps of the oracle whose discrepancy has the given weights at Z_k.
std::vector<OracleStep> descend(const CircleModel& model,
                                const SeparableLoss& loss,
                                double theta,
                                int steps,
                                const std::function<Outputs(const Outputs&)>& weights) {
  std::vector<OracleStep> run = {record(model, loss, theta)};
  for (int k = 0; k < steps; ++k) {
    const Outputs z = model.outputs(run.back().theta);
    run.push_back(record(model, loss, model.minimise(loss.gradient(z), weights(z), z)));
  }
  return run;
}

}  // namespace

Outputs CircleModel::outputs(double theta) const {
  Outputs z;
  for (const double x : inputs_) z.insert(z.end(), {std::cos(x * theta), std::sin(x * theta)});
  return z;
}

Outputs CircleModel::velocity(double theta) const {
  Outputs v;
  for (const double x : inputs_) {
    v.insert(v.end(), {-x * std::sin(x * theta), x * std::cos(x * theta)});
  }
  return v;
}

double CircleModel::speed() const {
  return std::sqrt(dot(inputs_, inputs_));
}

double CircleModel::curvature() const {
  double fourth_powers = 0;
  for (const double x : inputs_) fourth_powers += std::pow(x, 4);
  return std::sqrt(fourth_powers) / dot(inputs_, inputs_);
}

double CircleModel::minimise(const Outputs& slope,
                             const Outputs& weights,
                             const Outputs& z_k) const {
  const auto objective = [&](double theta) {
    const Outputs z = outputs(theta);
    double sum = 0;
    for (size_t i = 0; i < z.size(); ++i) {
      const double moved = z[i] - z_k[i];
      sum += slope[i] * moved + weights[i] * moved * moved;
    }
    return sum;
  };
  const auto derivative = [&](double theta) {
    const Outputs z = outputs(theta), v = velocity(theta);
    double sum = 0;
    for (size_t i = 0; i < z.size(); ++i) {
      sum += (slope[i] + 2 * weights[i] * (z[i] - z_k[i])) * v[i];
    }
    return sum;
  };
  double best = 0, least = objective(0);
  for (int n = 1; n < kGridPoints; ++n) {
    const double theta = n * kPeriod / kGridPoints;
    const double value = objective(theta);
    if (value < least) best = theta, least = value;
  }
  const double spacing = kPeriod / kGridPoints;
  return bisect(derivative, best - spacing, best + spacing);
}

double SeparableLoss::value(const Outputs& z) const {
  double sum = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    const double r = z[i] - targets[i];
    sum += r * r / 2 + (with_log_cosh ? std::log(std::cosh(r)) : 0);
  }
  return sum;
}

Outputs SeparableLoss::gradient(const Outputs& z) const {
  Outputs g;
  for (size_t i = 0; i < z.size(); ++i) {
    const double r = z[i] - targets[i];
    g.push_back(r + (with_log_cosh ? std::tanh(r) : 0));
  }
  return g;
}

Outputs SeparableLoss::curvature(const Outputs& z) const {
  Outputs h;
  for (size_t i = 0; i < z.size(); ++i) {
    h.push_back(1 + (with_log_cosh ? std::pow(std::cosh(z[i] - targets[i]), -2) : 0));
  }
  return h;
}

std::vector<OracleStep> projected_gradient_descent(
    const CircleModel& model, const SeparableLoss& loss, double theta, double lambda, int steps) {
  return descend(
      model, loss, theta, steps, [lambda](const Outputs& z) { return Outputs(z.size(), lambda); });
}

std::vector<OracleStep> proximal_newton(const CircleModel& model,
                                        const SeparableLoss& loss,
                                        double theta,
                                        int steps) {
  return descend(model, loss, theta, steps, [&loss](const Outputs& z) {
    Outputs half = loss.curvature(z);
    for (double& h : half) h /= 2;
    return half;
  });
}

Theorem1Setting theorem_1_setting(const CircleModel& model) {
  Outputs targets = model.outputs(1);
  const double radius = std::sqrt(targets.size() / 2.0);  // ‖Z‖, of one circle for each example
  for (double& t : targets) t += 0.3;
  const double gradient_bound = radius + std::sqrt(dot(targets, targets));
  const SeparableLoss loss{.targets = targets};
  return {loss, std::max(model.curvature() * gradient_bound, loss.lipschitz() / 4)};
}

double theorem_1_bound(const std::vector<OracleStep>& run, double lambda, int steps) {
  return 16 * lambda * run.front().loss / steps;
}

}  // namespace apo
