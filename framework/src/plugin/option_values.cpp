#include "option_values.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>
#include <stdexcept>

#include "../config/describe.h"
#include "../config/units.h"

namespace etl::host {
namespace {

constexpr int kDeepest = 8;

std::optional<double> ScalarNumber(std::uint32_t type, std::string_view text) {
  if (type == ETL_DURATION || type == ETL_BYTES) {
    const auto measured = (type == ETL_DURATION ? ParseDuration(text) : ParseBytes(text)).value;
    return measured ? std::optional<double>(static_cast<double>(*measured)) : std::nullopt;
  }
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  if (type == ETL_INT && number != std::floor(number)) return {};
  return number;
}

const char* TypeName(std::uint32_t type) {
  static const char* const kNames[] = {"nothing",  "a boolean",  "an integer", "a number",       "a string", "a path",
                                       "a duration", "a size", "a list",     "a table", "a map"};
  return type < std::size(kNames) ? kNames[type] : "a value of an unknown type";
}

std::string Written(const toml::node& node) {
  if (node.is_string()) return TomlString(*node.value_exact<std::string_view>());
  std::ostringstream text;
  node.visit([&](const auto& typed) { text << typed; });
  return text.str();
}

class FromToml {
 public:
  FromToml(OptionValues& out, const etl_option& option) : out_(out), option_(option) {}

  etl_value Value(std::uint32_t type, const toml::node& node, int depth) {
    if (depth > kDeepest) throw std::runtime_error("the declaration is nested too deep");
    switch (type) {
      case ETL_LIST: return List(node, depth);
      case ETL_MAP: return Map(node, depth);
      case ETL_TABLE: return Table(node, depth);
      default: return Scalar(type, node);
    }
  }

 private:
  [[noreturn]] static void Wrong(const toml::node& node, std::uint32_t type) {
    throw std::runtime_error(fmt::format("{} is not {}", Written(node), TypeName(type)));
  }

  etl_value Scalar(std::uint32_t type, const toml::node& node) {
    etl_value value{};
    value.type = type;
    double number = 0;
    if (type == ETL_BOOL) {
      if (!node.is_boolean()) Wrong(node, type);
      value.as.i = *node.value_exact<bool>() ? 1 : 0;
      return value;
    }
    if (type == ETL_STRING || type == ETL_PATH) {
      if (!node.is_string()) Wrong(node, type);
      value.as.s = out_.Keep(*node.value_exact<std::string>());
      CheckChoice(node, {value.as.s.ptr, value.as.s.len});
      return value;
    }
    if (node.is_integer() && type != ETL_DURATION) {
      number = static_cast<double>(*node.value_exact<std::int64_t>());
      value.as.i = *node.value_exact<std::int64_t>();
    } else if (type == ETL_FLOAT && node.is_floating_point()) {
      number = *node.value_exact<double>();
    } else if ((type == ETL_DURATION || type == ETL_BYTES) && node.is_string()) {
      const auto parsed = ScalarNumber(type, *node.value_exact<std::string_view>());
      if (!parsed) Wrong(node, type);
      number = *parsed;
      value.as.i = static_cast<std::int64_t>(number);
    } else {
      Wrong(node, type);
    }
    if (type == ETL_FLOAT) value.as.f = number;
    if (!RangeOf(option_).Holds(number)) throw std::runtime_error(fmt::format("{} is outside {}", Written(node), option_.range));
    if (option_.choices) CheckChoice(node, Written(node));
    return value;
  }

  void CheckChoice(const toml::node& node, std::string_view text) const {
    if (!option_.choices) return;
    for (const char* const* choice = option_.choices; *choice; ++choice)
      if (text == *choice) return;
    throw std::runtime_error(Written(node) + " is not among its choices");
  }

  etl_value Items(std::uint32_t type, std::vector<etl_value> items) {
    etl_value value{};
    value.type = type;
    value.count = static_cast<std::uint32_t>(items.size());
    value.as.items = out_.Keep(std::move(items));
    return value;
  }

  etl_value List(const toml::node& node, int depth) {
    std::vector<etl_value> items;
    if (const toml::array* array = node.as_array())
      for (const toml::node& item : *array) items.push_back(Value(option_.item, item, depth + 1));
    else
      items.push_back(Value(option_.item, node, depth + 1));
    return Items(ETL_LIST, std::move(items));
  }

  etl_value Map(const toml::node& node, int depth) {
    const toml::table* table = node.as_table();
    if (!table) Wrong(node, ETL_MAP);
    std::vector<etl_value> items;
    for (const auto& [key, item] : *table) {
      etl_value name{};
      name.type = ETL_STRING;
      name.as.s = out_.Keep(std::string(key.str()));
      items.push_back(name);
      items.push_back(Value(option_.item, item, depth + 1));
    }
    return Items(ETL_MAP, std::move(items));
  }

  etl_value Table(const toml::node& node, int depth) {
    const toml::table* table = node.as_table();
    if (!table && !(option_.flags & ETL_SHORT)) Wrong(node, ETL_TABLE);
    std::vector<etl_value> items;
    for (const etl_option* const* field = option_.fields; *field; ++field) {
      const toml::node* given = table ? table->get((*field)->name) : (items.empty() ? &node : nullptr);
      items.push_back(given ? FromToml(out_, **field).Value((*field)->type, *given, depth + 1) : out_.Default(**field));
    }
    return Items(ETL_TABLE, std::move(items));
  }

  OptionValues& out_;
  const etl_option& option_;
};

bool SnakeCase(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool HasItems(const etl_option& option) { return option.type == ETL_LIST || option.type == ETL_MAP; }

std::optional<std::string> Fault(const etl_option& option, int depth);

std::optional<std::string> FieldsFault(const etl_option* const* options, int depth) {
  if (depth > kDeepest) return "the options are nested too deep";
  std::set<std::string_view> seen;
  for (const etl_option* const* option = options; option && *option; ++option) {
    if (!(*option)->name || !SnakeCase((*option)->name))
      return fmt::format("an option is called \"{}\", which is not snake_case", (*option)->name ? (*option)->name : "");
    if (!seen.insert((*option)->name).second) return fmt::format("option \"{}\" is declared twice", (*option)->name);
    if (const auto fault = Fault(**option, depth)) return fmt::format("option \"{}\": {}", (*option)->name, *fault);
  }
  return {};
}

std::optional<std::string> Fault(const etl_option& option, int depth) {
  if (!KnownOptionType(option.type) || (HasItems(option) && option.item != 0 && !KnownOptionType(option.item))) return {};
  if (HasItems(option) && (option.item == 0 || option.item == ETL_LIST || option.item == ETL_MAP))
    return "the type of its items is missing or is itself a list or map";
  if (ScalarType(option) == ETL_TABLE) {
    if (!option.fields || !*option.fields) return "it is a table without fields";
    if (const auto fault = FieldsFault(option.fields, depth + 1)) return fault;
    if (UnknownOptionType(option.fields)) return {};
  }
  if (option.def && (option.flags & ETL_REQUIRED)) return "it is required and has a default";
  try {
    RangeOf(option);
    if (option.def) OptionValues().Parse(option, option.def);
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    return text.starts_with("its ") ? text : "its default " + text;
  }
  return {};
}

}  // namespace

etl_str OptionValues::Keep(std::string text) {
  texts_.push_back(std::move(text));
  return {texts_.back().c_str(), texts_.back().size()};
}

const etl_value* OptionValues::Keep(std::vector<etl_value> items) {
  items_.push_back(std::move(items));
  return items_.back().data();
}

etl_value OptionValues::Parse(const etl_option& option, std::string_view toml) {
  toml::table table;
  try {
    table = toml::parse("x = " + std::string(toml));
  } catch (const toml::parse_error& error) {
    throw std::runtime_error(fmt::format("{} is not TOML ({})", toml, error.description()));
  }
  if (table.size() != 1 || !table.get("x")) throw std::runtime_error(fmt::format("{} is not one TOML value", toml));
  return FromToml(*this, option).Value(option.type, *table.get("x"), 0);
}

etl_value OptionValues::Default(const etl_option& option) {
  return option.def ? Parse(option, option.def) : etl_value{};
}

bool KnownOptionType(std::uint32_t type) { return type >= ETL_BOOL && type <= ETL_MAP; }

std::uint32_t ScalarType(const etl_option& option) { return HasItems(option) ? option.item : option.type; }

OptionRange RangeOf(const etl_option& option) {
  OptionRange range;
  if (!option.range) return range;
  const std::string_view text = option.range;
  const auto dots = text.find("..");
  const std::uint32_t type = ScalarType(option);
  const bool measurable = type == ETL_INT || type == ETL_FLOAT || type == ETL_DURATION || type == ETL_BYTES;
  if (dots == text.npos || !measurable)
    throw std::runtime_error(fmt::format("its range \"{}\" {}", text, measurable ? "is not of the form LOW..HIGH" : "is that of something without order"));
  const std::string_view low = text.substr(0, dots), high = text.substr(dots + 2);
  if (!low.empty()) range.low = ScalarNumber(type, low);
  if (!high.empty()) range.high = ScalarNumber(type, high);
  if ((!low.empty() && !range.low) || (!high.empty() && !range.high) || (range.low && range.high && *range.low > *range.high))
    throw std::runtime_error(fmt::format("its range \"{}\" cannot be read as two values in order", text));
  return range;
}

std::optional<std::string> OptionFault(const etl_option* const* options) { return FieldsFault(options, 0); }

std::optional<std::string> UnknownOptionType(const etl_option* const* options) {
  for (const etl_option* const* option = options; option && *option; ++option) {
    const std::string name = (*option)->name ? (*option)->name : "";
    if (!KnownOptionType((*option)->type)) return fmt::format("option type {} of \"{}\" is unknown", (*option)->type, name);
    if (HasItems(**option) && (*option)->item != 0 && !KnownOptionType((*option)->item))
      return fmt::format("option type {} of the items of \"{}\" is unknown", (*option)->item, name);
    if (ScalarType(**option) == ETL_TABLE)
      if (auto inner = UnknownOptionType((*option)->fields)) return inner;
  }
  return {};
}

}  // namespace etl::host
