#include "apo/base/regular_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "apo/base/files.h"
#include "apo/base/mapped_file.h"
#include "apo/base/safetensors.h"
#include "apo/data/files.h"
#include "apo/data/picture.h"
#include "apo/run/weights_file.h"
#include "apo/trace/read_trace.h"
#include "support/files.h"

namespace apo {
namespace {

using test::data_error_of;
using testing::HasSubstr;

TEST(RegularFile, IsWhatMayBeReadAndWhatIsNotThereIsLeftToItsReader) {
  const test::TemporaryFolder folder;
  test::write_file(folder / "file", {1});
  EXPECT_NO_THROW(require_regular(folder / "file"));
  EXPECT_NO_THROW(require_regular(folder / "absent"));
  EXPECT_THAT(data_error_of([&] { require_regular(folder.path()); }), HasSubstr("a folder"));
  EXPECT_THAT(data_error_of([] { require_regular("/dev/zero"); }), HasSubstr("a device"));
}

TEST(RegularFile, NoReaderWaitsForWhoWritesToANamedPipe) {
  const test::TemporaryFolder folder;
  const std::filesystem::path pipe = folder / "trace.jsonl";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  constexpr unsigned kSeconds = 20;
  ::alarm(kSeconds);  // ends the test where one waits
  const std::function<void()> readers[] = {
      [&] { read_file(pipe, 100); },
      [&] { MappedFile{pipe}; },
      [&] { read_safetensors(pipe); },
      [&] { InputFile{pipe}; },
      [&] { PictureFile{pipe}; },
      [&] { read_weights(pipe); },
      [&] { read_json(pipe); },
      [&] { last_epoch(pipe); },
      [&] { holds_trace(folder.path()); },
  };
  for (const auto& read : readers) {
    EXPECT_THAT(data_error_of(read), HasSubstr("is no file but a named pipe"));
  }
  ::alarm(0);
}

}  // namespace
}  // namespace apo
