#include "edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "../error.h"
#include "tree.h"
#include "utf8.h"

namespace etl::host {
namespace {

constexpr std::string_view kBlanks = " \t";

std::size_t LineStart(std::string_view text, int line) {
  std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (int i = 1; i < line && at < text.size(); ++i) at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return at;
}

std::size_t Offset(std::string_view text, Spot spot) {
  std::size_t at = LineStart(text, spot.line);
  for (int i = 1; i < spot.column && at < text.size(); ++i) at += std::max<std::size_t>(DecodeAt(text, at).length, 1);
  return at;
}

/// Does the line begin with "[": is what stands there part of a header?
bool InHeader(std::string_view text, int line) {
  const std::size_t at = text.find_first_not_of(kBlanks, LineStart(text, line));
  return at != std::string_view::npos && text[at] == '[';
}

class Editor {
 public:
  Editor(std::string text, const std::string& file, const std::string& stage) : text_(std::move(text)), file_(file), stage_(stage) {}

  void Set(const std::string& name, const std::string& value) {
    SourceText source(file_, text_, 0);
    const Node root = Tree(source);
    const Node& table = Find(root);
    if (const Entry* entry = Inside(table, name)) {
      const std::size_t from = Offset(text_, entry->node.begin), to = Offset(text_, entry->node.end);
      if (to <= from || to > text_.size()) Refuse(name, value);
      text_.replace(from, to - from, value);
    } else {
      Put(table, name, value);
    }
    Verify(name, value);
  }
  const std::string& text() const { return text_; }

 private:
  [[noreturn]] void Refuse(const std::string& name, const std::string& value) const {
    throw Error(Exit::kConfig, fmt::format("{}: there is no plain place for {} = {} in {}; write it there yourself", file_, name, value, stage_));
  }

  static Node Tree(SourceText& source) {
    Parsed parsed = ParseToml(source, {});
    if (!parsed.root) throw Error(Exit::kConfig, fmt::format("{}: {}", source.name(), parsed.mistake.message));
    return std::move(*parsed.root);
  }

  const Node& Find(const Node& root) const {
    const std::size_t bracket = stage_.find('[');
    const Entry* entry = root.Find(stage_.substr(0, bracket));
    const std::size_t index = bracket == std::string::npos ? 0 : static_cast<std::size_t>(std::atoi(stage_.c_str() + bracket + 1));
    if (entry && entry->node.type == Node::Type::kTable && index == 0) return entry->node;
    if (entry && entry->node.type == Node::Type::kArray && index < entry->node.items.size()) return entry->node.items[index];
    throw Error(Exit::kConfig, fmt::format("{} has no {} any more", file_, stage_));
  }

  /// "batch.rows" is entry rows of table batch.
  static const Entry* Inside(const Node& table, const std::string& name) {
    const std::size_t dot = name.find('.');
    const Entry* entry = table.Find(name.substr(0, dot));
    if (dot == std::string::npos || !entry) return entry;
    return entry->node.type == Node::Type::kTable ? Inside(entry->node, name.substr(dot + 1)) : nullptr;
  }

  /// Into the innermost table that is there, or as a dotted key.
  void Put(const Node& table, const std::string& name, const std::string& value) {
    const std::size_t dot = name.find('.');
    const Entry* entry = dot == std::string::npos ? nullptr : table.Find(name.substr(0, dot));
    if (!entry || entry->node.type != Node::Type::kTable) return Add(table, name, value);
    const std::size_t begin = Offset(text_, entry->node.begin);
    if (text_[begin] == '{') {
      const bool blank = text_[begin + 1] == ' ';
      text_.insert(begin + 1, (blank ? " " : "") + name.substr(dot + 1) + " = " + value + (entry->node.entries.empty() ? "" : blank ? "," : ", "));
    } else if (InHeader(text_, entry->node.begin.line)) {
      Put(entry->node, name.substr(dot + 1), value);
    } else {
      Add(table, name, value);
    }
  }

  void Add(const Node& table, const std::string& name, const std::string& value) {
    // Below a header only; after the last key that stands there itself, before the headers of tables inside.
    if (!InHeader(text_, table.begin.line)) Refuse(name, value);
    const Entry* last = nullptr;
    for (const Entry& e : table.entries) {
      if (!InHeader(text_, e.at.line) && (!last || last->at < e.at)) last = &e;
    }
    const int line = last ? std::max(last->at.line, last->node.end.line) : table.begin.line;
    std::size_t at = LineStart(text_, line + 1);
    std::string pad;
    std::size_t equals = 0;
    if (last) {
      // In one column with the key above.
      const std::size_t start = LineStart(text_, last->at.line);
      const std::size_t key = text_.find_first_not_of(kBlanks, start);
      pad = text_.substr(start, key - start);
      equals = text_.find('=', key) - key;
    }
    std::string key = name;
    if (key.size() + 1 < equals) key.resize(equals - 1, ' ');
    const std::string end = text_.find("\r\n") == std::string::npos ? "\n" : "\r\n";
    const bool open = at > 0 && text_[at - 1] != '\n';
    text_.insert(at, (open ? end : "") + pad + key + " = " + value + end);
  }

  void Verify(const std::string& name, const std::string& value) const {
    SourceText source(file_, text_, 0);
    SourceText wanted("value", "v = " + value, 1);
    const Node root = Tree(source), other = Tree(wanted);
    const Entry* entry = Inside(Find(root), name);
    const Node& right = other.entries.at(0).node;
    const bool same = entry && entry->node.type == right.type && entry->node.text == right.text && entry->node.integer == right.integer;
    if (!same) Refuse(name, value);
  }

  std::string text_;
  const std::string &file_, &stage_;
};

}  // namespace

std::string WithOptions(const std::string& text, const std::string& file, const std::string& stage,
                        const std::vector<std::pair<std::string, std::string>>& values) {
  Editor editor(text, file, stage);
  for (const auto& [name, value] : values) editor.Set(name, value);
  return editor.text();
}

}  // namespace etl::host
