#include "apo/config/supersede.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace apo {
namespace {

using Member = SectionDescription::Member;

template <class Described>
const Described* by_key(const std::vector<Described>& all, const std::string& key) {
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Described& described) { return described.key == key; });
  return found == all.end() ? nullptr : &*found;
}

const Member* member_of(const SectionDescription& family, const std::string& name) {
  const auto found = std::find_if(family.members.begin(),
                                  family.members.end(),
                                  [&](const Member& member) { return member.name == name; });
  return found == family.members.end() ? nullptr : &*found;
}

/// Whether `key` is the old member's, and means another thing to the new one or nothing.
bool is_lost(const std::string& key,
             const SectionDescription& before,
             const SectionDescription& now) {
  if (by_key(before.sections, key) != nullptr) return by_key(now.sections, key) == nullptr;
  const OptionDescription* old = by_key(before.options, key);
  if (old == nullptr) return false;
  const OptionDescription* same = by_key(now.options, key);
  return same == nullptr || same->type != old->type || same->standard != old->standard ||
         same->accepted != old->accepted || same->help != old->help;
}

/// The dotted keys of the grid's lists with the layers that gave them.
void list_axes(const ConfigNode& mapping,
               const std::string& path,
               std::vector<std::pair<std::string, Layer>>& axes) {
  for (const auto& entry : mapping.entries) {
    const std::string key = path.empty() ? entry.key : path + "." + entry.key;
    if (entry.value.is_mapping()) {
      list_axes(entry.value, key, axes);
    } else {
      axes.emplace_back(key, latest_layer(entry.value));
    }
  }
}

class Superseder {
 public:
  explicit Superseder(const Document& document) : document_(document) {
    if (const ConfigNode* grid = document.find("grid")) list_axes(*grid, "", axes_);
  }

  void visit(const SectionDescription& section, const std::string& path, const ConfigNode& at) {
    if (const Member* chosen = section.members.empty() ? nullptr : choose(section, path, at)) {
      visit_sections(chosen->own, path, at);
    }
    visit_sections(section, path, at);
  }

  /// `key`, given later, takes the place of `other`.
  void exclude(const std::string& key, const std::string& other) {
    const ConfigNode* given = document_.find(key);
    if (given == nullptr || !given->is_scalar() || given->text == "0") return;
    if (drop(other, given->rank.layer)) note(key, *given, "", {other});
  }

  /// A toy needs neither data nor a network.
  void leave_out_for(const std::string& supervised) {
    const ConfigNode* name = document_.find("problem.name");
    if (name == nullptr || !name->is_scalar() || name->text == supervised) return;
    std::vector<std::string> left_out;
    for (const char* key : {"dataset", "model", "loss"}) {
      if (drop(key, name->rank.layer)) left_out.emplace_back(key);
    }
    note("problem.name", *name, "", left_out);
  }

  std::vector<std::string> dropped;
  std::vector<std::string> notes;

 private:
  void visit_sections(const SectionDescription& around,
                      const std::string& path,
                      const ConfigNode& at) {
    for (const SectionDescription& below : around.sections) {
      const auto* entry = at.find(below.key);
      if (entry == nullptr || !entry->value.is_mapping()) continue;
      visit(below, path.empty() ? below.key : path + "." + below.key, entry->value);
    }
  }

  /// The member that is chosen, its predecessor's keys dropped.
  const Member* choose(const SectionDescription& family,
                       const std::string& path,
                       const ConfigNode& at) {
    const std::string standard = by_key(family.options, "name")->standard;
    const auto* entry = at.find("name");
    if (entry == nullptr) return member_of(family, standard);
    const ConfigNode& name = entry->value;
    const Member* chosen = member_of(family, name.text);
    const Member* before = member_of(family, name.replaced.empty() ? standard : name.replaced);
    const Layer layer = name.rank.layer;
    if (layer == Layer::file || chosen == nullptr || before == nullptr) return chosen;
    std::vector<std::string> left_out;
    for (const std::string& key : keys_of(before->own)) {
      const std::string dotted = fmt::format("{}.{}", path, key);
      if (is_lost(key, before->own, chosen->own) && drop(dotted, layer)) left_out.push_back(dotted);
    }
    note(path + ".name", name, " of " + before->name, left_out);
    return chosen;
  }

  /// Whether there was something that an earlier layer gave.
  bool drop(const std::string& key, Layer layer) {
    const ConfigNode* node = document_.find(key);
    bool found = node != nullptr && latest_layer(*node) < layer;
    if (found) dropped.push_back(key);
    for (const auto& [axis, given] : axes_) {
      if (given >= layer || (axis != key && !axis.starts_with(key + "."))) continue;
      dropped.push_back("grid." + axis);
      found = true;
    }
    return found;
  }

  void note(const std::string& key,
            const ConfigNode& value,
            const std::string& whose,
            const std::vector<std::string>& left_out) {
    if (left_out.empty()) return;
    notes.push_back(fmt::format("config: with {} = {} the file's keys{} are left out: {}",
                                key,
                                value.text,
                                whose,
                                fmt::join(left_out, ", ")));
  }

  static std::vector<std::string> keys_of(const SectionDescription& section) {
    std::vector<std::string> keys;
    for (const OptionDescription& option : section.options) keys.push_back(option.key);
    for (const SectionDescription& below : section.sections) keys.push_back(below.key);
    return keys;
  }

  const Document& document_;
  std::vector<std::pair<std::string, Layer>> axes_;
};

}  // namespace

std::vector<std::string> drop_superseded(Document& document, const SectionDescription& keys) {
  Superseder superseder(document);
  superseder.visit(keys, "", document.root());
  superseder.exclude("train.steps", "train.epochs");
  superseder.exclude("train.epochs", "train.steps");
  if (const SectionDescription* problem = by_key(keys.sections, "problem")) {
    superseder.leave_out_for(problem->members.front().name);
  }
  for (const std::string& key : superseder.dropped) document.remove(key);
  return superseder.notes;
}

}  // namespace apo
