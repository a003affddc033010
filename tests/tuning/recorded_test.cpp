// What a trace says of φ, read back.
#include "apo/tuning/recorded.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/recorded.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;
using testing::Test;

class Recorded : public Test {
 protected:
  RecordedValues read(const Json& trace) const {
    return read_recorded(test::write_json(folder_ / "trace.json", trace));
  }
  void expect_refused(const Json& trace, const std::vector<std::string>& says) const {
    const std::string message = test::data_error_of([&] { read(trace); });
    for (const std::string& words : says) {
      EXPECT_NE(message.find(words), std::string::npos) << message;
    }
  }
  test::TemporaryFolder folder_;
};

/// Two layers whose rates are 0.1 and 0.4, from step 2 on 0.2 and 0.8; the steps used half of them
/// from step 1 on.
Json layered() {
  Json trace = test::trace_of({0.2, 0.1, 0.2, 0.2});
  trace["hyperparameters"] = {
      {"learning_rate/a", {{"step", {0, 2}}, {"value", {0.1, 0.2}}}},
      {"learning_rate/b", {{"step", {0, 2}}, {"value", {0.4, 0.8}}}},
      {"epsilon/a", {{"step", {0, 3}}, {"value", {1e-8, 1e-6}}}},
      {"epsilon/b", {{"step", {0, 3}}, {"value", {1e-4, 1e-4}}}},
  };
  return trace;
}

TEST_F(Recorded, RatesAreThoseThatTheStepsUsedToTheBit) {
  const std::vector<double> rates = {0.1, 1.0 / 3, 5e-324, 0.7};
  const RecordedValues values = read(test::trace_of(rates));
  EXPECT_EQ(values.steps(), 4);
  EXPECT_EQ(values.names(), std::vector<std::string>{"learning_rate"});
  EXPECT_TRUE(values.layers().empty());
  for (size_t t = 0; t < rates.size(); ++t) {
    EXPECT_EQ(values.at(static_cast<double>(t), 0), std::vector<double>{rates[t]});
  }
  EXPECT_EQ(values.at(9, 0), std::vector<double>{0.7});  // the last one stays
}

TEST_F(Recorded, BetweenTwoStepsRatesAreMixedByTheirLogarithmsAndZerosInAStraightLine) {
  const RecordedValues values = read(test::trace_of({0.1, 0.4, 0}));
  EXPECT_NEAR(values.at(0.5, 0)[0], 0.2, 1e-15);
  EXPECT_NEAR(values.at(0.25, 0)[0], 0.1 * std::sqrt(2), 1e-15);
  EXPECT_NEAR(values.at(1.25, 0)[0], 0.3, 1e-15);
}

TEST_F(Recorded, ATraceThatKeepsEveryTenthStepIsMixedBetweenAndItsEpochsKnowTheEnd) {
  Json trace = test::trace_of({0.1, 0.4});
  trace["steps"]["step"] = {0, 10};
  trace["epochs"]["step"] = {6, 12};
  const RecordedValues values = read(trace);
  EXPECT_EQ(values.steps(), 12);
  EXPECT_NEAR(values.at(5, 0)[0], 0.2, 1e-15);
  EXPECT_EQ(values.at(11, 0)[0], 0.4);
}

TEST_F(Recorded, LayersHaveTheirLearnedRatesTimesWhatTheStepMadeOfTheirMean) {
  const RecordedValues values = read(layered());
  EXPECT_EQ(values.layers(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(values.names(), (std::vector<std::string>{"learning_rate", "epsilon"}));
  EXPECT_EQ(values.at(0, 0), (std::vector<double>{0.1, 0.4}));  // mean 0.2, as used
  EXPECT_NEAR(values.at(1, 0)[0], 0.05, 1e-15);
  EXPECT_NEAR(values.at(1, 0)[1], 0.2, 1e-15);
  EXPECT_NEAR(values.at(3, 0)[1], 0.4, 1e-15);  // learned mean 0.4, used 0.2
  EXPECT_EQ(values.at(2, 1), (std::vector<double>{1e-8, 1e-4}));
  EXPECT_EQ(values.at(3, 1), (std::vector<double>{1e-6, 1e-4}));
  EXPECT_NEAR(values.at(2.5, 1)[0], 1e-7, 1e-15);
}

TEST_F(Recorded, TheFolderOfARunStandsForItsTrace) {
  const RecordedValues of_file = read(test::trace_of({0.5}));
  const RecordedValues of_folder = read_recorded(folder_.path());
  EXPECT_EQ(of_folder.at(0, 0), std::vector<double>{0.5});
  EXPECT_EQ(of_folder.checksum(), of_file.checksum());
  EXPECT_NE(read(test::trace_of({0.6})).checksum(), of_file.checksum());
}

TEST_F(Recorded, WhatIsNoTraceOrLacksValuesIsRefusedInALine) {
  expect_refused({{"format", "other"}}, {"trace.json", "no trace.json of apo-train", "accepted"});
  expect_refused(Json::array(), {"no trace.json"});
  expect_refused(test::trace_of({}), {"has no steps"});
  Json trace = test::trace_of({0.1, 0.1, 0.1});
  trace["steps"]["step"] = {0, 2, 1};
  expect_refused(trace, {"steps.learning_rate", "do not rise"});
  trace["steps"]["step"] = {0, 1};
  expect_refused(trace, {"one length"});
  trace = test::trace_of({0.1, 0.1});
  trace["steps"]["learning_rate"][1] = nullptr;
  expect_refused(trace, {"null at step 1"});
  trace["steps"]["learning_rate"][1] = -1;
  expect_refused(trace, {"-1 at step 1", "0 or more"});
  trace = layered();
  trace["hyperparameters"].erase("epsilon/b");
  expect_refused(trace, {"a layer is missing"});
  trace["hyperparameters"]["epsilon/c"] = trace["hyperparameters"]["epsilon/a"];
  expect_refused(trace, {"epsilon/c"});
}

TEST_F(Recorded, ARunWhoseTraceDoesNotHoldWhatItUsedIsRefused) {
  Json trace = test::trace_of({0.1});
  trace["config"]["tuner"] = {{"name", "replay"}, {"trace", "runs/first"}};
  expect_refused(trace, {"of a replay", "runs/first"});
  trace = test::trace_of({0.1});
  trace["config"]["optimizer"]["name"] = "smd";
  expect_refused(trace, {"smd", "accepted"});
  trace = test::trace_of({0.1});
  trace["config"]["tuner"]["tune"] = {"learning_rate", "matrix"};
  trace["hyperparameters"]["learning_rate"] = {{"step", {0}}, {"value", {0.1}}};
  expect_refused(trace, {"\"matrix\"", "tuner.tune"});
}

TEST_F(Recorded, DeepNestingAndDamageEndInALineAndNotInACrash) {
  const std::filesystem::path path = folder_ / "trace.json";
  const auto refused = [&](const std::string& text) {
    std::ofstream(path) << text;
    return test::data_error_of([&] { read_recorded(path); });
  };
  EXPECT_NE(refused(R"({"format":"apo-trace","config":)" + std::string(1 << 20, '[')), "");
  EXPECT_NE(refused(R"({"format":"apo-trace","steps":{"step":[0)"), "");
  EXPECT_NE(refused(""), "");
  EXPECT_NE(test::data_error_of([&] { read_recorded(folder_ / "none"); }).find("none"),
            std::string::npos);
}

}  // namespace
}  // namespace apo
