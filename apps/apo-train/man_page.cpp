#include "man_page.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apo/base/version.h"

namespace apo {
namespace {

/// Text that is no request and whose dashes can be pasted.
std::string roff(const std::string& text) {
  std::string escaped;
  bool begins_line = true;
  for (const char c : text) {
    if (begins_line && (c == '.' || c == '\'')) escaped += "\\&";
    begins_line = c == '\n';
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string section(const std::string& name, const std::string& text) {
  return fmt::format(".SH {}\n{}", name, text);
}

/// As it stands.
std::string lines(const std::string& text) {
  const size_t begin = text.find_first_not_of('\n');
  return fmt::format(".nf\n{}.fi\n", roff(text.substr(begin)));
}

std::string options_of(const CLI::App& app) {
  std::string text;
  std::string group;
  for (const std::string& name : app.get_groups()) {
    text += fmt::format(".SS {}\n", roff(name));
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group() != name) continue;
      const std::string type = option->get_items_expected_max() > 0 ? option->get_type_name() : "";
      text += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n",
                          roff(option->get_name(false, true)),
                          type.empty() ? "" : fmt::format(" \\fI{}\\fR", roff(type)),
                          roff(option->get_description()));
    }
  }
  return text;
}

}  // namespace

std::string man_page(const CLI::App& app,
                     const std::string& examples,
                     const std::string& exit_codes) {
  const std::string head =
      fmt::format(".TH APO\\-TRAIN 1 \"\" \"apo\\-train {}\" \"User Commands\"\n", roff(version()));
  return head +
         section("NAME", "apo\\-train \\- train a network and tune its learning rate meanwhile\n") +
         section("SYNOPSIS",
                 "\\fBapo\\-train\\fR \\fB\\-\\-config\\fR \\fIFILE\\fR [\\fIOPTION\\fR]... "
                 "[\\fIKEY\\fR=\\fIVALUE\\fR]...\n") +
         section("DESCRIPTION", roff(app.get_description()) + "\n") +
         section("OPTIONS", options_of(app)) + section("EXAMPLES", lines(examples)) +
         section("\"EXIT STATUS\"", lines(exit_codes));
}

}  // namespace apo
