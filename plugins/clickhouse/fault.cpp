// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <algorithm>
#include <charconv>

namespace etl::clickhouse {

int CodeOf(std::string_view text) {
  const auto at = text.find("Code: ");
  int code = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + 6, text.data() + text.size(), code);
  return code;
}

Means MeaningOf(int code) {
  switch (code) {
    case 158: case 159: case 160: case 241: case 307: case 396: case 473:
      return Means::kSmaller;
    case 3: case 32: case 33: case 95: case 198: case 201: case 202: case 203: case 209: case 210: case 236: case 242: case 252: case 279: case 319:
    case 335: case 364: case 373: case 394: case 425: case 439: case 499: case 700: case 745: case 746: case 999: case 1000:
      return Means::kPassing;
    case 16: case 36: case 41: case 43: case 46: case 47: case 53: case 60: case 62: case 81: case 115: case 164: case 192: case 193: case 194: case 195:
    case 291: case 452: case 456: case 457: case 497: case 516:
      return Means::kUser;
    default: return Means::kLasting;
  }
}

std::string Shown(std::string_view text) {
  if (const auto at = text.find("Code: "); at != std::string_view::npos) text.remove_prefix(at);
  std::string out;
  for (const char c : text.substr(0, 500)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

void ThrowServer(const std::string& doing, int status, std::string_view text, std::int64_t retry_after_ns) {
  const int code = CodeOf(text);
  std::string what = doing + ": ";
  what += text.empty() ? "the server answered with HTTP status " + std::to_string(status) : Shown(text);
  if (!code) {
    what += text.empty() ? "" : " (HTTP status " + std::to_string(status) + ")";
    if (status == 200) throw Retry(what, status, retry_after_ns);
    if (status == 408 || status == 429 || status >= 500) throw Retry(what, status, retry_after_ns);
    if (status == 413 || status == 416) throw TooMuch(what, status, retry_after_ns);
    throw Fatal(what, status);
  }
  switch (MeaningOf(code)) {
    case Means::kSmaller: throw TooMuch(what, code, retry_after_ns);
    case Means::kPassing: throw Retry(what, code, retry_after_ns);
    case Means::kUser: {
      const bool login = code == 516 || (code >= 192 && code <= 195);
      throw ConfigError(login ? "user" : code == 115 ? "settings" : code == 60 ? "table" : code == 81 ? "database" : "", what);
    }
    default: throw Fatal(what, code);
  }
}

void ThrowTail(std::string_view bytes) {
  if (bytes.find("DB::Exception") != std::string_view::npos || bytes.find("Code: ") != std::string_view::npos ||
      bytes.find("__exception__") != std::string_view::npos) {
    ThrowServer("the query failed after its first rows", 200, bytes);
  }
  throw Retry("what came is no block of the format Native: \"" + Shown(bytes.substr(0, 80)) + "\"");
}

}  // namespace etl::clickhouse
