#include "completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>
#include <utility>

#include "apo/config/find.h"
#include "apo/config/folders.h"
#include "apo/config/scalar.h"
#include "apo/run/experiment.h"

namespace apo {
namespace {

using Words = std::vector<std::string>;

/// `before` is the word whose value is wanted; '=' is a word of its own, for bash.
constexpr std::string_view kBash =
    R"(# Completes apo-train in bash. For this shell: source <(apo-train --completion bash)
_apo_train() {
  local options='@options@'
  local keys='@keys@'
  local values='@values@'
  local configs='@configs@'
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} equals='' dashes='' pair
  if [[ $current == = ]]; then
    current='' equals=1
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]} equals=1
  fi
  COMPREPLY=()
  case $before in
    @config_options@)
      mapfile -t COMPREPLY < <(compgen -W "$configs" -- "$current"; compgen -f -X '!*.yaml' -- "$current"; compgen -d -- "$current")
      compopt -o filenames 2>/dev/null
      return
      ;;
    @folder_options@) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    @file_options@) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    @free_options@) return ;;
  esac
  for pair in $values; do
    if [[ $pair == "${before#--}=$current"* ]]; then COMPREPLY+=("${pair#*=}"); fi
  done
  if [[ ${#COMPREPLY[@]} -gt 0 || ($before != --set && -n $equals) || $before == --*.* ]]; then
    return
  elif [[ $current == -* && $current != *.* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  else
    if [[ $current == --* ]]; then dashes=--; fi
    mapfile -t COMPREPLY < <(compgen -P "$dashes" -S = -W "$keys" -- "${current#--}")
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _apo_train apo-train
)";

constexpr std::string_view kZsh =
    R"(#compdef apo-train
# Completes apo-train in zsh: apo-train --completion zsh > FOLDER/_apo-train, for a folder of $fpath
_apo_train_keys() {
  local pairs=(@pairs@)
  compadd -S '' -a pairs
}
_apo_train_configs() {
  local configs=(@configs@)
  compadd -a configs
  _files -g '*.yaml'
}
_arguments@zsh_options@ \
  '*:key=value:_apo_train_keys'
)";

constexpr std::string_view kFish =
    R"(# Completes apo-train in fish: apo-train --completion fish > ~/.config/fish/completions/apo-train.fish
complete -c apo-train -f -a '@pairs@'
@fish_options@)";

/// What an option takes, by how its type is written; the words of one that takes a choice.
enum class Takes { nothing, anything, choice, key, config, folder, file };

Takes taken_by(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return Takes::nothing;
  const std::string type = option.get_type_name();
  if (type == "KEY=VALUE") return Takes::key;
  if (type == "NAME" || option.check_lname("config")) return Takes::config;
  if (type.find("FILE") != std::string::npos) return Takes::file;
  if (type == "DIR" || type == "FOLDER") return Takes::folder;
  return type.find('|') != std::string::npos ? Takes::choice : Takes::anything;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t i = 0; (i = text.find(from, i)) != std::string::npos; i += to.size()) {
    text.replace(i, from.size(), to);
  }
  return text;
}

/// Words of letters, digits and signs that mean nothing to a shell: others are not offered.
bool is_harmless(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._=+-:").find(c) != std::string_view::npos;
  });
}

void add(const std::string& word, Words& words) {
  const bool is_new = std::find(words.begin(), words.end(), word) == words.end();
  if (is_new && is_harmless(word)) words.push_back(word);
}

/// What is completed from lists.
struct Lists {
  Words options;
  Words keys;    ///< dotted
  Words values;  ///< "optimizer.name=adam", "progress=auto": of keys and options of fixed words
  Words configs;
  std::map<Takes, Words> takers;  ///< the options that take something, by what
};

void add_keys(const SectionDescription& section, const std::string& path, Lists& lists) {
  for (const OptionDescription& option : section.options) {
    const std::string key = path + option.key;
    add(key, lists.keys);
    if (option.type != "string" || option.accepted.empty()) continue;
    for (const std::string& word : CLI::detail::split(replaced(option.accepted, ", ", ","), ',')) {
      add(fmt::format("{}={}", key, word), lists.values);
    }
  }
  for (const auto& member : section.members) add_keys(member.own, path, lists);
  for (const SectionDescription& below : section.sections) {
    add_keys(below, fmt::format("{}{}.", path, below.key), lists);
  }
}

Lists lists_of(const CLI::App& app) {
  Lists lists;
  for (const CLI::Option* option : app.get_options()) {
    const std::string& name = option->get_lnames().front();
    lists.options.push_back("--" + name);
    lists.takers[taken_by(*option)].push_back("--" + name);
    if (taken_by(*option) != Takes::choice) continue;
    for (const std::string& word : CLI::detail::split(option->get_type_name(), '|')) {
      add(fmt::format("{}={}", name, word), lists.values);
    }
  }
  add_keys(describe_experiment(), "", lists);
  for (const auto& folder : config_folders(this_executable())) {
    for (const std::string& name : config_names(folder)) add(name, lists.configs);
  }
  return lists;
}

/// Keys with the '=' behind them, those of fixed words with these: for shells that do not break
/// words at '='.
std::string pairs_of(const Lists& lists) {
  Words pairs;
  for (const std::string& key : lists.keys) {
    const size_t before = pairs.size();
    for (const std::string& value : lists.values) {
      if (value.starts_with(key + "=")) pairs.push_back(value);
    }
    if (pairs.size() == before) pairs.push_back(key + "=");
  }
  return fmt::format("{}", fmt::join(pairs, " "));
}

/// A line for _arguments.
std::string zsh_option(const CLI::Option& option) {
  static const std::map<Takes, std::string> actions = {{Takes::anything, " "},
                                                       {Takes::key, "_apo_train_keys"},
                                                       {Takes::config, "_apo_train_configs"},
                                                       {Takes::folder, "_files -/"},
                                                       {Takes::file, "_files"}};
  const Takes takes = taken_by(option);
  std::string action;
  if (takes == Takes::choice) {
    action = fmt::format("({})", replaced(replaced(option.get_type_name(), "|", " "), ":", "\\:"));
  } else if (takes != Takes::nothing) {
    action = actions.at(takes);
  }
  std::string help = option.get_description();
  for (const char* special : {"[", "]", ":"}) {
    help = replaced(help, special, fmt::format("\\{}", special));
  }
  return fmt::format(" \\\n  '{}--{}[{}]{}'",
                     takes == Takes::key ? "*" : "",
                     option.get_lnames().front(),
                     replaced(help, "'", "'\\''"),
                     action.empty() ? "" : fmt::format(":value:{}", action));
}

std::string fish_option(const CLI::Option& option, const Lists& lists) {
  const Takes takes = taken_by(option);
  std::string flags;
  if (takes == Takes::anything) flags = " -x";
  if (takes == Takes::choice) {
    flags = fmt::format(" -x -a '{}'", replaced(option.get_type_name(), "|", " "));
  }
  if (takes == Takes::key) flags = fmt::format(" -x -a '{}'", pairs_of(lists));
  if (takes == Takes::config) {
    flags = fmt::format(" -r -F -a '{}'", fmt::join(lists.configs, " "));
  }
  if (takes == Takes::folder) flags = " -x -a '(__fish_complete_directories)'";
  if (takes == Takes::file) flags = " -r -F";
  return fmt::format("complete -c apo-train -l {}{} -d '{}'\n",
                     option.get_lnames().front(),
                     flags,
                     replaced(option.get_description(), "'", "\\'"));
}

std::string filled(std::string_view script, const CLI::App& app) {
  Lists lists = lists_of(app);
  std::string zsh_options;
  std::string fish_options;
  for (const CLI::Option* option : app.get_options()) {
    zsh_options += zsh_option(*option);
    fish_options += fish_option(*option, lists);
  }
  const std::pair<std::string_view, std::string> parts[] = {
      {"@options@", fmt::format("{}", fmt::join(lists.options, " "))},
      {"@keys@", fmt::format("{}", fmt::join(lists.keys, " "))},
      {"@values@", fmt::format("{}", fmt::join(lists.values, " "))},
      {"@configs@", fmt::format("{}", fmt::join(lists.configs, " "))},
      {"@pairs@", pairs_of(lists)},
      {"@config_options@", fmt::format("{}", fmt::join(lists.takers[Takes::config], " | "))},
      {"@folder_options@", fmt::format("{}", fmt::join(lists.takers[Takes::folder], " | "))},
      {"@file_options@", fmt::format("{}", fmt::join(lists.takers[Takes::file], " | "))},
      {"@free_options@", fmt::format("{}", fmt::join(lists.takers[Takes::anything], " | "))},
      {"@zsh_options@", zsh_options},
      {"@fish_options@", fish_options}};
  std::string text(script);
  for (const auto& [name, part] : parts) text = replaced(text, name, part);
  return text;
}

}  // namespace

std::string completion(const CLI::App& app, const std::string& shell) {
  require_one_of("--completion", shell, {"bash", "zsh", "fish"});
  if (shell == "bash") return filled(kBash, app);
  return filled(shell == "zsh" ? kZsh : kFish, app);
}

}  // namespace apo
