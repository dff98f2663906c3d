// A declared option by itself: is the declaration sound, and which values does it take?
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace etl::host {

/// The ends of a declared range, in ns for durations and bytes for sizes; both belong to it.
struct OptionRange {
  std::optional<double> low, high;
  bool Holds(double value) const { return !(low && value < *low) && !(high && value > *high); }
};

/// Owns the strings and items of the values it makes.
class OptionValues {
 public:
  /// The value of an option written as TOML (`"30s"`, `8192`, `["a"]`), within its range and choices.  Throws
  /// std::runtime_error with what is wrong, as in "99999 is outside 1..65535".
  etl_value Parse(const etl_option& option, std::string_view toml);
  /// What create() is given where the pipeline file does not name the option: its default, or type 0.
  etl_value Default(const etl_option& option);

  etl_str Keep(std::string text);
  const etl_value* Keep(std::vector<etl_value> items);

 private:
  std::deque<std::string> texts_;
  std::deque<std::vector<etl_value>> items_;
};

/// True when this host knows what the type means.
bool KnownOptionType(std::uint32_t type);
/// Type of what range and choices speak of: of the items where there are items.
std::uint32_t ScalarType(const etl_option& option);

/// Throws std::runtime_error where the range is malformed.
OptionRange RangeOf(const etl_option& option);

/// What is wrong with the declarations of a component, one sentence ("option \"port\": its default 0 is outside
/// 1..65535"), or nothing.  Unknown types are passed over.
std::optional<std::string> OptionFault(const etl_option* const* options);

/// The first option (dotted) of a type that this host does not know.
std::optional<std::string> UnknownOptionType(const etl_option* const* options);

}  // namespace etl::host
