// The files of a trace, in a folder of their own.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apo/trace/columns.h"
#include "support/files.h"

namespace apo::test {

using Json = nlohmann::json;

class TraceFiles : public testing::Test {
 protected:
  std::string text(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<Json> lines() const {
    std::vector<Json> lines;
    std::ifstream file(folder_ / "trace.jsonl");
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  /// As trace.json has them.
  Json columns() const { return Json::parse(columns_text(Json::object())); }
  std::string columns_text(const nlohmann::ordered_json& header) const {
    std::ifstream file(folder_ / "trace.jsonl");
    write_columns(file, header, folder_ / "trace.json");
    return text("trace.json");
  }

  TemporaryFolder folder_;
};

}  // namespace apo::test
