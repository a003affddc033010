#include "apo/base/replay.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "support/fake_recorder.h"

namespace apo {
namespace {

Tensor numbers(double value, int64_t count = 2) {
  return at::full({count}, value, at::kDouble);
}

struct One {
  Tensor number;
  template <class Visit>
  void visit_tensors(const Visit& visit) const {
    visit(number);
  }
};

/// Twice the input, and how often it was asked for that.
struct Doubling {
  double operator()(Recorder* recorder, const Tensor& input) {
    const Tensor doubled = replayed(recorder, {input}, [this](const One& one) {
      addresses.push_back(one.number.data_ptr());
      return one.number * 2;
    });
    return doubled.sum().item<double>();
  }
  Replayed<One, Tensor> replayed;
  std::vector<void*> addresses;
};

TEST(Replayed, WithoutARecorderTheWorkIsDoneOnWhatIsGiven) {
  Doubling doubling;
  for (int i = 0; i < 10; ++i) {
    const Tensor input = numbers(i);
    EXPECT_EQ(doubling(nullptr, input), 4 * i);
    EXPECT_EQ(doubling.addresses.back(), input.data_ptr());
  }
}

TEST(Replayed, RecordedWorkReadsNewInputsWhereItReadItsFirst) {
  test::FakeRecorder recorder;
  Doubling doubling;
  TensorList held;
  for (int i = 0; i < 10; ++i) {
    held.push_back(numbers(i));
    EXPECT_EQ(doubling(&recorder, held.back()), 4 * i);
  }
  EXPECT_EQ(recorder.recordings, 1);
  EXPECT_EQ(recorder.replays, 7);  // three calls come before
  EXPECT_EQ(doubling.addresses[9], doubling.addresses[3]);
}

TEST(Replayed, InputsOfOtherShapesAreNotReplayed) {
  test::FakeRecorder recorder;
  Doubling doubling;
  for (int i = 0; i < 6; ++i) doubling(&recorder, numbers(i));
  const int replays = recorder.replays;
  EXPECT_EQ(doubling(&recorder, numbers(1, 3)), 6);
  EXPECT_EQ(recorder.replays, replays);
  EXPECT_EQ(doubling(&recorder, numbers(1)), 4);
  EXPECT_EQ(recorder.replays, replays + 1);
}

TEST(Replayed, ForgottenWorkIsRecordedAnew) {
  test::FakeRecorder recorder;
  Doubling doubling;
  for (int i = 0; i < 6; ++i) doubling(&recorder, numbers(i));
  doubling.replayed.forget();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(doubling(&recorder, numbers(i)), 4 * i);
  EXPECT_EQ(recorder.recordings, 2);
}

TEST(Replayed, WorkThatCannotBeRecordedIsDoneEachTime) {
  test::FakeRecorder recorder;
  recorder.refuses = true;
  Doubling doubling;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(doubling(&recorder, numbers(i)), 4 * i);
  EXPECT_EQ(recorder.replays, 0);
}

}  // namespace
}  // namespace apo
