#include "sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "utf8.h"

namespace etl::host {
namespace {

constexpr std::string_view kExample =
    "write it as --set sink.table=orders or --set transform.0.query=…";

// "sink[1].\"a.b\"" -> sink, 1, a.b.  Nothing where it has another form.
std::optional<std::vector<std::string>> SplitPath(std::string_view path) {
  std::vector<std::string> parts;
  std::string part;
  bool quoted = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '"') {
      const std::size_t end = path.find('"', i + 1);
      if (end == std::string_view::npos || !part.empty()) return {};
      part = path.substr(i + 1, end - i - 1);
      quoted = true;
      i = end;
    } else if (c == '.' || c == '[') {
      const bool after_index = i > 0 && path[i - 1] == ']';
      if (part.empty() && !quoted && !after_index) return {};
      if (!after_index) parts.push_back(std::move(part));
      part.clear();
      quoted = false;
      if (c == '[') {
        const std::size_t end = path.find(']', i);
        if (end == std::string_view::npos || end == i + 1) return {};
        parts.emplace_back(path.substr(i + 1, end - i - 1));
        i = end;
        if (i + 1 < path.size() && path[i + 1] != '.' && path[i + 1] != '[') return {};
      }
    } else {
      part += c;
    }
  }
  if (!part.empty() || quoted)
    parts.push_back(std::move(part));
  else if (path.empty() || path.back() != ']')
    return {};
  return parts;
}

std::optional<std::size_t> IndexOf(std::string_view part) {
  std::size_t index = 0;
  const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
  if (part.empty() || read.ec != std::errc() || read.ptr != part.data() + part.size()) return {};
  return index;
}

void MoveTo(Node& node, SourceText& origin) {
  node.origin = &origin;
  node.begin = node.end = {};
  for (Node& item : node.items) MoveTo(item, origin);
  for (Entry& entry : node.entries) {
    entry.origin = &origin;
    entry.at = {};
    MoveTo(entry.node, origin);
  }
}

// The value as TOML; a word that is no TOML is a string.  Nothing where it was meant as TOML but is
// wrong.
std::optional<Node> ValueOf(const std::string& typed, SourceText& origin, Problems& problems) {
  SourceText text("--set", "v = " + typed, 1);
  const ScanResult scan = Scan(text.text());
  Parsed parsed;
  if (!scan.refused) parsed = ParseToml(text, scan.unclosed);
  const std::size_t first = typed.find_first_not_of(" \t");
  const bool as_toml = first != std::string::npos &&
                       std::string_view("\"'[{").find(typed[first]) != std::string_view::npos;
  const bool comment = typed.find('#') != std::string::npos && !as_toml;
  if (!comment && parsed.root && parsed.root->entries.size() == 1 &&
      parsed.root->entries[0].key == "v") {
    Node node = std::move(parsed.root->entries[0].node);
    if (node.type == Node::Type::kInt || node.type == Node::Type::kFloat ||
        node.type == Node::Type::kDate || node.type == Node::Type::kBool)
      node.bare = typed;
    MoveTo(node, origin);
    return node;
  }
  if (scan.refused || as_toml) {
    const std::string why = scan.refused  ? scan.refused->message
                            : parsed.root ? "one value only is possible"
                                          : parsed.mistake.message;
    problems.Mistake(origin, {}, fmt::format("the value is not TOML: {}", why));
    return {};
  }
  Node node;
  node.type = Node::Type::kString;
  node.text = typed;
  node.origin = &origin;
  return node;
}

std::string Joined(const std::vector<std::string>& parts, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i > 0 ? "." : "") + Visible(parts[i]);
  return text;
}

// The item of a list that parts[at] names; `at` moves past it.  A list of one needs no number.
Node* ItemOf(Node& list, const std::vector<std::string>& parts, std::size_t& at, SourceText& origin,
             Problems& problems) {
  const std::optional<std::size_t> index = IndexOf(parts[at]);
  if (!index && list.items.size() == 1) return &list.items.front();
  const std::string name = Joined(parts, at);
  if (index && *index < list.items.size()) {
    ++at;
    return &list.items[*index];
  }
  const std::size_t count = list.items.size();
  std::string message =
      fmt::format("\"{}\" is there {} times; say which by its number, as in {}.{}", name, count,
                  name, count > 0 ? count - 1 : 0);
  if (index)
    message = count == 0
                  ? fmt::format("\"{}\" is empty, so it has no number {}", name, *index)
                  : fmt::format("\"{}\" has no number {}; {}", name, *index,
                                count == 1 ? fmt::format("there is only {}.0", name)
                                           : fmt::format("numbers go from 0 to {}", count - 1));
  problems.Mistake(origin, {}, std::move(message));
  return nullptr;
}

void Set(Node& root, const std::vector<std::string>& parts, Node value, SourceText& origin,
         Problems& problems) {
  Node* node = &root;
  for (std::size_t at = 0; at < parts.size();) {
    if (node->type == Node::Type::kArray) {
      node = ItemOf(*node, parts, at, origin, problems);
      if (!node) return;
      continue;
    }
    if (node->type != Node::Type::kTable)
      return problems.Mistake(
          origin, {},
          fmt::format("\"{}\" is a value, not a table; set it as a whole", Joined(parts, at)));
    if (at == 1 && parts[at] == "0" && parts[0] != "pipeline" && parts.size() > 2) {
      ++at;  // [sink] is also sink.0
      continue;
    }
    if (at == 1 && parts.size() > 2 && parts[0] != "pipeline" && IndexOf(parts[1]))
      return problems.Mistake(
          origin, {},
          fmt::format("\"{0}\" has no number {1}; there is only {0}.0", parts[0], parts[1]));
    Entry* entry = node->Find(parts[at]);
    if (!entry) {
      Entry fresh{parts[at], {}, &origin, {}};
      fresh.node.origin = &origin;
      entry = &node->entries.emplace_back(std::move(fresh));
    }
    if (at + 1 == parts.size()) entry->origin = &origin, entry->at = {};
    node = &entry->node;
    ++at;
  }
  *node = std::move(value);
}

}  // namespace

void ApplySets(Node& root, const std::vector<std::string>& sets, std::deque<SourceText>& origins,
               Problems& problems) {
  for (const std::string& set : sets) {
    const std::size_t equals = set.find('=');
    const std::string path = set.substr(0, std::min(equals, set.size()));
    SourceText& origin =
        origins.emplace_back(path.empty() ? "--set" : "--set " + Visible(path.substr(0, 200)), "",
                             static_cast<int>(origins.size()) + 1);
    if (!IsUtf8(set)) {
      problems.Mistake(origin, {}, "this is not UTF-8 text");
      continue;
    }
    if (equals == std::string::npos) {
      problems.Mistake(origin, {}, fmt::format("\"=\" and a value are missing; {}", kExample));
      continue;
    }
    const std::optional<std::vector<std::string>> parts = SplitPath(path);
    if (!parts || parts->size() > static_cast<std::size_t>(kMaxConfigDepth)) {
      problems.Mistake(origin, {}, fmt::format("this is not the path of a key; {}", kExample));
      continue;
    }
    if (parts->size() < 2) {
      problems.Mistake(
          origin, {},
          fmt::format("a table and a key are needed, with a dot between them; {}", kExample));
      continue;
    }
    if (std::optional<Node> value = ValueOf(set.substr(equals + 1), origin, problems))
      Set(root, *parts, std::move(*value), origin, problems);
  }
}

}  // namespace etl::host
