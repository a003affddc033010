#include "apo/config/describe.h"

#include <fmt/format.h>

#include "apo/base/registry.h"

namespace apo {
namespace {

std::string accepted_by(const Range& range) {
  const std::string text = range.describe();
  constexpr std::string_view kMust = "must be ";
  return text.starts_with(kMust) && text != Range::any().describe() ? text.substr(kMust.size())
                                                                    : "";
}

class DescribeVisitor : public OptionVisitor {
 public:
  explicit DescribeVisitor(SectionDescription& section) : section_(section) {}

  void real(const char* key, double& value, const Range& range, const char* help) override {
    add({key, "number", fmt::format("{}", value), accepted_by(range), help});
  }
  void real_or_auto(const char* key,
                    std::optional<double>& value,
                    const Range& range,
                    const char* help) override {
    const std::string standard = value ? fmt::format("{}", *value) : "auto";
    add({key, "number or auto", standard, accepted_by(range), help});
  }
  void integer(const char* key, int64_t& value, const Range& range, const char* help) override {
    add({key, "integer", fmt::format("{}", value), accepted_by(range), help});
  }
  void flag(const char* key, bool& value, const char* help) override {
    add({key, "true or false", fmt::format("{}", value), "", help});
  }
  void word(const char* key,
            std::string& value,
            const std::vector<std::string>& accepted,
            const char* help) override {
    add({key, "string", value, fmt::format("{}", fmt::join(accepted, ", ")), help});
  }
  void words(const char* key,
             std::vector<std::string>& value,
             const std::vector<std::string>& accepted,
             const char* help) override {
    add({key,
         "list of strings",
         fmt::format("[{}]", fmt::join(value, ", ")),
         fmt::format("{}", fmt::join(accepted, ", ")),
         help});
  }
  void integers(const char* key,
                std::vector<int64_t>& value,
                const Range& each,
                const char* help) override {
    add({key,
         "list of integers",
         fmt::format("[{}]", fmt::join(value, ", ")),
         accepted_by(each),
         help});
  }
  void reals(const char* key,
             std::vector<double>& value,
             const Range& each,
             const char* help) override {
    add({key,
         "list of numbers",
         fmt::format("[{}]", fmt::join(value, ", ")),
         accepted_by(each),
         help});
  }
  void interval(const char* key,
                std::optional<Range>& value,
                const Range& each,
                const char* help) override {
    const std::string standard = value ? fmt::format("[{}, {}]", value->lower, value->upper) : "";
    add({key, "[lower, upper]", standard, accepted_by(each), help});
  }
  void section(const char* key,
               const char* help,
               const std::function<void(OptionVisitor&)>& fields) override {
    SectionDescription below = describe(fields);
    below.key = key;
    below.help = help;
    section_.sections.push_back(std::move(below));
  }
  void choice(Choice& choice, const char* help) override {
    const std::string standard = choice.name();
    const std::vector<std::string> names = choice.names();
    add({"name", "string", standard, fmt::format("{}", fmt::join(names, ", ")), help});
    for (const std::string& name : names) {
      choice.select(name);
      section_.members.push_back(
          {name, choice.help(name), describe([&](OptionVisitor& own) { choice.visit(own); })});
    }
    choice.select(standard);
  }
  void require(bool, const char*, const std::string&) override {}

 private:
  void add(OptionDescription option) { section_.options.push_back(std::move(option)); }

  SectionDescription& section_;
};

}  // namespace

SectionDescription describe(const std::function<void(OptionVisitor&)>& fields) {
  SectionDescription section;
  DescribeVisitor visitor(section);
  fields(visitor);
  return section;
}

}  // namespace apo
