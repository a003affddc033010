#include "apo/train/population.h"

#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <limits>
#include <memory>
#include <numeric>

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

/// The mean loss of the steps since the last turn.
class TurnLoss : public Observer {
 public:
  void on_step(const StepRecord& record) override {
    sum_ += record.loss;
    ++steps_;
  }
  void visit_state(StateVisitor& visitor) {
    visitor.real("turn_loss", sum_);
    visitor.integer("turn_steps", steps_);
  }
  /// Infinite where some loss was not finite, so that it ranks last.
  double take() {
    const double mean = sum_ / static_cast<double>(steps_);
    sum_ = 0;
    steps_ = 0;
    return std::isfinite(mean) ? mean : std::numeric_limits<double>::infinity();
  }

 private:
  double sum_ = 0;
  int64_t steps_ = 0;
};

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
}

class Population::Turns {
 public:
  Turns(const std::vector<PopulationMember>& members, const PopulationOptions& options)
      : options_(options), turn_losses_(members.size()) {
    for (size_t m = 0; m < members.size(); ++m) {
      const PopulationMember& member = members[m];
      std::vector<Observer*> observers = member.observers;
      observers.push_back(&turn_losses_[m]);
      TrainOptions train = options.train;
      train.checkpoint_every = 0;  // all members at once, between two turns
      trainers_.push_back(std::make_unique<Trainer>(
          member.problem, member.rule, member.tuner, train, std::move(observers)));
    }
    const int64_t epoch = members.front().problem.batches->steps_per_pass();
    checkpoint_steps_ = options.train.checkpoint_every * epoch;
  }

  void advance() {
    for (;;) {
      const int64_t begin = turn_ * options_.pbt.interval;
      const int64_t end = begin + options_.pbt.interval;
      advance_all(end);
      const bool last = end >= options_.train.steps;
      if (last || options_.train.interrupted() || !exploit_and_explore(turn_)) return;
      ++turn_;
      const int64_t every = checkpoint_steps_;
      if (every > 0 && end / every > begin / every) options_.on_checkpoint();
    }
  }

  std::vector<RunSummary> conclude() {
    std::vector<RunSummary> summaries;
    for (const auto& trainer : trainers_) summaries.push_back(trainer->conclude());
    return summaries;
  }

  void with_averages(const std::function<void(size_t member)>& use) {
    for (size_t m = 0; m < trainers_.size(); ++m) trainers_[m]->with_average([&] { use(m); });
  }

  int64_t steps_taken() const {
    int64_t most = 0;
    for (const auto& trainer : trainers_) most = std::max(most, trainer->steps_taken());
    return most;
  }

  void visit_state(StateVisitor& visitor) {
    visitor.integer("turn", turn_);
    for (size_t m = 0; m < trainers_.size(); ++m) {
      visitor.section("member=" + std::to_string(m), [&](StateVisitor& v) {
        trainers_[m]->visit_state(v);
        turn_losses_[m].visit_state(v);
      });
    }
  }

 private:
  void advance_all(int64_t end) {
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      for (size_t m = next++; m < trainers_.size(); m = next++) trainers_[m]->advance_to(end);
    };
    if (options_.jobs == 1) return work();
    std::vector<std::future<void>> workers;
    for (int64_t job = 0; job < options_.jobs; ++job) {
      workers.push_back(std::async(std::launch::async, [&] {
        options_.on_job();
        work();
      }));
    }
    for (std::future<void>& worker : workers) worker.get();
  }

  /// False where there is no one left to copy.
  bool exploit_and_explore(int64_t turn) {
    std::vector<double> losses;
    for (size_t m = 0; m < turn_losses_.size(); ++m) {
      losses.push_back(turn_losses_[m].take());
      if (trainers_[m]->diverged()) losses[m] = std::numeric_limits<double>::infinity();
    }
    const std::vector<size_t> ranking = ranked(losses);
    const auto finite = static_cast<size_t>(
        std::count_if(losses.begin(), losses.end(), [](double l) { return std::isfinite(l); }));
    if (finite == 0) return false;
    const size_t quartile = std::max<size_t>(1, losses.size() / 4);
    const size_t sources = std::min(quartile, finite);
    const size_t keep = std::min(losses.size() - quartile, finite);
    at::Generator generator =
        make_generator(options_.seed, RandomStream::population, static_cast<uint64_t>(turn) + 1);
    for (size_t rank = keep; rank < ranking.size(); ++rank) {
      copy(ranking[draw_below(sources, generator)], ranking[rank], generator);
    }
    return true;
  }

  /// Members by their loss, the best first; among equals by their number.
  static std::vector<size_t> ranked(const std::vector<double>& losses) {
    std::vector<size_t> ranking(losses.size());
    std::iota(ranking.begin(), ranking.end(), 0);
    std::stable_sort(
        ranking.begin(), ranking.end(), [&](size_t a, size_t b) { return losses[a] < losses[b]; });
    return ranking;
  }

  void copy(size_t from, size_t to, at::Generator& generator) {
    Trainer& member = *trainers_[to];
    PopulationEvent event{.member = to, .from = from, .old_rate = member.learning_rate()};
    member.copy_from(*trainers_[from]);
    member.set_learning_rate(explored(member.learning_rate(), generator));
    event.step = member.steps_taken();
    event.new_rate = member.learning_rate();
    options_.on_event(event);
  }

  double explored(double rate, at::Generator& generator) const {
    const PbtOptions& pbt = options_.pbt;
    if (draw_uniform(generator) < pbt.resample_probability) {
      return draw_log_uniform(options_.initial_range, generator);
    }
    return rate * (draw_below(2, generator) == 0 ? pbt.factors->lower : pbt.factors->upper);
  }

  const PopulationOptions& options_;
  std::vector<TurnLoss> turn_losses_;
  std::vector<std::unique_ptr<Trainer>> trainers_;
  int64_t turn_ = 0;
  int64_t checkpoint_steps_ = 0;
};

Population::Population(const std::vector<PopulationMember>& members,
                       const PopulationOptions& options)
    : turns_(std::make_unique<Turns>(members, options)) {}

Population::~Population() = default;

void Population::advance() {
  turns_->advance();
}

std::vector<RunSummary> Population::conclude() {
  return turns_->conclude();
}

void Population::with_averages(const std::function<void(size_t member)>& use) {
  turns_->with_averages(use);
}

int64_t Population::steps_taken() const {
  return turns_->steps_taken();
}

void Population::visit_state(StateVisitor& visitor) {
  turns_->visit_state(visitor);
}

std::vector<double> initial_rates(int64_t members, const Range& range, uint64_t seed) {
  at::Generator generator = make_generator(seed, RandomStream::population);
  std::vector<double> rates;
  for (int64_t m = 0; m < members; ++m) rates.push_back(draw_log_uniform(range, generator));
  return rates;
}

std::vector<RunSummary> train_population(const std::vector<PopulationMember>& members,
                                         const PopulationOptions& options) {
  Population population(members, options);
  population.advance();
  return population.conclude();
}

}  // namespace apo
