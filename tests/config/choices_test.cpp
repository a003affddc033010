#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apo/config/reader.h"
#include "apo/config/reference.h"
#include "apo/config/starter.h"
#include "apo/config/writer.h"
#include "config/sample.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

Json read(const std::string& yaml) {
  sample::Shelf shelf;
  read_into(Document::parse(yaml, "a.yaml"), shelf);
  return options_to_json(shelf)["parts"];
}

SectionDescription described() {
  sample::Shelf shelf;
  return describe([&](OptionVisitor& visitor) { shelf.visit(visitor); });
}

TEST(ListOfChoices, IsOfNamesAndOfMappingsWithTheirOptions) {
  EXPECT_EQ(read("parts: [nail, {name: screw, length: 3}, screw]"),
            Json::parse(R"([{"name": "nail"}, {"name": "screw", "length": 3},
                            {"name": "screw", "length": 20}])"));
}

TEST(ListOfChoices, TakesThePlaceOfTheDefaultWhole) {
  EXPECT_EQ(read(""), Json::parse(R"([{"name": "nail"}])"));
  EXPECT_EQ(read("parts: [screw]").size(), 1);
  EXPECT_EQ(read("parts: []").size(), 0);
}

TEST(ListOfChoices, MayHoldAListOfTheSameFamily) {
  EXPECT_EQ(read("parts: [{name: kit, content: [{name: kit, content: [nail]}]}]").dump(),
            R"([{"name":"kit","content":[{"name":"kit","content":[{"name":"nail"}]}]}])");
}

TEST(ListOfChoices, ReadsBackFromWhatIsWritten) {
  const Json parts = read("parts: [nail, {name: kit, content: [{name: screw, length: 3}]}]");
  EXPECT_EQ(read(to_yaml({{"parts", parts}})), parts);
}

TEST(ListOfChoices, CopiesKeepTheirOwn) {
  sample::Shelf one;
  read_into(Document::parse("parts: [{name: screw, length: 3}]", "a.yaml"), one);
  sample::Shelf other = one;
  read_into(Document::parse("parts: [nail]", "a.yaml"), other);
  EXPECT_EQ(options_to_json(one)["parts"][0]["length"], 3);
}

TEST(ListOfChoices, MistakesNameTheItemByItsPlace) {
  const auto error = [](const std::string& yaml) { return sample::error_of([&] { read(yaml); }); };
  EXPECT_EQ(error("parts: [nail, {name: screw, length: 0}]"),
            "a.yaml:1:37: parts[1].length = 0: must be >= 1");
  EXPECT_EQ(error("parts: [nail, scrow]"),
            "a.yaml:1:15: parts[1].name = 'scrow': unknown part; accepted: screw, nail, kit; did "
            "you mean 'screw'?");
  EXPECT_EQ(error("parts: [{name: nail, length: 3}]"),
            "a.yaml:1:22: unknown key 'length'; accepted here: name");
  EXPECT_EQ(error("parts: [{name: kit, content: [nail, {name: screw, width: 3}]}]"),
            "a.yaml:1:51: unknown key 'width'; accepted here: name, length");
  EXPECT_EQ(error("parts: [{length: 3}]"),
            "a.yaml:1:9: parts[0].name: must be given; accepted: screw, nail, kit");
  EXPECT_EQ(error("parts: [[nail]]"),
            "a.yaml:1:9: parts[0]: must be a name, or a mapping with one, not a list");
  EXPECT_EQ(error("parts: [~]"),
            "a.yaml:1:9: parts[0]: must be a name, or a mapping with one, not empty");
  EXPECT_EQ(error("parts: nail"), "a.yaml:1:8: parts = 'nail': must be a list");
  EXPECT_EQ(error("parts: {name: nail}"), "a.yaml:1:8: parts: must be a list, not a mapping");
  EXPECT_EQ(error("parts: [{name: kit, content: [nail, nail, nail]}]"),
            "a.yaml:1:30: parts[0].content: must be at most 2");
}

TEST(ListOfChoices, NestedWithoutEndIsRefused) {
  std::string yaml = "nail";
  for (int i = 0; i < 40; ++i) yaml = "{name: kit, content: [" + yaml + "]}";
  EXPECT_THAT(sample::error_of([&] { read("parts: [" + yaml + "]"); }),
              HasSubstr("nested deeper than 64 levels"));
}

TEST(ListOfChoices, IsDescribedOnceHoweverItNests) {
  const SectionDescription top = described();
  EXPECT_EQ(top.options[0].standard, "[nail]");
  EXPECT_EQ(top.options[0].accepted, "screw, nail, kit");
  ASSERT_EQ(top.sections.size(), 1);
  EXPECT_EQ(top.sections[0].key, "parts[]");
  ASSERT_EQ(top.sections[0].members.size(), 3);
  EXPECT_EQ(top.sections[0].members[2].own.options[0].key, "content");
  EXPECT_TRUE(top.sections[0].members[2].own.sections.empty());
  EXPECT_THAT(markdown_reference(top), HasSubstr("### with `parts[].name: screw`"));
}

TEST(ListOfChoices, StandsInAStarterAsItIs) {
  const Document given = Document::parse("parts: [{name: screw, length: 3}]", "a.yaml");
  const Json resolved = {{"parts", read("parts: [{name: screw, length: 3}]")}};
  EXPECT_EQ(read(starter(described(), resolved, given)), resolved["parts"]);
}

}  // namespace
}  // namespace apo
