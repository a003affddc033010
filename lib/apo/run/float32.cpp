#include "apo/run/float32.h"

#include <fmt/format.h>

#include <cmath>

#include "apo/base/registry.h"

namespace apo {
namespace {

class Float32Visitor : public OptionVisitor {
 public:
  explicit Float32Visitor(std::string path) : path_(std::move(path)) {}
  const std::optional<BeyondFloat32>& found() const { return found_; }

  void real(const char* key, double& value, const Range& range, const char*) override {
    check(key, value, range);
  }
  void real_or_auto(const char* key,
                    std::optional<double>& value,
                    const Range& range,
                    const char*) override {
    if (value) check(key, *value, range);
  }
  void reals(const char* key, std::vector<double>& value, const Range& each, const char*) override {
    for (const double item : value) check(key, item, each);
  }
  void interval(const char* key,
                std::optional<Range>& value,
                const Range& each,
                const char*) override {
    if (!value) return;
    check(key, value->lower, each);
    check(key, value->upper, each);
  }
  void section(const char* key,
               const char*,
               const std::function<void(OptionVisitor&)>& fields) override {
    const std::string name = key;
    if (name == "bounds" || name == "meta_optimizer" || found_) return;
    found_ = beyond_float32(path_ + name + ".", fields);
  }
  void choice(Choice& choice, const char*) override { choice.visit(*this); }
  void choices(const char*, ChoiceList& list, const char*) override {
    for (size_t i = 0; i < list.size(); ++i) list.at(i).visit(*this);
  }
  void integer(const char*, int64_t&, const Range&, const char*) override {}
  void flag(const char*, bool&, const char*) override {}
  void word(const char*, std::string&, const std::vector<std::string>&, const char*) override {}
  void words(const char*,
             std::vector<std::string>&,
             const std::vector<std::string>&,
             const char*) override {}
  void integers(const char*, std::vector<int64_t>&, const Range&, const char*) override {}
  void require(bool, const char*, const std::string&) override {}

 private:
  /// Numbers below the least normal one count as zero, for many kernels take them for it.
  void check(const char* key, double value, const Range& range) {
    constexpr double kLeast = std::numeric_limits<float>::min();
    constexpr double kMost = std::numeric_limits<float>::max();
    const bool vanishes = std::abs(value) < kLeast && !range.contains(0);
    if (found_ || (!vanishes && std::abs(value) <= kMost)) return;
    found_ = {path_ + key,
              fmt::format("single precision takes it for {}; accepted: {}, or precision: float64",
                          vanishes ? "zero" : "infinite",
                          vanishes ? ">= 1.2e-38" : "<= 3.4e38")};
  }

  std::string path_;
  std::optional<BeyondFloat32> found_;
};

}  // namespace

std::optional<BeyondFloat32> beyond_float32(const std::string& path,
                                            const std::function<void(OptionVisitor&)>& fields) {
  Float32Visitor visitor(path);
  fields(visitor);
  return visitor.found();
}

}  // namespace apo
