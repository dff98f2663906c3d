// SPDX-License-Identifier: Apache-2.0
/// What a server's errors mean.
#pragma once
#include <etl/error.h>

#include <string>
#include <string_view>

namespace etl::clickhouse {

enum class Means {
  kPassing,   ///< the same again later
  kSmaller,   ///< the same again, of fewer rows or less time
  kUser,      ///< of the options
  kLasting,
};

/// The number in "Code: 241. DB::Exception: ...", 0 where there is none.
int CodeOf(std::string_view text);
Means MeaningOf(int code);
/// A server's error as it may be shown: one line, cut, without what repeats the query.
std::string Shown(std::string_view text);

/// Of an error that asks for less: Retry with its code, and `smaller` set.
struct TooMuch : Retry {
  using Retry::Retry;
  /// A setting of the user's forbids it, so that the same question is refused each time.
  bool lasting() const { return code == 158 || code == 307 || code == 396; }
};

/// Throws what a server's error means: TooMuch, Retry, ConfigError or Fatal.  `status` 200: it came behind rows.
[[noreturn]] void ThrowServer(const std::string& doing, int status, std::string_view text, std::int64_t retry_after_ns = 0);
/// For bytes in the place of a block: a message of the server's, or no Native data at all.
[[noreturn]] void ThrowTail(std::string_view bytes);

}  // namespace etl::clickhouse
