#include "apo/train/selection.h"

#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>

#include <algorithm>
#include <cmath>

#include "apo/base/random.h"

namespace apo {
namespace {

double draw_uniform(at::Generator& generator) {
  return at::rand({}, generator, at::kDouble).item<double>();
}

size_t draw_below(size_t bound, at::Generator& generator) {
  return static_cast<size_t>(
      at::randint(static_cast<int64_t>(bound), {}, generator, at::kLong).item<int64_t>());
}

double draw_log_uniform(const Range& range, at::Generator& generator) {
  const double exponent = draw_uniform(generator);
  return range.lower * std::pow(range.upper / range.lower, exponent);
}

double explored(double rate,
                const PbtOptions& options,
                const Range& initial_range,
                at::Generator& generator) {
  if (draw_uniform(generator) < options.resample_probability) {
    return draw_log_uniform(initial_range, generator);
  }
  return rate * (draw_below(2, generator) == 0 ? options.factors->lower : options.factors->upper);
}

/// Members who are not lost by their loss, the best first; among equals by their number.
std::vector<size_t> ranked(const Standings& standings) {
  std::vector<size_t> ranking;
  for (size_t m = 0; m < standings.size(); ++m) {
    if (standings[m]) ranking.push_back(m);
  }
  std::stable_sort(ranking.begin(), ranking.end(), [&](size_t a, size_t b) {
    return standings[a]->loss < standings[b]->loss;
  });
  return ranking;
}

}  // namespace

void PbtOptions::visit(OptionVisitor& visitor) {
  visitor.integer("members",
                  members,
                  Range::between(1, 1000),
                  "runs that train in turns, the worse of which copy the better; 1: a single run");
  visitor.integer("interval", interval, Range::at_least(1), "steps of each member in a turn");
  visitor.interval(
      "initial_range",
      initial_range,
      Range::above(0),
      "of the initial rates, log-uniform; default: optimizer.learning_rate / 10 to · 10");
  visitor.interval("factors", factors, Range::above(0), "by which a copied rate is multiplied");
  visitor.real("resample_probability",
               resample_probability,
               Range::between(0, 1),
               "of a new rate from initial_range instead");
  visitor.real("patience",
               patience,
               Range::above(0),
               "seconds that members which are processes (--member) wait at the end of a turn for "
               "the others before they go on without them");
}

std::vector<double> initial_rates(int64_t members, const Range& range, uint64_t seed) {
  at::Generator generator = make_generator(seed, RandomStream::population);
  std::vector<double> rates;
  for (int64_t m = 0; m < members; ++m) rates.push_back(draw_log_uniform(range, generator));
  return rates;
}

std::optional<std::vector<PopulationEvent>> exploit_and_explore(const Standings& standings,
                                                                int64_t turn,
                                                                const PbtOptions& options,
                                                                const Range& initial_range,
                                                                uint64_t seed) {
  const std::vector<size_t> ranking = ranked(standings);
  const auto finite = static_cast<size_t>(std::count_if(
      ranking.begin(), ranking.end(), [&](size_t m) { return std::isfinite(standings[m]->loss); }));
  if (finite == 0) return std::nullopt;
  std::vector<PopulationEvent> events;
  if (ranking.size() == 1) return events;
  const size_t quartile = std::max<size_t>(1, ranking.size() / 4);
  const size_t sources = std::min(quartile, finite);
  const size_t keep = std::min(ranking.size() - quartile, finite);
  at::Generator generator =
      make_generator(seed, RandomStream::population, static_cast<uint64_t>(turn) + 1);
  for (size_t rank = keep; rank < ranking.size(); ++rank) {
    const size_t from = ranking[draw_below(sources, generator)];
    const size_t to = ranking[rank];
    const Standing& source = *standings[from];
    events.push_back({.step = source.step,
                      .member = to,
                      .from = from,
                      .old_rate = standings[to]->rate,
                      .new_rate = explored(source.rate, options, initial_range, generator)});
  }
  return events;
}

}  // namespace apo
