#include "apo/run/experiment.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apo/config/grid.h"
#include "apo/config/reader.h"
#include "apo/config/writer.h"
#include "config/sample.h"
#include "support/files.h"

namespace apo {
namespace {

using sample::error_of;
using testing::HasSubstr;

/// An experiment that is right but for `assignments`, each KEY=VALUE.
nlohmann::ordered_json read(const std::vector<std::string>& assignments) {
  Document document =
      Document::parse("name: x\ndataset: {name: synthetic}\ntrain: {steps: 1}\n", "a.yaml");
  for (const std::string& assignment : assignments) document.set(assignment);
  Experiment experiment;
  read_into(document, experiment);
  return options_to_json(experiment);
}

std::string error(const std::vector<std::string>& assignments) {
  return error_of([&] { read(assignments); });
}

TEST(Experiment, NameCannotLeaveTheOutputFolder) {
  for (const std::string name : {".",
                                 "..",
                                 "../x",
                                 "a/../../x",
                                 "/tmp/x",
                                 "a/b",
                                 "\"\"",
                                 "\"a\\0b\"",
                                 "\"a\\nb\"",
                                 ".x",
                                 "-x"}) {
    EXPECT_THAT(error({"name=" + name}), HasSubstr(": must be letters, digits and")) << name;
  }
  EXPECT_THAT(error({"name=" + std::string(201, 'a')}), HasSubstr("must be letters, digits and"));
  EXPECT_EQ(error({"name=a..b"}), "");
}

TEST(Experiment, RootIsAPathInOneLine) {
  const std::string too_long(4096, 'a');
  for (const std::string& root : {std::string("\"a\\nb\""),
                                  std::string("\"a\\0b\""),
                                  std::string("\"\\e[31m\""),
                                  std::string("\"\\x7f\""),
                                  too_long}) {
    EXPECT_THAT(error({"dataset.root=" + root}),
                HasSubstr("must be a path in UTF-8 without control characters"));
  }
  EXPECT_EQ(error({"dataset.root=/daten/öl und mehr"}), "");
}

TEST(Experiment, RefusesNumbersThatWouldOverflow) {
  const std::string greatest = "9223372036854775807";
  for (const std::string key : {"dataset.batch_size",
                                "dataset.train_examples",
                                "dataset.test_examples",
                                "dataset.classes",
                                "dataset.height",
                                "model.hidden",
                                "threads",
                                "train.evaluate_every"}) {
    EXPECT_THAT(error({key + "=" + greatest}), HasSubstr(": must be >= ")) << key;
  }
  EXPECT_THAT(error({"train={epochs: " + greatest + "}"}),
              HasSubstr("must be >= 0 and <= 1000000000"));
  EXPECT_THAT(error({"model={name: cnn, channels: " + greatest + "}"}), HasSubstr("must be >= 1"));
  EXPECT_THAT(error({"model={name: resnet18, width: " + greatest + "}"}),
              HasSubstr("must be >= 1"));
}

TEST(Experiment, IndependentDecayIsAShareBelowOne) {
  EXPECT_THAT(error({"optimizer={weight_decay: 1, weight_decay_form: independent}"}),
              HasSubstr("optimizer.weight_decay = 1: must be < 1"));
  EXPECT_EQ(error({"optimizer={weight_decay: 1, weight_decay_form: decoupled}"}), "");
}

TEST(Experiment, LabelSmoothingIsAShareBelowOneAndNotForToys) {
  EXPECT_EQ(read({"loss.label_smoothing=0.1"})["loss"]["name"], "cross_entropy");
  EXPECT_THAT(error({"loss.label_smoothing=1"}), HasSubstr("must be >= 0 and < 1"));
  const std::string toy = error_of([] {
    Experiment experiment;
    read_into(Document::parse("name: x\nproblem: {name: rosenbrock}\nloss: {}\n", "a.yaml"),
              experiment);
  });
  EXPECT_THAT(toy, HasSubstr("unknown key 'loss'"));
}

TEST(Experiment, FormAndScopeDecideDefaultsWhereverTheyStandAndReadBackAlike) {
  const auto tuner = [](const std::string& keys) {
    return read({"tuner={" + keys + ", name: apo}"})["tuner"];
  };
  const auto papers = tuner("form: paper, scope: per_layer");
  EXPECT_EQ(papers["interval"], 5);
  EXPECT_EQ(papers["meta_optimizer"]["learning_rate"], 0.001);
  EXPECT_EQ(papers["meta_optimizer"]["bias_correction"], false);
  EXPECT_EQ(read({"tuner=" + papers.dump()})["tuner"], papers);

  const auto given = tuner("meta_optimizer: {learning_rate: 0.5}, interval: 7, scope: per_layer");
  EXPECT_EQ(given["interval"], 7);
  EXPECT_EQ(given["meta_optimizer"]["learning_rate"], 0.5);
  EXPECT_EQ(given["meta_optimizer"]["bias_correction"], true);
  EXPECT_EQ(read({"tuner={name: hypergradient, form: multiplicative}"})["tuner"]["rate"], 0.02);
}

TEST(Experiment, PrintingOptionsThatAProgramHasFilledChangesNone) {
  ApoOptions options;
  options.scope = ApoOptions::Scope::per_layer;
  options.interval = 3;
  const auto printed = options_to_json(options);
  EXPECT_EQ(printed["interval"], 3);
  EXPECT_EQ(printed["scope"], "per_layer");
  EXPECT_EQ(options_to_json(options), printed);
}

TEST(Experiment, KeysThatTheSolverDoesNotReadAreRefused) {
  const std::string exact = "tuner={name: apo, solver: exact}";
  const std::string gradient = "tuner={name: apo}";
  for (const std::string& key : {std::string("memory=0.5"), std::string("descent=own")}) {
    EXPECT_THAT(error({gradient, "tuner." + key}), HasSubstr("is of the exact solver")) << key;
    EXPECT_EQ(error({exact, "tuner." + key}), "") << key;
  }
  for (const std::string& key : {std::string("learning_rate=0.5"), std::string("name=adam")}) {
    EXPECT_THAT(error({exact, "tuner.meta_optimizer." + key}),
                HasSubstr("the exact solver has none"))
        << key;
    EXPECT_EQ(error({gradient, "tuner.meta_optimizer." + key}), "") << key;
  }
  EXPECT_EQ(error({"tuner={name: apo, solver: exact, scope: per_layer}"}), "");
}

TEST(Experiment, WhatTheTunerFindsIsNotGivenByDefaultWhicheverFormOfItIsChosen) {
  EXPECT_EQ(read({})["optimizer"]["learning_rate"], "auto");
  EXPECT_EQ(read({"tuner={name: apo}"})["optimizer"]["learning_rate"], 0.1);
  const auto exact = read({"tuner={name: apo, solver: exact}"});
  EXPECT_EQ(exact["optimizer"]["learning_rate"], "auto");
  EXPECT_EQ(exact["optimizer"]["schedule"]["name"], "none");
  const auto given = read({"tuner={name: apo, solver: exact}", "optimizer.learning_rate=0.3"});
  EXPECT_EQ(given["optimizer"]["learning_rate"], 0.3);
}

/// The fuzzer's seeds and what it found.
TEST(Experiment, IsReadOrRefusedByAnErrorInOneLine) {
  for (const auto& entry : std::filesystem::directory_iterator(APO_CONFIG_CORPUS)) {
    const test::Bytes bytes = test::read_file(entry.path());
    const std::string message = error_of([&] {
      const std::string text(bytes.begin(), bytes.end());
      const Grid grid(Document::parse(text, "a.yaml"));
      for (size_t i = 0; i < grid.size(); ++i) {
        Experiment experiment;
        read_into(grid.run(i).document, experiment);
      }
    });
    EXPECT_EQ(message.find('\n'), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace apo
