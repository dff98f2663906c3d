#include "utf8.h"

#include <Poco/UTF8Encoding.h>
#include <fmt/format.h>

#include <algorithm>

namespace etl::host {

CodePoint DecodeAt(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  static const Poco::UTF8Encoding utf8;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data() + at);
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return {};
  if (!Poco::UTF8Encoding::isLegal(bytes, static_cast<int>(length))) return {};
  const int value = utf8.queryConvert(bytes, static_cast<int>(length));
  if (value < 0 || value > 0x10FFFF) return {};
  return {static_cast<char32_t>(value), length};
}

bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = DecodeAt(text, i);
    if (point.length == 0) return false;
    i += point.length;
  }
  return true;
}

void AppendVisible(std::string& out, std::string_view text, std::size_t at,
                   const CodePoint& point) {
  const char32_t c = point.value;
  if (point.length == 0) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c < 0x20 || c == 0x7F) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
  } else if ((c >= 0x80 && c < 0xA0) || c == 0x061C || (c >= 0x200E && c <= 0x200F) ||
             (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  } else {
    out.append(text.substr(at, point.length));
  }
}

std::string Visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = DecodeAt(text, i);
    AppendVisible(out, text, i, point);
    i += std::max<std::size_t>(point.length, 1);
  }
  return out;
}

int WidthOf(char32_t c) {
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                    (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                    (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1FAFF) ||
                    (c >= 0x20000 && c <= 0x3FFFD);
  const bool none = c == 0x200D || (c >= 0x0300 && c <= 0x036F) || (c >= 0xFE00 && c <= 0xFE0F);
  return none ? 0 : wide ? 2 : 1;
}

}  // namespace etl::host
