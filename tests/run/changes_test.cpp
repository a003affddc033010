#include "apo/run/changes.h"

#include <gtest/gtest.h>

#include "apo/base/error.h"
#include "apo/run/plan.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

Json resolved(const std::string& text) {
  const Document document = Document::parse("name: a\ntrain: {steps: 9}\n" + text, "a.yaml");
  return make_plan(document, "a.yaml", std::nullopt).runs.front().config;
}

void remove(Json& config, const std::string& pointer) {
  const Json::json_pointer at(pointer);
  config.at(at.parent_pointer()).erase(at.back());
}

TEST(Changes, ARunFromBeforeThereWasAKeyGoesOnWithItsDefault) {
  const Json now = resolved("optimizer: {name: adam}\ntuner: {name: apo}");
  Json before = now;
  for (const char* key :
       {"/optimizer/schedule", "/optimizer/clip_norm", "/loss", "/train/average"}) {
    remove(before, key);
  }
  EXPECT_NO_THROW(check_can_resume(before, now));
}

TEST(Changes, ARunFromBeforeThereWasAKeyDoesNotGoOnWithAnotherValue) {
  const Json now =
      resolved("optimizer: {name: adam, schedule: {name: linear}}\ntuner: {name: apo}");
  Json before = now;
  remove(before, "/optimizer/schedule");
  try {
    check_can_resume(before, now);
    FAIL() << "has another schedule";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("optimizer.schedule")) << error.what();
  }
}

TEST(Changes, ARunOfTheDefaultFromBeforeOutliersWereClippedGoesOnWithoutThatAlone) {
  const Json now = resolved("optimizer: {name: adam}");
  Json before = now;
  remove(before, "/optimizer/clip_outliers");
  EXPECT_THROW(check_can_resume(before, now), Error);
  EXPECT_NO_THROW(check_can_resume(before, resolved("optimizer: {name: adam, clip_outliers: 0}")));
}

TEST(Changes, WhatThisProgramDoesNotTakeIsComparedAsItIs) {
  const Json now = resolved("optimizer: {name: adam}");
  Json before = now;
  before["optimizer"]["name"] = "none of ours";
  EXPECT_THROW(check_can_resume(before, now), Error);
}

TEST(Changes, ResultsAreOthersByTheLengthAndNotByThePlace) {
  const Json before = resolved("optimizer: {name: adam}");
  Json now = before;
  now["threads"] = 3;
  now["train"]["checkpoint_every"] = 5;
  EXPECT_FALSE(change_of_results(before, now));
  now["train"]["steps"] = 90;
  const auto change = change_of_results(before, now);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->key, "train.steps");
  EXPECT_EQ(change->before, "9");
  EXPECT_EQ(change->now, "90");
}

TEST(Changes, LengthAndPlaceMayChange) {
  const Json before = resolved("optimizer: {name: adam}");
  Json now = before;
  now["train"]["steps"] = 90;
  now["device"] = "cuda";
  now["name"] = "b";
  EXPECT_NO_THROW(check_can_resume(before, now));
}

}  // namespace
}  // namespace apo
