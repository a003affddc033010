#include <gmock/gmock.h>

#include "apo/data/dataset.h"
#include "support/files.h"
#include "support/registry_names.h"

namespace apo {
namespace {

using DatasetChoice = ChoiceOf<Dataset, const DataRequest&>;

class Datasets : public testing::TestWithParam<std::string> {};

/// Whether the set is the user's own: in files that the configuration names.
bool is_own(const std::string& name) {
  return name == "tensors" || name == "csv" || name == "text" || name == "folder";
}

/// Either it needs no files, or it says which are missing and how to get them.
TEST_P(Datasets, LoadFromNothingOrSayWhatIsMissing) {
  const test::TemporaryFolder root;
  DataRequest request;
  request.root = root.path();
  const DatasetChoice choice(datasets(), GetParam());
  EXPECT_FALSE(choice.help(GetParam()).empty());
  try {
    const auto dataset = choice.make(request);
    EXPECT_EQ(dataset->train.inputs.size(0), dataset->train.targets.size(0));
    EXPECT_EQ(dataset->test.inputs.size(0), dataset->test.targets.size(0));
    EXPECT_EQ(dataset->train.inputs.scalar_type(), at::kByte);
    EXPECT_LT(dataset->train.targets.max().item<int64_t>(), dataset->classes);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    if (is_own(GetParam())) return;
    EXPECT_THAT(error.what(), testing::HasSubstr("missing files of " + GetParam()));
    EXPECT_THAT(error.what(), testing::HasSubstr("scripts/download_data.sh " + GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         Datasets,
                         testing::ValuesIn(test::names(datasets())),
                         test::test_name);

}  // namespace
}  // namespace apo
