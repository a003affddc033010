#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

#include "apo/base/safetensors.h"
#include "apo/data/own.h"
#include "apo/data/stream.h"
#include "support/files.h"

namespace apo {
namespace {

using test::data_error_of;
using testing::HasSubstr;
using Named = std::map<std::string, Tensor>;

class Tensors : public testing::Test {
 protected:
  std::unique_ptr<Dataset> load(const Named& tensors,
                                int64_t classes = 0,
                                DataRequest request = {}) {
    AtomicFile file(path_);
    write_safetensors(tensors, file);
    file.commit();
    return load_tensors({.path = path_.string(), .classes = classes}, request);
  }
  std::string error(const Named& tensors, int64_t classes = 0) {
    const std::string message = data_error_of([&] { load(tensors, classes); });
    EXPECT_THAT(message, testing::StartsWith(path_.string() + ": "));
    return message.substr(std::min(message.size(), path_.string().size() + 2));
  }

  /// Four examples of two numbers, of three classes.
  static Named sound() {
    return {{"train_inputs", at::arange(8, at::kFloat).view({4, 2})},
            {"train_targets", at::tensor({0, 2, 1, 0}, at::kInt)}};
  }
  static Named with(Named tensors, const std::string& name, const Tensor& tensor) {
    tensors[name] = tensor;
    return tensors;
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "my.safetensors";
};

TEST_F(Tensors, AreTakenAsTheyAreWithAsManyClassesAsTheGreatestTargetTells) {
  const auto dataset = load(sound());
  EXPECT_EQ(dataset->classes, 3);
  EXPECT_TRUE(dataset->train.inputs.equal(at::arange(8, at::kFloat).view({4, 2})));
  EXPECT_TRUE(dataset->train.targets.equal(at::tensor({0, 2, 1, 0}, at::kInt)));
  EXPECT_FALSE(dataset->test.inputs.defined());
  EXPECT_FALSE(dataset->validation.inputs.defined());
  EXPECT_TRUE(dataset->normalisation.mean.empty());
}

TEST_F(Tensors, ClassesAreCountedOverAllPartsOrGiven) {
  Named tensors = with(sound(), "test_inputs", at::zeros({1, 2}));
  tensors = with(tensors, "test_targets", at::full({1}, 6, at::kByte));
  EXPECT_EQ(load(tensors)->classes, 7);
  EXPECT_EQ(load(tensors, 10)->classes, 10);
  EXPECT_THAT(error(tensors, 5), HasSubstr("test_targets[0] = 6; expected classes from 0 to 4"));
}

TEST_F(Tensors, TheFirstExamplesAreThoseOfEachPart) {
  Named tensors = with(sound(), "test_inputs", at::zeros({3, 2}));
  tensors = with(tensors, "test_targets", at::zeros({3}, at::kLong));
  const auto dataset = load(tensors, 0, {.root = {}, .train_examples = 2, .test_examples = 1});
  EXPECT_EQ(dataset->train.inputs.size(0), 2);
  EXPECT_EQ(dataset->test.targets.size(0), 1);
  EXPECT_EQ(dataset->classes, 3);
  EXPECT_THAT(data_error_of([&] { load(sound(), 0, {.root = {}, .test_examples = 1}); }),
              HasSubstr("1 test examples asked for; there are 0"));
}

TEST_F(Tensors, NumbersHaveAColumnAndNoClasses) {
  const Named tensors = {{"train_inputs", at::arange(3, at::kDouble)},
                         {"train_targets", at::ones({3}, at::kHalf)}};
  const auto dataset = load(tensors);
  EXPECT_EQ(dataset->classes, 0);
  EXPECT_EQ(dataset->train.inputs.sizes(), (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(dataset->train.targets.sizes(), (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(dataset->outputs(), 1);
}

TEST_F(Tensors, PicturesAreNormalisedByTheTrainingSet) {
  const Tensor pictures = at::arange(2 * 3 * 4, at::kByte).view({2, 3, 2, 2});
  const auto dataset =
      load({{"train_inputs", pictures}, {"train_targets", at::arange(2, at::kLong)}});
  ASSERT_EQ(dataset->normalisation.mean.size(), 3);
  const double mean = pictures.select(1, 2).to(at::kDouble).mean().item<double>() / 255;
  EXPECT_NEAR(dataset->normalisation.mean[2], mean, 1e-15);
}

TEST_F(Tensors, TokensOfAnyWidthReachTheNetworkAsIndices) {
  for (const at::ScalarType type :
       {at::kByte, at::kUInt16, at::kUInt32, at::kUInt64, at::kInt, at::kLong}) {
    const Tensor tokens = at::tensor({1, 2, 3, 4, 5, 6}, at::kLong).view({2, 3});
    const auto dataset = load({{"train_inputs", tokens.to(type)},
                               {"train_targets", tokens},
                               {"train_weights", at::ones({2, 3}, at::kDouble)}});
    EXPECT_EQ(dataset->classes, 7);
    const Batch x = SplitInOrder(dataset->train, {}, at::kFloat).slice(0, 2);
    EXPECT_TRUE(x.inputs.equal(tokens)) << c10::toString(type);
    EXPECT_EQ(x.targets.scalar_type(), at::kLong);
    EXPECT_EQ(x.weights.scalar_type(), at::kFloat);
  }
}

TEST_F(Tensors, WhatDoesNotFitTogetherIsAnErrorThatNamesIt) {
  EXPECT_THAT(error({{"train_inputs", at::ones({4})}}),
              HasSubstr("lacks the tensor train_targets"));
  EXPECT_THAT(error(with(sound(), "test_input", at::ones({4}))),
              HasSubstr("unknown tensor 'test_input'; did you mean 'test_inputs'?"));
  EXPECT_THAT(error(with(sound(), "test_inputs", at::ones({4, 2}))),
              HasSubstr("lacks the tensor test_targets"));
  EXPECT_THAT(
      error(with(sound(), "train_inputs", at::ones({3, 2}))),
      HasSubstr("train_inputs is float32 [3, 2] and train_targets int32 [4]; expected as many"));
  EXPECT_THAT(error(with(sound(), "train_weights", at::ones({4, 2}))),
              HasSubstr("expected a weight for each example, [4]"));
  EXPECT_THAT(error(with(sound(), "train_inputs", at::ones({4, 0}))),
              HasSubstr("expected one example or more"));
  Named tensors = with(sound(), "test_targets", at::zeros({1}, at::kLong));
  EXPECT_THAT(error(with(tensors, "test_inputs", at::ones({1, 3}))),
              HasSubstr("expected examples like those of train_inputs, float32 [4, 2]"));
  tensors = with(sound(), "validation_inputs", at::ones({1, 2}));
  EXPECT_THAT(error(with(tensors, "validation_targets", at::ones({1, 1}))),
              HasSubstr("expected examples like those of train_targets"));
}

TEST_F(Tensors, ValuesThatNothingLearnsFromAreErrorsWithTheirPlace) {
  Tensor inputs = sound().at("train_inputs").clone();
  inputs[3][1] = std::nan("");
  EXPECT_THAT(error(with(sound(), "train_inputs", inputs)),
              testing::EndsWith("train_inputs[3, 1] = nan; expected finite numbers"));
  EXPECT_THAT(error(with(sound(), "train_targets", at::tensor({0, 1, -1, 0}, at::kLong))),
              HasSubstr("train_targets[2] = -1; expected classes from 0 to 999999"));
  EXPECT_THAT(error(with(sound(), "train_targets", at::tensor({0, 1, 1'000'000, 0}, at::kLong))),
              HasSubstr("train_targets[2] = 1e+06"));
  const Tensor large = at::tensor({0, 1, -1, 0}, at::kLong).view(at::kUInt64);  // 2^64 - 1
  EXPECT_THAT(error(with(sound(), "train_targets", large)),
              HasSubstr("train_targets holds numbers of 2^63 or more"));
  EXPECT_THAT(error(with(sound(), "train_targets", at::zeros({4}, at::kLong))),
              HasSubstr("two classes or more"));
  EXPECT_THAT(error(with(sound(), "train_weights", at::tensor({1., 1., -1., 0.}))),
              HasSubstr("train_weights[2] = -1; expected weights >= 0"));
  EXPECT_THAT(error(with(sound(), "train_weights", at::zeros({4}))), HasSubstr("are all 0"));
}

TEST_F(Tensors, APlaceIsFoundInALargeTensor) {
  Tensor inputs = at::zeros({2'200'000, 2}, at::kHalf);
  inputs[2'150'000][1] = INFINITY;
  EXPECT_THAT(
      error({{"train_inputs", inputs}, {"train_targets", at::zeros({2'200'000}, at::kByte)}}),
      HasSubstr("train_inputs[2150000, 1] = inf"));
}

TEST(TensorsFile, ThatIsNotThereIsNamedWithItsWholePath) {
  const std::string expected =
      (std::filesystem::current_path() / "no/such.safetensors").string() + ": no such file";
  EXPECT_EQ(data_error_of([] { load_tensors({.path = "no/such.safetensors"}, {}); }), expected);
}

}  // namespace
}  // namespace apo
