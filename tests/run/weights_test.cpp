#include "apo/run/weights.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apo/base/error.h"
#include "apo/base/safetensors.h"
#include "apo/model/model.h"
#include "apo/model/module_network.h"
#include "support/files.h"

namespace apo {
namespace {

using test::data_error_of;
using testing::HasSubstr;

constexpr int64_t kOutputs = 3;

std::unique_ptr<Network> small_network(const std::vector<std::string>& frozen = {}) {
  const std::shared_ptr<Model> model(make_mlp({.hidden = {5}}, {{1, 2, 2}, kOutputs}));
  return network_of(model, {.frozen = frozen});
}

/// What fits it.
WeightsFile fitting() {
  return {.path = "w.safetensors",
          .tensors = {{"fc1.weight", at::randn({5, 4})},
                      {"fc1.bias", at::randn({5})},
                      {"fc2.weight", at::randn({kOutputs, 5})},
                      {"fc2.bias", at::randn({kOutputs})}},
          .metadata = {},
          .checksum = 0xabc};
}

Tensor tensor_of(Network& network, const std::string& name) {
  for (size_t i = 0; i < network.parameters().size(); ++i) {
    if (network.parameter_names()[i] == name) return network.parameters()[i];
  }
  return {};
}

std::string error_with(const WeightsFile& file, const WeightsOptions& options = {}) {
  const auto network = small_network();
  return data_error_of([&] { take_weights(file, options, kOutputs, *network); });
}

TEST(Weights, AreTakenByName) {
  const auto network = small_network();
  const WeightsFile file = fitting();
  const auto lines = take_weights(file, {}, kOutputs, *network);
  for (const auto& [name, values] : file.tensors) {
    EXPECT_TRUE(at::equal(tensor_of(*network, name), values)) << name;
  }
  EXPECT_THAT(lines,
              testing::ElementsAre("weights: 4 tensors from w.safetensors (CRC-32 00000abc)"));
}

TEST(Weights, OfFrozenPartsAreTakenToo) {
  const auto network = small_network({"fc1"});
  const WeightsFile file = fitting();
  take_weights(file, {}, kOutputs, *network);
  EXPECT_TRUE(at::equal(network->buffers()[0], file.tensors.at("fc1.weight")));
}

TEST(Weights, AreConvertedToTheNetworksType) {
  const auto network = small_network();
  WeightsFile file = fitting();
  for (auto& [name, values] : file.tensors) values = values.to(at::kDouble);
  const Tensor exact = file.tensors["fc1.bias"];
  take_weights(file, {}, kOutputs, *network);
  EXPECT_TRUE(at::equal(tensor_of(*network, "fc1.bias"), exact.to(at::kFloat)));
}

TEST(Weights, TellAnotherShapeWithBoth) {
  WeightsFile file = fitting();
  file.tensors["fc2.weight"] = at::ones({10, 5});
  const std::string message = error_with(file);
  EXPECT_THAT(message, HasSubstr("w.safetensors: the tensor 'fc2.weight' has the shape [10, 5]"));
  EXPECT_THAT(message, HasSubstr("the model's has [3, 5]"));
  EXPECT_EQ(error_with(file, {.partial = true}), message);
}

TEST(Weights, LeaveANewHeadAsItWasInitialised) {
  WeightsFile file = fitting();
  file.tensors["fc2.weight"] = at::ones({10, 5});
  file.tensors.erase("fc2.bias");
  const auto network = small_network();
  const Tensor head = tensor_of(*network, "fc2.weight").detach().clone();
  const auto lines = take_weights(file, {.new_head = true}, kOutputs, *network);
  EXPECT_TRUE(at::equal(tensor_of(*network, "fc2.weight"), head));
  EXPECT_TRUE(at::equal(tensor_of(*network, "fc1.weight"), file.tensors["fc1.weight"]));
  EXPECT_EQ(lines.at(1), "weights newly initialised: fc2.bias, fc2.weight");
  EXPECT_THROW(take_weights(file, {.new_head = true}, /*outputs=*/7, *network), Error);
}

TEST(Weights, MustBeWholeUnlessPartialOnesWillDo) {
  WeightsFile fewer = fitting();
  fewer.tensors.erase("fc1.bias");
  EXPECT_EQ(error_with(fewer),
            "w.safetensors: has no tensor 'fc1.bias'; accepted: the model's tensors, or "
            "model.partial: true");
  WeightsFile more = fitting();
  more.tensors["fc9.bias"] = more.tensors["fc9.weight"] = at::ones({2});
  EXPECT_THAT(error_with(more), HasSubstr("that the model has not, 'fc9.bias' and 1 more"));

  fewer.tensors["fc9.bias"] = at::ones({2});
  const auto network = small_network();
  const auto lines = take_weights(fewer, {.partial = true}, kOutputs, *network);
  EXPECT_THAT(lines,
              testing::ElementsAre("weights: 3 tensors from w.safetensors (CRC-32 00000abc)",
                                   "weights taken: fc1.weight, fc2.bias, fc2.weight",
                                   "weights not in the file, newly initialised: fc1.bias",
                                   "weights of the file left over: fc9.bias"));
}

TEST(Weights, OfAnotherNetworkAreRefusedEvenAsAPart) {
  WeightsFile file = fitting();
  file.tensors = {{"module.fc1.weight", at::ones({5, 4})}};
  const std::string message = error_with(file, {.partial = true});
  EXPECT_THAT(message, HasSubstr("'fc1.bias'"));
  EXPECT_THAT(message, HasSubstr("'module.fc1.weight'"));
}

TEST(Weights, ThatAreNoNumbersAreRefused) {
  WeightsFile file = fitting();
  file.tensors["fc1.bias"] = at::full({5}, std::nan(""));
  EXPECT_THAT(error_with(file), HasSubstr("'fc1.bias' holds NaN"));
}

TEST(WeightsFile, HasTensorsMetadataAndChecksum) {
  const test::TemporaryFolder folder;
  const auto path = folder / "w.safetensors";
  {
    AtomicFile file(path);
    write_safetensors({{"a", at::ones({2})}}, file, {{"config", "{}"}});
    file.commit();
  }
  const WeightsFile read = read_weights(path);
  EXPECT_TRUE(at::equal(read.tensors.at("a"), at::ones({2})));
  EXPECT_EQ(read.metadata.at("config"), "{}");
  const test::Bytes bytes = test::read_file(path);
  EXPECT_EQ(read.checksum, crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

TEST(WeightsFile, OfTorchSaveIsToldApart) {
  EXPECT_THAT(data_error_of([] { parse_weights("PK\x03\x04", "resnet.pth"); }),
              HasSubstr("resnet.pth: is of torch.save; accepted: a safetensors file"));
}

}  // namespace
}  // namespace apo
