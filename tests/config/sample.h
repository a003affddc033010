// A small experiment with one field of every kind, for the tests of config/.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/registry.h"

namespace apo::sample {

struct Tool {};

struct HammerOptions {
  double weight = 1.5;
  std::vector<int64_t> sizes = {10, 20};
  void visit(OptionVisitor& visitor) {
    visitor.real("weight", weight, Range::above(0), "In kilograms");
    visitor.integers("sizes", sizes, Range::at_least(1), "Heads | in the box");
  }
};

inline std::unique_ptr<Tool> make_hammer(const HammerOptions&) {
  return std::make_unique<Tool>();
}
inline std::unique_ptr<Tool> make_saw(const NoOptions&) {
  return std::make_unique<Tool>();
}

inline const Registry<Tool>& tools() {
  static const Registry<Tool> all = {member("hammer", "Drives nails", make_hammer),
                                     member("saw", "Cuts boards", make_saw)};
  return all;
}

enum class Colour { red, green, blue };

struct Workshop {
  std::string name = "workshop";
  int64_t seed = 0;
  bool loud = false;
  Colour colour = Colour::red;
  std::vector<std::string> tune = {"rate"};
  std::optional<double> rate;
  double lambda = 0.1;
  ChoiceOf<Tool> tool{tools(), "hammer"};
  int64_t low = 0;
  int64_t high = 10;
  std::optional<Range> span;

  void visit(OptionVisitor& visitor) {
    visitor.word("name", name, {}, "What it is called");
    visitor.integer("seed", seed, Range::at_least(0), "Seed of all randomness");
    visitor.flag("loud", loud, "Make noise");
    visitor.one_of("colour",
                   colour,
                   {{"red", Colour::red}, {"green", Colour::green}, {"blue", Colour::blue}},
                   "Of the walls");
    visitor.section("tuner", "What is tuned", [this](OptionVisitor& fields) {
      fields.words("tune", tune, {"rate", "power"}, "The hyperparameters");
      fields.real_or_auto("rate", rate, Range::above(0), "The first rate");
      fields.real("lambda", lambda, Range::at_least(0), "Proximal weight");
    });
    visitor.section(
        "tool", "What is used", [this](OptionVisitor& fields) { fields.choice(tool, "The tool"); });
    visitor.section("limits", "Bounds", [this](OptionVisitor& fields) {
      fields.integer("low", low, Range::any(), "Least");
      fields.integer("high", high, Range::any(), "Greatest");
      fields.interval("span", span, Range::above(0), "From, to");
      fields.require(low <= high, "low", "must be <= high");
    });
    visitor.require(seed != 13 || tool.name() == "hammer", "tool.name", "must be lucky");
  }
};

struct Part {};

struct ScrewOptions {
  int64_t length = 20;
  void visit(OptionVisitor& visitor) {
    visitor.integer("length", length, Range::at_least(1), "In millimetres");
  }
};

const Registry<Part>& parts();

/// Parts of parts.
struct KitOptions {
  ChoiceListOf<Part> content{parts()};
  void visit(OptionVisitor& visitor) {
    visitor.choices("content", content, "What is in it");
    visitor.require(content.size() < 3, "content", "must be at most 2");
  }
};

inline std::unique_ptr<Part> make_screw(const ScrewOptions&) {
  return std::make_unique<Part>();
}
inline std::unique_ptr<Part> make_nail(const NoOptions&) {
  return std::make_unique<Part>();
}
inline std::unique_ptr<Part> make_kit(const KitOptions&) {
  return std::make_unique<Part>();
}
inline const Registry<Part>& parts() {
  static const Registry<Part> all = {member("screw", "Is turned", make_screw),
                                     member("nail", "Is driven", make_nail),
                                     member("kit", "Holds others", make_kit)};
  return all;
}

/// A list of choices.
struct Shelf {
  ChoiceListOf<Part> parts{sample::parts(), {"nail"}};
  void visit(OptionVisitor& visitor) { visitor.choices("parts", parts, "What lies there"); }
};

/// The message of the Error (of kind config) that `action` throws; "" if it throws none.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind() == ErrorKind::config ? error.what() : "an Error of another kind";
  }
  return "";
}

}  // namespace apo::sample
