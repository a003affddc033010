#include <ATen/core/Tensor.h>

#include <chrono>
#include <utility>

#include "apo/ranks/ranks.h"

namespace apo {
namespace {

using Clock = std::chrono::steady_clock;

/// Adds the time that it lives.
class Timed {
 public:
  explicit Timed(Clock::duration& sum) : sum_(sum) {}
  ~Timed() { sum_ += Clock::now() - begin_; }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  Clock::duration& sum_;
  Clock::time_point begin_ = Clock::now();
};

class Measured : public Group {
 public:
  explicit Measured(std::unique_ptr<Group> group) : group_(std::move(group)) {}

  int64_t rank() const override { return group_->rank(); }
  int64_t size() const override { return group_->size(); }
  int64_t local_rank() const override { return group_->local_rank(); }
  int64_t local_size() const override { return group_->local_size(); }

  int64_t bucket_bytes() const override { return group_->bucket_bytes(); }
  void begin_sum(Tensor& t) override {
    count(static_cast<int64_t>(t.nbytes()));
    const Timed timed(waiting_);
    group_->begin_sum(t);
  }
  void push() override {
    const Timed timed(waiting_);
    group_->push();
  }
  void finish_sums() override {
    const Timed timed(waiting_);
    group_->finish_sums();
  }
  int64_t max(int64_t value) override {
    count(sizeof(value));
    const Timed timed(waiting_);
    return group_->max(value);
  }
  std::vector<std::string> gather(const std::string& word) override {
    count(std::ssize(word));
    const Timed timed(waiting_);
    return group_->gather(word);
  }
  void set_patience(double seconds) override { group_->set_patience(seconds); }
  void abort(int exit_code) override { group_->abort(exit_code); }

  Traffic traffic() const override {
    Traffic traffic = traffic_;
    traffic.waiting_seconds = seconds(waiting_);
    traffic.seconds = seconds(Clock::now() - begin_);
    return traffic;
  }

 private:
  static double seconds(Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }
  void count(int64_t bytes) {
    ++traffic_.messages;
    traffic_.bytes += bytes;
  }

  std::unique_ptr<Group> group_;
  Traffic traffic_;
  Clock::duration waiting_{};
  Clock::time_point begin_ = Clock::now();
};

}  // namespace

std::unique_ptr<Group> measured(std::unique_ptr<Group> group) {
  return std::make_unique<Measured>(std::move(group));
}

}  // namespace apo
