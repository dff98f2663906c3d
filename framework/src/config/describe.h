// An option in words: for messages, the reference, examples and the schema.
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace etl::host {

/// Text as TOML writes it: "a\tb".
std::string TomlString(std::string_view text);
/// A key as TOML writes it: bare where that is possible.
std::string TomlKey(std::string_view key);

/// What the type takes: "a whole number", "a duration in quotes".
std::string_view TypePhrase(std::uint32_t type);
/// The type's name in the reference: "integer", "duration", "list of string".
std::string TypeName(const etl_option& option);

/// A value that the option takes, as TOML: its default, else one made from its choices and range.
std::string ExampleValue(const etl_option& option);
/// The same for one item of a list or map.
std::string ExampleItem(const etl_option& option);

/// The ends of a declared range in the type's own unit, as written ("1", "65535"); an end that is
/// left out is empty.
struct RangeText {
  std::string low, high;
};
/// Nothing where the option has no range, or one that is not "a..b".
std::optional<RangeText> RangeOfText(const etl_option& option);

/// The type that range and choices speak of: an item's where there are items.
std::uint32_t LeafType(const etl_option& option);

std::vector<std::string> Names(const etl_option* const* options);
std::vector<std::string> Choices(const etl_option& option);

}  // namespace etl::host
