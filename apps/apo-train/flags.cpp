#include "flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "apo/base/error.h"
#include "apo/base/options.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
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

/// The options of a group of --help.
class Group {
 public:
  Group(CLI::App& app, const char* name) : app_(app), name_(name) {}

  /// Takes one word; of several the last.
  void word(const char* option, std::string& value, const char* type, const char* help) {
    CLI::Option* added = app_.add_option(option, value, help)->type_name(type)->group(name_);
    added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  CLI::Option* words(const char* option,
                     std::vector<std::string>& values,
                     const char* type,
                     const char* help) {
    return app_.add_option(option, values, help)->type_name(type)->group(name_);
  }
  CLI::Option* flag(const char* option, bool& value, const char* help) {
    return app_.add_flag(option, value, help)->group(name_);
  }

 private:
  CLI::App& app_;
  const char* name_;
};

void add_options(CLI::App& app, Flags& flags, Words& words) {
  Group experiment(app, "Experiment");
  experiment.word(
      "--config", flags.config, "FILE", "The experiment, a YAML file or a name in configs/");
  experiment
      .words("--set", words.sets, "KEY=VALUE", "Override a dotted configuration key; repeatable")
      ->allow_extra_args(false);
  experiment.word("--device", words.device, "auto|cpu|cuda|cuda:N", "Shorthand for --set device=…");
  experiment.word("--seed", words.seed, "N", "Shorthand for --set seed=…");
  experiment.word("--threads", words.threads, "N", "Shorthand for --set threads=…");

  Group run(app, "Run");
  run.word("--output", flags.output, "DIR", "Where run folders go (default: runs)");
  CLI::Option* resume =
      run.flag("--resume",
               flags.resume,
               "Go on from the newest whole checkpoint; start anew where there is none");
  run.flag("--overwrite", flags.overwrite, "Replace an existing run folder")->excludes(resume);
  run.flag("--dry-run",
           flags.dry_run,
           "Check configuration and data, take one base and one meta step; write nothing");

  Group grid(app, "Grid");
  grid.flag("--list-runs", flags.list_runs, "Print the grid's runs, one line each");
  grid.word("--run-index", words.run_index, "I", "Run only the I-th, from 0");
  grid.word("--jobs", words.jobs, "N", "Run N at a time, of a grid or a population (default: 1)");

  Group use(app, "Use");
  use.word("--evaluate",
           flags.evaluate,
           "FOLDER|FILE",
           "Print what the model of a run, or of a model.safetensors, reaches on its test set");
  use.word("--predict",
           flags.predict,
           "FOLDER|FILE",
           "Print its labels and probabilities as CSV, a line for each example");
  use.word(
      "--part", flags.part, "train|validation|test", "Which part of the data set (default: test)");
  use.word("--on",
           flags.on,
           "FILE",
           "Predict for the tensor 'inputs' of a safetensors file, in place of a data set");
  use.flag("--json", flags.json, "Print as JSON; predictions as an object a line");

  Group information(app, "Information");
  app.set_help_flag("--help,-h", "Print this text")->group("Information");
  information.flag("--version", flags.version, "Print the versions of apo-train and LibTorch");
  information.flag(
      "--print-config", flags.print_config, "Print the configuration with every default");
  information.flag("--list",
                   flags.list,
                   "Print the data sets, models, optimizers and tuners with their options");
  information.flag("--list-markdown", flags.list_markdown, "Print the configuration reference");
  information
      .words("--report",
             flags.report,
             "FILE [LABEL=]FOLDER ...",
             "Write a page, FILE.html, of the runs in these folders")
      ->expected(1, CLI::detail::expected_max_vector_size);
  information.word(
      "--progress", flags.progress, "auto|on|off", "The progress line (default: auto)");
  information.word("--log-level",
                   flags.log_level,
                   "trace|debug|info|warn|error|off",
                   "What to report (default: info)");
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

void check_use(const Flags& flags) {
  if (!flags.uses_model()) {
    const bool alone = !flags.part.empty() || !flags.on.empty() || flags.json;
    if (alone) fail("--part, --on and --json: are for --evaluate and --predict");
    return;
  }
  if (!flags.evaluate.empty() && !flags.predict.empty()) {
    fail("--evaluate and --predict: accepted: one of them");
  }
  if (!flags.config.empty()) {
    fail("--config: a model has its configuration with it; accepted: --set, to change a key of it");
  }
  if (!flags.part.empty()) require_one_of("--part", flags.part, {"train", "validation", "test"});
  if (!flags.on.empty() && flags.predict.empty()) fail("--on: is for --predict");
  if (!flags.on.empty() && !flags.part.empty()) fail("--on and --part: accepted: one of them");
}

}  // namespace

Flags parse_flags(int argc, const char* const* argv) {
  Flags flags;
  Words words;
  CLI::App app(kDescription, "apo-train");
  app.allow_extras();
  app.footer(kFooter);
  add_options(app, flags, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    flags.help = without_double_blanks(app.help());
    return flags;
  } catch (const CLI::ParseError& error) {
    fail_by(error);
  }
  require_nothing_left(app);
  check_use(flags);
  const bool informs = flags.version || flags.list || flags.list_markdown ||
                       !flags.report.empty() || flags.uses_model();
  if (flags.config.empty() && !informs) fail(std::string("--config FILE is needed") + kSeeHelp);
  if (!words.run_index.empty()) {
    flags.run_index = integer_in("--run-index", words.run_index, Range::at_least(0));
  }
  if (!words.jobs.empty()) flags.jobs = integer_in("--jobs", words.jobs, Range::between(1, 1024));
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
