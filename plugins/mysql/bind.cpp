// SPDX-License-Identifier: Apache-2.0
#include "bind.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "types.h"

namespace etl::mysql {
namespace {

constexpr std::int64_t kDoubleExact = std::int64_t{1} << 53, kFloatExact = std::int64_t{1} << 24;
constexpr std::int64_t kDay = 86400;

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::int64_t PowerOfTen(int n) {
  std::int64_t p = 1;
  while (n-- > 0) p *= 10;
  return p;
}

char* Digits(char* p, std::int64_t v, int n) {
  for (int i = n - 1; i >= 0; --i, v /= 10) p[i] = static_cast<char>('0' + v % 10);
  return p + n;
}

/// ".250" of a fraction with so many digits.
char* Fraction(char* p, std::int64_t fraction, int digits) {
  if (digits == 0) return p;
  *p++ = '.';
  return Digits(p, fraction, digits);
}

/// Drops digits that the column has no room for; false when they are not zero.
bool Shorten(std::int64_t& fraction, int& digits, int room) {
  for (; digits > room; --digits, fraction /= 10) {
    if (fraction % 10) return false;
  }
  return true;
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool SameLetters(std::string_view a, std::string_view b) {
  const auto trim = [](std::string_view& s) {
    while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  };
  trim(a);
  trim(b);
  return SameName(a, b);
}

bool IsAscii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string Hex(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes.substr(0, 6)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7F) out += c;
    else out += {'\\', 'x', kHex[u >> 4], kHex[u & 15]};
  }
  return bytes.size() > 6 ? out + "..." : out;
}

}  // namespace

// ---- Arena, Cells ----

char* Arena::Take(std::size_t n) {
  if (n > kBlock / 4) return large_.emplace_back(new char[n]).get();
  if (block_ >= blocks_.size() || used_ + n > kBlock) {
    if (block_ < blocks_.size()) ++block_;
    if (block_ >= blocks_.size()) blocks_.emplace_back(new char[kBlock]);
    used_ = 0;
  }
  char* p = blocks_[block_].get() + used_;
  used_ += n;
  return p;
}

std::string_view Arena::Copy(std::string_view text) {
  char* p = Take(text.size());
  std::copy(text.begin(), text.end(), p);
  return {p, text.size()};
}

void Arena::Clear() {
  block_ = used_ = 0;
  large_.clear();
}

std::string Cells::Shows(std::size_t row) const {
  if (null[row] || wire == Wire::kDouble) return {};
  if (texts()) return {text[row], size[row]};
  return wire == Wire::kInt ? std::to_string(static_cast<std::int64_t>(number[row])) : std::to_string(number[row]);
}

void Cells::Resize(std::size_t rows) {
  if (texts()) {
    text.resize(rows);
    size.resize(rows);
  } else {
    number.resize(rows);
  }
  null.resize(rows);
}

// ---- Encoder ----

Encoder::From Encoder::FromOf(const ArrowSchema& field) const {
  using arrow::Kind;
  switch (format_.kind) {
    case Kind::kNull: return From::kNull;
    case Kind::kBool: case Kind::kInt8: case Kind::kUInt8: case Kind::kInt16: case Kind::kUInt16: case Kind::kInt32: case Kind::kUInt32:
    case Kind::kInt64: return From::kInt;
    case Kind::kUInt64: return From::kUInt;
    case Kind::kFloat16: case Kind::kFloat32: case Kind::kFloat64: return From::kReal;
    case Kind::kUtf8: return From::kText;
    case Kind::kBinary: case Kind::kFixedBinary: return From::kBytes;
    case Kind::kDecimal: return From::kDecimal;
    case Kind::kDate32: return From::kDate;
    case Kind::kDate64: case Kind::kTimestamp: return From::kMoment;
    case Kind::kTime: return From::kTime;
    case Kind::kList: case Kind::kFixedList:
      return column_.family == Family::kVector && std::string_view(field.children[0]->format) == "f" ? From::kVector : From::kJson;
    default: return From::kJson;
  }
}

Wire Encoder::WireOf() const {
  switch (column_.family) {
    case Family::kInt: return column_.is_unsigned ? Wire::kUInt : Wire::kInt;
    case Family::kYear: return Wire::kInt;
    case Family::kBit: return from_ == From::kBytes ? Wire::kBytes : Wire::kUInt;
    case Family::kFloat: case Family::kDouble: return Wire::kDouble;
    case Family::kBytes: case Family::kGeometry: return Wire::kBytes;
    case Family::kVector: return from_ == From::kVector || from_ == From::kBytes ? Wire::kBytes : Wire::kText;
    default: return Wire::kText;
  }
}

Encoder::Encoder(const ArrowSchema& field, const TableColumn& column, bool mariadb, bool trusting)
    : field_(field), column_(column), mariadb_(mariadb), trusting_(trusting), format_(arrow::ParseFormat(field.format)),
      from_(FromOf(field)), wire_(WireOf()) {
  const Family f = column.family;
  const bool time = f == Family::kDate || f == Family::kDateTime || f == Family::kTimestamp || f == Family::kTime;
  const bool number = f == Family::kInt || f == Family::kYear || f == Family::kBit || f == Family::kFloat || f == Family::kDouble || f == Family::kDecimal;
  const bool from_number = from_ == From::kInt || from_ == From::kUInt || from_ == From::kReal || from_ == From::kDecimal;
  const bool from_time = from_ == From::kDate || from_ == From::kMoment || from_ == From::kTime;
  const bool from_bytes = from_ == From::kBytes && f != Family::kBit;
  const bool from_other = from_ == From::kJson || from_ == From::kVector;
  const bool date_into_time = (f == Family::kTime) != (from_ == From::kTime);
  if ((time && (from_number || from_bytes || from_other || (from_time && date_into_time))) || (number && (from_time || from_bytes || from_other)) ||
      (f == Family::kGeometry && from_ != From::kBytes && from_ != From::kNull) || (f == Family::kVector && (from_number || from_time)) ||
      (f == Family::kDate && from_ == From::kMoment)) {
    throw ConfigError("columns", "column \"" + column.name + "\" of the table is " + column.type + ", and the rows' column \"" + field.name +
                                     "\" (" + field.format + ") cannot become that; convert it before, with a transform");
  }
  if (from_ != From::kDecimal && from_ != From::kJson && !from_time) return;
  Field copy = ImportField(field);
  alone_ = detail::OwnSchema({copy});
  JsonOptions options;
  options.decimals_as_text = false;
  json_ = std::make_unique<JsonWriter>(*alone_, options);
}

void Encoder::Begin(const ArrowArray& batch, std::size_t child) {
  array_ = batch.children[child];
  view_ = ColumnView(field_, *array_, batch.offset);
  if (!json_) return;
  wrapped_child_ = batch.children[child];
  wrapped_ = batch;
  wrapped_.n_children = 1;
  wrapped_.children = &wrapped_child_;
}

bool Encoder::Fail(unsigned code, const std::string& what) {
  wrong_->code = code;
  wrong_->message = what + " '" + column_.name + "' at row 1";
  return false;
}

bool Encoder::Incorrect(const char* kind, std::string_view value) {
  return Fail(1366, "Incorrect " + std::string(kind) + " value: '" + std::string(value.substr(0, ValidUtf8(value.substr(0, 64)))) + "' for column");
}

bool Encoder::Number(std::uint64_t bits) {
  to_->number[at_] = bits;
  bytes_ = 9;
  return true;
}

/// The text must live until the statement is done: it is copied unless it is the batch's own.
bool Encoder::Store(std::string_view text, bool copy) {
  if (copy) text = arena_->Copy(text);
  to_->text[at_] = text.data() ? text.data() : "";
  to_->size[at_] = text.size();
  bytes_ = text.size() + 9;
  return true;
}

bool Encoder::Int(std::int64_t v) {
  const Family f = column_.family;
  switch (f) {
    case Family::kInt:
      if (column_.is_unsigned) {
        if (v < 0 || (column_.bits < 64 && v >> column_.bits)) return OutOfRange();
      } else if (column_.bits < 64) {
        const std::int64_t most = (std::int64_t{1} << (column_.bits - 1)) - 1;
        if (v > most || v < -most - 1) return OutOfRange();
      }
      return Number(static_cast<std::uint64_t>(v));
    case Family::kYear:
      // 1 to 99 would become other years.
      if (v != 0 && (v < 1901 || v > 2155)) return OutOfRange();
      return Number(static_cast<std::uint64_t>(v));
    case Family::kBit:
      if (v < 0 || (column_.bits < 64 && v >> column_.bits)) return Fail(1406, "Data too long for column");
      return Number(static_cast<std::uint64_t>(v));
    case Family::kFloat: case Family::kDouble: {
      const std::int64_t exact = f == Family::kFloat ? kFloatExact : kDoubleExact;
      return v > exact || v < -exact ? Cut() : Real(static_cast<double>(v));
    }
    default: break;
  }
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, v).ptr;
  made_ = true;
  return Text({text, static_cast<std::size_t>(end - text)});
}

bool Encoder::UInt(std::uint64_t v) {
  if (v <= static_cast<std::uint64_t>(INT64_MAX)) return Int(static_cast<std::int64_t>(v));
  const Family f = column_.family;
  if ((f == Family::kInt && column_.is_unsigned && column_.bits == 64) || (f == Family::kBit && column_.bits == 64)) return Number(v);
  if (f == Family::kInt || f == Family::kYear) return OutOfRange();
  if (f == Family::kBit) return Fail(1406, "Data too long for column");
  if (f == Family::kFloat || f == Family::kDouble) return Cut();
  made_ = true;
  return Text(std::to_string(v));
}

bool Encoder::Real(double v) {
  if (!std::isfinite(v)) return Incorrect(std::isnan(v) ? "NaN" : "infinite", std::isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
  const Family f = column_.family;
  if (f == Family::kFloat || f == Family::kDouble) {
    if (f == Family::kFloat && std::fabs(v) > static_cast<double>(std::numeric_limits<float>::max())) return OutOfRange();
    if (f == Family::kFloat && static_cast<double>(static_cast<float>(v)) != v) return Cut();
    if (column_.is_unsigned && v < 0) return OutOfRange();
    std::uint64_t bits = 0;
    std::memcpy(&bits, &v, sizeof v);
    return Number(bits);
  }
  if (f == Family::kInt || f == Family::kYear || f == Family::kBit) {
    if (v != std::floor(v)) return Cut();
    if (v < -9223372036854775808.0 || v >= 18446744073709551616.0) return OutOfRange();
    return v < 0 ? Int(static_cast<std::int64_t>(v)) : UInt(static_cast<std::uint64_t>(v));
  }
  char text[400];
  const bool fixed = f == Family::kDecimal;   // no exponents
  const bool single = format_.kind == arrow::Kind::kFloat32;
  const auto end = single ? (fixed ? std::to_chars(text, text + sizeof text, static_cast<float>(v), std::chars_format::fixed)
                                   : std::to_chars(text, text + sizeof text, static_cast<float>(v))).ptr
                          : (fixed ? std::to_chars(text, text + sizeof text, v, std::chars_format::fixed)
                                   : std::to_chars(text, text + sizeof text, v)).ptr;
  made_ = true;
  return Text({text, static_cast<std::size_t>(end - text)});
}

/// Digits of the column's own on both sides of the point: else the server would round, with a note at best.
bool Encoder::Decimal(std::int64_t row) {
  text_.clear();
  json_->Value(0, wrapped_, row, text_);
  made_ = true;
  return Text(text_);
}

bool Encoder::JsonText(std::int64_t row) {
  text_.clear();
  try {
    json_->Value(0, wrapped_, row, text_);
  } catch (const std::invalid_argument& e) {
    wrong_->code = 3140;
    wrong_->message = e.what();
    return false;
  }
  made_ = true;
  std::string_view text = text_;
  const bool nested = format_.kind == arrow::Kind::kList || format_.kind == arrow::Kind::kFixedList || format_.kind == arrow::Kind::kStruct ||
                      format_.kind == arrow::Kind::kMap || format_.kind == arrow::Kind::kUnion;
  if (!nested && column_.family != Family::kJson && text.size() > 1 && text[0] == '"') text = text.substr(1, text.size() - 2);
  return Text(text);
}

bool Encoder::Moment(std::int64_t row) {
  const Family f = column_.family;
  if (f != Family::kDate && f != Family::kDateTime && f != Family::kTimestamp) return JsonText(row);
  const bool date = from_ == From::kDate;
  int digits = date ? 0 : format_.kind == arrow::Kind::kDate64 ? 3 : format_.digits;
  const std::int64_t v = view_.Int(row), unit = PowerOfTen(digits);
  const std::int64_t seconds = date ? v * kDay : FloorDiv(v, unit), day = date ? v : FloorDiv(seconds, kDay);
  std::int64_t fraction = date ? 0 : v - seconds * unit;
  const Civil c = CivilFromDays(day);
  char text[48];
  if (c.year < 0 || c.year > 9999) return Fail(1292, "Incorrect " + std::string(date ? "date" : "datetime") + " value for column");
  if (f == Family::kTimestamp && (seconds <= 0 || seconds > 2147483647)) {
    return Fail(1292, "Incorrect datetime value (TIMESTAMP goes from 1970-01-01 00:00:01 to 2038-01-19 03:14:07 UTC) for column");
  }
  if (!Shorten(fraction, digits, column_.digits)) return Cut();
  char* p = Digits(text, c.year, 4);
  *p++ = '-';
  p = Digits(p, c.month, 2);
  *p++ = '-';
  p = Digits(p, c.day, 2);
  if (f != Family::kDate) {
    const std::int64_t second = seconds - day * kDay;
    *p++ = ' ';
    p = Digits(p, second / 3600, 2);
    *p++ = ':';
    p = Digits(p, second / 60 % 60, 2);
    *p++ = ':';
    p = Fraction(Digits(p, second % 60, 2), fraction, digits);
  }
  return Store({text, static_cast<std::size_t>(p - text)}, true);
}

bool Encoder::Time(std::int64_t row) {
  if (column_.family != Family::kTime) return JsonText(row);
  int digits = format_.digits;
  const std::int64_t v = format_.width == 4 ? view_.Get<std::int32_t>(row) : view_.Get<std::int64_t>(row);
  const std::uint64_t size = v < 0 ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
  const auto unit = static_cast<std::uint64_t>(PowerOfTen(digits));
  const auto seconds = static_cast<std::int64_t>(size / unit);
  auto fraction = static_cast<std::int64_t>(size % unit);
  if (seconds > 838 * 3600 + 59 * 60 + 59) return Fail(1292, "Incorrect time value for column");
  if (!Shorten(fraction, digits, column_.digits)) return Cut();
  char text[32], *p = text;
  if (v < 0) *p++ = '-';
  p = Digits(p, seconds / 3600, 3);
  *p++ = ':';
  p = Digits(p, seconds / 60 % 60, 2);
  *p++ = ':';
  p = Fraction(Digits(p, seconds % 60, 2), fraction, digits);
  return Store({text, static_cast<std::size_t>(p - text)}, true);
}

/// The server's own form: the floats one after the other.
bool Encoder::Vector(std::int64_t row) {
  const auto [first, last] = view_.Items(row);
  const ColumnView items = view_.child(0);
  char* p = arena_->Take(static_cast<std::size_t>(last - first) * sizeof(float));
  for (std::int64_t i = first; i < last; ++i) {
    if (items.IsNull(i)) return Incorrect("vector", "null");
    const float v = items.Get<float>(i);
    if (!std::isfinite(v)) return Incorrect("vector", "nan");
    std::memcpy(p + static_cast<std::size_t>(i - first) * sizeof v, &v, sizeof v);
  }
  return Store({p, static_cast<std::size_t>(last - first) * sizeof(float)}, false);
}

bool Encoder::TextNumber(std::string_view text) {
  const Family f = column_.family;
  const char* end = text.data() + text.size();
  if (f == Family::kFloat || f == Family::kDouble) {
    double v = 0;
    const auto [at, error] = std::from_chars(text.data(), end, v);
    if (error != std::errc() || at != end || !std::isfinite(v)) return Incorrect("double", text);
    if (from_ == From::kDecimal && text.size() > 16) return Cut();
    if (f == Family::kFloat) v = static_cast<double>(static_cast<float>(v));   // the nearest: a text of digits has no other float
    return Real(v);
  }
  std::int64_t v = 0;
  std::uint64_t u = 0;
  const auto [at, error] = std::from_chars(text.data(), end, v);
  if (error == std::errc() && at == end) return Int(v);
  const auto [at_u, error_u] = std::from_chars(text.data(), end, u);
  if (error_u == std::errc() && at_u == end) return UInt(u);
  if (at == end && !text.empty()) return OutOfRange();
  if (from_ == From::kDecimal) {
    const auto point = text.find('.');
    if (point == text.npos) return OutOfRange();
    return text.find_first_not_of('0', point + 1) == text.npos ? TextNumber(text.substr(0, point)) : Cut();
  }
  return Incorrect("integer", text);
}

bool Encoder::Member(std::string_view text) {
  const auto known = [this](std::string_view one) {
    const auto& all = column_.members;
    if (std::find(all.begin(), all.end(), one) != all.end()) return true;
    // Another collation may know it by another spelling; but never a number, which would count as an index.
    return !IsAscii(one) || std::any_of(all.begin(), all.end(), [&](const std::string& m) { return SameLetters(m, one); });
  };
  if (column_.family == Family::kEnum) return known(text);
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (!known(text.substr(0, comma))) return false;
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
  }
  return true;
}

bool Encoder::Fits(std::string_view text) {
  if (column_.charset == "utf8mb3" || column_.charset == "utf8") {
    const auto at = std::find_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xF0; });
    if (at != text.end()) {
      return Fail(1366, "Incorrect string value: '" + Hex(text.substr(static_cast<std::size_t>(at - text.begin()))) + "' for column");
    }
  }
  if (trusting_) return true;
  const bool unicode = column_.charset.rfind("utf8", 0) == 0;
  const bool long_chars = column_.max_chars >= 0 && text.size() > static_cast<std::size_t>(column_.max_chars) &&
                          Characters(text) > static_cast<std::size_t>(column_.max_chars);
  const bool long_bytes = unicode && column_.max_chars < 0 && column_.max_bytes >= 0 && text.size() > static_cast<std::size_t>(column_.max_bytes);
  return long_chars || long_bytes ? Fail(1406, "Data too long for column") : true;
}

bool Encoder::Text(std::string_view text) {
  switch (column_.family) {
    case Family::kInt: case Family::kYear: case Family::kBit: case Family::kFloat: case Family::kDouble: return TextNumber(text);
    case Family::kBytes: case Family::kGeometry: return Bytes(text);
    case Family::kEnum: case Family::kSet:
      if (!Member(text)) return Cut();
      break;
    case Family::kText:
      if (!Fits(text)) return false;
      break;
    case Family::kDecimal: {
      if (text.find_first_not_of("0123456789.-") != text.npos) break;   // the server's to understand
      std::string_view whole = text.substr(0, text.find('.'));
      const std::string_view part = whole.size() < text.size() ? text.substr(whole.size() + 1) : std::string_view();
      const bool minus = !whole.empty() && whole[0] == '-';
      whole.remove_prefix(std::min(whole.size(), whole.find_first_not_of("-0")));
      if (static_cast<int>(whole.size()) > column_.precision - column_.scale) return OutOfRange();
      const auto last = part.find_last_not_of('0');
      if (last != part.npos && static_cast<int>(last) >= column_.scale) return Cut();
      if (minus && column_.is_unsigned && (!whole.empty() || last != part.npos)) return OutOfRange();
      break;
    }
    case Family::kDateTime: case Family::kTimestamp: case Family::kTime: {
      const auto point = text.find('.');
      const auto last = text.find_last_of("123456789");
      if (point != text.npos && last != text.npos && last > point + static_cast<std::size_t>(column_.digits)) return Cut();
      break;
    }
    default: break;
  }
  return Store(text, made_);
}

bool Encoder::Bytes(std::string_view bytes) {
  const Family f = column_.family;
  if (f == Family::kBit) {
    const auto first = bytes.find_first_not_of('\0');
    const std::string_view significant = first == bytes.npos ? std::string_view() : bytes.substr(first);
    int bits = static_cast<int>(std::min<std::size_t>(significant.size(), 9)) * 8;
    for (unsigned top = significant.empty() ? 0x80u : static_cast<unsigned char>(significant[0]); !(top & 0x80u); top <<= 1) --bits;
    if (bits > column_.bits) return Fail(1406, "Data too long for column");
    return Store(bytes, made_);
  }
  if (wire_ == Wire::kBytes) {
    if (!trusting_ && column_.max_bytes >= 0 && bytes.size() > static_cast<std::size_t>(column_.max_bytes)) return Fail(1406, "Data too long for column");
    return Store(bytes, made_);
  }
  const std::size_t valid = ValidUtf8(bytes);
  if (valid != bytes.size()) return Fail(1366, "Incorrect string value: '" + Hex(bytes.substr(valid)) + "' for column");
  return Text(bytes);
}

std::optional<std::size_t> Encoder::Put(std::int64_t row, Cells& to, std::size_t at, Arena& arena, Wrong& wrong) {
  to_ = &to;
  at_ = at;
  arena_ = &arena;
  wrong_ = &wrong;
  made_ = false;
  to.null[at] = 0;
  if (from_ == From::kNull || view_.IsNull(row)) {
    if (!column_.nullable && !column_.auto_increment && !trusting_) {
      wrong.code = 1048;
      wrong.message = "Column '" + column_.name + "' cannot be null";
      return std::nullopt;
    }
    to.null[at] = 1;
    if (to.texts()) to.text[at] = "", to.size[at] = 0;
    return 1;
  }
  const auto put = [&] {
    switch (from_) {
      case From::kInt: return Int(view_.Int(row));
      case From::kUInt: return UInt(view_.Get<std::uint64_t>(row));
      case From::kReal:
        return Real(format_.kind == arrow::Kind::kFloat16 ? static_cast<double>(json_detail::HalfToFloat(view_.Get<std::uint16_t>(row))) : view_.Float(row));
      case From::kText: return Text(view_.Str(row));
      case From::kBytes: return Bytes(view_.Str(row));
      case From::kDecimal: return Decimal(row);
      case From::kDate: case From::kMoment: return Moment(row);
      case From::kTime: return Time(row);
      case From::kVector: return Vector(row);
      default: return JsonText(row);
    }
  };
  if (!put()) return std::nullopt;
  return bytes_;
}

}  // namespace etl::mysql
