// SPDX-License-Identifier: Apache-2.0
/// What a plugin throws.  Each becomes a status and a message at the border; nothing thrown ever crosses it.  Any other
/// exception becomes ETL_FATAL with its what(); std::bad_alloc becomes ETL_RETRY.
#pragma once
#include <etl/plugin.h>

#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace etl {
inline namespace v1 {

inline etl_str ToStr(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view View(etl_str s) { return {s.ptr, static_cast<std::size_t>(s.len)}; }

struct Error : std::runtime_error {
  Error(etl_status status, const std::string& message, std::int64_t code = 0)
      : runtime_error(message), status(status), code(code) {}
  etl_status status;
  std::int64_t code;                ///< the other system's own number
  std::int64_t retry_after_ns = 0;
  std::string option;
};
/// A passing fault: the host repeats the call with back-off.
struct Retry : Error {
  explicit Retry(const std::string& message, std::int64_t code = 0, std::int64_t after_ns = 0)
      : Error(ETL_RETRY, message, code) {
    retry_after_ns = after_ns;
  }
};
/// A lasting fault: the run stops, its state is kept.
struct Fatal : Error {
  explicit Fatal(const std::string& message, std::int64_t code = 0) : Error(ETL_FATAL, message, code) {}
};
/// The user's to repair.  `name` is an option ("tls.ca"); the host adds file, line and column.
struct ConfigError : Error {
  ConfigError(std::string name, const std::string& message) : Error(ETL_CONFIG, message) { option = std::move(name); }
};
/// Gave up because the host asked.
struct Cancelled : Error {
  Cancelled() : Error(ETL_CANCELLED, "cancelled") {}
};

namespace detail {

/// Bytes of the UTF-8 character at the front of s; 0 when it is none.
inline std::size_t CharacterSize(std::string_view s) {
  const auto at = [&s](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const unsigned first = at(0), second = at(1);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  std::size_t n = first >= 0xC2 && first < 0xE0 ? 2 : (first & 0xF0) == 0xE0 ? 3 : first >= 0xF0 && first < 0xF5 ? 4 : 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const bool too_long = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool no_character = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return too_long || no_character ? 0 : n;
}

/// As much of s as there is room for, null-terminated; what is not UTF-8 becomes '?'.
inline void Put(char* to, std::size_t capacity, std::string_view s) {
  std::size_t written = 0;
  while (!s.empty()) {
    const std::size_t n = CharacterSize(s);
    if (written + (n ? n : 1) >= capacity) break;
    if (n) std::memcpy(to + written, s.data(), n);
    else to[written] = '?';
    written += n ? n : 1;
    s.remove_prefix(n ? n : 1);
  }
  to[written] = 0;
}

/// Runs f, turns what it throws into a status and *e.
template <class F>
etl_status Guard(etl_error* e, F&& f) noexcept {
  try {
    return f();
  } catch (const Error& x) {
    e->code = x.code;
    e->retry_after_ns = x.retry_after_ns;
    Put(e->option, sizeof e->option, x.option);
    Put(e->message, sizeof e->message, x.what());
    return x.status;
  } catch (const std::bad_alloc&) {
    Put(e->message, sizeof e->message, "out of memory");
    return ETL_RETRY;
  } catch (const std::exception& x) {
    Put(e->message, sizeof e->message, x.what());
    return ETL_FATAL;
  } catch (...) {
    Put(e->message, sizeof e->message, "an exception of unknown type");
    return ETL_FATAL;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace etl
