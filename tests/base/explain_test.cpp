#include "apo/base/explain.h"

#include <gtest/gtest.h>

namespace apo {
namespace {

const std::string kBacktrace =
    "\nException raised from here at /a.cpp:1 (most recent call first):\n"
    "frame #0: c10::Error::Error(c10::SourceLocation) + 0x9d (0x7f in libc10.so)\n"
    "frame #32: <unknown function> + 0xa1b41 (0x55 in apo-train)\n";
const std::string kOfScript =
    "The following operation failed in the TorchScript interpreter.\n"
    "Traceback of TorchScript, serialized code (most recent call last):\n"
    "  File \"code/model.py\", line 3, in forward\n"
    "    _0 = torch.mm(x, x)\n"
    "         ~~~~~~~~ <--- HERE\n"
    "\n";

TEST(Explained, OfLibTorchsErrorIsTheLineBeforeItsBacktrace) {
  EXPECT_EQ(explained("shapes differ" + kBacktrace), "shapes differ");
  EXPECT_EQ(explained("shapes differ\nCheck yours" + kBacktrace), "shapes differ");
}

TEST(Explained, OfAScriptsErrorIsTheLineThatNamesItAndNeverAFrame) {
  EXPECT_EQ(explained(kOfScript + "RuntimeError: shapes differ" + kBacktrace),
            "RuntimeError: shapes differ");
  EXPECT_EQ(
      explained(kOfScript + "RuntimeError: shapes differ\nPlease file an issue.\n\n" + kBacktrace),
      "RuntimeError: shapes differ");
  EXPECT_EQ(explained(kOfScript + "builtins.ValueError: needs one\n"),
            "builtins.ValueError: needs one");
  EXPECT_EQ(explained(kOfScript + "something else\n"), "something else");
}

TEST(Explained, AnOperationWithoutForwardModeIsNamedWithTheSettingThatWantsIt) {
  const std::string said = explained(
      kOfScript +
      "NotImplementedError: Trying to use forward AD with odd_layer that does not support it "
      "because it has not been implemented yet.\nPlease file an issue." +
      kBacktrace);
  EXPECT_NE(said.find("tuner.solver = exact"), std::string::npos) << said;
  EXPECT_NE(said.find("odd_layer"), std::string::npos) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
}

TEST(Explained, MemoryIsToldFromAnythingElse) {
  const std::string said =
      explained("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1 GiB" + kBacktrace);
  EXPECT_NE(said.find("out of memory on the device: 2.00 GiB"), std::string::npos) << said;
}

}  // namespace
}  // namespace apo
