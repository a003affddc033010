// Parts of a step whose kernels are recorded once and then issued with one call each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// Kernels with the addresses that they read and write.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

/// Records work for a device: CUDA graphs, in apo/cuda. Recordings of one recorder share the memory
/// that they use on the way: what one leaves in tensors that are held stays, the rest does not.
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// Runs `work` without computing anything, and keeps what it issues to the device. nullptr where
  /// the work cannot be recorded: nothing has happened then.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;
  /// Work of this thread goes where it can be recorded while the result lives.
  virtual std::shared_ptr<void> enter() = 0;
};

/// Work on tensors that is done at every step: it reads its inputs and whatever else stays at its
/// address, such as θ, ξ and φ, changes only in place, and looks at no number on the host.
///
/// With a recorder, calls with inputs of the first call's shapes are recorded after a few times and
/// replayed from then on: results then lie where the recording left them, until the next call. All
/// other calls, and all calls without a recorder, simply do the work.
///
/// Inputs: a struct of tensors, whose `visit_tensors(visit)` calls `visit` with each of them.
template <class Inputs, class Result>
class Replayed {
 public:
  using Work = std::function<Result(const Inputs& inputs)>;

  Result operator()(Recorder* recorder, const Inputs& inputs, const Work& work) {
    if (recorder == nullptr || refused_) return work(inputs);
    const TensorList now = tensors_of(inputs);
    if (shapes_.empty()) shapes_ = shapes_of(now);
    if (shapes_of(now) != shapes_) return work(inputs);
    if (calls_ < kCallsBefore) {
      ++calls_;
      return work(inputs);
    }
    if (!recording_) record(*recorder, inputs, work);
    if (refused_) return work(inputs);
    TensorList recorded = tensors_of(inputs_);
    for (size_t i = 0; i < now.size(); ++i) {
      if (!now[i].is_same(recorded[i])) recorded[i].copy_(now[i]);
    }
    recording_->replay();
    return result_;
  }

  /// What the work reads has moved: it is recorded anew when next called.
  void forget() { *this = Replayed(); }

 private:
  /// The first calls choose algorithms and allocate what libraries keep.
  static constexpr int kCallsBefore = 3;

  static TensorList tensors_of(const Inputs& inputs) {
    TensorList tensors;
    inputs.visit_tensors([&tensors](const Tensor& tensor) { tensors.push_back(tensor); });
    return tensors;
  }

  static std::vector<std::vector<int64_t>> shapes_of(const TensorList& tensors) {
    std::vector<std::vector<int64_t>> shapes;
    for (const Tensor& tensor : tensors) {
      shapes.push_back(tensor.defined() ? tensor.sizes().vec() : std::vector<int64_t>{-1});
    }
    return shapes;
  }

  void record(Recorder& recorder, const Inputs& inputs, const Work& work) {
    inputs_ = inputs;
    recording_ = recorder.record([&] { result_ = work(inputs_); });
    if (recording_) return;
    forget();
    refused_ = true;
  }

  std::vector<std::vector<int64_t>> shapes_;
  int calls_ = 0;
  bool refused_ = false;
  Inputs inputs_;  ///< of the recording
  Result result_;  ///< of the recording
  std::unique_ptr<Recording> recording_;
};

}  // namespace apo
