#include "apo/model/freeze.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apo/base/error.h"

namespace apo {
namespace {

const std::vector<std::string> kNames = {
    "conv1.weight", "layer1.0.conv1.weight", "layer1.0.bn1.bias", "layer10.weight", "fc.bias"};

TEST(Freeze, ChoosesByNameByModuleAndByPattern) {
  using Chosen = std::vector<bool>;
  EXPECT_EQ(chosen(kNames, {"fc.bias"}), (Chosen{false, false, false, false, true}));
  EXPECT_EQ(chosen(kNames, {"layer1"}), (Chosen{false, true, true, false, false}));
  EXPECT_EQ(chosen(kNames, {"layer1.*"}), (Chosen{false, true, true, false, false}));
  EXPECT_EQ(chosen(kNames, {"layer1*"}), (Chosen{false, true, true, true, false}));
  EXPECT_EQ(chosen(kNames, {"*.weight", "f?"}), (Chosen{true, true, false, true, true}));
  EXPECT_EQ(chosen(kNames, {}), Chosen(kNames.size()));
}

TEST(Freeze, NamesWhatAPatternWithoutAMatchMayHaveMeant) {
  const auto error_of = [](const std::string& pattern) -> std::string {
    try {
      chosen(kNames, {"fc", pattern});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(error_of("layr1.*"),
            "model.freeze: 'layr1.*' matches no parameter; did you mean 'layer1'?");
  EXPECT_EQ(error_of("conv1.wieght"),
            "model.freeze: 'conv1.wieght' matches no parameter; did you mean 'conv1.weight'?");
  EXPECT_EQ(error_of("transformer"),
            "model.freeze: 'transformer' matches no parameter; accepted: patterns of names such as "
            "conv1.weight");
}

}  // namespace
}  // namespace apo
