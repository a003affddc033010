// Ranks that are threads of this process.
#pragma once

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <barrier>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "apo/base/group.h"

namespace apo::test {

/// What the threads share. One at a time works, for some of LibTorch's state is the process's:
/// generators, levels of forward differentiation.
struct Meeting {
  explicit Meeting(int64_t ranks) : barrier(ranks), tensors(ranks), numbers(ranks), words(ranks) {}
  void meet() {
    turn.unlock();
    barrier.arrive_and_wait();
    turn.lock();
  }
  std::mutex turn;
  std::barrier<> barrier;
  std::vector<Tensor> tensors;
  std::vector<int64_t> numbers;
  std::vector<std::string> words;
};

class ThreadGroup : public Group {
 public:
  ThreadGroup(int64_t rank, std::shared_ptr<Meeting> meeting)
      : rank_(rank), meeting_(std::move(meeting)) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return std::ssize(meeting_->tensors); }

  void begin_sum(Tensor& t) override { begun_.push_back(t); }
  void finish_sums() override {
    for (Tensor& t : begun_) {
      meeting_->tensors[rank_] = t;
      meeting_->meet();
      Tensor sum = meeting_->tensors[0].clone();
      for (int64_t rank = 1; rank < size(); ++rank) sum += meeting_->tensors[rank];
      meeting_->meet();
      t.copy_(sum);
    }
    begun_.clear();
  }
  int64_t max(int64_t value) override {
    meeting_->numbers[rank_] = value;
    meeting_->meet();
    const int64_t greatest = *std::max_element(meeting_->numbers.begin(), meeting_->numbers.end());
    meeting_->meet();
    return greatest;
  }
  std::vector<std::string> gather(const std::string& word) override {
    meeting_->words[rank_] = word;
    meeting_->meet();
    std::vector<std::string> words = meeting_->words;
    meeting_->meet();
    return words;
  }

 private:
  int64_t rank_;
  std::shared_ptr<Meeting> meeting_;
  TensorList begun_;
};

/// `work` of each rank, one thread each. It must not throw.
inline void on_ranks(int64_t ranks, const std::function<void(Group& group)>& work) {
  const auto meeting = std::make_shared<Meeting>(ranks);
  std::vector<std::thread> threads;
  threads.reserve(ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadGroup group(rank, meeting);
      const std::lock_guard turn(meeting->turn);
      work(group);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace apo::test
