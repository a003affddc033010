#include "flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "apo/base/error.h"
#include "apo/base/options.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
#include "apo/config/scalar.h"
#include "completion.h"
#include "man_page.h"

namespace apo {
namespace {

constexpr const char* kDescription =
    "Trains a network and tunes the learning rate while it trains, by Amortized Proximal "
    "Optimization.";

constexpr const char* kExamples = R"(
  apo-train --config mnist_mlp_sgd_apo
      train as the file says; results go to runs/mnist_mlp_sgd_apo/
  apo-train --config a.yaml --set tuner.lambda=0.01 --set optimizer.name=adam --dry-run
      change two keys; check everything and estimate the time, without training
  apo-train --config a.yaml --tuner.lambda 0.01 optimizer.name=adam
      the same keys, as other programs write them
  apo-train --config a.yaml --set 'tuner.lambda=[0.1, 0.01, 0.001]' --jobs 2
      a grid of three runs, two at a time
  apo-train --report figure.html SGD=runs/sgd runs/rmsprop runs/my_grid
      one page of any runs: a grid's folder stands for its runs
  apo-train --init mnist_mlp_adam > my.yaml
      a configuration to begin with, every key in it with what it means
)";

constexpr const char* kExitCodes = R"(
  0 done           1 internal error           2 wrong usage or configuration
  3 data missing   4 diverged                 5 some runs of a grid failed or are missing
  6 given up by the other members of a population
  128 + signal: interrupted, and saved
)";

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::config, message);
}

/// The option that wrong usage is told to look at.
constexpr const char* kSeeHelp = "; see apo-train --help";

/// Words as the command line has them; checked and converted after parsing, for messages in the
/// style of the configuration's.
struct Words {
  std::string run_index;
  std::string member;
  std::string jobs;
  std::string init;
  bool man = false;
  std::string completion;
};

/// The options of a group of --help.
class Group {
 public:
  Group(CLI::App& app, const char* name) : app_(app), name_(name) {}

  /// Takes one word; of several the last.
  CLI::Option* word(const char* option, std::string& value, const char* type, const char* help) {
    CLI::Option* added = app_.add_option(option, value, help)->type_name(type)->group(name_);
    return added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  CLI::Option* words(const char* option,
                     std::vector<std::string>& values,
                     const char* type,
                     const char* help) {
    return app_.add_option(option, values, help)->type_name(type)->group(name_);
  }
  /// One that `split_arguments` has taken out.
  void described(const char* option, const char* type, const std::string& help) {
    app_.add_option(option, help)->type_name(type)->group(name_);
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
  experiment.word("--config",
                  flags.config,
                  "FILE",
                  "The experiment, a YAML file or a name in configs/; - reads it from stdin");
  experiment.described(
      "--set",
      "KEY=VALUE",
      "Override a dotted configuration key; repeatable. Also: KEY=VALUE alone, --KEY VALUE");
  experiment.described("--device", "auto|cpu|cuda|cuda:N", "Shorthand for --set device=…");
  experiment.described("--seed", "N", "Shorthand for --set seed=…");
  experiment.described("--threads", "N", "Shorthand for --set threads=…");

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
  CLI::Option* index = grid.word("--run-index", words.run_index, "I", "Run only the I-th, from 0");
  grid.flag("--collect",
            flags.collect,
            "Rank the runs that have ended, whoever trains them, and list those that are missing")
      ->excludes(index);
  grid.word("--member",
            words.member,
            "M",
            "Run only that member of a population, from 0, beside processes of the others")
      ->excludes("--overwrite");
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
           "PATH",
           "Predict for a safetensors file with 'inputs', a table, a picture or a folder of such");
  use.flag("--json", flags.json, "Print as JSON; predictions as an object a line");

  Group information(app, "Information");
  app.set_help_flag("--help,-h", "Print this text")->group("Information");
  information.flag("--version", flags.version, "Print what this is and what it was built with");
  information.flag(
      "--print-config", flags.print_config, "Print the configuration with every default");
  information.flag("--list",
                   flags.list,
                   "Print the data sets, models, optimizers and tuners with their options");
  information.flag("--list-markdown", flags.list_markdown, "Print the configuration reference");
  information
      .word("--init",
            words.init,
            "NAME",
            "Print that configuration as a starter: every key, with what it means")
      ->expected(0, 1);
  information.word("--completion",
                   words.completion,
                   "bash|zsh|fish",
                   "Print what completes command lines in that shell");
  information.flag("--man", words.man, "Print this as a manual page");
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

/// Those of the program, and the keys that could be meant.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names = top_level_keys();
  for (const CLI::Option* option : app.get_options()) {
    names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
  }
  for (std::string& name : names) name.insert(0, "--");
  return names;
}

void require_nothing_left(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  if (words.empty()) return;
  const std::string& first = words.front();
  const bool is_option = first.starts_with("-");
  const std::string word = in_one_line(is_option ? first.substr(0, first.find('=')) : first);
  if (!is_option) {
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

/// CLI11's complaint in our words: what remains wrong here is nearly always a missing value.
[[noreturn]] void fail_by(const CLI::ParseError& error) {
  const std::string message = error.what();
  const std::string option = message.substr(0, message.find(':'));
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) {
    constexpr std::string_view kExcludes = " excludes ";  // between the two
    const size_t at = message.find(kExcludes);
    fail(fmt::format("{} and {}: accepted: one of them",
                     message.substr(0, at),
                     message.substr(at + kExcludes.size())));
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && option.starts_with("--")) {
    fail(fmt::format("option '{}' needs a value{}", option, kSeeHelp));
  }
  fail(in_one_line(message) + kSeeHelp);
}

/// Something is to be trained, or answered; and words on keys have a configuration to change.
void require_use(const Flags& flags) {
  const bool informs = flags.version || flags.list || flags.list_markdown ||
                       !flags.report.empty() || !flags.help.empty() || flags.init ||
                       flags.uses_model();
  if (flags.config.empty() && !informs) fail(std::string("--config FILE is needed") + kSeeHelp);
  if (flags.report.empty()) return;
  for (const Override& override : flags.overrides) {
    if (override.place.starts_with("--")) continue;
    fail(fmt::format("unexpected argument '{}'; the folders of --report stand right behind it",
                     in_one_line(override.place)));
  }
}

void read_numbers(const Words& words, Flags& flags) {
  if (!words.run_index.empty()) {
    flags.run_index = integer_in("--run-index", words.run_index, Range::at_least(0));
  }
  if (!words.member.empty()) {
    flags.member = integer_in("--member", words.member, Range::at_least(0));
  }
  if (!words.jobs.empty()) flags.jobs = integer_in("--jobs", words.jobs, Range::between(1, 1024));
}

/// What belongs to a trained model, and what does not.
void check_model_use(const Flags& flags) {
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
  app.footer(fmt::format("\nExamples:{}\nExit codes:{}", kExamples, kExitCodes));
  add_options(app, flags, words);
  Arguments arguments = split_arguments({argv + 1, argv + argc}, app);
  flags.overrides = std::move(arguments.overrides);
  try {
    std::reverse(arguments.others.begin(), arguments.others.end());  // as CLI11 wants them
    app.parse(std::move(arguments.others));
  } catch (const CLI::CallForHelp&) {
    flags.help = without_double_blanks(app.help());
    return flags;
  } catch (const CLI::ParseError& error) {
    fail_by(error);
  }
  require_nothing_left(app);
  if (words.man) flags.help = man_page(app, kExamples, kExitCodes);
  if (!words.completion.empty()) flags.help = completion(app, words.completion);
  if (app.count("--init") > 0) flags.init = words.init;
  check_model_use(flags);
  require_use(flags);
  read_numbers(words, flags);
  require_one_of("--progress", flags.progress, {"auto", "on", "off"});
  require_one_of(
      "--log-level", flags.log_level, {"trace", "debug", "info", "warn", "error", "off"});
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
