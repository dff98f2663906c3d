// SPDX-License-Identifier: Apache-2.0
#include "value_type.h"

#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "calendar.h"

namespace etl::files {
namespace {

__extension__ using Wide = unsigned __int128;

struct Named {
  const char* name;
  Kind kind;
  const char* format;
};
constexpr std::array<Named, 18> kNamed{{
    {"bool", Kind::kBool, "b"},
    {"int8", Kind::kInt8, "c"},
    {"int16", Kind::kInt16, "s"},
    {"int32", Kind::kInt32, "i"},
    {"int64", Kind::kInt64, "l"},
    {"uint8", Kind::kUInt8, "C"},
    {"uint16", Kind::kUInt16, "S"},
    {"uint32", Kind::kUInt32, "I"},
    {"uint64", Kind::kUInt64, "L"},
    {"float32", Kind::kFloat32, "f"},
    {"float64", Kind::kFloat64, "g"},
    {"utf8", Kind::kUtf8, "u"},
    {"json", Kind::kJson, "u"},
    {"binary", Kind::kBinary, "z"},
    {"date", Kind::kDate, "tdD"},
    {"time", Kind::kTime, "ttu"},
    {"timestamp", Kind::kTimestamp, "tsu:UTC"},
    {"timestamp_local", Kind::kTimestampLocal, "tsu:"},
}};

const Named* Find(Kind kind) {
  for (const Named& n : kNamed) {
    if (n.kind == kind) return &n;
  }
  return nullptr;
}

bool ParseDecimalType(std::string_view text, FileColumn& out) {
  if (text.substr(0, 8) != "decimal(" || text.back() != ')') return false;
  const char* end = text.data() + text.size() - 1;
  auto [p, e] = std::from_chars(text.data() + 8, end, out.precision);
  if (e != std::errc() || p == end || *p != ',') return false;
  do ++p;
  while (p != end && *p == ' ');
  const auto [q, e2] = std::from_chars(p, end, out.scale);
  return e2 == std::errc() && q == end && out.precision >= 1 && out.precision <= 76 && out.scale >= 0 &&
         out.scale <= out.precision;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

template <class T>
bool AppendInteger(std::string_view text, Column& out) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  out.Append(value);
  return true;
}

template <class T>
bool AppendFloat(std::string_view text, Column& out) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return false;
  out.Append(value);
  return true;
}

/// Little-endian two's complement in `width` bytes.
bool AppendDecimal(std::string_view text, int precision, int scale, Column& out) {
  std::array<std::uint64_t, 4> limbs{};
  const bool negative = !text.empty() && text[0] == '-';
  std::size_t i = negative || (!text.empty() && text[0] == '+') ? 1 : 0;
  int digits = 0, after = -1, seen = 0;
  const auto push = [&](unsigned digit) {
    Wide carry = digit;
    for (std::uint64_t& limb : limbs) {
      carry += static_cast<Wide>(limb) * 10;
      limb = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    if (digits || digit) ++digits;  // leading zeros are none
    return digits <= precision;
  };
  for (; i < text.size(); ++i) {
    if (text[i] == '.' && after < 0) {
      after = 0;
      continue;
    }
    if (!IsDigit(text[i])) return false;
    ++seen;
    if (after >= 0 && ++after > scale) {
      if (text[i] != '0') return false;  // would be rounded
      continue;
    }
    if (!push(static_cast<unsigned>(text[i] - '0'))) return false;
  }
  if (!seen) return false;
  for (int have = std::min(std::max(after, 0), scale); have < scale; ++have) {
    if (!push(0)) return false;
  }
  if (negative) {
    unsigned carry = 1;
    for (std::uint64_t& limb : limbs) {
      limb = ~limb + carry;
      carry = carry && limb == 0;
    }
  }
  out.Append(std::string_view(reinterpret_cast<const char*>(limbs.data()), precision > 38 ? 32 : 16));
  return true;
}

bool AppendBool(std::string_view text, bool lenient, Column& out) {
  if (text == "true" || (lenient && (text == "1" || text == "TRUE" || text == "True"))) {
    out.Append(true);
  } else if (text == "false" || (lenient && (text == "0" || text == "FALSE" || text == "False"))) {
    out.Append(false);
  } else {
    return false;
  }
  return true;
}

}  // namespace

FileColumn ColumnOf(const std::string& name, const std::string& type_name) {
  FileColumn column;
  column.name = name;
  column.declared = true;
  for (const Named& n : kNamed) {
    if (type_name == n.name) {
      column.kind = n.kind;
      return column;
    }
  }
  if (!type_name.empty() && ParseDecimalType(type_name, column)) {
    column.kind = Kind::kDecimal;
    return column;
  }
  throw ConfigError("columns", "column \"" + name + "\" has the type \"" + type_name + "\", which is none of " +
                                   std::string(TypeNames()));
}

std::string_view TypeNames() {
  static const std::string* const names = [] {
    auto* all = new std::string;
    for (const Named& n : kNamed) *all += std::string(n.name) + ", ";
    *all += "decimal(PRECISION,SCALE)";
    return all;
  }();
  return *names;
}

std::string TypeName(const FileColumn& column) {
  if (const Named* n = Find(column.kind)) return n->name;
  return "decimal(" + std::to_string(column.precision) + "," + std::to_string(column.scale) + ")";
}

Type ArrowType(const FileColumn& column) {
  if (column.kind == Kind::kJson) return Json();
  if (column.kind == Kind::kDecimal) {
    return column.precision > 38 ? Decimal256(column.precision, column.scale)
                                 : Decimal128(column.precision, column.scale);
  }
  return {Find(column.kind)->format, {}, {}};
}

Schema SchemaOf(const std::vector<FileColumn>& columns) {
  Schema schema;
  for (const FileColumn& c : columns) schema.push_back(Field{c.name, ArrowType(c), true});
  return schema;
}

bool IsInteger(Kind kind) { return kind >= Kind::kInt8 && kind <= Kind::kUInt64; }

bool AppendText(const FileColumn& column, std::string_view text, Column& out) {
  if (text.empty()) return false;
  if (!column.declared) {
    if (IsInteger(column.kind) && !IsCanonicalInteger(text)) return false;
    if (column.kind == Kind::kFloat64 && !(IsJsonNumber(text) && IsExactDouble(text))) return false;
  } else if (text[0] == '+' && column.kind <= Kind::kFloat64 && column.kind != Kind::kBool) {
    text.remove_prefix(1);
    if (text.empty() || text[0] == '-') return false;
  }
  switch (column.kind) {
    case Kind::kBool: return AppendBool(text, column.declared, out);
    case Kind::kInt8: return AppendInteger<std::int8_t>(text, out);
    case Kind::kInt16: return AppendInteger<std::int16_t>(text, out);
    case Kind::kInt32: return AppendInteger<std::int32_t>(text, out);
    case Kind::kInt64: return AppendInteger<std::int64_t>(text, out);
    case Kind::kUInt8: return AppendInteger<std::uint8_t>(text, out);
    case Kind::kUInt16: return AppendInteger<std::uint16_t>(text, out);
    case Kind::kUInt32: return AppendInteger<std::uint32_t>(text, out);
    case Kind::kUInt64: return AppendInteger<std::uint64_t>(text, out);
    case Kind::kFloat32: return AppendFloat<float>(text, out);
    case Kind::kFloat64: return AppendFloat<double>(text, out);
    case Kind::kDecimal: return AppendDecimal(text, column.precision, column.scale, out);
    case Kind::kDate: return AppendDate(text, out);
    case Kind::kTime: return AppendTime(text, out);
    case Kind::kTimestamp: return AppendTimestamp(text, true, out);
    case Kind::kTimestampLocal: return AppendTimestamp(text, false, out);
    case Kind::kBinary: {
      std::string bytes;
      if (!DecodeBase64(text, bytes)) return false;
      out.Append(bytes);
      return true;
    }
    case Kind::kUtf8:
    case Kind::kJson: out.Append(text); return true;
  }
  return false;
}

bool IsCanonicalInteger(std::string_view text) {
  std::size_t i = !text.empty() && text[0] == '-' ? 1 : 0;
  if (i == text.size()) return false;
  if (text[i] == '0') return text == "0";
  for (; i < text.size(); ++i) {
    if (!IsDigit(text[i])) return false;
  }
  return true;
}

bool IsJsonNumber(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const auto digits = [&] {
    const char* const begin = p;
    while (p != end && IsDigit(*p)) ++p;
    return p != begin;
  };
  if (p != end && *p == '-') ++p;
  if (p != end && *p == '0') {
    ++p;
  } else if (!digits()) {
    return false;
  }
  if (p != end && *p == '.') {
    ++p;
    if (!digits()) return false;
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p != end && (*p == '+' || *p == '-')) ++p;
    if (!digits()) return false;
  }
  return p == end;
}

namespace {
/// Digits without leading and trailing zeros, and the power of ten of the digit after the last.
struct Normal {
  std::string digits;
  std::int64_t exponent = 0;
};
Normal Normalise(std::string_view number) {
  Normal n;
  std::int64_t after_point = 0;
  bool point = false;
  std::size_t i = 0;
  for (; i < number.size() && number[i] != 'e' && number[i] != 'E'; ++i) {
    if (number[i] == '.') point = true;
    if (!IsDigit(number[i])) continue;
    if (point) ++after_point;
    if (!n.digits.empty() || number[i] != '0') n.digits += number[i];
  }
  if (i < number.size()) {
    ++i;
    if (number[i] == '+') ++i;
    if (std::from_chars(number.data() + i, number.data() + number.size(), n.exponent).ec != std::errc()) {
      n.exponent = number[i] == '-' ? -1'000'000'000 : 1'000'000'000;
    }
  }
  n.exponent -= after_point;
  while (!n.digits.empty() && n.digits.back() == '0') {
    n.digits.pop_back();
    ++n.exponent;
  }
  if (n.digits.empty()) n.exponent = 0;
  return n;
}
}  // namespace

bool IsExactDouble(std::string_view number) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (end != number.data() + number.size() || error != std::errc() || !std::isfinite(value)) return false;
  // Any 15 digits survive the way to a double and back.
  if (number.size() <= 15 && number.find_first_of("eE") == std::string_view::npos) return true;
  char shortest[32];
  const auto printed = std::to_chars(shortest, shortest + sizeof shortest, value);
  const Normal a = Normalise(number);
  const Normal b = Normalise(std::string_view(shortest, static_cast<std::size_t>(printed.ptr - shortest)));
  if (a.digits == b.digits && a.exponent == b.exponent) return true;
  // A large integer can be exact without being the shortest: 2^60.
  if (number.find_first_of(".eE") != std::string_view::npos || number.size() > 40) return false;
  char exact[64];
  const auto full = std::to_chars(exact, exact + sizeof exact, value, std::chars_format::fixed, 0);
  return number == std::string_view(exact, static_cast<std::size_t>(full.ptr - exact));
}

namespace {
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::array<std::int8_t, 256> MakeBase64Values() {
  std::array<std::int8_t, 256> values{};
  for (auto& v : values) v = -1;
  for (std::int8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kBase64[i])] = i;
  return values;
}
constexpr auto kBase64Values = MakeBase64Values();
}  // namespace

bool DecodeBase64(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4) return false;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const int pad = last ? (text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=') : 0;
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int six = static_cast<int>(k) >= 4 - pad ? 0 : kBase64Values[static_cast<unsigned char>(text[i + k])];
      if (six < 0) return false;
      v = v << 6 | static_cast<std::uint32_t>(six);
    }
    if ((pad == 1 && (v & 0xFF)) || (pad == 2 && (v & 0xFFFF))) return false;  // bits that no encoder sets
    const char three[] = {static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
    out.append(three, static_cast<std::size_t>(3 - pad));
  }
  return true;
}

}  // namespace etl::files
