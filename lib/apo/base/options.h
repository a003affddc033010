// Options are plain structs with defaults; each describes its fields once, to a visitor.
// Reading YAML, printing the resolved configuration, listing and documentation are visitors.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace apo {

/// The accepted values of a number. A bound is inclusive unless `open`.
struct Range {
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();
  bool lower_open = false;
  bool upper_open = false;

  static Range any() { return {}; }
  static Range at_least(double bound) { return {.lower = bound}; }
  static Range above(double bound) { return {.lower = bound, .lower_open = true}; }
  static Range between(double lower, double upper) { return {.lower = lower, .upper = upper}; }
  /// lower ≤ value < upper, as decay factors need.
  static Range half_open(double lower, double upper) {
    return {.lower = lower, .upper = upper, .upper_open = true};
  }

  /// False for NaN and for infinities.
  bool contains(double value) const;
  /// "must be >= 0", "must be > 0 and <= 1"; "must be a finite number" without bounds.
  std::string describe() const;
};

class Choice;
class ChoiceList;

/// Visits the fields of an options struct in their order. `key` is the configuration key, `help`
/// one line. A reading visitor assigns the references; the others only look at them.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void real(const char* key, double& value, const Range& range, const char* help) = 0;
  /// A number or the word `auto`, which is nullopt.
  virtual void real_or_auto(const char* key,
                            std::optional<double>& value,
                            const Range& range,
                            const char* help) = 0;
  virtual void integer(const char* key, int64_t& value, const Range& range, const char* help) = 0;
  virtual void flag(const char* key, bool& value, const char* help) = 0;
  /// A string; one of `accepted` unless that is empty.
  virtual void word(const char* key,
                    std::string& value,
                    const std::vector<std::string>& accepted,
                    const char* help) = 0;
  virtual void words(const char* key,
                     std::vector<std::string>& value,
                     const std::vector<std::string>& accepted,
                     const char* help) = 0;
  virtual void integers(const char* key,
                        std::vector<int64_t>& value,
                        const Range& each,
                        const char* help) = 0;
  virtual void reals(const char* key,
                     std::vector<double>& value,
                     const Range& each,
                     const char* help) = 0;
  /// Two numbers, [lower, upper], both accepted by `each`; nullopt where the key is absent.
  virtual void interval(const char* key,
                        std::optional<Range>& value,
                        const Range& each,
                        const char* help) = 0;
  /// A nested mapping.
  virtual void section(const char* key,
                       const char* help,
                       const std::function<void(OptionVisitor&)>& fields) = 0;
  /// The key `name`, which selects a member of a family, then that member's own options beside it.
  virtual void choice(Choice& choice, const char* help) = 0;
  /// A condition between fields. Where a reader finds it false, it is an error at `key`:
  /// *key: message*. The other visitors pass over it.
  virtual void require(bool holds, const char* key, const std::string& message) = 0;
  /// A list of members of a family, each a mapping as a choice is; or its name alone, where the
  /// member's options stay as they are.
  virtual void choices(const char* key, ChoiceList& list, const char* help) = 0;

  /// A word that stands for a value of an enum. `words`: each value, `value` among them, with its
  /// word, as they are listed.
  template <class Enum>
  void one_of(const char* key,
              Enum& value,
              const std::vector<std::pair<const char*, Enum>>& words,
              const char* help) {
    std::string word;
    std::vector<std::string> accepted;
    for (const auto& [name, meaning] : words) {
      accepted.emplace_back(name);
      if (meaning == value) word = name;
    }
    this->word(key, word, accepted, help);
    for (const auto& [name, meaning] : words) {
      if (word == name) value = meaning;
    }
  }
};

/// For members without options.
struct NoOptions {
  void visit(OptionVisitor&) {}
};

}  // namespace apo
