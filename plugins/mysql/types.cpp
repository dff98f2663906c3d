// SPDX-License-Identifier: Apache-2.0
#include "types.h"

#include <array>
#include <charconv>
#include <cstring>

namespace etl::mysql {
namespace {

constexpr unsigned kBinaryCharset = 63;
constexpr int kVectorType = 242;   // MySQL 9's VECTOR, which the client library has no name for

std::string Attribute(const MYSQL_FIELD& field, mariadb_field_attr_t which) {
  MARIADB_CONST_STRING text{nullptr, 0};
  if (mariadb_field_attr(&text, &field, which)) return {};
  return {text.str, text.length};
}

void Number(ReadColumn& c, bool is_unsigned, Type with_sign, Type without) {
  c.kind = is_unsigned ? Kind::kUInt : Kind::kInt;
  c.type = is_unsigned ? std::move(without) : std::move(with_sign);
}

void Decimal(ReadColumn& c, const MYSQL_FIELD& f) {
  c.scale = static_cast<int>(f.decimals);
  const int sign = f.flags & UNSIGNED_FLAG ? 0 : 1, point = c.scale ? 1 : 0;
  const int precision = std::max(1, std::min(65, static_cast<int>(f.length) - sign - point));
  c.kind = Kind::kDecimal;
  c.bytes = precision <= 38 ? 16 : 32;
  c.type = precision <= 38 ? Decimal128(precision, c.scale) : Decimal256(precision, c.scale);
}

void Temporal(ReadColumn& c, Kind kind, Type type, ZeroDates zero) {
  c.kind = zero == ZeroDates::kString ? Kind::kText : kind;
  c.type = zero == ZeroDates::kString ? Utf8() : std::move(type);
  c.zero = zero;
}

void Text(ReadColumn& c, const MYSQL_FIELD& f) {
  const bool json = Attribute(f, MARIADB_FIELD_ATTR_FORMAT_NAME) == "json";
  const bool bytes = f.charsetnr == kBinaryCharset && !(f.flags & (ENUM_FLAG | SET_FLAG));
  c.kind = json ? Kind::kJson : bytes ? Kind::kBytes : Kind::kText;
  c.type = json ? Json() : bytes ? Binary() : Utf8();
}

// ---- values ----

template <class T>
bool Parse(std::string_view text, T& v) {
  const auto end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, v);
  return error == std::errc() && at == end;
}

bool Two(const char* p, unsigned& v) {
  const unsigned a = static_cast<unsigned char>(p[0]) - unsigned{'0'}, b = static_cast<unsigned char>(p[1]) - unsigned{'0'};
  v = a * 10 + b;
  return a < 10 && b < 10;
}

/// The digits after a point as microseconds.
bool Micros(std::string_view text, std::int64_t& micros) {
  micros = 0;
  if (text.empty()) return true;
  if (text[0] != '.' || text.size() > 7) return false;
  for (std::size_t i = 1; i < 7; ++i) {
    const unsigned digit = i < text.size() ? static_cast<unsigned char>(text[i]) - unsigned{'0'} : 0;
    if (digit > 9) return false;
    micros = micros * 10 + digit;
  }
  return true;
}

struct Moment {
  unsigned year, month, day, hour = 0, minute = 0, second = 0;
  std::int64_t micros = 0;
};

bool ParseMoment(std::string_view text, Moment& m) {
  unsigned century = 0, year = 0;
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return false;
  if (!Two(text.data(), century) || !Two(text.data() + 2, year) || !Two(text.data() + 5, m.month) || !Two(text.data() + 8, m.day)) return false;
  m.year = century * 100 + year;
  if (text.size() == 10) return true;
  if (text.size() < 19 || text[10] != ' ' || text[13] != ':' || text[16] != ':') return false;
  if (!Two(text.data() + 11, m.hour) || !Two(text.data() + 14, m.minute) || !Two(text.data() + 17, m.second)) return false;
  return Micros(text.substr(19), m.micros);
}

bool Exists(const Moment& m) {
  static constexpr std::array<unsigned, 13> kDays{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (m.year % 4 == 0 && m.year % 100 != 0) || m.year % 400 == 0;
  return m.month >= 1 && m.month <= 12 && m.day >= 1 && m.day <= kDays[m.month] + (m.month == 2 && leap ? 1 : 0);
}

/// "-838:59:59.000000" in microseconds.
bool ParseTime(std::string_view text, std::int64_t& micros) {
  const bool minus = !text.empty() && text[0] == '-';
  if (minus) text.remove_prefix(1);
  const auto colon = text.find(':');
  unsigned minute = 0, second = 0;
  std::int64_t hour = 0;
  if (colon == std::string_view::npos || text.size() < colon + 6 || text[colon + 3] != ':') return false;
  if (!Parse(text.substr(0, colon), hour) || !Two(text.data() + colon + 1, minute) || !Two(text.data() + colon + 4, second)) return false;
  if (!Micros(text.substr(colon + 6), micros)) return false;
  micros += ((hour * 60 + minute) * 60 + second) * 1'000'000;
  if (minus) micros = -micros;
  return true;
}

/// A decimal's digits as a little-endian two's complement number of so many bytes, with `scale` digits after the point.
bool ParseDecimal(std::string_view text, int scale, int bytes, char* out) {
  std::array<std::uint32_t, 8> limbs{};
  const bool minus = !text.empty() && text[0] == '-';
  if (minus) text.remove_prefix(1);
  const auto add = [&limbs](std::uint32_t factor, std::uint32_t addend) {
    std::uint64_t carry = addend;
    for (std::uint32_t& limb : limbs) {
      carry += static_cast<std::uint64_t>(limb) * factor;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  };
  std::uint32_t chunk = 0, factor = 1;
  int after = -1;
  const auto digit = [&](unsigned d) {
    chunk = chunk * 10 + d;
    factor *= 10;
    if (factor == 1'000'000'000) {
      add(factor, chunk);
      chunk = 0;
      factor = 1;
    }
  };
  for (const char c : text) {
    if (c == '.' && after < 0) {
      after = 0;
      continue;
    }
    const unsigned d = static_cast<unsigned char>(c) - unsigned{'0'};
    if (d > 9) return false;
    digit(d);
    if (after >= 0) ++after;
  }
  if (after > scale) return false;
  for (int i = std::max(after, 0); i < scale; ++i) digit(0);
  add(factor, chunk);
  if (minus) {
    std::uint64_t carry = 1;
    for (std::uint32_t& limb : limbs) {
      carry += static_cast<std::uint32_t>(~limb);
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  std::memcpy(out, limbs.data(), static_cast<std::size_t>(bytes));
  return true;
}

std::string Quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 40)) + "\""; }

bool AppendMoment(const ReadColumn& c, std::string_view text, Column& to, std::string& why, std::int64_t& zeros) {
  Moment m;
  if (!ParseMoment(text, m)) {
    why = Quoted(text) + " is no date";
    return false;
  }
  if (!Exists(m)) {
    if (c.zero == ZeroDates::kFail) {
      why = Quoted(text) + " is a date that no calendar has; say what becomes of such dates with zero_dates";
      return false;
    }
    ++zeros;
    if (c.zero == ZeroDates::kNull) to.Null();
    else to.Append(0);
    return true;
  }
  const std::int64_t days = DaysFromCivil(m.year, m.month, m.day);
  if (c.kind == Kind::kDate) to.Append(days);
  else to.Append((((days * 24 + m.hour) * 60 + m.minute) * 60 + m.second) * 1'000'000 + m.micros);
  return true;
}

}  // namespace

ZeroDates ZeroDatesNamed(const std::string& name) {
  return name == "null" ? ZeroDates::kNull : name == "string" ? ZeroDates::kString : name == "epoch" ? ZeroDates::kEpoch : ZeroDates::kFail;
}

std::int64_t DaysFromCivil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

Civil CivilFromDays(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1};
}

ReadColumn ReadColumnOf(const MYSQL_FIELD& f, const std::string& datetime_zone, ZeroDates zero) {
  ReadColumn c;
  c.name = f.name;
  c.field_type = static_cast<int>(f.type);
  c.flags = f.flags;
  c.charset = f.charsetnr;
  c.length = f.length;
  const bool is_unsigned = (f.flags & UNSIGNED_FLAG) != 0;
  switch (c.field_type) {
    case MYSQL_TYPE_TINY: Number(c, is_unsigned, Int8(), UInt8()); break;
    case MYSQL_TYPE_SHORT: Number(c, is_unsigned, Int16(), UInt16()); break;
    case MYSQL_TYPE_INT24: case MYSQL_TYPE_LONG: Number(c, is_unsigned, Int32(), UInt32()); break;
    case MYSQL_TYPE_LONGLONG: Number(c, is_unsigned, Int64(), UInt64()); break;
    case MYSQL_TYPE_YEAR: Number(c, false, Int16(), Int16()); break;
    case MYSQL_TYPE_FLOAT: c.kind = Kind::kFloat, c.type = Float32(); break;
    case MYSQL_TYPE_DOUBLE: c.kind = Kind::kDouble, c.type = Float64(); break;
    case MYSQL_TYPE_DECIMAL: case MYSQL_TYPE_NEWDECIMAL: Decimal(c, f); break;
    case MYSQL_TYPE_DATE: case MYSQL_TYPE_NEWDATE: Temporal(c, Kind::kDate, Date32(), zero); break;
    case MYSQL_TYPE_DATETIME: Temporal(c, Kind::kDateTime, TimestampMicros(datetime_zone), zero); break;
    case MYSQL_TYPE_TIMESTAMP: Temporal(c, Kind::kDateTime, TimestampMicros("UTC"), zero); break;
    case MYSQL_TYPE_TIME: c.kind = Kind::kTime, c.type = Time64(); break;
    case MYSQL_TYPE_BIT:
      c.kind = f.length == 1 ? Kind::kBool : Kind::kBytes;
      c.type = f.length == 1 ? Bool() : Binary();
      break;
    case MYSQL_TYPE_JSON: c.kind = Kind::kJson, c.type = Json(); break;
    case MYSQL_TYPE_GEOMETRY: c.kind = Kind::kBytes, c.type = Binary(); break;
    case MYSQL_TYPE_NULL: c.kind = Kind::kText, c.type = Utf8(); break;
    case MYSQL_TYPE_VARCHAR: case MYSQL_TYPE_ENUM: case MYSQL_TYPE_SET: case MYSQL_TYPE_TINY_BLOB: case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB: case MYSQL_TYPE_BLOB: case MYSQL_TYPE_VAR_STRING: case MYSQL_TYPE_STRING: Text(c, f); break;
    case kVectorType: c.kind = Kind::kVector, c.type = List(Float32()); break;
    default:
      throw ConfigError("columns", "column \"" + c.name + "\" has a type that is not known here (number " + std::to_string(c.field_type) +
                                       "); leave it out with columns, or cast it in a query");
  }
  return c;
}

bool Append(const ReadColumn& c, std::string_view text, Column& to, std::string& why, std::int64_t& zeros) {
  switch (c.kind) {
    case Kind::kText: case Kind::kJson: case Kind::kBytes: to.Append(text); return true;
    case Kind::kInt: {
      std::int64_t v = 0;
      if (Parse(text, v)) return to.Append(v), true;
      break;
    }
    case Kind::kUInt: {
      std::uint64_t v = 0;
      if (Parse(text, v)) return to.Append(v), true;
      break;
    }
    case Kind::kFloat: case Kind::kDouble: {
      double v = 0;
      if (Parse(text, v)) return to.Append(v), true;
      break;
    }
    case Kind::kDecimal: {
      char number[32];
      if (ParseDecimal(text, c.scale, c.bytes, number)) return to.Append(std::string_view(number, static_cast<std::size_t>(c.bytes))), true;
      break;
    }
    case Kind::kDate: case Kind::kDateTime: return AppendMoment(c, text, to, why, zeros);
    case Kind::kTime: {
      std::int64_t v = 0;
      if (ParseTime(text, v)) return to.Append(v), true;
      break;
    }
    case Kind::kBool: to.Append(text.size() == 1 && text[0] != 0); return true;
    case Kind::kVector: {
      if (text.size() % 4) break;
      to.child(0).AppendMany(reinterpret_cast<const float*>(text.data()), text.size() / 4);
      to.EndRow();
      return true;
    }
  }
  why = Quoted(text) + " is not what a column of its type holds";
  return false;
}

}  // namespace etl::mysql
