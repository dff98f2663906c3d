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

inline void Put(char* to, std::size_t capacity, std::string_view s) {
  std::size_t n = s.size() < capacity ? s.size() : capacity - 1;
  while (n < s.size() && n > 0 && (static_cast<unsigned char>(s[n]) & 0xC0) == 0x80) --n;  // no half character
  std::memcpy(to, s.data(), n);
  to[n] = 0;
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
