#include "json_values.h"

#include <Poco/Base64Decoder.h>
#include <Poco/Base64Encoder.h>
#include <Poco/StreamCopier.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace etl::host::data {
namespace {

using arrow::Format;
using arrow::Kind;
__extension__ typedef __int128 Int128;

[[noreturn]] void Refuse(std::string_view text, const char* what) {
  throw std::invalid_argument('"' + std::string(text.substr(0, 80)) + "\" is no " + what);
}

template <class T>
T ParseWhole(std::string_view text, const char* what) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) Refuse(text, what);
  return value;
}

template <class T>
T ParseReal(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<T>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<T>::infinity();
  return ParseWhole<T>(text, "number");
}

/// Reads a text from the front; each step says whether it fitted.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool Skip(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Digits, at least `least`, and at most 20.
  bool Digits(std::size_t least, Int128& value) {
    std::size_t n = 0;
    value = 0;
    for (; n < rest_.size() && n < 20 && rest_[n] >= '0' && rest_[n] <= '9'; ++n)
      value = value * 10 + (rest_[n] - '0');
    rest_.remove_prefix(n);
    return n >= least;
  }
  /// ".25" of a second in units of 10^-digits; nothing is 0.
  bool Fraction(int digits, Int128& value) {
    value = 0;
    if (!Skip('.')) return true;
    const std::size_t before = rest_.size();
    if (!Digits(1, value)) return false;
    for (auto n = static_cast<int>(before - rest_.size()); n != digits; ++n) {
      if (n > digits) return false;
      value *= 10;
    }
    return true;
  }
  /// A date as days since 1970-01-01.
  bool Date(Int128& days) {
    const bool negative = Skip('-');
    if (!negative) Skip('+');
    Int128 year = 0, month = 0, day = 0;
    if (!Digits(4, year) || !Skip('-') || !Digits(2, month) || !Skip('-') || !Digits(2, day))
      return false;
    if (month < 1 || month > 12 || day < 1 || day > 31) return false;
    if (negative) year = -year;
    year -= month <= 2;
    const Int128 era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
    const Int128 of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    days = era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + of_year - 719468;
    return true;
  }
  bool Clock(int digits, Int128& units) {
    Int128 hours = 0, minutes = 0, seconds = 0, fraction = 0;
    if (!Digits(2, hours) || !Skip(':') || !Digits(2, minutes) || !Skip(':') || !Digits(2, seconds))
      return false;
    if (minutes > 59 || seconds > 59 || !Fraction(digits, fraction)) return false;
    const auto per_second = static_cast<Int128>(json_detail::PowerOf10(digits));
    units = ((hours * 60 + minutes) * 60 + seconds) * per_second + fraction;
    return true;
  }
  /// "T-1.5S" in units.
  bool Seconds(int digits, Int128& units) {
    Int128 seconds = 0, fraction = 0;
    if (!Skip('T')) return false;
    const bool negative = Skip('-');
    if (!Digits(1, seconds) || !Fraction(digits, fraction) || !Skip('S')) return false;
    units = seconds * static_cast<Int128>(json_detail::PowerOf10(digits)) + fraction;
    if (negative) units = -units;
    return true;
  }
  bool Signed(Int128& value) {
    const bool negative = Skip('-');
    if (!Digits(1, value)) return false;
    if (negative) value = -value;
    return true;
  }
  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool ReadTime(Reader& reader, const Format& format, Int128& value) {
  if (format.kind == Kind::kDuration)
    return reader.Skip('P') && reader.Seconds(format.digits, value);
  if (format.kind == Kind::kTime) {
    const bool negative = reader.Skip('-');
    if (!reader.Clock(format.digits, value)) return false;
    if (negative) value = -value;
    return true;
  }
  const int digits = format.kind == Kind::kDate64 ? 3 : format.digits;
  if (!reader.Date(value)) return false;
  if (format.kind == Kind::kDate32) return true;
  value *= 86400 * static_cast<Int128>(json_detail::PowerOf10(digits));
  if (format.kind == Kind::kDate64 && reader.AtEnd()) return true;
  Int128 clock = 0;
  if (!reader.Skip('T') || !reader.Clock(digits, clock)) return false;
  value += clock;
  return format.zone.empty() || reader.Skip('Z');
}

template <class T>
void Store(Int128 value, std::string_view text, char* out) {
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max())
    Refuse(text, "value of its type");
  const auto narrow = static_cast<T>(value);
  std::memcpy(out, &narrow, sizeof narrow);
}

}  // namespace

std::int64_t ParseInteger(std::string_view text, bool unsigned_kind) {
  if (unsigned_kind)
    return static_cast<std::int64_t>(ParseWhole<std::uint64_t>(text, "unsigned integer"));
  return ParseWhole<std::int64_t>(text, "integer");
}

double ParseDouble(std::string_view text) { return ParseReal<double>(text); }
float ParseFloat(std::string_view text) { return ParseReal<float>(text); }

std::uint16_t FloatToHalf(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return 0x7E00;
  if (value == 0) return sign;
  const float size = std::fabs(value);
  if (size >= 65520.0f) return sign | 0x7C00;
  int exponent = 0;
  std::frexp(size, &exponent);
  // Below 2^-14 the steps stay 2^-24.
  const int step = std::max(exponent, -13) - 11;
  const auto steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, -step)));
  return static_cast<std::uint16_t>(sign + (static_cast<std::uint32_t>(step + 24) << 10) + steps);
}

void ParseDecimal(std::string_view text, const Format& format, char* out) {
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest[0] == '-';
  rest.remove_prefix(negative);
  const std::size_t point = rest.find('.');
  std::string digits(rest.substr(0, point));
  const std::string_view fraction = point == rest.npos ? "" : rest.substr(point + 1);
  digits += fraction;
  const std::int64_t shift = format.scale - static_cast<std::int64_t>(fraction.size());
  if (shift >= 0) {
    digits.append(static_cast<std::size_t>(shift), '0');
  } else {
    const std::size_t cut = static_cast<std::size_t>(-shift);
    const std::size_t keep = digits.size() > cut ? digits.size() - cut : 0;
    if (digits.find_first_not_of('0', keep) != digits.npos) Refuse(text, "decimal of this scale");
    digits.resize(keep);
  }
  if (rest.empty() || digits.find_first_not_of("0123456789") != digits.npos)
    Refuse(text, "decimal");
  const std::size_t first = digits.find_first_not_of('0');
  if (first != digits.npos && digits.size() - first > 77) Refuse(text, "decimal of this precision");
  std::uint64_t limbs[4] = {0, 0, 0, 0};
  for (std::size_t i = first; i < digits.size(); ++i) {
    json_detail::UInt128 carry = static_cast<std::uint64_t>(digits[i] - '0');
    for (std::uint64_t& limb : limbs) {
      carry += static_cast<json_detail::UInt128>(limb) * 10;
      limb = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
  }
  std::uint64_t carry = negative;
  for (std::uint64_t& limb : limbs) {
    if (!negative) break;
    limb = ~limb + carry;
    carry = carry && limb == 0;
  }
  char all[32];
  std::memcpy(all, limbs, sizeof all);
  const char fill = negative && first != digits.npos ? '\xFF' : '\0';
  bool fits = ((all[format.width - 1] ^ fill) & 0x80) == 0;
  for (int i = format.width; i < 32; ++i) fits = fits && all[i] == fill;
  if (!fits) Refuse(text, "decimal of this width");
  std::memcpy(out, all, static_cast<std::size_t>(format.width));
}

std::int64_t ParseTime(std::string_view text, const Format& format) {
  Reader reader(text);
  Int128 value = 0;
  const bool read = ReadTime(reader, format, value) && reader.AtEnd();
  if (!read || value < std::numeric_limits<std::int64_t>::min() ||
      value > std::numeric_limits<std::int64_t>::max()) {
    Refuse(text, format.kind == Kind::kDuration ? "duration"
                 : format.kind == Kind::kTime   ? "time"
                                                : "date");
  }
  return static_cast<std::int64_t>(value);
}

void ParseInterval(std::string_view text, const Format& format, char* out) {
  Reader reader(text);
  Int128 months = 0, days = 0, units = 0;
  bool read = reader.Skip('P');
  if (format.kind != Kind::kDayTime) read = read && reader.Signed(months) && reader.Skip('M');
  if (format.kind != Kind::kMonths) {
    const int digits = format.kind == Kind::kDayTime ? 3 : 9;
    read = read && reader.Signed(days) && reader.Skip('D') && reader.Seconds(digits, units);
  }
  if (!read || !reader.AtEnd()) Refuse(text, "interval");
  if (format.kind == Kind::kMonths) return Store<std::int32_t>(months, text, out);
  if (format.kind == Kind::kDayTime) {
    Store<std::int32_t>(days, text, out);
    return Store<std::int32_t>(units, text, out + 4);
  }
  Store<std::int32_t>(months, text, out);
  Store<std::int32_t>(days, text, out + 4);
  Store<std::int64_t>(units, text, out + 8);
}

std::string DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) Refuse(text, "base64");
  std::istringstream in{std::string(text)};
  Poco::Base64Decoder decoder(in);
  std::string bytes;
  Poco::StreamCopier::copyToString(decoder, bytes);
  if (EncodeBase64(bytes) != text) Refuse(text, "base64");
  return bytes;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  {
    json_detail::Tail out(text, 0);
    json_detail::PutBase64(bytes, out);
    out.Keep();
  }
  return text.substr(1, text.size() - 2);
}

}  // namespace etl::host::data
