// trace.json: the columns that are made of a trace's lines.
#include "apo/trace/columns.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <sstream>
#include <streambuf>

#include "apo/base/error.h"
#include "apo/trace/jsonl.h"
#include "support/trace_files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using test::Json;
using test::TraceFiles;

/// Hands bytes on, and sees how far the heap grows meanwhile.
class Probe : public std::streambuf {
 public:
  Probe(std::streambuf* source, std::function<int64_t()> heap)
      : source_(source), heap_(std::move(heap)), begin_(heap_()) {}
  int64_t grown() const { return most_ - begin_; }

 protected:
  int_type underflow() override {
    most_ = std::max(most_, heap_());
    const std::streamsize count = source_->sgetn(buffer_.data(), std::ssize(buffer_));
    setg(buffer_.data(), buffer_.data(), buffer_.data() + count);
    return count > 0 ? traits_type::to_int_type(buffer_[0]) : traits_type::eof();
  }

 private:
  std::streambuf* source_;
  std::function<int64_t()> heap_;
  int64_t begin_;
  int64_t most_ = 0;
  std::array<char, 4096> buffer_{};
};

/// The columns gathered in memory, as one reads their description.
nlohmann::ordered_json gathered(const std::string& lines, nlohmann::ordered_json trace) {
  using Ordered = nlohmann::ordered_json;
  trace.update(Ordered::parse(
      R"({"steps":{"step":[],"loss":[],"learning_rate":[]},
          "meta":{"step":[],"objective":[],"loss_term":[],"discrepancy":[],"gradient":{},
                  "skipped":0},
          "epochs":{"epoch":[],"step":[],"train_loss":[],"train_accuracy":[],"test_loss":[],
                    "test_accuracy":[],"learning_rate":[],"wall_seconds":[]},
          "hyperparameters":{}})"));
  std::istringstream stream(lines);
  for (std::string text; std::getline(stream, text);) {
    const Ordered line = Ordered::parse(text, nullptr, false);
    if (!line.is_object() || !line.contains("type")) continue;
    for (const auto& [type, table] : {std::pair{"step", "steps"},
                                      std::pair{"epoch", "epochs"},
                                      std::pair{"rollback", "rollbacks"},
                                      std::pair{"freeze", "freezes"},
                                      std::pair{"warning", "warnings"}}) {
      for (const auto& [key, value] : line.items()) {
        if (line["type"] == type && key != "type") trace[table][key].push_back(value);
      }
    }
    if (line["type"] != "meta") continue;
    for (const char* key : {"step", "objective", "loss_term", "discrepancy"}) {
      trace["meta"][key].push_back(line[key]);
    }
    if (line["skipped"]) trace["meta"]["skipped"] = trace["meta"]["skipped"].get<int>() + 1;
    for (const auto& [name, value] : line["gradient"].items()) {
      trace["meta"]["gradient"][name].push_back(value);
    }
    for (const auto& [name, value] : line["hyperparameters"].items()) {
      trace["hyperparameters"][name]["step"].push_back(line["step"]);
      trace["hyperparameters"][name]["value"].push_back(value);
    }
  }
  return trace;
}

/// Several times what waits in memory, with two rollbacks, foreign and damaged lines.
void write_long_trace(const fs::path& path, int64_t steps) {
  JsonLines writer(path, R"({"type":"header","name":"x"})");
  for (int64_t t = 0; t < steps; ++t) {
    const double value = std::sin(static_cast<double>(t));
    if (t % 3 == 0) {
      writer.on_meta({.step = t, .objective = 1.5, .gradient = {{value}}, .skipped = t % 5 == 0},
                     {{"learning_rate/\"fc\"", t, value}});
    }
    writer.on_step({t, t == 7 ? std::nan("") : value, 1});
    if (t % 100 == 0)
      writer.on_epoch({.epoch = t / 100, .step = t, .train = {value, {}}, .test = {}});
    if (t % 1500 == 1499) writer.on_rollback({t, t - 9, 0.5});
    if (t == 1600) writer.on_freeze(t);
    if (t % 1700 == 1) writer.on_warning({"unmoved", t, "it \"stands\""});
  }
}

TEST_F(TraceFiles, ColumnsAreWrittenAsIfAllHadBeenGatheredInMemory) {
  write_long_trace(folder_ / "trace.jsonl", 3000);
  std::ofstream(folder_ / "trace.jsonl", std::ios::app)
      << "7\nnull\n{\"type\":7}\n{\"type\":\"step\",\"step\":3000,\"loss\":0.1,"
         "\"learning_rate\":1}\r\n\n{\"type\":\"step\",\"st";
  const nlohmann::ordered_json header = {
      {"format", "apo-trace"}, {"name", "x"}, {"config", {{"a", 1}}}};
  nlohmann::ordered_json expected = gathered(text("trace.jsonl"), header);
  for (const char* last : {"rollbacks", "freezes", "warnings"}) {  // whichever came first
    const nlohmann::ordered_json table = expected[last];
    expected.erase(last);
    expected[last] = table;
  }
  const std::string found = columns_text(header);
  const std::string wanted = expected.dump() + "\n";
  const auto [at, other] = std::mismatch(found.begin(), found.end(), wanted.begin(), wanted.end());
  const auto shown = [&](const std::string& text) {  // the whole is too long
    const auto begin = std::max<ptrdiff_t>(at - found.begin() - 100, 0);
    return text.substr(static_cast<size_t>(begin), 200);
  };
  EXPECT_EQ(shown(found), shown(wanted));
  EXPECT_EQ(found.size(), wanted.size());
  EXPECT_EQ(columns()["rollbacks"]["step"], Json({1499, 2999}));
  EXPECT_FALSE(fs::exists(folder_ / "trace.jsonl.tmp"));
}

TEST_F(TraceFiles, TheMemoryThatColumnsTakeDoesNotGrowWithTheRun) {
  write_long_trace(folder_ / "trace.jsonl", 60'000);
  const auto heap = [] { return static_cast<int64_t>(mallinfo2().uordblks); };
  std::ifstream file(folder_ / "trace.jsonl");
  Probe probe(file.rdbuf(), heap);
  std::istream lines(&probe);
  write_columns(lines, {}, folder_ / "trace.json");
  EXPECT_GT(fs::file_size(folder_ / "trace.json"), 1'500'000);
  EXPECT_LT(probe.grown(), 400'000);
}

TEST_F(TraceFiles, ColumnsThatCannotBeWrittenAreAnError) {
  std::istringstream none;
  EXPECT_THROW(write_columns(none, {}, folder_ / "no/trace.json"), Error);
}

}  // namespace
}  // namespace apo
