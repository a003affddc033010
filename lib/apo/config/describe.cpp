#include "apo/config/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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
  /// `around`: the families of the lists that the section is in.
  DescribeVisitor(SectionDescription& section, std::vector<const void*> around)
      : section_(section), around_(std::move(around)) {}

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
    add_section(key, help, around_, fields);
  }
  void choice(Choice& choice, const char* help) override {
    const std::string standard = choice.name();
    const std::vector<std::string> names = choice.names();
    add({"name", "string", standard, fmt::format("{}", fmt::join(names, ", ")), help});
    for (const std::string& name : names) {
      choice.select(name);
      section_.members.push_back({name, choice.help(name), below(around_, [&](OptionVisitor& own) {
                                    choice.visit(own);
                                  })});
    }
    choice.select(standard);
  }
  /// The family is described once, where the outermost of its lists is.
  void choices(const char* key, ChoiceList& list, const char* help) override {
    std::vector<std::string> standard;
    standard.reserve(list.size());
    for (size_t i = 0; i < list.size(); ++i) standard.push_back(list.at(i).name());
    const std::unique_ptr<Choice> any = list.any();
    add({key,
         "list",
         fmt::format("[{}]", fmt::join(standard, ", ")),
         fmt::format("{}", fmt::join(any->names(), ", ")),
         help});
    if (std::find(around_.begin(), around_.end(), list.family()) != around_.end()) return;
    std::vector<const void*> around = around_;
    around.push_back(list.family());
    const std::string item = fmt::format("{}[]", key);
    add_section(item, help, around, [&](OptionVisitor& each) { each.choice(*any, "which it is"); });
  }
  void require(bool, const char*, const std::string&) override {}

 private:
  using Fields = std::function<void(OptionVisitor&)>;

  void add(OptionDescription option) { section_.options.push_back(std::move(option)); }

  static SectionDescription below(const std::vector<const void*>& around, const Fields& fields) {
    SectionDescription section;
    DescribeVisitor visitor(section, around);
    fields(visitor);
    return section;
  }

  void add_section(const std::string& key,
                   const char* help,
                   const std::vector<const void*>& around,
                   const Fields& fields) {
    SectionDescription section = below(around, fields);
    section.key = key;
    section.help = help;
    section_.sections.push_back(std::move(section));
  }

  SectionDescription& section_;
  std::vector<const void*> around_;
};

}  // namespace

SectionDescription describe(const std::function<void(OptionVisitor&)>& fields) {
  SectionDescription section;
  DescribeVisitor visitor(section, {});
  fields(visitor);
  return section;
}

}  // namespace apo
