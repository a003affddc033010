#include "apo/config/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace apo {
namespace {

using Member = SectionDescription::Member;

void list_family(const SectionDescription& family, const std::string& indent, std::string& text);

void list_options(const SectionDescription& section, const std::string& indent, std::string& text) {
  for (const OptionDescription& option : section.options) {
    if (option.key == "name" && !section.members.empty()) continue;
    text += fmt::format("{}{}: {}  ({}{}{})  {}\n",
                        indent,
                        option.key,
                        option.standard,
                        option.type,
                        option.accepted.empty() ? "" : ", ",
                        option.accepted,
                        option.help);
  }
  for (const SectionDescription& below : section.sections) list_family(below, indent, text);
}

void list_family(const SectionDescription& family, const std::string& indent, std::string& text) {
  text += fmt::format("{}{}: {}\n", indent, family.key, family.help);
  size_t width = 0;
  for (const Member& member : family.members) width = std::max(width, member.name.size());
  for (const Member& member : family.members) {
    text += fmt::format("{}  {:{}}  {}\n", indent, member.name, width, member.help);
    list_options(member.own, indent + "      ", text);
  }
  const bool has_common = family.options.size() > 1 || !family.sections.empty();
  if (!family.members.empty() && has_common) text += indent + "  each of them also has\n";
  list_options(family, indent + (family.members.empty() ? "  " : "      "), text);
}

/// Code in a table's cell; nothing where there is no text.
std::string code(const std::string& text) {
  return text.empty() ? "" : fmt::format("`{}`", text);
}

std::string cell(std::string text) {
  for (size_t i = 0; (i = text.find('|', i)) != std::string::npos; i += 2) text.insert(i, 1, '\\');
  return text;
}

std::string options_table(const std::vector<OptionDescription>& options) {
  if (options.empty()) return "";
  std::string text = "| key | type | default | accepted | meaning |\n|---|---|---|---|---|\n";
  for (const OptionDescription& option : options) {
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n",
                        option.key,
                        option.type,
                        cell(code(option.standard)),
                        cell(option.accepted),
                        cell(option.help));
  }
  return text + "\n";
}

std::string members_table(const std::vector<Member>& members) {
  if (members.empty()) return "";
  std::string text = "| `name` | what it is |\n|---|---|\n";
  for (const Member& member : members) {
    text += fmt::format("| `{}` | {} |\n", member.name, cell(member.help));
  }
  return text + "\n";
}

/// `path` is the section's dotted key with a dot behind it, `condition` what selects the section.
void add_content(const SectionDescription& section,
                 const std::string& path,
                 const std::string& condition,
                 size_t level,
                 std::string& text) {
  const std::string hashes(level, '#');
  text += options_table(section.options) + members_table(section.members);
  for (const Member& member : section.members) {
    if (member.own.options.empty() && member.own.sections.empty()) continue;
    const std::string selected = fmt::format("`{}name: {}`", path, member.name);
    text += fmt::format("{} with {}\n\n", hashes, selected);
    add_content(member.own, path, " with " + selected, level + 1, text);
  }
  for (const SectionDescription& below : section.sections) {
    text += fmt::format("{} `{}{}`{}\n\n", hashes, path, below.key, condition);
    if (!below.help.empty()) text += below.help + "\n\n";
    add_content(below, path + below.key + ".", "", level + 1, text);
  }
}

}  // namespace

std::string list_families(const SectionDescription& top) {
  std::string text;
  for (const SectionDescription& section : top.sections) {
    const bool is_words_alone = section.options.empty() && section.sections.empty();
    if (section.members.empty() && !is_words_alone) continue;
    if (!text.empty()) text += "\n";
    list_family(section, "", text);
  }
  return text;
}

std::string markdown_reference(const SectionDescription& top) {
  std::string text =
      "# Configuration reference\n\n"
      "Every key of a configuration file. Written by `apo-train --list-markdown` from the options "
      "that the\nprogram reads; a test keeps this page equal to them.\n\n";
  add_content(top, "", "", 2, text);
  text.pop_back();
  return text;
}

}  // namespace apo
