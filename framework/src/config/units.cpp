#include "units.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <limits>
#include <span>

#include "utf8.h"

namespace etl::host {
namespace {

__extension__ using Wide = __int128;

struct Unit {
  std::string_view name;
  std::int64_t size;
};

constexpr std::int64_t kMinute = 60'000'000'000, kKilo = 1000, kKibi = 1024;
// Largest first, for formatting; a second name of the same unit comes after the one to write.
constexpr Unit kTimes[] = {{"d", 1440 * kMinute}, {"h", 60 * kMinute},  {"m", kMinute},
                           {"min", kMinute},      {"s", 1'000'000'000}, {"ms", 1'000'000},
                           {"us", 1'000},         {"µs", 1'000},        {"ns", 1}};
constexpr Unit kSizes[] = {{"TiB", kKibi* kKibi* kKibi* kKibi},
                           {"GiB", kKibi* kKibi* kKibi},
                           {"MiB", kKibi* kKibi},
                           {"KiB", kKibi},
                           {"TB", kKilo* kKilo* kKilo* kKilo},
                           {"GB", kKilo* kKilo* kKilo},
                           {"MB", kKilo* kKilo},
                           {"KB", kKilo},
                           {"kB", kKilo},
                           {"B", 1}};
constexpr std::string_view kTimeNames = "ns, us, ms, s, m, h, d";
constexpr std::string_view kSizeNames =
    "B, KB, MB, GB, TB (thousands) and KiB, MiB, GiB, TiB (times 1024)";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// One "12.5 ms" off the front of `text`, added to `sum`.  Returns what is wrong.
std::string Term(std::string_view& text, std::span<const Unit> units, std::string_view names,
                 bool unit_needed, Wide& sum) {
  std::size_t digits = 0;
  Wide whole = 0, fraction = 0, scale = 1;
  for (; digits < text.size() && IsDigit(text[digits]); ++digits) {
    whole = whole * 10 + (text[digits] - '0');
    if (whole > std::numeric_limits<std::int64_t>::max()) return "that is too large";
  }
  if (digits == 0)
    return text.starts_with('-') ? "it cannot be negative" : "a number comes first, then a unit";
  text.remove_prefix(digits);
  if (text.size() > 1 && text[0] == '.' && IsDigit(text[1])) {
    for (text.remove_prefix(1); !text.empty() && IsDigit(text[0]); text.remove_prefix(1)) {
      if (scale > 100'000'000'000) return "that has too many decimals";
      fraction = fraction * 10 + (text[0] - '0');
      scale *= 10;
    }
  }
  while (text.starts_with(' ')) text.remove_prefix(1);
  const std::size_t length = std::min(text.find_first_of("0123456789 "), text.size());
  const std::string_view name = text.substr(0, length);
  text.remove_prefix(length);
  while (text.starts_with(' ')) text.remove_prefix(1);

  std::int64_t size = name.empty() && (!unit_needed || (whole == 0 && fraction == 0)) ? 1 : 0;
  for (const Unit& unit : units)
    if (unit.name == name) size = unit.size;
  if (size == 0 && name.empty()) return fmt::format("a unit is missing; units are {}", names);
  if (size == 0) return fmt::format("\"{}\" is not a unit; units are {}", Visible(name), names);
  if (fraction * size % scale != 0) return "that has too many decimals";
  sum += whole * size + fraction * size / scale;
  if (sum > std::numeric_limits<std::int64_t>::max()) return "that is too large";
  return {};
}

Measured Parse(std::string_view text, std::span<const Unit> units, std::string_view names,
               bool unit_needed) {
  if (text.empty()) return {{}, "it is empty"};
  Wide sum = 0;
  while (!text.empty()) {
    std::string fault = Term(text, units, names, unit_needed, sum);
    if (!fault.empty()) return {{}, std::move(fault)};
  }
  return {static_cast<std::int64_t>(sum), {}};
}

std::string Format(std::int64_t value, std::span<const Unit> units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  for (const Unit& unit : units)
    if (value % unit.size == 0) return fmt::format("{}{}", value / unit.size, unit.name);
  return fmt::format("{}", value);
}

}  // namespace

Measured ParseDuration(std::string_view text) { return Parse(text, kTimes, kTimeNames, true); }
Measured ParseBytes(std::string_view text) { return Parse(text, kSizes, kSizeNames, false); }
std::string FormatDuration(std::int64_t ns) { return Format(ns, kTimes, "0s"); }
std::string FormatBytes(std::int64_t bytes) { return Format(bytes, kSizes, "0B"); }

std::string FormatFloat(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

}  // namespace etl::host
