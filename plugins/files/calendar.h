// SPDX-License-Identifier: Apache-2.0
/// Dates and times as text: the extended form of ISO 8601, as RFC 3339 has it.
#pragma once
#include <etl/sdk.h>

#include <string_view>

namespace etl::files {

/// "2024-02-29".  False, and nothing appended, when the text is none.
bool AppendDate(std::string_view text, Column& out);

/// "23:59", "23:59:59" or "23:59:59.123456": microseconds since midnight; also "-838:59:59", as databases have times.
bool AppendTime(std::string_view text, Column& out);

/// "2024-02-29T23:59:59.5+01:00", also with a space for the T.  `instant`: the zone must be there; else it must not.
/// A fraction finer than a microsecond fits only if those digits are zero.
bool AppendTimestamp(std::string_view text, bool instant, Column& out);

/// Replaces %Y %m %d %H %M %S by the UTC time (seconds since the epoch) and %% by %.  Throws ConfigError("path") at any
/// other use of %.
std::string ExpandTime(const std::string& pattern, std::int64_t time);

}  // namespace etl::files
