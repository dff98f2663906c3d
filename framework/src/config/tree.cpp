#include "tree.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "suggest.h"

namespace etl::host {
namespace {

Spot SpotOf(const toml::source_position& at) {
  return {static_cast<int>(at.line), static_cast<int>(at.column)};
}

Node Convert(const toml::node& from, SourceText& text);

Node ConvertTable(const toml::table& table, SourceText& text) {
  Node node;
  for (auto&& [key, value] : table) {
    Entry entry{std::string(key.str()), SpotOf(key.source().begin), &text, Convert(value, text)};
    node.entries.push_back(std::move(entry));
  }
  std::stable_sort(node.entries.begin(), node.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.at < b.at; });
  return node;
}

template <class T>
std::string Printed(const T& value) {
  std::ostringstream out;
  out << value;
  return std::move(out).str();
}

Node Convert(const toml::node& from, SourceText& text) {
  Node node;
  if (const auto* table = from.as_table()) {
    node = ConvertTable(*table, text);
  } else if (const auto* array = from.as_array()) {
    node.type = Node::Type::kArray;
    for (const toml::node& item : *array) node.items.push_back(Convert(item, text));
  } else if (const auto* string = from.as_string()) {
    node.type = Node::Type::kString;
    node.text = string->get();
  } else if (const auto* integer = from.as_integer()) {
    node.type = Node::Type::kInt;
    node.integer = integer->get();
  } else if (const auto* number = from.as_floating_point()) {
    node.type = Node::Type::kFloat;
    node.number = number->get();
  } else if (const auto* truth = from.as_boolean()) {
    node.type = Node::Type::kBool;
    node.truth = truth->get();
  } else {
    node.type = Node::Type::kDate;
    if (const auto* date = from.as_date()) node.text = Printed(date->get());
    if (const auto* time = from.as_time()) node.text = Printed(time->get());
    if (const auto* both = from.as_date_time()) node.text = Printed(both->get());
  }
  node.origin = &text;
  node.begin = SpotOf(from.source().begin);
  node.end = SpotOf(from.source().end);
  return node;
}

}  // namespace

Entry* Node::Find(std::string_view key) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

Parsed ParseToml(SourceText& text, const std::optional<Finding>& unclosed) {
  try {
    return {Convert(toml::parse(text.text(), text.name()), text), {}};
  } catch (const toml::parse_error& error) {
    const Spot at = SpotOf(error.source().begin);
    if (unclosed && unclosed->at <= at) return {{}, *unclosed};
    return {{}, ReadableSyntaxError(text, at, error.description())};
  }
}

}  // namespace etl::host
