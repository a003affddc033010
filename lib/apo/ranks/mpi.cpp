#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <utility>

#include "apo/base/error.h"
#include "apo/ranks/ranks.h"

namespace apo {
namespace {

void check(int result) {
  if (result == MPI_SUCCESS) return;
  std::string text(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  MPI_Error_string(result, text.data(), &length);
  text.resize(static_cast<size_t>(length));
  throw Error(ErrorKind::output, "MPI: " + text);
}

MPI_Datatype type_of(const Tensor& t) {
  switch (t.scalar_type()) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    case at::kLong:
      return MPI_INT64_T;
    default:
      throw std::logic_error("MPI sums float32, float64 and int64");
  }
}

/// MPI counts in int.
constexpr int64_t kMostNumbers = 1 << 30;

/// All ranks of MPI_COMM_WORLD. Tensors of a GPU go through the host's memory.
class MpiGroup : public Group {
 public:
  MpiGroup() {
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided));
    if (provided < MPI_THREAD_SERIALIZED) {
      throw Error(
          ErrorKind::config,
          "this MPI takes calls of the main thread alone; accepted: one that was built with "
          "threads (MPI_THREAD_SERIALIZED)");
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_));
    check(MPI_Comm_size(MPI_COMM_WORLD, &size_));
    MPI_Comm here = MPI_COMM_NULL;
    check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here));
    check(MPI_Comm_rank(here, &local_rank_));
    check(MPI_Comm_size(here, &local_size_));
    MPI_Comm_free(&here);
  }
  ~MpiGroup() override { MPI_Finalize(); }
  MpiGroup(const MpiGroup&) = delete;
  MpiGroup& operator=(const MpiGroup&) = delete;

  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }
  int64_t local_rank() const override { return local_rank_; }
  int64_t local_size() const override { return local_size_; }

  void begin_sum(Tensor& t) override {
    // Not in place, for which Open MPI has a tree alone, that sends each byte 2 log₂ n times.
    const Tensor mine = t.is_cpu() ? t.clone() : t.to(at::kCPU);
    const Tensor host = t.is_cpu() ? t : at::empty_like(mine);
    Sum& sum = sums_.emplace_back(Sum{t, host, mine, {}});
    const auto* from = static_cast<const char*>(mine.const_data_ptr());
    auto* to = static_cast<char*>(host.mutable_data_ptr());
    for (int64_t begin = 0; begin < mine.numel(); begin += kMostNumbers) {
      check(MPI_Iallreduce(from + begin * mine.element_size(),
                           to + begin * mine.element_size(),
                           static_cast<int>(std::min(kMostNumbers, mine.numel() - begin)),
                           type_of(mine),
                           MPI_SUM,
                           MPI_COMM_WORLD,
                           &sum.requests.emplace_back(MPI_REQUEST_NULL)));
    }
  }

  void push() override {
    for (Sum& sum : sums_) {
      for (MPI_Request& request : sum.requests) is_done(request);
    }
  }

  void finish_sums() override {
    for (Sum& sum : sums_) {
      for (MPI_Request& request : sum.requests) wait(request);
      if (!sum.target.is_cpu()) sum.target.copy_(sum.host);
    }
    sums_.clear();
  }

  int64_t max(int64_t value) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD, &request));
    wait(request);
    return value;
  }

  std::vector<std::string> gather(const std::string& word) override {
    std::string padded = word;
    padded.resize(static_cast<size_t>(max(std::ssize(word))));
    std::string all(padded.size() * static_cast<size_t>(size_), '\0');
    const int length = static_cast<int>(padded.size());
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallgather(
        padded.data(), length, MPI_CHAR, all.data(), length, MPI_CHAR, MPI_COMM_WORLD, &request));
    wait(request);
    std::vector<std::string> words;
    for (int rank = 0; rank < size_; ++rank) {
      words.emplace_back(all.substr(static_cast<size_t>(rank * length), padded.size()).c_str());
    }
    return words;
  }

  void abort(int exit_code) override { MPI_Abort(MPI_COMM_WORLD, exit_code); }

  void set_patience(double seconds) override { patience_ = std::chrono::duration<double>(seconds); }

 private:
  /// A tensor's sum under way.
  struct Sum {
    Tensor target;
    Tensor host;                      ///< what MPI writes
    Tensor mine;                      ///< what it reads
    std::list<MPI_Request> requests;  ///< which stay where they are
  };

  static bool is_done(MPI_Request& request) {
    int done = 0;
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    return done != 0;
  }

  /// Lets others have the core, for there may be more ranks than cores.
  void wait(MPI_Request& request) {
    Waiting waiting;
    while (!is_done(request)) {
      sched_yield();
      if (waiting.exceeds(patience_)) give_up();
    }
  }

  void give_up() {
    say_end(*this, has_waited(patience_.count()));
    abort(1);
  }

  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  std::chrono::duration<double> patience_{600};
  std::list<Sum> sums_;
};

}  // namespace

std::unique_ptr<Group> join_mpi() {
  return std::make_unique<MpiGroup>();
}

std::string mpi_version() {
  std::string text(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  return text.substr(0, text.find_first_of(",\0", 0, 2));
}

}  // namespace apo
