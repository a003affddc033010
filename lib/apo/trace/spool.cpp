#include "apo/trace/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "apo/base/files.h"

namespace apo {
namespace {

constexpr size_t kWaiting = 8192;  // bytes of each text

}  // namespace

Spool::Spool(std::filesystem::path target) : target_(std::move(target)) {
  // A name of the run's own, should the process end between the two calls.
  const std::string name = (target_.parent_path() / "trace.jsonl.tmp").string();
  file_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file_ < 0) fail_writing(target_);
  ::unlink(name.c_str());
}

Spool::~Spool() {
  ::close(file_);
}

void Spool::append(Text& text, std::string_view more) {
  text.waiting += more;
  if (text.waiting.size() < kWaiting) return;
  if (!write_all(file_, text.waiting.data(), text.waiting.size())) fail_writing(target_);
  const auto size = static_cast<int64_t>(text.waiting.size());
  text.parts.emplace_back(bytes_, size);
  bytes_ += size;
  text.waiting.clear();
}

void Spool::read(const Text& text, const std::function<void(std::string_view)>& take) const {
  std::string part;
  for (const auto& [begin, size] : text.parts) {
    part.resize(static_cast<size_t>(size));
    for (size_t done = 0; done < part.size();) {
      const ssize_t count = ::pread(
          file_, part.data() + done, part.size() - done, begin + static_cast<int64_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count == 0) errno = EIO;
      if (count <= 0) fail_writing(target_);
      done += static_cast<size_t>(count);
    }
    take(part);
  }
  take(text.waiting);
}

}  // namespace apo
