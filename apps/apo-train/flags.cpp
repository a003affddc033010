#include "flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "apo/base/error.h"
#include "apo/base/options.h"
#include "apo/base/text.h"
#include "apo/config/parse.h"
#include "apo/config/scalar.h"

namespace apo {
namespace {

constexpr const char* kDescription =
    "Trains a network and tunes the learning rate while it trains, by Amortized Proximal "
    "Optimization.";

constexpr const char* kFooter = R"(
Examples:
  apo-train --config mnist_mlp_sgd_apo
      train as the file says; results go to runs/mnist_mlp_sgd_apo/
  apo-train --config a.yaml --set tuner.lambda=0.01 --set optimizer.name=adam --dry-run
      change two keys; check everything and estimate the time, without training
  apo-train --config a.yaml --set 'tuner.lambda=[0.1, 0.01, 0.001]' --jobs 2
      a grid of three runs, two at a time
  apo-train --report figure.html SGD=runs/sgd runs/rmsprop runs/my_grid
      one page of any runs: a grid's folder stands for its runs

Exit codes:
  0 done           1 internal error           2 wrong usage or configuration
  3 data missing   4 diverged                 5 some runs of a grid failed
  128 + signal: interrupted, and saved)";

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::config, message);
}

/// The option that wrong usage is told to look at.
constexpr const char* kSeeHelp = "; see apo-train --help";

/// Words as the command line has them; checked and converted after parsing, for messages in the
/// style of the configuration's.
struct Words {
  std::vector<std::string> sets;
  std::string device;
  std::string seed;
  std::string threads;
  std::string run_index;
  std::string jobs;
};

CLI::Option* last(CLI::Option* option, const std::string& group) {
  return option->group(group)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void add_configuration_options(CLI::App& app, Flags& flags, Words& words) {
  const std::string group = "Experiment";
  last(app.add_option("--config", flags.config, "The experiment, a YAML file or a name in configs/")
           ->type_name("FILE"),
       group);
  app.add_option("--set", words.sets, "Override a dotted configuration key; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  last(app.add_option("--device", words.device, "Shorthand for --set device=…")
           ->type_name("auto|cpu|cuda|cuda:N"),
       group);
  last(app.add_option("--seed", words.seed, "Shorthand for --set seed=…")->type_name("N"), group);
  last(app.add_option("--threads", words.threads, "Shorthand for --set threads=…")->type_name("N"),
       group);
}

void add_run_options(CLI::App& app, Flags& flags, Words& words) {
  const std::string group = "Run";
  last(app.add_option("--output", flags.output, "Where run folders go (default: runs)")
           ->type_name("DIR"),
       group);
  CLI::Option* resume =
      app.add_flag("--resume",
                   flags.resume,
                   "Go on from the newest whole checkpoint; start anew where there is none");
  resume->group(group);
  app.add_flag("--overwrite", flags.overwrite, "Replace an existing run folder")
      ->group(group)
      ->excludes(resume);
  app.add_flag("--dry-run",
               flags.dry_run,
               "Check configuration and data, take one base and one meta step; write nothing")
      ->group(group);
  const std::string grid = "Grid";
  app.add_flag("--list-runs", flags.list_runs, "Print the grid's runs, one line each")->group(grid);
  last(app.add_option("--run-index", words.run_index, "Run only the I-th, from 0")->type_name("I"),
       grid);
  last(app.add_option(
              "--jobs", words.jobs, "Run N at a time, of a grid or a population (default: 1)")
           ->type_name("N"),
       grid);
}

void add_information_options(CLI::App& app, Flags& flags) {
  const std::string group = "Information";
  app.set_help_flag("--help,-h", "Print this text")->group(group);
  app.add_flag("--version", flags.version, "Print the versions of apo-train and LibTorch")
      ->group(group);
  app.add_flag("--print-config", flags.print_config, "Print the configuration with every default")
      ->group(group);
  app.add_flag("--list",
               flags.list,
               "Print the data sets, models, optimizers and tuners with their options")
      ->group(group);
  app.add_flag("--list-markdown", flags.list_markdown, "Print the configuration reference")
      ->group(group);
  app.add_option("--report", flags.report, "Write a page, FILE.html, of the runs in these folders")
      ->type_name("FILE [LABEL=]FOLDER ...")
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->group(group);
  last(app.add_option("--progress", flags.progress, "The progress line (default: auto)")
           ->type_name("auto|on|off"),
       group);
  last(app.add_option("--log-level", flags.log_level, "What to report (default: info)")
           ->type_name("trace|debug|info|warn|error|off"),
       group);
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

void require_nothing_left(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  if (words.empty()) return;
  const std::string word = in_one_line(words.front().substr(0, words.front().find('=')));
  if (!word.starts_with("-")) {
    const bool file = word.ends_with(".yaml");
    fail(fmt::format("unexpected argument '{}'{}",
                     word,
                     file ? fmt::format("; did you mean '--config {}'?", word) : kSeeHelp));
  }
  const std::string hint = did_you_mean(word, option_names(app));
  fail(fmt::format("unknown option '{}'{}", word, hint.empty() ? kSeeHelp : hint));
}

/// CLI11 puts two empty lines between groups.
std::string without_double_blanks(std::string text) {
  for (size_t i = 0; (i = text.find("\n\n\n", i)) != std::string::npos;) text.erase(i, 1);
  return text;
}

int64_t integer_of(const std::string& option, const std::string& text, const Range& range) {
  const ParsedNumber<int64_t> parsed = parse_integer(text);
  const bool right = parsed.error == NumberError::none;
  if (!right || !range.contains(static_cast<double>(parsed.value))) {
    fail(fmt::format("{} {}: {}",
                     option,
                     in_one_line(text),
                     right ? range.describe() : std::string("must be an integer")));
  }
  return parsed.value;
}

void require_one_of(const std::string& option,
                    const std::string& text,
                    const std::vector<std::string>& accepted) {
  if (std::find(accepted.begin(), accepted.end(), text) != accepted.end()) return;
  fail(fmt::format("{} {}: must be {}{}",
                   option,
                   in_one_line(text),
                   list_or(accepted),
                   did_you_mean(text, accepted)));
}

Override override_of(const std::string& set) {
  const size_t equals = set.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail(fmt::format("--set {}: must be KEY=VALUE", in_one_line(set)));
  }
  return {set.substr(0, equals), set.substr(equals + 1), "--set " + set};
}

/// In the order of the command line, so that the last word on a key is the one that counts.
std::vector<Override> overrides_of(const CLI::App& app) {
  std::vector<Override> overrides;
  std::map<const CLI::Option*, size_t> seen;
  for (const CLI::Option* option : app.parse_order()) {
    const std::string name = option->get_single_name();
    const bool is_set = name == "set";
    if (!is_set && name != "device" && name != "seed" && name != "threads") continue;
    const std::string value = option->results().at(seen[option]++);
    overrides.push_back(is_set ? override_of(value)
                               : Override{name, value, fmt::format("--{} {}", name, value)});
  }
  return overrides;
}

/// CLI11's complaint in our words: what remains wrong here is nearly always a missing value.
[[noreturn]] void fail_by(const CLI::ParseError& error) {
  const std::string message = error.what();
  const std::string option = message.substr(0, message.find(':'));
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) {
    fail("--resume and --overwrite: accepted: one of them");
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && option.starts_with("--")) {
    fail(fmt::format("option '{}' needs a value{}", option, kSeeHelp));
  }
  fail(in_one_line(message) + kSeeHelp);
}

}  // namespace

Flags parse_flags(int argc, const char* const* argv) {
  Flags flags;
  Words words;
  CLI::App app(kDescription, "apo-train");
  app.allow_extras();
  app.footer(kFooter);
  add_configuration_options(app, flags, words);
  add_run_options(app, flags, words);
  add_information_options(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    flags.help = without_double_blanks(app.help());
    return flags;
  } catch (const CLI::ParseError& error) {
    fail_by(error);
  }
  require_nothing_left(app);
  const bool informs = flags.version || flags.list || flags.list_markdown || !flags.report.empty();
  if (flags.config.empty() && !informs) fail(std::string("--config FILE is needed") + kSeeHelp);
  if (!words.run_index.empty()) {
    flags.run_index = integer_of("--run-index", words.run_index, Range::at_least(0));
  }
  if (!words.jobs.empty()) flags.jobs = integer_of("--jobs", words.jobs, Range::between(1, 1024));
  require_one_of("--progress", flags.progress, {"auto", "on", "off"});
  require_one_of(
      "--log-level", flags.log_level, {"trace", "debug", "info", "warn", "error", "off"});
  flags.overrides = overrides_of(app);
  return flags;
}

Existing Flags::existing() const {
  if (resume) return Existing::resume;
  return overwrite ? Existing::replace : Existing::refuse;
}

void apply_overrides(const Flags& flags, Document& document) {
  for (const auto& [key, value, place] : flags.overrides) document.set(key, value, place);
}

}  // namespace apo
