#include "overrides.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>

#include "apo/base/error.h"
#include "apo/config/characters.h"
#include "apo/run/experiment.h"

namespace apo {
namespace {

/// The options that set the key of their name.
constexpr std::array<std::string_view, 3> kShorthands = {"--device", "--seed", "--threads"};

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::config, message);
}

/// `words` says KEY=VALUE.
Override assignment(const std::string& words, const std::string& place) {
  const size_t equals = words.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail(in_one_line(place) + ": must be KEY=VALUE");
  }
  return {words.substr(0, equals), words.substr(equals + 1), place};
}

bool is_key(const std::string& option) {
  if (!option.starts_with("--")) return false;
  const std::string key = option.substr(2);
  if (key.find('.') != std::string::npos) return true;
  const std::vector<std::string> keys = top_level_keys();
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// Goes through the words once, from the first.
class Splitter {
 public:
  Splitter(const std::vector<std::string>& words, const CLI::App& app) : words_(words), app_(app) {}

  Arguments split() {
    while (next_ < words_.size() && words_[next_] != "--") take();
    while (next_ < words_.size()) pass_on();
    return std::move(arguments_);
  }

 private:
  void take() {
    const std::string word = words_[next_];
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (!word.starts_with("-")) {
      if (equals == std::string::npos || equals == 0) return pass_on();
      arguments_.overrides.push_back(assignment(word, word));
      ++next_;
    } else if (name == "--set") {
      const std::string set = value(name, equals);
      arguments_.overrides.push_back(assignment(set, "--set " + set));
    } else if (std::find(kShorthands.begin(), kShorthands.end(), name) != kShorthands.end()) {
      const std::string given = value(name, equals);
      arguments_.overrides.push_back({name.substr(2), given, fmt::format("{} {}", name, given)});
    } else if (const CLI::Option* option = app_.get_option_no_throw(name)) {
      pass_on();
      if (equals == std::string::npos) pass_on_values(*option);
    } else if (is_key(name)) {
      // A value never begins so, and the next option is not to be taken for it.
      if (equals == std::string::npos && next_ + 1 < words_.size() &&
          words_[next_ + 1].starts_with("--")) {
        fail_without_value(name);
      }
      const std::string given = value(name, equals);
      const char between = equals == std::string::npos ? ' ' : '=';
      arguments_.overrides.push_back(
          {name.substr(2), given, fmt::format("{}{}{}", name, between, given)});
    } else {
      pass_on();
    }
  }

  [[noreturn]] static void fail_without_value(const std::string& name) {
    fail(fmt::format("option '{}' needs a value; see apo-train --help", in_one_line(name)));
  }

  /// The value of the option at hand: behind its '=', or the next word.
  std::string value(const std::string& name, size_t equals) {
    const std::string& word = words_[next_++];
    if (equals != std::string::npos) return word.substr(equals + 1);
    if (next_ == words_.size()) fail_without_value(name);
    return words_[next_++];
  }

  void pass_on() { arguments_.others.push_back(words_[next_++]); }

  /// As many as CLI11 takes.
  void pass_on_values(const CLI::Option& option) {
    const int needed = option.get_items_expected_min();
    const int most = option.get_items_expected_max();
    for (int i = 0; i < most && next_ < words_.size(); ++i) {
      if (i >= needed && words_[next_].starts_with("-")) break;
      pass_on();
    }
  }

  const std::vector<std::string>& words_;
  const CLI::App& app_;
  size_t next_ = 0;
  Arguments arguments_;
};

}  // namespace

Arguments split_arguments(const std::vector<std::string>& words, const CLI::App& app) {
  return Splitter(words, app).split();
}

std::vector<std::string> top_level_keys() {
  const SectionDescription top = describe_experiment();
  std::vector<std::string> keys;
  keys.reserve(top.options.size() + top.sections.size());
  for (const OptionDescription& option : top.options) keys.push_back(option.key);
  for (const SectionDescription& section : top.sections) keys.push_back(section.key);
  return keys;
}

}  // namespace apo
