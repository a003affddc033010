#include "apo/model/model.h"

#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "apo/base/error.h"
#include "apo/model/taps.h"
#include "support/registry_names.h"

namespace apo {
namespace {

int64_t parameter_count(const Model& model) {
  int64_t count = 0;
  for (const Tensor& parameter : model.parameters()) count += parameter.numel();
  return count;
}

const ModelShape kCifar{.input = {3, 32, 32}, .outputs = 10};

TEST(Resnet, HasThePublishedParameterCounts) {
  EXPECT_EQ(parameter_count(*make_resnet18({}, kCifar)), 11'173'962);
  EXPECT_EQ(parameter_count(*make_resnet34({}, kCifar)), 21'282'122);
}

TEST(Resnet, CarriesTorchvisionsParameterNames) {
  std::vector<std::string> names;
  for (const auto& item : make_resnet18({.width = 2}, kCifar)->named_parameters()) {
    names.push_back(item.key());
  }
  for (const char* name : {"conv1.weight",
                           "bn1.bias",
                           "layer1.0.conv1.weight",
                           "layer2.0.downsample.0.weight",
                           "layer2.0.downsample.1.bias",
                           "layer4.1.bn2.weight",
                           "fc.bias"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

TEST(Resnet, WidthNarrowsEveryStage) {
  const auto model = make_resnet34({.width = 8}, kCifar);
  EXPECT_EQ(model->named_parameters()["layer4.2.conv2.weight"].sizes(),
            (std::vector<int64_t>{64, 64, 3, 3}));
}

TEST(Mlp, HasALayerForEachHiddenSizeAndOneForTheClasses) {
  const auto model = make_mlp({.hidden = {30, 20}}, {.outputs = 7});
  EXPECT_EQ(parameter_count(*model), 784 * 30 + 30 + 30 * 20 + 20 + 20 * 7 + 7);
  EXPECT_EQ(parameter_count(*make_mlp({.hidden = {}}, {.outputs = 7})), 784 * 7 + 7);
}

TEST(Cnn, IsThePapersNetworkByDefault) {
  const auto model = make_cnn({}, {});
  EXPECT_EQ(parameter_count(*model), (16 * 25 + 16) + (32 * 16 * 25 + 32) + (32 * 7 * 7 * 10 + 10));
}

TEST(Cnn, RefusesMoreHalvingsThanThePictureBears) {
  EXPECT_THROW(make_cnn({.channels = {2, 2, 2, 2, 2}}, {}), Error);
}

class Models : public testing::TestWithParam<std::string> {};

TEST_P(Models, MapPicturesToOneOutputPerClass) {
  for (const ModelShape& shape : {ModelShape{}, ModelShape{{3, 32, 32}, 100}}) {
    const auto model = ChoiceOf<Model, const ModelShape&>(models(), GetParam()).make(shape);
    const Tensor x = at::randn(shape.input).unsqueeze(0).expand({2, -1, -1, -1});
    EXPECT_EQ(model->forward(x).sizes(), (std::vector<int64_t>{2, shape.outputs}));
  }
}

TEST_P(Models, InitialiseFromTheGlobalGeneratorAlone) {
  const ChoiceOf<Model, const ModelShape&> choice(models(), GetParam());
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(7);
  const auto first = choice.make({});
  generator.set_current_seed(7);
  const auto second = choice.make({});
  for (size_t i = 0; i < first->parameters().size(); ++i) {
    EXPECT_TRUE(first->parameters()[i].equal(second->parameters()[i]));
  }
}

TEST_P(Models, TapEveryLayerWithAMatrixOfWeights) {
  const auto model = ChoiceOf<Model, const ModelShape&>(models(), GetParam()).make({});
  const TapScope scope;
  model->forward(at::randn({2, 1, 28, 28}));
  size_t with_matrix = 0;
  for (const Tensor& parameter : model->parameters()) with_matrix += parameter.dim() > 1;
  EXPECT_EQ(scope.taps().size(), with_matrix);
}

TEST_P(Models, TapNothingOutsideOfAScope) {
  const auto model = ChoiceOf<Model, const ModelShape&>(models(), GetParam()).make({});
  { const TapScope scope; }
  const TapScope before_and_after;
  {
    const TapScope inner;
    model->forward(at::randn({1, 1, 28, 28}));
  }
  EXPECT_TRUE(before_and_after.taps().empty());
}

INSTANTIATE_TEST_SUITE_P(All,
                         Models,
                         testing::ValuesIn(test::names_with_defaults(models())),
                         test::test_name);

}  // namespace
}  // namespace apo
