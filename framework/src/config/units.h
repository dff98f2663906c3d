// Durations and sizes with units.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace etl::host {

/// A number, or why there is none: half a sentence, as in "\"x\" is not a unit of time; those are
/// …".
struct Measured {
  std::optional<std::int64_t> value;
  std::string fault;
};

/// "30s", "500ms", "1h30m", "1.5h", "2d", "100us", "20ns" -> ns.  "0" needs no unit.
Measured ParseDuration(std::string_view text);
/// "8MiB", "64KB", "1.5GB", "123" -> bytes.
Measured ParseBytes(std::string_view text);

/// The shortest that reads back the same: "90s", "2h", "0s"; "8MiB", "1500B".
std::string FormatDuration(std::int64_t ns);
std::string FormatBytes(std::int64_t bytes);
/// As TOML reads it back: "0.5", "3.0", "1e+20".
std::string FormatFloat(double value);

}  // namespace etl::host
