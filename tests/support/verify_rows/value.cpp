#include "value.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace verify {
namespace {

/// 0.d1d2d3… × 10^exponent, without zeros at either end of the digits: one form for each number.
struct Decimal {
  bool negative = false;
  bool integer = true;  ///< spelled without fraction and exponent
  std::string digits;
  long exponent = 0;
  bool operator==(const Decimal& other) const {
    return negative == other.negative && digits == other.digits && exponent == other.exponent;
  }
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Reads JSON's form of a number and nothing else.
std::optional<Decimal> ParseNumber(std::string_view text) {
  Decimal result;
  std::size_t at = 0;
  const auto more = [&] { return at < text.size(); };
  if (more() && text[at] == '-') result.negative = true, ++at;
  const std::size_t whole = at;
  while (more() && IsDigit(text[at])) result.digits += text[at++];
  const std::size_t whole_digits = at - whole;
  if (whole_digits == 0 || (whole_digits > 1 && text[whole] == '0')) return std::nullopt;
  result.exponent = static_cast<long>(whole_digits);
  if (more() && text[at] == '.') {
    const std::size_t fraction = ++at;
    while (more() && IsDigit(text[at])) result.digits += text[at++];
    if (at == fraction) return std::nullopt;
    result.integer = false;
  }
  if (more() && (text[at] == 'e' || text[at] == 'E')) {
    if (++at; more() && text[at] == '+') ++at;
    long exponent = 0;
    const auto [end, error] =
        std::from_chars(text.data() + at, text.data() + text.size(), exponent);
    if (error != std::errc() || !IsDigit(end[-1])) return std::nullopt;
    at = static_cast<std::size_t>(end - text.data());
    result.exponent += exponent;
    result.integer = false;
  }
  if (more()) return std::nullopt;
  const std::size_t first = result.digits.find_first_not_of('0');
  if (first == std::string::npos) {
    result.digits.clear();
    result.exponent = 0;
    return result;
  }
  result.exponent -= static_cast<long>(first);
  result.digits = result.digits.substr(first, result.digits.find_last_not_of('0') - first + 1);
  return result;
}

double ToDouble(std::string_view text) { return std::strtod(std::string(text).c_str(), nullptr); }

bool SameNumber(std::string_view a_text, std::string_view b_text, const Rules& rules) {
  const auto a = ParseNumber(a_text);
  const auto b = ParseNumber(b_text);
  if (!a || !b) return a_text == b_text;
  if (a->integer != b->integer && !rules.numbers_by_value) return false;
  if (*a == *b) return true;
  if (a->integer || b->integer) return false;
  // Two spellings of one double are the same, but no more digits than a double holds may vanish in
  // the comparison.
  constexpr std::size_t kDigitsOfDouble = 17;
  if (a->digits.size() > kDigitsOfDouble || b->digits.size() > kDigitsOfDouble) return false;
  return a->negative == b->negative && ToDouble(a_text) == ToDouble(b_text);
}

bool IsNumber(Kind kind) { return kind == Kind::kInteger || kind == Kind::kReal; }

bool SameUntyped(const Cell& untyped, const Cell& typed, const Rules& rules) {
  switch (typed.kind) {
    case Kind::kNull:
      return false;  // The reader has made the CSV spelling of null a null.
    case Kind::kInteger:
    case Kind::kReal:
      if (rules.zero_one_is_bool && (untyped.text == "true" || untyped.text == "false")) {
        return typed.text == (untyped.text == "true" ? "1" : "0");
      }
      return ParseNumber(untyped.text) && SameNumber(untyped.text, typed.text, rules);
    case Kind::kBool:
      return untyped.text == typed.text || untyped.text == (typed.text == "true" ? "1" : "0");
    default:
      return untyped.text == typed.text;
  }
}

bool SameBool(const Cell& boolean, const Cell& other) {
  return other.kind == Kind::kInteger && other.text == (boolean.text == "true" ? "1" : "0");
}

}  // namespace

bool Same(const Cell& a, const Cell& b, const Rules& rules) {
  if (a.kind == Kind::kUntyped && b.kind != Kind::kUntyped) return SameUntyped(a, b, rules);
  if (b.kind == Kind::kUntyped && a.kind != Kind::kUntyped) return SameUntyped(b, a, rules);
  if (IsNumber(a.kind) && IsNumber(b.kind)) return SameNumber(a.text, b.text, rules);
  if (rules.zero_one_is_bool && a.kind == Kind::kBool && b.kind != Kind::kBool)
    return SameBool(a, b);
  if (rules.zero_one_is_bool && b.kind == Kind::kBool && a.kind != Kind::kBool)
    return SameBool(b, a);
  return a.kind == b.kind && a.text == b.text;
}

std::string Show(const Cell& cell) {
  constexpr std::size_t kShown = 60;
  if (cell.kind == Kind::kNull) return "null";
  const bool quoted = cell.kind == Kind::kText || cell.kind == Kind::kUntyped;
  std::string result = cell.kind == Kind::kBlob ? "blob " : quoted ? "\"" : "";
  for (const char c : cell.text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    static constexpr char kHex[] = "0123456789abcdef";
    // Bytes rather than characters: a difference in normalisation must be seen.
    if (byte < 0x20 || byte >= 0x7f) {
      result += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      result += c;
    }
  }
  if (cell.text.size() > kShown) result += "… (" + std::to_string(cell.text.size()) + " bytes)";
  return quoted ? result + "\"" : result;
}

std::string KeyText(const Cell& cell) {
  if (cell.kind == Kind::kNull) return "\x01null";
  if (!IsNumber(cell.kind) && cell.kind != Kind::kUntyped) return std::string(cell.text);
  const auto number = ParseNumber(cell.text);
  if (!number || !number->integer) return std::string(cell.text);
  if (number->digits.empty()) return "0";
  return (number->negative ? "-" : "") + number->digits +
         std::string(static_cast<std::size_t>(number->exponent) - number->digits.size(), '0');
}

}  // namespace verify
