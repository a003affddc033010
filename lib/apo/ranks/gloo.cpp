#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

// As LibTorch was built; its header asks for it.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/explain.h"
#include "apo/ranks/c10d.h"
#include "apo/ranks/ranks.h"

namespace apo {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;
using Store = c10::intrusive_ptr<c10d::Store>;
using Work = c10::intrusive_ptr<c10d::Work>;

/// How often a rank looks whether another wants all to end.
constexpr Milliseconds kLook{300};
/// How often one that waits asks how long it has.
constexpr Milliseconds kAsk{50};
/// How long the rank that has the store waits for the others to have looked, and others for it.
constexpr Milliseconds kLeaving{3000};
/// Gloo's own limit, which ours comes before.
constexpr std::chrono::hours kNever{24 * 365};

/// Under these names the store has who wants all to end and with what exit code, and how many have
/// seen it.
constexpr const char* kEnd = "end";
constexpr const char* kSeen = "seen";

struct Ending {
  int exit_code = 0;
  int64_t rank = 0;
  bool operator==(const Ending&) const = default;
};

std::string to_word(const Ending& ending) {
  return fmt::format("{} {}", ending.exit_code, ending.rank);
}

Ending from_word(const std::string& word) {
  return {std::stoi(word), std::stoll(word.substr(word.find(' ')))};
}

/// The ranks' connections, and the two to their store: one of the main thread, one of the watch.
struct Connections {
  Store store;
  Store watched;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
};

bool serves(const Place& place) {
  return place.rank == 0 && !place.is_served;
}

Connections connect(const Place& place) {
  be_silent_about_c10d();
  const auto own_part = [&](bool serves) -> Store {
    return c10::make_intrusive<c10d::PrefixStore>("apo-train/" + place.attempt,
                                                  make_store(place.address, place.port, serves));
  };
  try {
    Connections made;
    made.store = own_part(serves(place));
    made.watched = own_part(false);
    made.gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(
        made.store,
        static_cast<int>(place.rank),
        static_cast<int>(place.size),
        c10d::ProcessGroupGloo::Options::create_default(kMeeting));
    made.gloo->setTimeout(kNever);
    return made;
  } catch (const std::exception& error) {
    throw Error(ErrorKind::output,
                fmt::format("{}:{}: rank {} of {} did not meet the others there: {}",
                            place.address,
                            place.port,
                            place.rank,
                            place.size,
                            first_line(error.what())));
  }
}

/// Tensors of a GPU go through the host's memory.
class GlooGroup : public Group {
 public:
  explicit GlooGroup(Place place)
      : place_(std::move(place)),
        connections_(connect(place_)),
        watch_([this](const std::stop_token& stop) { watch(stop); }) {}
  /// Ranks leave together, for one that closes its connections ends what others still hear of it.
  ~GlooGroup() override {
    try {
      connections_.gloo->barrier()->wait(patience_);
    } catch (const std::exception&) {  // they have left
    }
  }
  GlooGroup(const GlooGroup&) = delete;
  GlooGroup& operator=(const GlooGroup&) = delete;

  int64_t rank() const override { return place_.rank; }
  int64_t size() const override { return place_.size; }
  int64_t local_rank() const override { return place_.local_rank; }
  int64_t local_size() const override { return place_.local_size; }

  /// Gloo has threads of its own.
  void begin_sum(Tensor& t) override {
    TensorList host = {t.is_cpu() ? t : t.to(at::kCPU)};
    sums_.push_back({t, host.front(), connections_.gloo->allreduce(host)});
  }

  void finish_sums() override {
    for (Sum& sum : sums_) {
      wait(*sum.work);
      if (!sum.target.is_cpu()) sum.target.copy_(sum.host);
    }
    sums_.clear();
  }

  int64_t max(int64_t value) override {
    TensorList greatest = {at::full({1}, value, at::kLong)};
    c10d::AllreduceOptions options;
    options.reduceOp = c10d::ReduceOp::MAX;
    wait(*connections_.gloo->allreduce(greatest, options));
    return greatest.front().item<int64_t>();
  }

  std::vector<std::string> gather(const std::string& word) override {
    const int64_t length = max(std::ssize(word)) + 1;
    TensorList own = {at::full({length}, 0, at::kByte)};
    std::copy(word.begin(), word.end(), own.front().mutable_data_ptr<uint8_t>());
    std::vector<TensorList> all(1);
    all[0].reserve(static_cast<size_t>(size()));
    for (int64_t rank = 0; rank < size(); ++rank) all[0].push_back(at::empty_like(own.front()));
    wait(*connections_.gloo->allgather(all, own));
    std::vector<std::string> words;
    words.reserve(all[0].size());
    for (const Tensor& t : all[0]) {
      words.emplace_back(static_cast<const char*>(t.const_data_ptr()));
    }
    return words;
  }

  void set_patience(double seconds) override {
    patience_ = std::max(Milliseconds(1),
                         std::chrono::ceil<Milliseconds>(std::chrono::duration<double>(seconds)));
  }

  void abort(int exit_code) override { end({exit_code, rank()}, ""); }

 private:
  /// A tensor's sum under way.
  struct Sum {
    Tensor target;
    Tensor host;  ///< what Gloo works on
    Work work;
  };

  /// After a moment, if not before.
  static bool is_over(c10d::Work& work) {
    try {
      work.wait(kAsk);
    } catch (const std::exception&) {  // of the moment's end, or of the work's failure
    }
    return work.isCompleted();
  }

  void wait(c10d::Work& work) {
    for (Waiting waiting; !is_over(work);) {
      if (!waiting.exceeds(patience_)) continue;
      end({1, rank()}, has_waited(std::chrono::duration<double>(patience_).count()));
    }
    if (work.exception()) end({1, rank()}, "has lost its connection to another, which is gone");
  }

  /// Ends this process, and by the store all others, which look there. Where another one came first
  /// it has said why.
  [[noreturn]] void end(const Ending& own, const std::string& why) {
    const std::optional<Ending> first = first_to_end(own);
    if (first.value_or(own) == own && !why.empty()) say_end(*this, why);
    if (!first) std::_Exit(own.exit_code);  // the connection to the store is waited on for ever
    leave(connections_.store, first->exit_code);
  }

  /// Nothing where nobody answers, for the rank that has the store stands still.
  std::optional<Ending> first_to_end(const Ending& own) const {
    const auto first = std::make_shared<std::promise<Ending>>();
    std::future<Ending> answer = first->get_future();
    std::thread([first, own, store = connections_.store] {
      try {
        first->set_value(from_word(store->compareSet(kEnd, "", to_word(own))));
      } catch (const std::exception&) {
        first->set_value(own);
      }
    }).detach();
    if (answer.wait_for(kLeaving) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }

  /// The store goes with its rank, which therefore waits until the others have looked.
  [[noreturn]] void leave(const Store& store, int exit_code) {
    leaving_.lock();  // for good: of the two threads one leaves
    try {
      store->add(kSeen, 1);
      const Clock::time_point begin = Clock::now();
      while (serves(place_) && store->add(kSeen, 0) < size() && Clock::now() - begin < kLeaving) {
        std::this_thread::sleep_for(Milliseconds(10));
      }
    } catch (const std::exception&) {  // it has gone
    }
    std::_Exit(exit_code);
  }

  /// On its thread. This rank may be in the middle of a step when another one ends all.
  void watch(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any stopped;
    try {
      while (!stop.stop_requested()) {
        stopped.wait_for(lock, stop, kLook, [] { return false; });
        if (!connections_.watched->check({kEnd})) continue;
        const Ending first = from_word(connections_.watched->get_to_str(kEnd));
        if (first.rank == rank()) return;
        leave(connections_.watched, first.exit_code);
      }
    } catch (
        const std::exception&) {  // the store has gone, with a rank that the next sum will miss
    }
  }

  Place place_;
  Connections connections_;
  Milliseconds patience_ = kMeeting;
  std::mutex leaving_;
  std::vector<Sum> sums_;
  std::jthread watch_;
};

}  // namespace

std::unique_ptr<Group> join_gloo(const Place& place) {
  return std::make_unique<GlooGroup>(place);
}

std::string gloo_version() {
  return "of LibTorch";
}

}  // namespace apo
