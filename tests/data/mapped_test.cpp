// A set that is mapped gives what it gives in memory, to the bit.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>

#include "apo/base/random.h"
#include "apo/base/safetensors.h"
#include "apo/data/own.h"
#include "apo/data/stream.h"
#include "apo/run/data_mark.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Named = std::map<std::string, Tensor>;

constexpr int64_t kExamples = 53;

at::Generator generator() {
  return make_generator(7, RandomStream::synthetic_data);
}

/// Random numbers that every type holds.
Tensor numbers(at::ScalarType type, at::IntArrayRef sizes) {
  return at::randint(0, 2, sizes, generator(), at::kLong).to(type);
}

void expect_same(const Batch& batch, const Batch& expected) {
  const auto same = [](const Tensor& a, const Tensor& b) {
    ASSERT_EQ(a.defined(), b.defined());
    if (!a.defined()) return;
    EXPECT_EQ(a.scalar_type(), b.scalar_type());
    EXPECT_TRUE(a.equal(b));
  };
  same(batch.inputs, expected.inputs);
  same(batch.targets, expected.targets);
  same(batch.weights, expected.weights);
}

class MappedSet : public testing::Test {
 protected:
  void write(const Named& tensors) {
    AtomicFile file(path_);
    write_safetensors(tensors, file);
    file.commit();
  }
  std::unique_ptr<Dataset> load(Mapping mapping, const DataRequest& request = {}) {
    return load_tensors({.path = path_.string(), .mapped = mapping}, request);
  }

  /// Both sets give the same, in order and in streams, before and after a validation set is drawn.
  void expect_same_sets(const StreamOptions& options) {
    const auto memory = load(Mapping::never);
    const auto mapped = load(Mapping::always);
    ASSERT_TRUE(mapped->train.is_mapped());
    ASSERT_FALSE(memory->train.is_mapped());
    for (const bool hold : {false, true}) {
      if (hold) {
        hold_out(*memory, 0.3, 1);
        hold_out(*mapped, 0.3, 1);
      }
      EXPECT_EQ(mapped->normalisation.mean, memory->normalisation.mean);
      EXPECT_EQ(mapped->normalisation.deviation, memory->normalisation.deviation);
      EXPECT_EQ(mark_of(*mapped).train_checksum, mark_of(*memory).train_checksum);
      EXPECT_EQ(mark_of(*mapped).train_examples, mark_of(*memory).train_examples);
      expect_same_examples(*mapped, *memory, options);
    }
  }
  static void expect_same_examples(const Dataset& mapped,
                                   const Dataset& memory,
                                   const StreamOptions& options) {
    for (const auto part : {&Dataset::train, &Dataset::validation}) {
      const Split& expected = memory.*part;
      ASSERT_EQ((mapped.*part).size(), expected.size());
      if (expected.size() == 0) continue;
      const SplitInOrder in_order(mapped.*part, mapped.normalisation, options.dtype);
      const SplitInOrder in_memory(expected, memory.normalisation, options.dtype);
      expect_same(in_order.slice(2, 9), in_memory.slice(2, 9));
    }
    BatchStream stream(mapped.train, mapped.normalisation, options);
    BatchStream in_memory(memory.train, memory.normalisation, options);
    EXPECT_EQ(stream.steps_per_pass(), in_memory.steps_per_pass());
    for (int i = 0; i < 20; ++i) expect_same(stream.next(), in_memory.next());
  }

  test::TemporaryFolder folder_;
  fs::path path_ = folder_ / "my.safetensors";
};

class MappedTypes : public MappedSet, public testing::WithParamInterface<at::ScalarType> {};

TEST_P(MappedTypes, OfInputsGiveTheSameBatches) {
  for (const std::vector<int64_t>& sizes :
       {std::vector<int64_t>{kExamples}, {kExamples, 3}, {kExamples, 2, 3, 2, 2}}) {
    write({{"train_inputs", numbers(GetParam(), sizes)},
           {"train_targets", at::arange(kExamples).remainder(3).to(at::kByte)},
           {"train_weights", at::rand({kExamples}, generator())}});
    expect_same_sets({.batch_size = 8});
  }
}

TEST_P(MappedTypes, OfTargetsAndWeightsGiveTheSameBatches) {
  write({{"train_inputs", at::rand({kExamples, 3}, generator())},
         {"train_targets", numbers(GetParam(), {kExamples, 4})},
         {"train_weights", numbers(GetParam(), {kExamples})}});
  expect_same_sets({.batch_size = 8, .dtype = at::kDouble});
}

INSTANTIATE_TEST_SUITE_P(All,
                         MappedTypes,
                         testing::Values(at::kDouble,
                                         at::kFloat,
                                         at::kHalf,
                                         at::kBFloat16,
                                         at::kLong,
                                         at::kInt,
                                         at::kShort,
                                         at::kChar,
                                         at::kUInt32,
                                         at::kUInt16,
                                         at::kByte,
                                         at::kBool),
                         [](const auto& info) { return c10::toString(info.param); });

TEST_F(MappedSet, OfPicturesIsNormalisedAndAugmentedAlike) {
  write({{"train_inputs", at::randint(0, 256, {kExamples, 3, 8, 6}, generator(), at::kByte)},
         {"train_targets", at::arange(kExamples).remainder(3).to(at::kInt)}});
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    expect_same_sets(
        {.batch_size = 7, .augmentation = Augmentation::crop_flip, .seed = 3, .dtype = type});
  }
}

TEST_F(MappedSet, GoesOnFromAPositionMappedOrNot) {
  write({{"train_inputs", at::rand({kExamples, 3}, generator())},
         {"train_targets", at::arange(kExamples, at::kLong)}});
  const auto memory = load(Mapping::never);
  const auto mapped = load(Mapping::always);
  const StreamOptions options{.batch_size = 10};  // six batches a pass
  for (const int steps : {0, 2, 6, 13}) {
    BatchStream stream(mapped->train, {}, options);
    for (int i = 0; i < steps; ++i) stream.next();
    const State state = state_of([&](StateVisitor& v) { stream.visit_state(v); });
    BatchStream in_memory(memory->train, {}, options);
    BatchStream resumed(mapped->train, {}, options);
    resumed.next();  // whose thread is ahead of it
    restore(state, at::kCPU, [&](StateVisitor& v) { in_memory.visit_state(v); });
    restore(state, at::kCPU, [&](StateVisitor& v) { resumed.visit_state(v); });
    for (int i = 0; i < 8; ++i) {
      const Batch expected = in_memory.next();
      expect_same(resumed.next(), expected);
      expect_same(stream.next(), expected);
    }
  }
}

TEST_F(MappedSet, GivesNoBatchThatIsAViewOfTheFile) {
  write({{"train_inputs", at::rand({kExamples, 3}, generator())},
         {"train_targets", at::rand({kExamples, 1}, generator())}});
  const auto mapped = load(Mapping::always);
  Batch x = SplitInOrder(mapped->train, {}, at::kFloat).slice(0, 5);
  EXPECT_EQ(mapped_file_at(x.inputs.const_data_ptr()), nullptr);
  x.inputs.zero_();  // a network may work in place
  EXPECT_GT(mapped->train.inputs.sum().item<double>(), 0);
}

TEST_F(MappedSet, IsOneThatIsLargerThanMayBeInMemory) {
  write({{"train_inputs", at::rand({kExamples, 3}, generator())},
         {"train_targets", at::arange(kExamples, at::kLong)}});
  const auto bytes = static_cast<int64_t>(fs::file_size(path_));
  EXPECT_FALSE(load(Mapping::automatic)->train.is_mapped());
  EXPECT_FALSE(
      load(Mapping::automatic, {.root = {}, .most_bytes_in_memory = bytes})->train.is_mapped());
  EXPECT_TRUE(
      load(Mapping::automatic, {.root = {}, .most_bytes_in_memory = bytes - 1})->train.is_mapped());
}

TEST_F(MappedSet, ThatChangesIsAnErrorOfTheStream) {
  write({{"train_inputs", at::rand({kExamples, 3}, generator())},
         {"train_targets", at::arange(kExamples, at::kLong)}});
  const auto mapped = load(Mapping::always);
  BatchStream stream(mapped->train, {}, {.batch_size = 10});
  stream.next();
  fs::last_write_time(path_, fs::last_write_time(path_) + std::chrono::seconds(1));
  const std::string error = test::data_error_of([&] {
    for (int i = 0; i < 10; ++i) stream.next();  // some are ahead already
  });
  EXPECT_THAT(error, HasSubstr(path_.string() + ": has changed"));
}

TEST_F(MappedSet, NamesTheSamePlacesOfTheSameMistakes) {
  Tensor targets = at::arange(kExamples, at::kShort);
  targets[40] = -3;
  write({{"train_inputs", at::rand({kExamples, 3}, generator())}, {"train_targets", targets}});
  EXPECT_THAT(test::data_error_of([&] { load(Mapping::always); }),
              HasSubstr("train_targets[40] = -3; expected classes from 0"));
  write({{"train_inputs", at::rand({kExamples, 3}, generator())},
         {"train_targets", at::arange(kExamples)},
         {"train_weights", at::zeros({kExamples})}});
  EXPECT_THAT(test::data_error_of([&] { load(Mapping::always); }), HasSubstr("are all 0"));
}

class MappedText : public testing::Test {
 protected:
  std::unique_ptr<Dataset> load(Mapping mapping, const DataRequest& request = {}) {
    return load_text({.path = path_.string(), .length = 5, .test_share = 0.2, .mapped = mapping},
                     request);
  }
  test::TemporaryFolder folder_;
  fs::path path_ = folder_ / "corpus.txt";
  test::Bytes text_ = [] {
    test::Bytes bytes(500);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i);
    return bytes;
  }();
};

TEST_F(MappedText, GivesTheSameBatches) {
  test::write_file(path_, text_);
  const auto memory = load(Mapping::never);
  const auto mapped = load(Mapping::always);
  ASSERT_TRUE(mapped->train.is_mapped() && mapped->test.is_mapped());
  EXPECT_EQ(mark_of(*mapped).test_checksum, mark_of(*memory).test_checksum);
  BatchStream stream(mapped->train, {}, {.batch_size = 9});
  BatchStream in_memory(memory->train, {}, {.batch_size = 9});
  for (int i = 0; i < 20; ++i) expect_same(stream.next(), in_memory.next());
  expect_same(SplitInOrder(mapped->test, {}, at::kFloat).slice(1, 4),
              SplitInOrder(memory->test, {}, at::kFloat).slice(1, 4));
}

TEST_F(MappedText, ThatIsCompressedIsReadWhole) {
  test::write_gzip(path_, text_);
  EXPECT_FALSE(
      load(Mapping::automatic, {.root = {}, .most_bytes_in_memory = 1})->train.is_mapped());
  EXPECT_THAT(test::data_error_of([&] { load(Mapping::always); }), HasSubstr("is compressed"));
}

}  // namespace
}  // namespace apo
