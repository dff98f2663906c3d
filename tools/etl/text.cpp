#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

namespace etl::cli {
namespace {

/// Decodes one code point; a byte that is not UTF-8 counts as one.
char32_t Next(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  char32_t point = more == 3   ? lead & 0x07U
                   : more == 2 ? lead & 0x0FU
                   : more == 1 ? lead & 0x1FU
                               : lead;
  for (int i = 0; i < more && at < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte & 0xC0U) != 0x80U) break;
    point = (point << 6) | (byte & 0x3FU);
    ++at;
  }
  return point;
}

// wcwidth() needs a locale, which the process must not set.
std::size_t Cells(char32_t c) {
  if ((c >= 0x0300 && c <= 0x036F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F))
    return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                    (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                    (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

std::string Count(std::int64_t n) {
  std::string digits = std::to_string(n);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string Amount(double bytes) {
  static constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  for (; bytes >= 999.5 && unit + 1 < kUnits.size(); ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 || bytes >= 99.95 ? 0 : 1, kUnits[unit]);
}

std::string Mebibytes(std::int64_t bytes) {
  return fmt::format("{} MiB", (bytes + (1 << 19)) >> 20);
}

std::string Clock(std::int64_t ns) {
  const std::int64_t s = std::max<std::int64_t>(ns, 0) / 1'000'000'000;
  return fmt::format("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string Span(std::int64_t ns) {
  const double s = static_cast<double>(ns) / 1e9;
  if (s < 9.995) return fmt::format("{:.2f} s", s);
  if (s < 59.95) return fmt::format("{:.1f} s", s);
  const auto whole = static_cast<std::int64_t>(std::llround(s));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string Percent(double fraction) {
  const double p = fraction * 100;
  return fmt::format("{:.{}f} %", p, p > 0 && p < 9.95 ? 1 : 0);
}

std::string Plural(std::int64_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", Count(n), n == 1 ? one : many);
}

std::string Block(double fraction) {
  static constexpr std::array kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (!(fraction > 0)) return kBlocks[0];
  return kBlocks[static_cast<std::size_t>(std::clamp(std::ceil(fraction * 8), 1.0, 8.0))];
}

std::size_t Width(std::string_view text) {
  std::size_t cells = 0;
  for (std::size_t at = 0; at < text.size();) cells += Cells(Next(text, at));
  return cells;
}

std::string Fit(std::string_view text, std::size_t cells) {
  if (cells == 0) return {};
  if (Width(text) <= cells) return std::string(text);
  std::size_t used = 0, at = 0, end = 0;
  while (at < text.size()) {
    used += Cells(Next(text, at));
    if (used > cells - 1) break;
    end = at;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string Left(std::string_view text, std::size_t cells) {
  const std::size_t width = Width(text);
  return std::string(text) + std::string(width < cells ? cells - width : 0, ' ');
}

std::string Right(std::string_view text, std::size_t cells) {
  const std::size_t width = Width(text);
  return std::string(width < cells ? cells - width : 0, ' ') + std::string(text);
}

std::string UtcNow() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm t{};
  gmtime_r(&now.tv_sec, &t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, now.tv_nsec / 1'000'000);
}

}  // namespace etl::cli
