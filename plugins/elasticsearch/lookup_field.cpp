// SPDX-License-Identifier: Apache-2.0
#include "lookup_field.h"

#include <map>
#include <optional>

namespace etl::elasticsearch {
namespace {

using simdjson::dom::element;

/// The value at a path of dotted names; a name may hold dots itself.
std::optional<element> Find(const element& at, std::string_view path) {
  element found;
  if (!at[path].get(found)) return found;
  for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', dot + 1)) {
    if (at[path.substr(0, dot)].get(found)) continue;
    if (const auto deeper = Find(found, path.substr(dot + 1))) return deeper;
  }
  return std::nullopt;
}

/// The mapping of a field under "properties", or of one of its further "fields".
std::optional<element> FindMapping(const element& at, std::string_view path) {
  for (const char* kind : {"properties", "fields"}) {
    element children, found;
    if (at[kind].get(children)) continue;
    if (!children[path].get(found)) return found;
    for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', dot + 1)) {
      if (children[path.substr(0, dot)].get(found)) continue;
      if (const auto deeper = FindMapping(found, path.substr(dot + 1))) return deeper;
    }
  }
  return std::nullopt;
}

/// A scalar as text; nothing for what is none.
std::optional<std::string> ScalarText(const element& value) {
  switch (value.type()) {
    case simdjson::dom::element_type::STRING: return std::string(std::string_view(value));
    case simdjson::dom::element_type::ARRAY:
    case simdjson::dom::element_type::OBJECT: return std::nullopt;
    default: return simdjson::minify(value);
  }
}

}  // namespace

std::string ColumnTypeOf(const element& mapping, const std::string& path) {
  static const std::map<std::string_view, const char*> kTypes{
      {"keyword", "utf8"}, {"text", "utf8"}, {"constant_keyword", "utf8"}, {"wildcard", "utf8"}, {"match_only_text", "utf8"}, {"ip", "utf8"}, {"version", "utf8"}, {"date", "utf8"}, {"date_nanos", "utf8"},
      {"long", "int64"}, {"integer", "int64"}, {"short", "int64"}, {"byte", "int64"}, {"unsigned_long", "uint64"},
      {"double", "float64"}, {"float", "float64"}, {"half_float", "float64"}, {"scaled_float", "float64"}, {"boolean", "bool"}};
  simdjson::dom::object indices;
  if (mapping.get(indices)) return "json";
  std::string type;
  for (const auto& index : indices) {
    element root;
    if (index.value["mappings"].get(root)) continue;
    const auto found = FindMapping(root, path);
    std::string_view name;
    if (!found || (*found)["type"].get(name)) continue;
    const auto known = kTypes.find(name);
    const std::string now = known == kTypes.end() ? "json" : known->second;
    if (!type.empty() && type != now) return "json";
    type = now;
  }
  return type.empty() ? "json" : type;
}

bool AppendField(const LookupField& field, const element& source, Column& out, std::string& why) {
  std::optional<element> value = Find(source, field.path);
  if (!value || value->is_null()) {
    out.Null();
    return true;
  }
  if (field.column.kind == files::Kind::kJson) {
    out.Append(simdjson::minify(*value));
    return true;
  }
  simdjson::dom::array list;
  if (!value->get(list) && list.size() == 1) value = list.at(0);
  const auto text = ScalarText(*value);
  if (!text) {
    why = "field \"" + field.path + "\" holds " + (value->is_array() ? "a list" : "an object") + "; give it the type json";
    return false;
  }
  if (field.column.kind == files::Kind::kUtf8) {
    out.Append(*text);
    return true;
  }
  if (files::AppendText(field.column, *text, out)) return true;
  why = "field \"" + field.path + "\" holds " + text->substr(0, 100) + ", which is no " + files::TypeName(field.column);
  return false;
}

}  // namespace etl::elasticsearch
