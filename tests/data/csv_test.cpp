#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include "apo/data/csv_reader.h"
#include "apo/data/own.h"
#include "support/files.h"

namespace apo {
namespace {

using test::data_error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Fields = std::vector<std::string>;

class Csv : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text, const std::string& name = "table.csv") {
    test::write_file(folder_ / name, {text.begin(), text.end()});
    return folder_ / name;
  }
  std::vector<Fields> records(const std::string& text, char separator = ',') {
    CsvReader reader(write(text), separator);
    std::vector<Fields> all;
    for (Fields fields; reader.next(fields);) all.push_back(fields);
    return all;
  }
  std::unique_ptr<Dataset> load(const std::string& text, CsvOptions options = {}) {
    options.path = write(text);
    return load_csv(options, {});
  }
  std::string error(const std::string& text, const CsvOptions& options = {}) {
    return data_error_of([&] { load(text, options); });
  }

  test::TemporaryFolder folder_;
};

/// Tables whose rows are all for training.
class CsvTable : public Csv {
 protected:
  CsvTable() { whole_.test_share = 0; }
  CsvOptions whole_;
};

TEST_F(Csv, FieldsAreAsRfc4180HasThem) {
  EXPECT_THAT(records("a,b\r\n1,2\r\n"), ElementsAre(Fields{"a", "b"}, Fields{"1", "2"}));
  EXPECT_THAT(records("\"a,\"\"b\"\"\n c\",d"), ElementsAre(Fields{"a,\"b\"\n c", "d"}));
  EXPECT_THAT(records("\xef\xbb\xbf"
                      "a , b\n\n,\"\"\n"),
              ElementsAre(Fields{"a", "b"}, Fields{"", ""}));
  EXPECT_THAT(records("a;\"b;c\"\n", ';'), ElementsAre(Fields{"a", "b;c"}));
  EXPECT_TRUE(records("").empty());
}

TEST_F(Csv, ARecordTellsTheLineOnWhichItBegins) {
  CsvReader reader(write("a,b\n\n\"x\ny\",1\nz,2\n"), ',');
  Fields fields;
  std::vector<int64_t> lines;
  while (reader.next(fields)) lines.push_back(reader.line());
  EXPECT_THAT(lines, ElementsAre(1, 3, 5));
}

TEST_F(Csv, RecordsLongerThanABlockAreWhole) {
  const std::string field(100'000, 'x');
  EXPECT_THAT(records(field + ",\"" + field + "\"\n1,2\n"),
              ElementsAre(Fields{field, field}, Fields{"1", "2"}));
}

TEST_F(Csv, BrokenQuotesAreErrorsWithTheirLine) {
  EXPECT_THAT(data_error_of([&] { records("a,b\n1,x\"y\"\n"); }), HasSubstr("line 2: "));
  EXPECT_THAT(data_error_of([&] { records("a,b\n\"1,2\n3,4\n"); }),
              HasSubstr("line 2: a quoted field of the record that begins here has no end"));
  EXPECT_THAT(data_error_of([&] { records(std::string(17 << 20, 'x')); }),
              HasSubstr("a record of more than 16 MiB"));
}

TEST_F(CsvTable, NumbersAreStandardisedAndWordsAreOneAmongZeros) {
  const auto dataset = load("size,colour,y\n1,red,0.5\n3,blue,2.5\n", whole_);
  EXPECT_EQ(dataset->classes, 0);
  EXPECT_TRUE(at::allclose(dataset->train.inputs,
                           at::tensor({-1.f, 0.f, 1.f, 1.f, 1.f, 0.f}).view({2, 3})));
  EXPECT_TRUE(at::allclose(dataset->train.targets, at::tensor({-1.f, 1.f}).view({2, 1})));
  EXPECT_EQ(
      dataset->about.at("columns"),
      R"([{"name":"size","mean":2.0,"deviation":1.0},{"name":"colour","words":["blue","red"]}])");
  EXPECT_EQ(dataset->about.at("target"), R"({"name":"y","mean":1.5,"deviation":1.0})");
  EXPECT_FALSE(dataset->test.inputs.defined());
}

TEST_F(CsvTable, AConstantColumnIsZero) {
  const auto dataset = load("a,b,y\n0.1,1,x\n0.1,2,y\n0.1,3,x\n", whole_);
  EXPECT_LT(dataset->train.inputs.select(1, 0).abs().max().item<double>(), 1e-12);
}

TEST_F(CsvTable, WordsAndFewWholeNumbersAreClassesInTheirOrder) {
  const auto words = load("x,y\n1,dog\n2,cat\n3,dog\n", whole_);
  EXPECT_EQ(words->classes, 2);
  EXPECT_TRUE(words->train.targets.equal(at::tensor({1, 0, 1}, at::kLong)));
  EXPECT_EQ(words->about.at("class_names"), R"(["cat","dog"])");
  const auto numbers = load("x,y\n1,10\n2,9\n3,-2\n", whole_);
  EXPECT_EQ(numbers->about.at("class_names"), R"(["-2","9","10"])");
  EXPECT_TRUE(numbers->train.targets.equal(at::tensor({2, 1, 0}, at::kLong)));
}

TEST_F(CsvTable, ManyWholeNumbersAreARegressionUnlessTheTaskSaysOtherwise) {
  std::string text = "x,y\n";
  for (int i = 0; i < 51; ++i) text += std::to_string(i * i) + "," + std::to_string(i) + "\n";
  EXPECT_EQ(load(text, whole_)->classes, 0);
  whole_.task = CsvTask::classes;
  EXPECT_EQ(load(text, whole_)->classes, 51);
  whole_.task = CsvTask::numbers;
  EXPECT_EQ(load("x,y\n1,0\n2,1\n", whole_)->classes, 0);
  EXPECT_THAT(error("x,y\n1,a\n2,b\n", whole_), HasSubstr("has words"));
}

TEST_F(CsvTable, ColumnsAreChosenByName) {
  whole_.target = "kind";
  whole_.leave_out = {"id"};
  whole_.words = {"zip"};
  const auto dataset = load("id,kind,zip\nq,a,10\n,b,20\n", whole_);
  EXPECT_EQ(dataset->train.inputs.sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(dataset->classes, 2);
  whole_.target = "kinds";
  try {
    load("id,kind,zip\n1,a,10\n", whole_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("dataset.target = kinds"));
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'kind'?"));
  }
}

TEST_F(Csv, TheTestSetIsDrawnOfEachClassAlikeAndTheTrainingSetStandardised) {
  std::string text = "x,y\n";
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + (i < 80 ? ",a\n" : ",b\n");
  const auto dataset = load(text);
  EXPECT_EQ(dataset->train.targets.size(0), 80);
  EXPECT_EQ(dataset->test.targets.sum().item<int64_t>(), 4);
  EXPECT_NEAR(dataset->train.inputs.mean().item<double>(), 0, 1e-6);
  EXPECT_NEAR(dataset->train.inputs.square().mean().item<double>(), 1, 1e-6);
}

TEST_F(Csv, AFileOfItsOwnIsTheTestSetWhereThereIsOne) {
  CsvOptions options;
  options.test_path = write("x,y\n5,b\n", "test.csv");
  const auto dataset = load("x,y\n1,a\n3,c\n", options);
  EXPECT_EQ(dataset->classes, 3);
  EXPECT_TRUE(at::allclose(dataset->test.inputs, at::tensor({3.f}).view({1, 1})));
  EXPECT_TRUE(dataset->test.targets.equal(at::tensor({1}, at::kLong)));
  write("y,x\nb,5\n", "test.csv");
  EXPECT_THAT(error("x,y\n1,a\n3,c\n", options), HasSubstr("line 1: its columns are not those"));
}

TEST_F(CsvTable, MistakesAreErrorsWithLineAndColumn) {
  const auto place = [&](const std::string& rows, const std::string& says) {
    EXPECT_THAT(error("a,b,y\n" + rows, whole_), HasSubstr(says)) << rows;
  };
  place("1,2,x\n1,,y\n", "line 3, column 2 ('b'): is empty");
  place("1,2,x\n1,two,y\n", "line 3, column 2 ('b'): 'two' is no number");
  place("NA,2,x\n1,2,y\n", "line 3, column 1 ('a'): '1' is a number among words");
  place("1,2,x\n1,nan,y\n", "line 3, column 2 ('b'): 'nan'; expected a number within");
  place("1,2,x\n1e101,2,y\n", "line 3, column 1 ('a'): '1e101'");
  place("1,2,x\n1,2\n", "line 3: 2 fields; expected 3, as in the header");
  place("1,2,x\n", "of one class");
  place("", "has no rows");
  EXPECT_THAT(error("", whole_), HasSubstr("is empty; expected a header"));
  EXPECT_THAT(error("a;b\n1;2\n", whole_), HasSubstr("dataset.separator"));
  EXPECT_THAT(error("a,a\n1,2\n", whole_), HasSubstr("two columns are called 'a'"));
}

TEST_F(CsvTable, TextThatIsNotUtf8IsAnErrorWithItsLine) {
  EXPECT_THAT(error("a,y\n1,x\n2,gr\xfcn\n", whole_), HasSubstr("line 3: 'gr\\xfcn' is not UTF-8"));
  EXPECT_THAT(error("gr\xf6\xdf"
                    "e,y\n1,x\n2,z\n",
                    whole_),
              HasSubstr("line 1: "));
  EXPECT_THAT(error("a,y\n1,x\n2,gr\xfcn", whole_), HasSubstr("line 3: "));  // no line break
  EXPECT_EQ(load("a,y\n1,x\n2,gr\u00fcn\n", whole_)->about.at("class_names"),
            "[\"gr\u00fcn\",\"x\"]");
}

TEST_F(CsvTable, AColumnOfTooManyWordsIsRefused) {
  std::string text = "name,y\n";
  for (int i = 0; i < 1001; ++i) text += "w" + std::to_string(i) + ",1.5\n";
  EXPECT_THAT(error(text, whole_),
              HasSubstr("line 1002, column 1 ('name'): 'w1000' is the 1001th"));
}

}  // namespace
}  // namespace apo
