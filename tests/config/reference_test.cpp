#include "apo/config/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/sample.h"

namespace apo {
namespace {

SectionDescription describe_workshop() {
  sample::Workshop workshop;
  return describe([&](OptionVisitor& visitor) { workshop.visit(visitor); });
}

TEST(Describe, LeavesChoicesAtTheirMember) {
  sample::Workshop workshop;
  workshop.tool.select("saw");
  const auto top = describe([&](OptionVisitor& visitor) { workshop.visit(visitor); });
  EXPECT_EQ(workshop.tool.name(), "saw");
  EXPECT_EQ(top.sections[1].options[0].standard, "saw");
}

TEST(ListFamilies, NamesMembersWithTheirOptions) {
  EXPECT_EQ(list_families(describe_workshop()),
            "tool: What is used\n"
            "  hammer  Drives nails\n"
            "      weight: 1.5  (number, > 0)  In kilograms\n"
            "      sizes: [10, 20]  (list of integers, >= 1)  Heads | in the box\n"
            "  saw     Cuts boards\n");
}

TEST(MarkdownReference, HasATablePerSectionAndMember) {
  const std::string text = markdown_reference(describe_workshop());
  for (const char* part : {
           "| `name` | string | `workshop` |  | What it is called |\n",
           "| `colour` | string | `red` | red, green, blue | Of the walls |\n",
           "## `tuner`\n\nWhat is tuned\n\n| key |",
           "| `rate` | number or auto | `auto` | > 0 | The first rate |\n",
           "| `name` | string | `hammer` | hammer, saw | The tool |\n\n| `name` | what it is |",
           "| `saw` | Cuts boards |\n\n### with `tool.name: hammer`\n",
           "| `sizes` | list of integers | `[10, 20]` | >= 1 | Heads \\| in the box |\n\n",
           "## `limits`",
           "| `low` | integer | `0` |  | Least |\n",
           "| `span` | [lower, upper] |  | > 0 | From, to |\n",
       }) {
    EXPECT_THAT(text, testing::HasSubstr(part));
  }
  EXPECT_TRUE(text.ends_with("|\n"));
}

}  // namespace
}  // namespace apo
