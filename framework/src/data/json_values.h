// Values from the texts that JsonWriter makes of them.  All throw std::invalid_argument with a
// phrase like
// "\"x\" is no date".
#pragma once
#include <etl/json.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace etl::host::data {

/// Number of a bool-free integer kind; `unsigned_kind`: up to 2^64 - 1, given as its bits.
std::int64_t ParseInteger(std::string_view text, bool unsigned_kind);
/// Also "NaN", "Infinity", "-Infinity".
double ParseDouble(std::string_view text);
float ParseFloat(std::string_view text);
/// Nearest half-precision number; too large ones become infinite.
std::uint16_t FloatToHalf(float value);
/// Little-endian two's complement of format.width bytes, at `out`.
void ParseDecimal(std::string_view text, const arrow::Format& format, char* out);
/// Days, or units of a time, timestamp or duration.
std::int64_t ParseTime(std::string_view text, const arrow::Format& format);
/// An interval as it lies in the column, 4, 8 or 16 bytes, at `out`.
void ParseInterval(std::string_view text, const arrow::Format& format, char* out);
std::string DecodeBase64(std::string_view text);
std::string EncodeBase64(std::string_view bytes);

}  // namespace etl::host::data
