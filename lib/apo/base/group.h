// The ranks that train one network together, each on its part of every batch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// What one rank has given the others since they came together, and how long it stood there.
struct Traffic {
  int64_t messages = 0;
  int64_t bytes = 0;           ///< of the tensors summed, each counted once
  double waiting_seconds = 0;  ///< in calls of the group: to begin a message or to wait for its end
  double seconds = 0;          ///< since they came together
};

/// Ranks call the same things in the same order, and each call ends on all of them. This one is of
/// a single rank, for which nothing needs to be done; ranks/ has the others.
class Group {
 public:
  virtual ~Group() = default;

  virtual int64_t rank() const { return 0; }
  virtual int64_t size() const { return 1; }
  /// The same among those on this machine.
  virtual int64_t local_rank() const { return 0; }
  virtual int64_t local_size() const { return 1; }
  /// Whether this rank says and writes what all have to say.
  bool leads() const { return rank() == 0; }

  /// t ← the sum over ranks, to the bit the same on all of them. Contiguous, of one shape and type.
  void sum(Tensor& t) {
    begin_sum(t);
    finish_sums();
  }
  /// The same, while other work goes on: t is not read or written before finish_sums(). Each call
  /// of these pushes what has begun.
  virtual void begin_sum(Tensor&) {}
  virtual void push() {}
  virtual void finish_sums() {}

  /// Of a message of many tensors: large enough that its latency does not count, small enough that
  /// the first of them go while the others are still computed.
  virtual int64_t bucket_bytes() const { return 1 << 20; }

  /// The greatest of the ranks' numbers.
  virtual int64_t max(int64_t value) { return value; }
  /// The words of all, by rank.
  virtual std::vector<std::string> gather(const std::string& word) { return {word}; }
  /// How long it waits for the others before it ends all of them.
  virtual void set_patience(double /*seconds*/) {}
  /// Ends the process, and those of all other ranks with the same exit code; returns where there
  /// are none.
  virtual void abort(int /*exit_code*/) {}

  virtual Traffic traffic() const { return {}; }
};

/// Of one rank.
Group& alone();

/// Examples [begin, begin + count) of `size` are the rank's.
struct Share {
  int64_t begin = 0;
  int64_t count = 0;
};
Share share_of(int64_t size, int64_t rank, int64_t ranks);

/// The mean over ranks, a new tensor where there are several.
Tensor mean(Group& group, const Tensor& t);
/// The same of several in one message, of whatever types.
void average(Group& group, const std::vector<Tensor*>& tensors);

/// Throws Error(config) where the ranks do not all have the same word. what: "the configuration".
void require_same(Group& group, const std::string& what, const std::string& word);

}  // namespace apo
