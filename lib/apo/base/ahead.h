// Things made on a thread of their own before they are asked for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace apo {

/// Gives what `make` makes, in its order: up to `most` of them are made ahead. `make` is called on
/// the thread alone, and ended between two calls where this is destroyed.
template <class Thing>
class Ahead {
 public:
  Ahead(std::function<Thing()> make, size_t most)
      : make_(std::move(make)),
        most_(most),
        thread_([this](const std::stop_token& stop) { work(stop); }) {}

  /// Waits where it is not there yet. After what was made before it, throws what `make` threw.
  Thing next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !made_.empty() || failure_ != nullptr; });
    if (made_.empty()) std::rethrow_exception(failure_);
    Thing thing = std::move(made_.front());
    made_.pop_front();
    lock.unlock();
    changed_.notify_one();
    return thing;
  }

 private:
  void work(const std::stop_token& stop) {
    try {
      while (waited_for_room(stop)) {
        Thing thing = make_();
        const std::scoped_lock lock(mutex_);
        made_.push_back(std::move(thing));
        changed_.notify_one();
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_one();
    }
  }

  /// False: it is to end.
  bool waited_for_room(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, stop, [this] { return made_.size() < most_; }) &&
           !stop.stop_requested();
  }

  std::function<Thing()> make_;
  size_t most_;
  std::mutex mutex_;
  std::condition_variable_any changed_;  // one of the two waits at most: for things, or for room
  std::deque<Thing> made_;
  std::exception_ptr failure_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace apo
