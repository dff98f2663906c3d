#include "describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "utf8.h"

namespace etl::host {
namespace {

// A text that the option of this name would take in most plugins.
std::string TextFor(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kUsual[] = {
      {"url", "https://server.example"},
      {"table", "orders"},
      {"query", "SELECT * FROM batch"},
      {"database", "shop"},
      {"user", "reader"},
      {"index", "orders"},
      {"column", "id"},
      {"columns", "id"},
      {"key", "id"},
      {"keys", "id"},
      {"id", "id"},
      {"split_by", "id"},
      {"when", "id > 5"},
      {"where", "id > 5"},
      {"name", "orders"}};
  for (const auto& [usual, text] : kUsual)
    if (usual == name) return TomlString(text);
  return "\"text\"";
}

std::string Leaf(const etl_option& option, std::uint32_t type) {
  const std::optional<RangeText> range = RangeOfText(option);
  const std::string near = !range ? "" : !range->low.empty() ? range->low : range->high;
  if (option.choices && option.choices[0]) {
    const bool text =
        type == ETL_STRING || type == ETL_PATH || type == ETL_DURATION || type == ETL_BYTES;
    return text ? TomlString(option.choices[0]) : option.choices[0];
  }
  if ((option.flags & ETL_SECRET) != 0 && (type == ETL_STRING || type == ETL_PATH))
    return "\"${env:NAME}\"";
  switch (type) {
    case ETL_BOOL:
      return "true";
    case ETL_INT:
      return near.empty() ? "1" : near == "0" && range->high.empty() ? "1" : near;
    case ETL_FLOAT:
      return near.empty() ? "0.5" : near;
    case ETL_PATH:
      return "\"data/file\"";
    case ETL_DURATION:
      return near.empty() || near.starts_with('0') ? "\"30s\"" : TomlString(near);
    case ETL_BYTES:
      return near.empty() || near.starts_with('0') ? "\"8MiB\"" : TomlString(near);
    default:
      return TextFor(option.name);
  }
}

std::string InlineTable(const etl_option& option) {
  std::string text;
  for (const etl_option* const* field = option.fields; field && *field; ++field) {
    const bool needed = ((*field)->flags & ETL_REQUIRED) != 0;
    if (needed || (field == option.fields && !(*field)->def))
      text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", TomlKey((*field)->name),
                          ExampleValue(**field));
  }
  if (text.empty() && option.fields && option.fields[0])
    text = fmt::format("{} = {}", TomlKey(option.fields[0]->name), ExampleValue(*option.fields[0]));
  return text.empty() ? "{}" : "{ " + text + " }";
}

}  // namespace

std::string TomlString(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = DecodeAt(text, i);
    const std::size_t length = std::max<std::size_t>(point.length, 1);
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", static_cast<char>(c));
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (c < 0x20 || c == 0x7F || point.length == 0)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    else
      out += text.substr(i, length);
    i += length;
  }
  return out + '"';
}

std::string TomlKey(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(key) : TomlString(key);
}

std::string_view TypePhrase(std::uint32_t type) {
  switch (type) {
    case ETL_BOOL:
      return "true or false";
    case ETL_INT:
      return "a whole number";
    case ETL_FLOAT:
      return "a number";
    case ETL_STRING:
      return "text in quotes";
    case ETL_PATH:
      return "a path in quotes";
    case ETL_DURATION:
      return "a duration in quotes";
    case ETL_BYTES:
      return "a size in quotes, or a number of bytes";
    case ETL_LIST:
      return "a list";
    case ETL_TABLE:
    case ETL_MAP:
      return "a table";
    default:
      return "a value";
  }
}

std::string TypeName(const etl_option& option) {
  const auto plain = [](std::uint32_t type) -> std::string_view {
    constexpr std::string_view kNames[] = {"value",  "boolean", "integer",  "number",
                                           "string", "path",    "duration", "size",
                                           "list",   "table",   "map"};
    return type < std::size(kNames) ? kNames[type] : kNames[0];
  };
  if (option.type == ETL_LIST) return fmt::format("list of {}", plain(option.item));
  if (option.type == ETL_MAP) return fmt::format("map of {}", plain(option.item));
  return std::string(plain(option.type));
}

std::uint32_t LeafType(const etl_option& option) {
  return option.type == ETL_LIST || option.type == ETL_MAP ? option.item : option.type;
}

std::string ExampleItem(const etl_option& option) {
  return LeafType(option) == ETL_TABLE ? InlineTable(option) : Leaf(option, LeafType(option));
}

std::string ExampleValue(const etl_option& option) {
  const std::string def = option.def ? option.def : "";
  if (!def.empty() && def != "[]" && def != "{}" && def != "\"\"") return def;
  if (option.type == ETL_LIST) return fmt::format("[{}]", ExampleItem(option));
  if (option.type == ETL_MAP) return fmt::format("{{ name = {} }}", ExampleItem(option));
  return ExampleItem(option);
}

std::optional<RangeText> RangeOfText(const etl_option& option) {
  if (!option.range) return {};
  const std::string_view text = option.range;
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return {};
  return RangeText{std::string(text.substr(0, dots)), std::string(text.substr(dots + 2))};
}

std::vector<std::string> Names(const etl_option* const* options) {
  std::vector<std::string> names;
  for (; options && *options; ++options) names.emplace_back((*options)->name);
  return names;
}

std::vector<std::string> Choices(const etl_option& option) {
  std::vector<std::string> choices;
  for (const char* const* choice = option.choices; choice && *choice; ++choice)
    choices.emplace_back(*choice);
  return choices;
}

}  // namespace etl::host
