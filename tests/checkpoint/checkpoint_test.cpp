#include "apo/checkpoint/checkpoint.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apo/checkpoint/checkpoints.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

Checkpoint example(int64_t step, bool best = false) {
  State state;
  state.tensors["matrix"] = at::rand({2, 3});
  state.tensors["columns"] = at::rand({3, 2}, at::kDouble).t();
  // Filters of one channel, and of one tap, that lie channels last: contiguous to LibTorch, too.
  state.tensors["grey"] = at::rand({4, 1, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  state.tensors["single"] = at::rand({4, 2, 1, 1}).contiguous(at::MemoryFormat::ChannelsLast);
  state.tensors["scalar"] = at::rand({});
  state.tensors["empty"] = at::zeros({0, 4});
  state.tensors["count"] = at::full({1}, 5, at::kLong);
  state.values = {{"step", step}, {"third", 1.0 / 3}, {"bad", std::nan("")}, {"word", "a\"b"}};
  return {.step = step, .best = best, .config = {{"seed", 3}}, .state = state};
}

class Files : public testing::Test {
 protected:
  fs::path json(int64_t step) const { return folder_ / (checkpoint_name(step) + ".json"); }
  fs::path tensors(int64_t step) const {
    return folder_ / (checkpoint_name(step) + ".safetensors");
  }

  test::TemporaryFolder folder_;
};

using CheckpointFiles = Files;
using CheckpointFolder = Files;

TEST_F(CheckpointFiles, ReadBackAsTheyWere) {
  const Checkpoint written = example(7, true);
  write_checkpoint(folder_.path(), written);
  const Checkpoint read = read_checkpoint(json(7));
  EXPECT_EQ(read.step, 7);
  EXPECT_TRUE(read.best);
  EXPECT_EQ(read.config, written.config);
  ASSERT_EQ(read.state.tensors.size(), written.state.tensors.size());
  for (const auto& [name, tensor] : written.state.tensors) {
    const Tensor& back = read.state.tensors.at(name);
    EXPECT_TRUE(at::equal(back, tensor)) << name;
    EXPECT_EQ(back.strides(), tensor.strides()) << name;
    EXPECT_EQ(back.scalar_type(), tensor.scalar_type()) << name;
  }
  EXPECT_EQ(read.state.values.at("third"), written.state.values.at("third"));
  EXPECT_EQ(read.state.values.at("word"), written.state.values.at("word"));
  EXPECT_TRUE(std::isnan(std::get<double>(read.state.values.at("bad"))));
}

/// The file with one bit of byte `at` flipped.
void flip(const fs::path& path, size_t at) {
  test::Bytes bytes = test::read_file(path);
  bytes[at] ^= 1U << (at % 8);
  test::write_file(path, bytes);
}

TEST_F(CheckpointFiles, EveryFlippedBitIsSeen) {
  write_checkpoint(folder_.path(), example(7));
  for (const fs::path& path : {json(7), tensors(7)}) {
    const test::Bytes whole = test::read_file(path);
    // The layout of the JSON is not part of what its checksum covers.
    const auto is_blank = [&](size_t at) { return whole[at] == ' ' || whole[at] == '\n'; };
    for (size_t at = 0; at < whole.size(); ++at) {
      if (path == json(7) && is_blank(at)) continue;
      flip(path, at);
      test::data_error_of([&] { read_checkpoint(json(7)); });
      test::write_file(path, whole);
    }
  }
  EXPECT_NO_THROW(read_checkpoint(json(7)));
}

TEST_F(CheckpointFiles, EveryCutIsSeen) {
  write_checkpoint(folder_.path(), example(7));
  for (const fs::path& path : {json(7), tensors(7)}) {
    const test::Bytes whole = test::read_file(path);
    for (size_t length = 0; length + 1 < whole.size(); length += 3) {
      test::write_file(path, test::cut(whole, length));
      test::data_error_of([&] { read_checkpoint(json(7)); });
    }
    test::write_file(path, whole);
  }
}

TEST_F(CheckpointFiles, AnotherVersionIsNamed) {
  write_checkpoint(folder_.path(), example(7));
  const test::Bytes bytes = test::read_file(json(7));
  std::string text(bytes.begin(), bytes.end());
  text.replace(text.find("\"version\": 2"), 12, "\"version\": 9");
  test::write_file(json(7), test::Bytes(text.begin(), text.end()));
  EXPECT_NE(test::data_error_of([&] { read_checkpoint(json(7)); }).find("version 9; accepted: 2"),
            std::string::npos);
}

TEST_F(CheckpointFolder, KeepsTheNewestAndTheBest) {
  Checkpoints checkpoints(folder_.path(), 2);
  for (const int64_t step : {10, 20, 30, 40}) checkpoints.save(example(step, step == 10));
  checkpoints.wait();
  EXPECT_FALSE(fs::exists(json(20)) || fs::exists(tensors(20)));
  for (const int64_t step : {10, 30, 40}) EXPECT_TRUE(fs::exists(tensors(step)));
  EXPECT_EQ(read_checkpoint(folder_ / "best.json").step, 10);
  EXPECT_EQ(checkpoints.newest([](const std::string&) { FAIL(); })->step, 40);
}

TEST_F(CheckpointFolder, KeepsThoseThatSomebodyElseMayNeed) {
  Checkpoints checkpoints(folder_.path(), 1);
  checkpoints.save(example(10));
  checkpoints.keep_also({10, 20});
  for (const int64_t step : {20, 25, 30}) checkpoints.save(example(step));
  checkpoints.wait();
  for (const int64_t step : {10, 20, 30}) EXPECT_TRUE(fs::exists(tensors(step)));
  EXPECT_FALSE(fs::exists(json(25)));
  checkpoints.keep_also({20, 30});
  checkpoints.save(example(40));
  checkpoints.wait();
  EXPECT_FALSE(fs::exists(json(10)) || fs::exists(tensors(10)));
  EXPECT_TRUE(fs::exists(tensors(20)));
}

TEST_F(CheckpointFolder, ADamagedNewestGivesWayToTheOneBefore) {
  Checkpoints checkpoints(folder_.path(), 2);
  for (const int64_t step : {10, 20}) checkpoints.save(example(step));
  checkpoints.wait();
  flip(tensors(20), 100);
  std::string warning;
  EXPECT_EQ(checkpoints.newest([&](const std::string& damage) { warning = damage; })->step, 10);
  EXPECT_NE(warning.find("step-000000020"), std::string::npos);
  flip(json(10), 40);
  test::data_error_of([&] { checkpoints.newest([](const std::string&) {}); });
}

TEST_F(CheckpointFolder, WithoutAnyThereIsNone) {
  Checkpoints checkpoints(folder_ / "none", 2);
  EXPECT_FALSE(checkpoints.newest([](const std::string&) {}));
  EXPECT_FALSE(fs::exists(folder_ / "none"));
}

TEST_F(CheckpointFolder, WhatAnInterruptedWriteLeftIsNoCheckpointAndGoes) {
  fs::create_directories(folder_.path());
  test::write_file(tensors(50), test::Bytes(9));
  test::write_file(folder_ / "step-000000050.json.tmp", test::Bytes(9));
  test::write_file(folder_ / "notes.txt", test::Bytes(9));
  Checkpoints checkpoints(folder_.path(), 2);
  EXPECT_FALSE(checkpoints.newest([](const std::string&) {}));
  checkpoints.save(example(10));
  checkpoints.wait();
  EXPECT_FALSE(fs::exists(tensors(50)) || fs::exists(folder_ / "step-000000050.json.tmp"));
  EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
}

TEST_F(CheckpointFolder, AFailedWriteIsToldByTheNextOne) {
  test::write_file(folder_ / "file", test::Bytes(1));
  Checkpoints checkpoints(folder_ / "file", 2);
  checkpoints.save(example(10));
  EXPECT_THROW(checkpoints.wait(), Error);
}

}  // namespace
}  // namespace apo
