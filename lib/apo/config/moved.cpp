#include "apo/config/moved.h"

#include <fmt/format.h>

#include <algorithm>

#include "apo/base/error.h"
#include "apo/base/text.h"

namespace apo {
namespace {

/// The value at a dotted key below `mapping`, whose keys may have dots of their own.
const ConfigNode* find_dotted(const ConfigNode& mapping, const std::string& path) {
  for (const auto& entry : mapping.entries) {
    if (entry.key == path) return &entry.value;
    if (!path.starts_with(entry.key + ".")) continue;
    const ConfigNode* below = find_dotted(entry.value, path.substr(entry.key.size() + 1));
    if (below != nullptr) return below;
  }
  return nullptr;
}

/// Whether there was something that was given no earlier than `layer`.
bool rename(Document& document, const std::string& from, const std::string& to, Layer layer) {
  const ConfigNode* found = find_dotted(document.root(), from);
  if (found == nullptr || latest_layer(*found) < layer) return false;
  ConfigNode value = *found;
  document.remove(from);
  document.set(to, std::move(value));
  return true;
}

void choose(Document& document,
            const MovedMember& member,
            const MovedMember::Choice& choice,
            const ConfigNode& by) {
  const ConfigNode* present = document.find(choice.key);
  const std::vector<std::string>& old = choice.instead_of;
  if (present != nullptr && old.empty()) return;
  if (present != nullptr && std::count(old.begin(), old.end(), present->text) == 0) {
    throw Error(ErrorKind::config,
                fmt::format("{}: {} = '{}': {} = {} stands for {} = {} now; accepted: {}",
                            present->where,
                            choice.key,
                            present->text,
                            member.key,
                            member.name,
                            choice.key,
                            choice.value,
                            list_or(old)));
  }
  ConfigNode value = by;
  value.text = choice.value;
  document.set(choice.key, std::move(value));
}

}  // namespace

std::vector<std::string> adopt_moved(Document& document, const std::vector<MovedMember>& moved) {
  std::vector<std::string> notes;
  for (const MovedMember& member : moved) {
    const ConfigNode* found = document.find(member.key);
    if (found == nullptr || !found->is_scalar() || found->text != member.name) continue;
    const ConfigNode by = *found;
    const auto chooses_anew = [&](const auto& choice) { return choice.key == member.key; };
    if (std::none_of(member.now.begin(), member.now.end(), chooses_anew)) {
      document.remove(member.key);
    }
    std::vector<std::string> words;
    words.reserve(member.now.size() + member.keys.size());
    for (const auto& choice : member.now) {
      choose(document, member, choice, by);
      words.push_back(fmt::format("{} = {}", choice.key, choice.value));
    }
    for (const auto& [from, to] : member.keys) {
      const bool renamed = rename(document, from, to, by.rank.layer);
      const bool listed = rename(document, "grid." + from, "grid." + to, Layer::file);
      if (renamed || listed) words.push_back(fmt::format("{} for {}", to, from));
    }
    notes.push_back(fmt::format("config: {} = {} has moved; this version reads it as {}",
                                member.key,
                                member.name,
                                fmt::join(words, ", ")));
  }
  return notes;
}

}  // namespace apo
