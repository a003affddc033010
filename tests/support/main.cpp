#include <ATen/Context.h>
#include <gmock/gmock.h>

namespace {

/// Modules draw their first weights from ATen's own generator, whose seed is another at every
/// start of a program: a test of a network would be another test each time.
class SeedsBeforeEveryTest : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { at::manual_seed(1); }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new SeedsBeforeEveryTest);
  return RUN_ALL_TESTS();
}
