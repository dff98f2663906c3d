// How figures are written for people.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace etl::cli {

std::string Count(std::int64_t n);          ///< 412,310
std::string Amount(double bytes);           ///< 3.1 MB: decimal units, as disks and networks count
std::string Mebibytes(std::int64_t bytes);  ///< 512 MiB: binary units, as memory_limit is written
std::string Clock(std::int64_t ns);         ///< 00:12:41
std::string Span(std::int64_t ns);          ///< 0.42 s, 12.4 s, 3 min 07 s, 2 h 05 min
std::string Percent(double fraction);       ///< 97 %, 0.4 %
std::string Plural(std::int64_t n, std::string_view one, std::string_view many);  ///< 1 row, 2 rows

/// A bar one cell wide: " " for nothing, "▁" to "█".
std::string Block(double fraction);

/// How many cells a UTF-8 text takes; wide scripts count as two, combining marks as none.
std::size_t Width(std::string_view text);
/// At most `cells` wide; what is cut off shows as "…".
std::string Fit(std::string_view text, std::size_t cells);
/// Padded with blanks to `cells`.
std::string Left(std::string_view text, std::size_t cells);
std::string Right(std::string_view text, std::size_t cells);

/// Now, as in 2026-01-02T03:04:05.678Z.
std::string UtcNow();

}  // namespace etl::cli
