#include "apo/train/population.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <string>

namespace apo {
namespace {

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
  void forget() {
    sum_ = 0;
    steps_ = 0;
  }
  /// Infinite where some loss was not finite, so that it ranks last.
  double mean() const {
    const double mean = sum_ / static_cast<double>(steps_);
    return std::isfinite(mean) ? mean : std::numeric_limits<double>::infinity();
  }

 private:
  double sum_ = 0;
  int64_t steps_ = 0;
};

}  // namespace

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
      if (last || options_.train.interrupted() || !exploit_and_explore()) return;
      const int64_t every = checkpoint_steps_;
      if (every > 0 && end / every > begin / every) options_.on_checkpoint();
    }
  }

  std::vector<RunSummary> conclude() {
    std::vector<RunSummary> summaries;
    for (const auto& trainer : trainers_) summaries.push_back(trainer->conclude());
    return summaries;
  }

  void with_averages(const std::function<void(size_t place)>& use) {
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
      visitor.section(section_of(options_.first + m), [&](StateVisitor& v) {
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

  static std::string section_of(size_t member) { return "member=" + std::to_string(member); }

  /// How the members here stand.
  Standings standings() const {
    Standings standings;
    for (size_t m = 0; m < trainers_.size(); ++m) {
      const Trainer& trainer = *trainers_[m];
      const double loss =
          trainer.diverged() ? std::numeric_limits<double>::infinity() : turn_losses_[m].mean();
      standings.push_back(Standing{loss, trainer.learning_rate(), trainer.steps_taken()});
    }
    return standings;
  }

  /// Ends a turn. False where it is the last: no one is left to copy, or it does not go on here.
  bool exploit_and_explore() {
    std::optional<Standings> all = standings();
    if (options_.exchange != nullptr) all = options_.exchange->meet(turn_, *all);
    if (!all) return false;
    const auto events =
        apo::exploit_and_explore(*all, turn_, options_.pbt, options_.initial_range, options_.seed);
    if (!events) return false;
    for (const PopulationEvent& event : *events) {
      if (is_here(event.member)) copy(event);
    }
    for (TurnLoss& loss : turn_losses_) loss.forget();
    ++turn_;
    return true;
  }

  bool is_here(size_t member) const {
    return member >= options_.first && member - options_.first < trainers_.size();
  }

  Trainer& trainer_of(size_t member) { return *trainers_[member - options_.first]; }

  void copy(const PopulationEvent& event) {
    Trainer& member = trainer_of(event.member);
    if (is_here(event.from)) {
      member.copy_from(trainer_of(event.from));
    } else {
      options_.exchange->restore(event.from, event.step, [&](StateVisitor& visitor) {
        visitor.section(section_of(event.from),
                        [&](StateVisitor& v) { member.visit_inherited(v); });
      });
    }
    member.set_learning_rate(event.new_rate);
    options_.on_event(event);
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

void Population::with_averages(const std::function<void(size_t place)>& use) {
  turns_->with_averages(use);
}

int64_t Population::steps_taken() const {
  return turns_->steps_taken();
}

void Population::visit_state(StateVisitor& visitor) {
  turns_->visit_state(visitor);
}

std::vector<RunSummary> train_population(const std::vector<PopulationMember>& members,
                                         const PopulationOptions& options) {
  Population population(members, options);
  population.advance();
  return population.conclude();
}

}  // namespace apo
