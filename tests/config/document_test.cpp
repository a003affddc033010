#include "apo/config/document.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "apo/config/characters.h"
#include "apo/config/writer.h"
#include "config/sample.h"
#include "support/files.h"

namespace apo {
namespace {

using sample::error_of;

Document parse(const std::string& text) {
  return Document::parse(text, "a.yaml");
}

TEST(Document, KnowsWhereEachValueStands) {
  const Document document = parse("seed: 3\ntuner:\n  lambda: [0.1,\n    {x: y}]\n");
  EXPECT_EQ(document.root().where, "a.yaml");
  EXPECT_EQ(document.find("seed")->where, "a.yaml:1:7");
  EXPECT_EQ(document.root().find("tuner")->where, "a.yaml:2:1");
  EXPECT_EQ(document.find("tuner.lambda")->where, "a.yaml:3:11");
  EXPECT_EQ(document.find("tuner.lambda")->items[1].find("x")->value.where, "a.yaml:4:9");
  EXPECT_EQ(document.find("tuner.lambda.x"), nullptr);
  EXPECT_EQ(document.find("tuner.mu"), nullptr);
}

TEST(Document, TellsStringsFromNumbersAndNothing) {
  const Document document = parse("a: 1\nb: '1'\nc: \"1\"\nd:\ne: ~\nf: !!str 1\n");
  EXPECT_FALSE(document.find("a")->quoted);
  EXPECT_TRUE(document.find("b")->quoted);
  EXPECT_TRUE(document.find("c")->quoted);
  EXPECT_TRUE(document.find("d")->is_null());
  EXPECT_TRUE(document.find("e")->is_null());
  EXPECT_TRUE(document.find("f")->quoted);
}

TEST(Document, OfAnEmptyFileIsAnEmptyMapping) {
  for (const char* text : {"", "# nothing\n", "---\n", "null", "\xEF\xBB\xBF"}) {
    EXPECT_TRUE(parse(text).root().is_mapping()) << text;
    EXPECT_TRUE(parse(text).root().entries.empty()) << text;
  }
}

TEST(Document, WritesAliasesOut) {
  const Document document = parse("a: &x {b: [1, 2]}\nc: *x\n");
  EXPECT_EQ(to_json(*document.find("a")), to_json(*document.find("c")));
}

struct BadText {
  std::string text;
  std::string message;
};

class BadDocument : public testing::TestWithParam<BadText> {};

TEST_P(BadDocument, IsAnErrorThatNamesThePlace) {
  EXPECT_EQ(error_of([] { parse(GetParam().text); }), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Document,
    BadDocument,
    testing::Values(
        BadText{"a: [1\nb: 2\n", "a.yaml:2:2: end of sequence flow not found"},
        BadText{"a: b: c\n", "a.yaml:1:5: illegal map value"},
        BadText{"a: 1\nb: 2\na: 3\n", "a.yaml:3:1: duplicate key 'a'; first at a.yaml:1:1"},
        BadText{"x:\n  ? [1, 2]\n  : 3\n", "a.yaml:2:5: a key must be a single word"},
        BadText{"~: 3\n", "a.yaml:1:1: a key must be a single word"},
        BadText{"a: &x 1\n<<: 2\n", "a.yaml:2:1: merge keys ('<<') are not accepted"},
        BadText{"a: &x [*x]\n", "a.yaml:1:8: an alias stands inside its own anchor"},
        BadText{"a: *x\n", "a.yaml:1:4: the referenced anchor is not defined"},
        BadText{"a: 1\n---\nb: 2\n", "a.yaml:2:1: a second document begins; one is accepted"},
        BadText{",a: 1\n", "a.yaml:1:1: a second document begins; one is accepted"},
        BadText{"- 1\n", "a.yaml:1:1: the top level must be a mapping of keys"},
        BadText{"word\n", "a.yaml:1:1: the top level must be a mapping of keys"},
        BadText{"a: 1\nb: \xFF\n", "a.yaml:2: not text in UTF-8"},
        BadText{"a: \xC0\xAF\n", "a.yaml:1: not text in UTF-8"},
        BadText{"a: \xBF\xBF\n", "a.yaml:1: not text in UTF-8"},
        BadText{"a: \xED\xA0\x80\n", "a.yaml:1: not text in UTF-8"},
        BadText{std::string("a: \0\n", 5), "a.yaml:1: not text in UTF-8"},
        BadText{"a: " + std::string(64, '[') + std::string(64, ']'),
                "a.yaml:1:67: nested deeper than 64 levels"}));

TEST(Document, AcceptsTheGreatestDepth) {
  const std::string text = "a: " + std::string(63, '[') + std::string(63, ']');
  EXPECT_EQ(error_of([&] { parse(text); }), "");
}

TEST(Document, StopsNestingOfAnyDepth) {
  for (const std::string opening : {"[", "{a: ", "- ", "? ", ": ", "&a [", "!x ["}) {
    std::string text;
    while (text.size() < 100'000) text += opening;
    EXPECT_THAT(error_of([&] { parse(text); }), testing::HasSubstr("nested deeper than 64"))
        << opening;
    Document document;
    EXPECT_THAT(error_of([&] { document.set("a=" + text); }),
                testing::HasSubstr("nested deeper than 64"))
        << opening;
  }
}

TEST(Document, StopsBombsOfAliases) {
  std::string wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) {
    wide += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
    deep += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
  }
  EXPECT_THAT(error_of([&] { parse(wide); }),
              testing::HasSubstr("the aliases, written out, are too much"));
  EXPECT_THAT(error_of([&] { parse(deep); }), testing::HasSubstr("nested deeper than 64"));
  std::string texts = "a: &a '" + std::string(200'000, 'x') + "'\nb: [*a";
  std::string keys = "a: &a {" + std::string(1000, 'x') + ": 1}\nb: [*a";
  for (int i = 0; i < 10'000; ++i) {
    texts += ", *a";
    keys += ", *a";
  }
  for (const std::string& text : {texts + "]", keys + "]"}) {
    EXPECT_THAT(error_of([&] { parse(text); }),
                testing::HasSubstr("the aliases, written out, are too much"));
  }
}

TEST(Document, NamesAFileThatCannotBeRead) {
  const std::string folder = testing::TempDir();
  EXPECT_EQ(error_of([] { Document::load("no/such.yaml"); }), "no/such.yaml: no such file");
  EXPECT_EQ(error_of([&] { Document::load(folder); }),
            folder + ": is a folder; a YAML file is accepted");
  std::ofstream(folder + "apo_document_test.yaml") << "seed: 4\n";
  EXPECT_EQ(Document::load(folder + "apo_document_test.yaml").find("seed")->text, "4");
}

TEST(Document, ReadsFilesOnly) {
  test::TemporaryFolder folder;
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& place : {pipe, std::string("/dev/zero"), std::string("/dev/null")}) {
    EXPECT_EQ(error_of([&] { Document::load(place); }),
              place + ": is no file; a YAML file is accepted");
  }
}

TEST(Document, IsOverriddenByDottedKeys) {
  Document document = parse("seed: 3\ntuner:\n");
  document.set("tuner.lambda=[0.1, 1]");
  document.set("model.name=mlp");
  document.set("seed", "5", "--seed 5");
  document.set("name=");
  EXPECT_EQ(document.find("tuner.lambda")->items[1].text, "1");
  EXPECT_EQ(document.find("tuner.lambda")->where, "--set tuner.lambda=[0.1, 1]");
  EXPECT_EQ(document.find("model.name")->text, "mlp");
  EXPECT_EQ(document.find("seed")->where, "--seed 5");
  EXPECT_TRUE(document.find("name")->is_null());
  EXPECT_LT(document.find("model.name")->rank, document.find("seed")->rank);
}

TEST(Document, RefusesOverridesWithoutSense) {
  Document document = parse("seed: 3\nlist: [1]\n");
  const auto message = [&](const std::string& assignment) {
    return error_of([&] { document.set(assignment); });
  };
  EXPECT_EQ(message("seed"), "--set seed: must be KEY=VALUE");
  EXPECT_EQ(message("=1"), "--set =1: must be KEY=VALUE");
  EXPECT_EQ(message("a..b=1"), "--set a..b=1: 'a..b' is not a dotted key such as tuner.lambda");
  EXPECT_EQ(message("seed.x=1"),
            "--set seed.x=1: seed is a single value, not a section (a.yaml:1:7)");
  EXPECT_EQ(message("list.x=1"), "--set list.x=1: list is a list, not a section (a.yaml:2:7)");
  EXPECT_EQ(message("a=[1"), "--set a=[1: end of sequence flow not found");
  EXPECT_EQ(message("a=\xFF"), "--set a=\\xff: not text in UTF-8");
  EXPECT_EQ(message("a=x\n---\ny"),
            "--set a=x\\x0a---\\x0ay: a second document begins; one is accepted");
}

TEST(Document, NeverFailsOtherwiseThanByAnError) {
  const std::string sound =
      "name: &n 'x y'\nseed: 0\ntuner: {lambda: [0.1, 1e-3], tune: [a, *n]}\n"
      "text: |\n  several\n  lines\nmodel:\n  - a: 1\n    b: \"\\x41\"\n  - ? k\n    : v\n";
  const std::string marks = "{}[]:,-?&*!|>'\"%@`#~\n \t.<=\\0";
  std::mt19937 random(1);
  int parsed = 0;
  for (int i = 0; i < 800; ++i) {
    std::string text = sound;
    for (unsigned change = 0, changes = 1 + random() % 4; change < changes; ++change) {
      const size_t at = random() % text.size();
      const char mark =
          random() % 4 == 0 ? static_cast<char>(random()) : marks[random() % marks.size()];
      switch (random() % 3) {
        case 0:
          text[at] = mark;
          break;
        case 1:
          text.insert(at, 1 + random() % 3, mark);
          break;
        default:
          text.erase(at, 1 + random() % 5);
      }
    }
    const std::string message = error_of([&] {
      parse(text);
      ++parsed;
    });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_GT(parsed, 50);
}

TEST(IsOneLine, RefusesControlCharactersAndWhatIsNotUtf8) {
  for (const char* text : {"", "a b", "/data/öl", "\xF0\x9F\x98\x80"})
    EXPECT_TRUE(is_one_line(text));
  for (const char* text : {"a\n", "\t", "\x1B[31m", "\x7F", "\xFF", "\xC3"}) {
    EXPECT_FALSE(is_one_line(text)) << in_one_line(text);
  }
  EXPECT_FALSE(is_one_line(std::string(1, '\0')));
}

TEST(InOneLine, EscapesControlCharactersAndCutsLongText) {
  EXPECT_EQ(in_one_line("a\n\x7F\xFFé"), "a\\x0a\\x7f\\xffé");
  EXPECT_EQ(in_one_line(std::string(81, 'x')), std::string(80, 'x') + "…");
}

}  // namespace
}  // namespace apo
