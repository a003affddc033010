#include "apo/config/starter.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "apo/config/reader.h"
#include "apo/config/writer.h"
#include "config/sample.h"

namespace apo {
namespace {

using sample::Workshop;
using Json = nlohmann::ordered_json;

Json resolved(const std::string& yaml) {
  Workshop workshop;
  read_into(Document::parse(yaml, "a.yaml"), workshop);
  return options_to_json(workshop);
}

std::string starter_of(const std::string& yaml) {
  Workshop workshop;
  const auto keys = describe([&](OptionVisitor& visitor) { workshop.visit(visitor); });
  return starter(keys, resolved(yaml), Document::parse(yaml, "a.yaml"));
}

constexpr const char* kGiven =
    "seed: 7\n"
    "colour: blue\n"
    "tool: {name: hammer, sizes: [3]}\n"
    "limits: {span: [1, 2]}\n";

TEST(Starter, HasWhatIsGivenAndTheOtherKeysBehindASign) {
  EXPECT_EQ(starter_of(kGiven),
            "#name: workshop                     # What it is called\n"
            "seed: 7                             # Seed of all randomness (>= 0)\n"
            "#loud: false                        # Make noise\n"
            "colour: blue                        # Of the walls (red, green, blue)\n"
            "#tuner:                             # What is tuned\n"
            "  #tune: [rate]                     # The hyperparameters (rate, power)\n"
            "  #rate: auto                       # The first rate (> 0)\n"
            "  #lambda: 0.1                      # Proximal weight (>= 0)\n"
            "tool:                               # What is used\n"
            "  name: hammer                      # The tool (hammer, saw)\n"
            "  #weight: 1.5                      # In kilograms (> 0)\n"
            "  sizes: [3]                        # Heads | in the box (>= 1)\n"
            "limits:                             # Bounds\n"
            "  #low: 0                           # Least\n"
            "  #high: 10                         # Greatest\n"
            "  span: [1, 2]                      # From, to (> 0)\n");
}

TEST(Starter, ReadsBackAsGivenWithAndWithoutTheSigns) {
  for (const std::string given : {kGiven, "", "tool: {name: saw}\n", "tuner: {rate: 0.5}\n"}) {
    const std::string text = starter_of(given);
    EXPECT_EQ(resolved(text), resolved(given)) << text;
    const std::string opened = std::regex_replace(text, std::regex("(^|\n)( *)#([a-z])"), "$1$2$3");
    EXPECT_EQ(resolved(opened), resolved(given)) << opened;
    EXPECT_EQ(opened.find("\n#"), std::string::npos);
  }
}

TEST(Starter, KeepsWhatIsNoOptionOfTheChosenMember) {
  const Document grid = Document::parse("seed: 1\ngrid: {tool.name: [hammer, saw]}\n", "a.yaml");
  Workshop workshop;
  const auto keys = describe([&](OptionVisitor& visitor) { workshop.visit(visitor); });
  const std::string text = starter(keys, resolved("seed: 1\n"), grid);
  EXPECT_EQ(Document::parse(text, "b.yaml").find("grid")->entries.front().value.items.size(), 2u);
}

}  // namespace
}  // namespace apo
