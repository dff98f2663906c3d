// SPDX-License-Identifier: Apache-2.0
#include "calendar.h"

#include <cstdio>
#include <ctime>

namespace etl::files {
namespace {

constexpr std::int64_t kMicros = 1'000'000;

/// Reads from the front of a text; once something is amiss, ok() stays false.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  std::int64_t Digits(std::size_t n) {
    if (text_.size() < n) return Fail();
    std::int64_t value = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (text_[i] < '0' || text_[i] > '9') return Fail();
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(n);
    return value;
  }
  bool Take(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void Need(char c) { ok_ = Take(c) && ok_; }
  void Check(bool fine) { ok_ = ok_ && fine; }
  bool AtDigit() const { return !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; }
  bool Done() const { return ok_ && text_.empty(); }

 private:
  std::int64_t Fail() {
    ok_ = false;
    return 0;
  }
  std::string_view text_;
  bool ok_ = true;
};

/// Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
std::int64_t DaysOf(std::int64_t y, std::int64_t m, std::int64_t d) {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year = y - era * 400;
  const std::int64_t day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
}

std::int64_t ReadDate(Reader& in) {
  const std::int64_t y = in.Digits(4);
  in.Need('-');
  const std::int64_t m = in.Digits(2);
  in.Need('-');
  const std::int64_t d = in.Digits(2);
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
  in.Check(m >= 1 && m <= 12);
  if (m >= 1 && m <= 12) in.Check(d >= 1 && d <= kDays[m - 1] + (m == 2 && leap));
  return DaysOf(y, m, d);
}

/// `clock`: a time of day, up to 23:59:59.999999; else any number of hours.
std::int64_t ReadTime(Reader& in, bool clock) {
  std::int64_t h = in.Digits(2);
  while (!clock && h < 100'000'000 && in.AtDigit()) h = h * 10 + in.Digits(1);
  in.Need(':');
  const std::int64_t m = in.Digits(2);
  std::int64_t s = 0, fraction = 0;
  if (in.Take(':')) {
    s = in.Digits(2);
    if (in.Take('.')) {
      in.Check(in.AtDigit());
      std::int64_t unit = kMicros;
      while (in.AtDigit()) {
        const std::int64_t digit = in.Digits(1);
        unit /= 10;
        in.Check(unit > 0 || digit == 0);
        fraction += digit * unit;
      }
    }
  }
  in.Check((!clock || h <= 23) && m <= 59 && s <= 59);
  return ((h * 60 + m) * 60 + s) * kMicros + fraction;
}

std::int64_t ReadZone(Reader& in) {
  if (in.Take('Z') || in.Take('z')) return 0;
  const bool west = in.Take('-');
  if (!west) in.Need('+');
  const std::int64_t h = in.Digits(2);
  in.Take(':');
  const std::int64_t m = in.Digits(2);
  in.Check(h <= 23 && m <= 59);
  return (h * 60 + m) * 60 * kMicros * (west ? -1 : 1);
}

}  // namespace

bool AppendDate(std::string_view text, Column& out) {
  Reader in(text);
  const std::int64_t days = ReadDate(in);
  if (!in.Done()) return false;
  out.Append(days);
  return true;
}

bool AppendTime(std::string_view text, Column& out) {
  Reader in(text);
  const bool negative = in.Take('-');
  const std::int64_t micros = ReadTime(in, false);
  if (!in.Done()) return false;
  out.Append(negative ? -micros : micros);
  return true;
}

bool AppendTimestamp(std::string_view text, bool instant, Column& out) {
  Reader in(text);
  const std::int64_t days = ReadDate(in);
  if (!in.Take(' ') && !in.Take('t')) in.Need('T');
  std::int64_t micros = ReadTime(in, true);
  if (instant) micros -= ReadZone(in);
  if (!in.Done()) return false;
  out.Append(days * 86'400 * kMicros + micros);
  return true;
}

std::string ExpandTime(const std::string& pattern, std::int64_t time) {
  const auto seconds = static_cast<std::time_t>(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      out += pattern[i];
      continue;
    }
    const char what = ++i < pattern.size() ? pattern[i] : '\0';
    char text[16];
    switch (what) {
      case '%': std::snprintf(text, sizeof text, "%%"); break;
      case 'Y': std::snprintf(text, sizeof text, "%04d", utc.tm_year + 1900); break;
      case 'm': std::snprintf(text, sizeof text, "%02d", utc.tm_mon + 1); break;
      case 'd': std::snprintf(text, sizeof text, "%02d", utc.tm_mday); break;
      case 'H': std::snprintf(text, sizeof text, "%02d", utc.tm_hour); break;
      case 'M': std::snprintf(text, sizeof text, "%02d", utc.tm_min); break;
      case 'S': std::snprintf(text, sizeof text, "%02d", utc.tm_sec); break;
      default:
        throw ConfigError("path", "\"" + pattern + "\" has a % that is none of %Y %m %d %H %M %S; write %% for a plain %");
    }
    out += text;
  }
  return out;
}

}  // namespace etl::files
