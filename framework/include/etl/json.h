// SPDX-License-Identifier: Apache-2.0
// Rows of Arrow batches as JSON text.  C++17; needs <etl/plugin.h> and the standard library only.
#pragma once
#include <etl/arrow.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace etl {
inline namespace v1 {

/// Bytes at the front of the text that are valid UTF-8: all of them, or up to the first that is
/// not.
inline std::size_t ValidUtf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const std::size_t n = text.size();
  std::size_t i = 0;
  const auto tail = [&](std::size_t at) { return at < n && (p[at] & 0xC0) == 0x80; };
  while (i < n) {
    if (i + 8 <= n && (arrow::Load<std::uint64_t>(p + i) & 0x8080808080808080u) == 0) {
      i += 8;
      continue;
    }
    const unsigned char c = p[i];
    if (c < 0x80) {
      ++i;
    } else if (c >= 0xC2 && c <= 0xDF && tail(i + 1)) {
      i += 2;
    } else if ((c & 0xF0) == 0xE0 && tail(i + 1) && tail(i + 2)) {
      if ((c == 0xE0 && p[i + 1] < 0xA0) || (c == 0xED && p[i + 1] > 0x9F)) return i;
      i += 3;
    } else if (c >= 0xF0 && c <= 0xF4 && tail(i + 1) && tail(i + 2) && tail(i + 3)) {
      if ((c == 0xF0 && p[i + 1] < 0x90) || (c == 0xF4 && p[i + 1] > 0x8F)) return i;
      i += 4;
    } else {
      return i;
    }
  }
  return i;
}

/// How values without a JSON form of their own are written.
enum class JsonNonFinite { kThrow, kNull, kText };  ///< kText: "NaN", "Infinity", "-Infinity"
enum class JsonBadText {
  kThrow,
  kReplace,
  kBytes
};  ///< kReplace: U+FFFD; kBytes: {"base64":"..."}

struct JsonOptions {
  bool omit_nulls =
      false;  ///< leaves out null columns and null fields of structs; never items of lists
  bool decimals_as_text = false;  ///< "12.50" instead of 12.50
  bool raw_json =
      true;  ///< columns of the extension type arrow.json are JSON text and written as they are
  JsonNonFinite non_finite = JsonNonFinite::kThrow;
  JsonBadText bad_text = JsonBadText::kThrow;

  /// Nothing is lost and nothing throws: what was written can be read back into the same columns.
  static JsonOptions Exact() {
    JsonOptions o;
    o.raw_json = false;
    o.non_finite = JsonNonFinite::kText;
    o.bad_text = JsonBadText::kBytes;
    return o;
  }
};

namespace json_detail {

using arrow::Format;
using arrow::Kind;
using arrow::Layout;
__extension__ typedef unsigned __int128 UInt128;

/// The end of a string that is being written: room is made ahead.
class Tail {
 public:
  /// What was appended goes again unless Keep() is called; the room is cut off at the end.
  Tail(std::string& text, std::size_t room) : Tail(text, text.size(), room) { cut_ = true; }
  /// Appends behind the first `used` bytes: the others are room, and stay it at the end.
  Tail(std::string& text, std::size_t used, std::size_t room) : text_(text), base_(used) {
    if (text_.size() < used + room) text_.resize(used + room);
    p = text_.data() + base_;
    end_ = text_.data() + text_.size();
  }
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;
  ~Tail() {
    if (cut_) text_.resize(base_);
  }
  std::size_t Keep() {
    const std::size_t before = base_;
    base_ = static_cast<std::size_t>(p - text_.data());
    return base_ - before;
  }

  void Need(std::size_t n) {
    if (static_cast<std::size_t>(end_ - p) < n) Grow(n);
  }
  /// These two need room made before.
  void Put(char c) { *p++ = c; }
  void Put(const char* s, std::size_t n) {
    std::memcpy(p, s, n);
    p += n;
  }
  void Append(std::string_view s) {
    Need(s.size());
    if (!s.empty()) Put(s.data(), s.size());
  }
  char* begin() const { return text_.data(); }
  char* end() const { return end_; }

  char* p;

 private:
  void Grow(std::size_t n) {
    const auto used = static_cast<std::size_t>(p - text_.data());
    text_.resize(used + n + (used - base_));
    p = text_.data() + used;
    end_ = text_.data() + text_.size();
  }
  std::string& text_;
  std::size_t base_;
  bool cut_ = false;
  char* end_;
};

/// Sixteen bytes at once; comparing them gives -1 for each byte where it holds.
typedef signed char Sixteen __attribute__((vector_size(16)));

/// Bit i: the comparison holds for byte i.
inline std::uint64_t Bits(Sixteen holds) {
#ifdef __SSE2__
  return static_cast<unsigned>(_mm_movemask_epi8(reinterpret_cast<__m128i>(holds)));
#else
  std::uint64_t bits = 0;
  for (int i = 0; i < 16; ++i) bits |= std::uint64_t{holds[i] != 0} << i;
  return bits;
#endif
}

/// Bytes that are copied at once, and how far behind their end it may be read and written.
inline constexpr std::size_t kBlock = 64;

inline char* CopyPart(const char* from, const char* to, char* p) {
  std::memcpy(p, from, 16);
  if (to - from > 16) std::memcpy(p + 16, from + 16, kBlock - 16);
  return p + (to - from);
}

/// Copies a block with `escape` before each byte that is marked: bit i is byte i.
inline char* CopyEscaped(const char* s, std::size_t n, std::uint64_t marks, char escape, char* p) {
  const char* from = s;
  for (; marks != 0; marks &= marks - 1) {
    const char* const to = s + __builtin_ctzll(marks);
    p = CopyPart(from, to, p);
    *p++ = escape;
    from = to;
  }
  return CopyPart(from, s + n, p);
}

/// Calls `copy` with the block, or with a copy of it if not so much of what is behind it can be read.
template <class Copy>
auto WithRoom(const char* s, std::size_t n, const char* readable_end, Copy copy) {
  const bool enough = n > 0 && readable_end && readable_end - s >= static_cast<std::ptrdiff_t>(n + kBlock);
  if (enough) return copy(s);
  char block[2 * kBlock] = {};
  if (n > 0) std::memcpy(block, s, n);
  return copy(static_cast<const char*>(block));
}

/// As much of a block as needs no more than backslashes: up to a control character or one that is
/// not ASCII.  Returns how much.
inline std::size_t CopyEasy(const char* s, std::size_t n, char*& p) {
  std::uint64_t hard = 0, marks = 0;
  for (std::size_t i = 0; i < n; i += 16) {
    const auto bytes = arrow::Load<Sixteen>(s + i);
    hard |= Bits(bytes < 0x20) << i;   // signed: these are below 0
    marks |= Bits((bytes == '"') | (bytes == '\\')) << i;
  }
  if (n < kBlock) hard |= std::uint64_t{1} << n;
  if (hard != 0) {
    n = static_cast<std::size_t>(__builtin_ctzll(hard));
    marks &= (std::uint64_t{1} << n) - 1;
  }
  p = CopyEscaped(s, n, marks, '\\', p);
  return n;
}

/// Bytes of the character at the front, 0 if it is not valid UTF-8.
inline std::size_t CharacterSize(std::string_view text) {
  const auto c = static_cast<unsigned char>(text[0]);
  const std::size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
  if (size > text.size()) return 0;
  if (size == 3) {
    // By far the most common: spares the general check.
    const auto d = static_cast<unsigned char>(text[1]), e = static_cast<unsigned char>(text[2]);
    if ((d & 0xC0) != 0x80 || (e & 0xC0) != 0x80 || (c == 0xE0 && d < 0xA0) ||
        (c == 0xED && d > 0x9F))
      return 0;
    return 3;
  }
  return ValidUtf8(text.substr(0, size)) == size ? size : 0;
}

inline void PutEscape(unsigned char c, Tail& out) {
  static const char kHex[] = "0123456789abcdef";
  out.Put('\\');
  switch (c) {
    case '"':
      return out.Put('"');
    case '\\':
      return out.Put('\\');
    case '\n':
      return out.Put('n');
    case '\r':
      return out.Put('r');
    case '\t':
      return out.Put('t');
    case '\b':
      return out.Put('b');
    case '\f':
      return out.Put('f');
    default:
      break;
  }
  out.Put("u00", 3);
  out.Put(kHex[c >> 4]);
  out.Put(kHex[c & 15]);
}

/// The text as a JSON string.  Returns text.size(), or where it stopped at a byte that is not
/// UTF-8.  Up to `readable_end`, if it is given, memory behind the text may be read.
inline std::size_t PutText(std::string_view text, bool replace, Tail& out,
                           const char* readable_end = nullptr) {
  const char* s = text.data();
  const char* const end = s + text.size();
  out.Need(2);
  out.Put('"');
  std::size_t block = kBlock;
  while (s < end) {
    const std::size_t n = std::min(static_cast<std::size_t>(end - s), block);
    out.Need(4 * kBlock);
    const std::size_t easy =
        WithRoom(s, n, readable_end, [&](const char* from) { return CopyEasy(from, n, out.p); });
    s += easy;
    block = easy == n ? kBlock : 16;   // where such are, are more
    if (easy == n) continue;
    if (static_cast<unsigned char>(*s) < 0x80) {
      PutEscape(static_cast<unsigned char>(*s++), out);
      continue;
    }
    out.Need(static_cast<std::size_t>(end - s) + 8);
    while (s < end && static_cast<unsigned char>(*s) >= 0x80) {
      const std::string_view rest(s, static_cast<std::size_t>(end - s));
      const std::size_t size = CharacterSize(rest);
      if (size == 0) {
        if (!replace) return text.size() - rest.size();
        out.Put("\xEF\xBF\xBD", 3);
        out.Need(rest.size() + 8);
        ++s;
        continue;
      }
      for (std::size_t i = 0; i < size; ++i) *out.p++ = *s++;
    }
  }
  out.Need(2);
  out.Put('"');
  return text.size();
}

/// Up to where the bytes behind the texts of a column can be read; null where that is not known.
inline const char* ReadableEnd(Layout layout, const ArrowArray& array) {
  const std::int64_t last = array.length + array.offset;
  const auto* const bytes = static_cast<const char*>(array.buffers[2]);
  if (layout == Layout::kText32) return bytes + arrow::ValueAt<std::int32_t>(array.buffers[1], last);
  if (layout == Layout::kText64) return bytes + arrow::ValueAt<std::int64_t>(array.buffers[1], last);
  return nullptr;
}

inline void PutBase64(std::string_view bytes, Tail& out) {
  static const char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out.Need(bytes.size() / 3 * 4 + 8);
  out.Put('"');
  const auto* b = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t v = std::uint32_t{b[i]} << 16 | std::uint32_t{b[i + 1]} << 8 | b[i + 2];
    const char four[] = {kDigits[v >> 18], kDigits[v >> 12 & 63], kDigits[v >> 6 & 63],
                         kDigits[v & 63]};
    out.Put(four, 4);
  }
  if (i < bytes.size()) {
    const bool two = i + 2 == bytes.size();
    const std::uint32_t v = std::uint32_t{b[i]} << 16 | (two ? std::uint32_t{b[i + 1]} << 8 : 0);
    const char four[] = {kDigits[v >> 18], kDigits[v >> 12 & 63], two ? kDigits[v >> 6 & 63] : '=',
                         '='};
    out.Put(four, 4);
  }
  out.Put('"');
}

inline std::uint64_t Magnitude(std::int64_t v) {
  return v < 0 ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
}

/// Any number, after room for it was made.
template <class T>
void PutNumber(T value, Tail& out) {
  out.p = std::to_chars(out.p, out.end(), value).ptr;
}

/// Eight digits as characters, the first in the lowest byte, of a number below 10^8.
inline std::uint64_t EightDigits(std::uint64_t value) {
  const std::uint64_t fours = value / 10000 | value % 10000 << 32;
  const std::uint64_t hundreds = fours * 10486 >> 20 & 0x0000007F0000007F;
  const std::uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
  const std::uint64_t tens = twos * 103 >> 10 & 0x000F000F000F000F;
  return (tens | (twos - 10 * tens) << 8) + 0x3030303030303030;
}

inline void PutInteger(std::uint64_t value, Tail& out) {
  constexpr std::uint64_t kLimit = 100000000;
  if (value >= kLimit) {
    PutInteger(value / kLimit, out);
    const std::uint64_t digits = EightDigits(value % kLimit);
    std::memcpy(out.p, &digits, 8);
    out.p += 8;
    return;
  }
  const std::uint64_t digits = EightDigits(value);
  const int zeros = __builtin_ctzll((digits - 0x3030303030303030) | std::uint64_t{1} << 56) / 8;
  const std::uint64_t shifted = digits >> zeros * 8;
  std::memcpy(out.p, &shifted, 8);
  out.p += 8 - zeros;
}
inline void PutInteger(std::int64_t value, Tail& out) {
  if (value < 0) out.Put('-');
  PutInteger(Magnitude(value), out);
}

inline bool IsInteger(Kind kind) { return kind >= Kind::kInt8 && kind <= Kind::kUInt64; }

inline void PutInteger(Kind kind, const void* values, std::int64_t at, Tail& out) {
  if (kind == Kind::kUInt64) return PutInteger(arrow::ValueAt<std::uint64_t>(values, at), out);
  PutInteger(arrow::IntegerAt(kind, values, at), out);
}

/// Below 100.
inline void PutTwo(std::uint64_t value, Tail& out) {
  out.Put(static_cast<char>('0' + value / 10));
  out.Put(static_cast<char>('0' + value % 10));
}

/// At least `width` digits.
inline void PutPadded(std::uint64_t value, int width, Tail& out) {
  if (width == 2 && value < 100) return PutTwo(value, out);
  char digits[20];
  char* const end = digits + sizeof digits;
  char* p = end;
  for (; value > 0; value /= 10) *--p = static_cast<char>('0' + value % 10);
  while (end - p < width) *--p = '0';
  out.Put(p, static_cast<std::size_t>(end - p));
}

inline std::uint64_t PowerOf10(int digits) {
  std::uint64_t p = 1;
  for (; digits > 0; --digits) p *= 10;
  return p;
}

/// Magnitude of a little-endian two's complement number as decimal digits, written before `end`;
/// returns the first.
inline char* DecimalDigits(const void* from, int width, bool& negative, char* end) {
  std::uint64_t limbs[4] = {0, 0, 0, 0};
  std::memcpy(limbs, from, static_cast<std::size_t>(width));
  const int bits = width * 8, n = width > 8 ? width / 8 : 1;
  if (width == 4)
    limbs[0] = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(limbs[0])});
  negative = (limbs[bits <= 64 ? 0 : n - 1] >> 63) != 0;
  std::uint64_t carry = negative;
  for (int i = 0; negative && i < n; ++i) {
    limbs[i] = ~limbs[i] + carry;
    carry = carry && limbs[i] == 0;
  }
  constexpr std::uint64_t kChunk = 10000000000000000000u;  // 10^19
  int used = n;
  while (used > 1 && limbs[used - 1] == 0) --used;
  char* p = end;
  while (used > 1) {
    UInt128 rest = 0;
    for (int i = used - 1; i >= 0; --i) {
      rest = rest << 64 | limbs[i];
      limbs[i] = static_cast<std::uint64_t>(rest / kChunk);
      rest %= kChunk;
    }
    auto chunk = static_cast<std::uint64_t>(rest);
    for (int i = 0; i < 19; ++i, chunk /= 10) *--p = static_cast<char>('0' + chunk % 10);
    while (used > 1 && limbs[used - 1] == 0) --used;
  }
  for (std::uint64_t v = limbs[0]; v > 0; v /= 10) *--p = static_cast<char>('0' + v % 10);
  while (p < end && *p == '0') ++p;
  if (p == end) *--p = '0';
  return p;
}

inline void PutDecimal(const void* from, const Format& format, Tail& out) {
  char buffer[80];
  bool negative = false;
  const char* digits = DecimalDigits(from, format.width, negative, buffer + sizeof buffer);
  auto n = static_cast<int>(buffer + sizeof buffer - digits);
  const int scale = format.scale;
  out.Need(static_cast<std::size_t>(n + std::abs(scale)) + 8);
  if (negative) out.Put('-');
  if (scale <= 0) {
    out.Put(digits, static_cast<std::size_t>(n));
    for (int i = scale; i < 0 && *digits != '0'; ++i) out.Put('0');
    return;
  }
  if (n > scale) {
    out.Put(digits, static_cast<std::size_t>(n - scale));
    digits += n - scale;
    n = scale;
  } else {
    out.Put('0');
  }
  out.Put('.');
  for (int i = n; i < scale; ++i) out.Put('0');
  out.Put(digits, static_cast<std::size_t>(n));
}

struct Split {
  std::int64_t whole;
  std::uint64_t rest;  ///< 0 <= rest < by
};
inline Split FloorDivide(std::int64_t value, std::int64_t by) {
  std::int64_t whole = value / by, rest = value % by;
  if (rest < 0) {
    rest += by;
    --whole;
  }
  return {whole, static_cast<std::uint64_t>(rest)};
}

/// Proleptic Gregorian "2024-02-29"; years outside of 0 to 9999 with a sign, as ISO 8601 extends
/// them.
inline void PutDate(std::int64_t days, Tail& out) {
  // Howard Hinnant, chrono-compatible low-level date algorithms: years begin in March, eras have
  // 400.
  const Split era = FloorDivide(days + 719468, 146097);
  const auto day = static_cast<std::int64_t>(era.rest);
  const std::int64_t year_of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const std::int64_t day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  const std::int64_t year = year_of_era + era.whole * 400 + (month <= 2);
  if (year < 0) {
    out.Put('-');
  } else if (year > 9999) {
    out.Put('+');
  }
  PutPadded(static_cast<std::uint64_t>(year < 0 ? -year : year), 4, out);
  out.Put('-');
  PutTwo(static_cast<std::uint64_t>(month), out);
  out.Put('-');
  PutTwo(static_cast<std::uint64_t>(day_of_year - (153 * shifted + 2) / 5 + 1), out);
}

/// "13:05:09.250": hours as many as they are.
inline void PutClock(std::uint64_t units, int digits, Tail& out) {
  const std::uint64_t per_second = PowerOf10(digits), seconds = units / per_second;
  PutPadded(seconds / 3600, 2, out);
  out.Put(':');
  PutTwo(seconds / 60 % 60, out);
  out.Put(':');
  PutTwo(seconds % 60, out);
  if (digits == 0) return;
  out.Put('.');
  PutPadded(units % per_second, digits, out);
}

/// "T-1.5S": no zeros at the end.
inline void PutSeconds(std::int64_t units, int digits, Tail& out) {
  const std::uint64_t per_second = PowerOf10(digits), size = Magnitude(units);
  out.Put('T');
  if (units < 0) out.Put('-');
  PutNumber(size / per_second, out);
  if (size % per_second != 0) {
    out.Put('.');
    PutPadded(size % per_second, digits, out);
    while (out.p[-1] == '0') --out.p;
  }
  out.Put('S');
}

inline float HalfToFloat(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half} >> 15 << 31, exponent = half >> 10 & 31,
                      fraction = half & 1023;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -value : value;
  }
  const std::uint32_t bits =
      sign | (exponent == 31 ? 255u : exponent + 112u) << 23 | fraction << 13;
  return arrow::Load<float>(&bits);
}

/// A short text that stands in every row: copied sixteen bytes at a time.
class Piece {
 public:
  Piece() = default;
  explicit Piece(std::string text) : size_(text.size()), text_(std::move(text)) {
    text_.resize((size_ + 15) / 16 * 16);
  }
  void Put(Tail& out) const {
    out.Need(text_.size());
    for (std::size_t i = 0; i < size_; i += 16) std::memcpy(out.p + i, text_.data() + i, 16);
    out.p += size_;
  }

 private:
  std::size_t size_ = 0;
  std::string text_;
};

/// The text of the date or time that a column had last: neighbours mostly have the same.
class LastMoment {
 public:
  bool Put(std::int64_t value, Tail& out) const {
    if (size_ == 0 || value != value_) return false;
    out.Need(sizeof text_);
    std::memcpy(out.p, text_, sizeof text_);
    out.p += size_;
    return true;
  }
  void Keep(std::int64_t value, const char* text, std::size_t size) {
    if (size > sizeof text_) return;
    value_ = value;
    size_ = size;
    std::memcpy(text_, text, size);
  }

 private:
  std::int64_t value_ = 0;
  std::size_t size_ = 0;
  char text_[48] = {};
};

/// Dates and times of 4 or 8 bytes.
inline bool IsMoment(const Format& format) {
  return format.kind >= Kind::kDate32 && format.kind <= Kind::kTimestamp;
}

inline std::int64_t MomentAt(const Format& format, const void* values, std::int64_t at) {
  return format.width == 4 ? std::int64_t{arrow::ValueAt<std::int32_t>(values, at)}
                           : arrow::ValueAt<std::int64_t>(values, at);
}

/// What is known of a column before the first row.
struct Plan {
  std::string format_text;
  Format format;  ///< points into format_text
  std::string name, path;
  std::string key;  ///< "\"name\":"
  Piece lead;       ///< ",\"name\":"
  bool raw = false;
  bool object = false;  ///< a map with text keys
  std::vector<Plan> children;
  std::vector<Plan> dictionary;  ///< none or one
  arrow::UnionMap child_of{};

  Plan(const ArrowSchema& schema, const std::string& above, const JsonOptions& options)
      : format_text(schema.format), name(schema.name ? schema.name : "") {
    path = above.empty() ? name : above + "." + name;
    SetFormat();
    if (format.kind == Kind::kUnknown) Fail("has the unknown Arrow format \"" + format_text + '"');
    const bool json = options.raw_json &&
                      arrow::Metadata(schema.metadata, "ARROW:extension:name") == "arrow.json";
    raw = json && format.kind == Kind::kUtf8;
    for (std::int64_t i = 0; i < schema.n_children; ++i)
      children.emplace_back(*schema.children[i], path, options);
    if (schema.dictionary) dictionary.emplace_back(*schema.dictionary, path, options);
    if (json && !dictionary.empty()) dictionary[0].raw = true;
    if (json && format.layout == Layout::kRunEnd) children.at(1).raw = true;
    if (format.kind == Kind::kUnion) SetUnion();
    // A key that is not UTF-8 could not be told from another; pairs can.
    object = format.kind == Kind::kMap && children[0].children.at(0).IsText() &&
             options.bad_text != JsonBadText::kBytes;
    key = Key(name);
    lead = Piece("," + key);
  }
  Plan(Plan&& other) noexcept { *this = std::move(other); }
  Plan& operator=(Plan&& other) noexcept {
    format_text = std::move(other.format_text);
    name = std::move(other.name);
    path = std::move(other.path);
    key = std::move(other.key);
    lead = std::move(other.lead);
    raw = other.raw;
    object = other.object;
    children = std::move(other.children);
    dictionary = std::move(other.dictionary);
    child_of = other.child_of;
    SetFormat();
    return *this;
  }

  [[noreturn]] void Fail(const std::string& what) const {
    throw std::invalid_argument("column \"" + path + "\" " + what);
  }

  std::string Key(const std::string& of) const {
    std::string text;
    Tail out(text, 0);
    if (PutText(of, false, out) != of.size()) Fail("has a name that is not valid UTF-8");
    out.Append(":");
    out.Keep();
    return text;
  }

 private:
  void SetFormat() { format = arrow::ParseFormat(format_text); }

  bool IsText() const {
    if (!dictionary.empty()) return dictionary[0].IsText();
    if (format.layout == Layout::kRunEnd) return children.at(1).IsText();
    return format.kind == Kind::kUtf8;
  }

  /// A member goes by its name, or by its type id where names are missing or not unique.
  void SetUnion() {
    if (!arrow::ParseUnion(format.type_ids, static_cast<std::int64_t>(children.size()), child_of)) {
      Fail("has the malformed Arrow format \"" + format_text + '"');
    }
    bool unique = true;
    for (std::size_t i = 0; i < children.size(); ++i) {
      unique = unique && !children[i].name.empty();
      for (std::size_t j = 0; j < i; ++j) unique = unique && children[i].name != children[j].name;
    }
    for (std::size_t id = 0; !unique && id < child_of.size(); ++id) {
      if (child_of[id] < 0) continue;
      Plan& child = children[static_cast<std::size_t>(child_of[id])];
      child.key = child.Key(std::to_string(id));
    }
  }
};

}  // namespace json_detail

/// Writes rows as compact JSON objects, one member for each column, in the schema's order:
///
///   bool, integers, floats   as they are; floats the shortest text that reads back to the same
///   value decimals                 12.50, all digits; or as text utf8                     a
///   string; of the extension type arrow.json: as it is, line breaks made spaces.  Such text
///                            is trusted to be JSON
///   binary                   a base64 string
///   date                     "2024-02-29"; date64 with a time of day: as a timestamp
///   time                     "13:05:09.250"; outside of a day "-838:59:59"
///   timestamp                "2024-02-29T13:05:09.250Z"; without zone: without Z.  All digits of
///   the unit, always duration                 "PT1.5S", "PT-1.5S" intervals                "P14M";
///   "P3DT-1.5S"; "P14M3DT0.000000001S" list                     an array struct an object map an
///   object; where keys are not utf8 an array of [key, value] union {"member":value} dictionary,
///   run-end      the value
///
/// A batch must fit the schema and pass the host's checks.  Not thread-safe; one for each worker.
class JsonWriter {
 public:
  /// Throws std::invalid_argument for a type that it does not know.
  explicit JsonWriter(const ArrowSchema& schema, JsonOptions options = {}) : options_(options) {
    for (std::int64_t i = 0; i < schema.n_children; ++i)
      columns_.emplace_back(*schema.children[i], "", options_);
  }

  std::size_t columns() const { return columns_.size(); }

  /// Appends a row, without a line end.  Throws std::invalid_argument, which names the column, for
  /// what cannot be written; `out` is then as before.
  void Row(const ArrowArray& batch, std::int64_t row, std::string& out) {
    json_detail::Tail tail(out, guess_);
    PutRow(batch, row, tail);
    Learn(tail.Keep());
  }

  /// Appends rows [first, first + count), each with "\n" after it.  If it throws, `out` has none of
  /// them.
  void Rows(const ArrowArray& batch, std::int64_t first, std::int64_t count, std::string& out) {
    json_detail::Tail tail(out, guess_ * static_cast<std::size_t>(count));
    std::string wrong;
    if (Rows(batch, first, count, tail, wrong) < count) throw std::invalid_argument(wrong);
    const std::size_t written = tail.Keep();
    if (count > 0) Learn(written / static_cast<std::size_t>(count));
  }
  /// The same up to the first row that cannot be written: returns how many there are before it, and
  /// says in `wrong` why.
  std::int64_t Rows(const ArrowArray& batch, std::int64_t first, std::int64_t count,
                    json_detail::Tail& out, std::string& wrong) const;

  /// Appends one column's value; null as null.  Throws as Row does.
  void Value(std::size_t column, const ArrowArray& batch, std::int64_t row,
             std::string& out) const {
    json_detail::Tail tail(out, 64);
    Value(column, batch, row, tail);
    tail.Keep();
  }
  void Value(std::size_t column, const ArrowArray& batch, std::int64_t row,
             json_detail::Tail& out) const {
    Put(columns_[column], *batch.children[column], row + batch.offset, out);
  }

 private:
  using Plan = json_detail::Plan;
  using Tail = json_detail::Tail;
  using Kind = arrow::Kind;

  void Learn(std::size_t row_size) { guess_ = row_size + row_size / 8 + 32; }
  void PutRow(const ArrowArray& batch, std::int64_t row, Tail& out) const {
    PutMembers(columns_, batch, row + batch.offset, out);
  }
  void PutMembers(const std::vector<Plan>& plans, const ArrowArray& parent, std::int64_t row,
                  Tail& out) const;
  void Put(const Plan& plan, const ArrowArray& array, std::int64_t row, Tail& out) const;
  void PutFixed(const Plan& plan, const void* values, std::int64_t at, Tail& out) const;
  void PutTime(const Plan& plan, const void* values, std::int64_t at, Tail& out) const;
  template <class T>
  void PutFloat(const Plan& plan, T value, Tail& out) const;
  void PutString(const Plan& plan, std::string_view text, Tail& out,
                 const char* readable_end) const;
  void PutRaw(const Plan& plan, std::string_view text, Tail& out) const;
  void PutItems(const Plan& plan, const ArrowArray& array, std::int64_t row, Tail& out) const;
  void PutMap(const Plan& plan, const ArrowArray& array, std::int64_t row, Tail& out) const;
  void PutUnion(const Plan& plan, const ArrowArray& array, std::int64_t row, Tail& out) const;
  static bool NullAt(const Plan& plan, const ArrowArray& array, std::int64_t row);

  /// A column of a batch whose rows are written one after the other.
  struct Cursor {
    enum class Way { kAny, kInteger, kMoment, kText };
    Cursor(const Plan& plan, const ArrowArray& array);
    const Plan& plan;
    const ArrowArray& array;
    Way way = Way::kAny;
    const char* readable_end = nullptr;
    json_detail::LastMoment last;
  };
  void PutNextRow(std::vector<Cursor>& cursors, std::int64_t row, Tail& out) const;
  void PutNext(Cursor& cursor, std::int64_t row, Tail& out) const;

  /// The date that was written last.
  struct Day {
    std::int64_t number = 0;
    std::size_t size = 0;
    char text[32];
  };

  JsonOptions options_;
  std::vector<Plan> columns_;
  std::size_t guess_ = 256;
  mutable Day day_;
};

inline JsonWriter::Cursor::Cursor(const Plan& plan, const ArrowArray& array)
    : plan(plan), array(array) {
  using arrow::Layout;
  const Layout layout = plan.format.layout;
  if (!plan.dictionary.empty()) return;
  if (json_detail::IsInteger(plan.format.kind)) way = Way::kInteger;
  if (json_detail::IsMoment(plan.format)) way = Way::kMoment;
  if (plan.format.kind == Kind::kUtf8) {
    way = Way::kText;
    if (array.length > 0) readable_end = json_detail::ReadableEnd(layout, array);
  }
}

inline std::int64_t JsonWriter::Rows(const ArrowArray& batch, std::int64_t first,
                                     std::int64_t count, Tail& out, std::string& wrong) const {
  std::vector<Cursor> cursors;
  cursors.reserve(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i)
    cursors.emplace_back(columns_[i], *batch.children[i]);
  for (std::int64_t done = 0; done < count; ++done) {
    const auto start = out.p - out.begin();
    try {
      PutNextRow(cursors, first + done + batch.offset, out);
    } catch (const std::invalid_argument& e) {
      out.p = out.begin() + start;
      wrong = e.what();
      return done;
    }
  }
  return count;
}

inline void JsonWriter::PutNextRow(std::vector<Cursor>& cursors, std::int64_t row,
                                   Tail& out) const {
  const auto start = out.p - out.begin();
  for (Cursor& cursor : cursors) {
    if (options_.omit_nulls && NullAt(cursor.plan, cursor.array, row)) continue;
    cursor.plan.lead.Put(out);
    PutNext(cursor, row, out);
  }
  out.Need(3);
  if (out.p - out.begin() == start) out.Put('{');
  out.begin()[start] = '{';  // where the first lead has its comma
  out.Put("}\n", 2);
}

inline void JsonWriter::PutNext(Cursor& cursor, std::int64_t row, Tail& out) const {
  const Plan& plan = cursor.plan;
  const ArrowArray& array = cursor.array;
  if (cursor.way == Cursor::Way::kAny || arrow::IsNull(array, row))
    return Put(plan, array, row, out);
  switch (cursor.way) {
    case Cursor::Way::kInteger:
      out.Need(32);
      return json_detail::PutInteger(plan.format.kind, array.buffers[1], row + array.offset, out);
    case Cursor::Way::kText:
      return PutString(plan, arrow::TextAt(plan.format.layout, array, row), out,
                       cursor.readable_end);
    default:
      break;
  }
  const std::int64_t at = row + array.offset;
  const std::int64_t value = json_detail::MomentAt(plan.format, array.buffers[1], at);
  if (cursor.last.Put(value, out)) return;
  const auto start = out.p - out.begin();
  PutFixed(plan, array.buffers[1], at, out);
  const char* const text = out.begin() + start;
  cursor.last.Keep(value, text, static_cast<std::size_t>(out.p - text));
}

inline bool JsonWriter::NullAt(const Plan& plan, const ArrowArray& array, std::int64_t row) {
  if (plan.format.kind == Kind::kNull) return true;
  if (plan.format.layout == arrow::Layout::kRunEnd) {
    const std::int64_t run = arrow::RunAt(plan.children[0].format.kind, array, row);
    return NullAt(plan.children[1], *array.children[1], run);
  }
  if (plan.format.kind == Kind::kUnion) return false;
  if (arrow::IsNull(array, row)) return true;
  if (plan.dictionary.empty()) return false;
  const std::int64_t index =
      arrow::IntegerAt(plan.format.kind, array.buffers[1], row + array.offset);
  return NullAt(plan.dictionary[0], *array.dictionary, index);
}

inline void JsonWriter::PutMembers(const std::vector<Plan>& plans, const ArrowArray& parent,
                                   std::int64_t row, Tail& out) const {
  out.Need(2);
  out.Put('{');
  bool first = true;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const ArrowArray& child = *parent.children[i];
    if (options_.omit_nulls && NullAt(plans[i], child, row)) continue;
    out.Need(plans[i].key.size() + 1);
    if (!first) out.Put(',');
    first = false;
    out.Put(plans[i].key.data(), plans[i].key.size());
    Put(plans[i], child, row, out);
  }
  out.Append("}");
}

inline void JsonWriter::Put(const Plan& plan, const ArrowArray& array, std::int64_t row,
                            Tail& out) const {
  using arrow::Layout;
  if (arrow::HasValidity(plan.format.layout) && arrow::IsNull(array, row))
    return out.Append("null");
  if (!plan.dictionary.empty()) {
    const std::int64_t index =
        arrow::IntegerAt(plan.format.kind, array.buffers[1], row + array.offset);
    return Put(plan.dictionary[0], *array.dictionary, index, out);
  }
  switch (plan.format.layout) {
    case Layout::kNone:
      return out.Append("null");
    case Layout::kBits:
      return out.Append(arrow::BitAt(array.buffers[1], row + array.offset) ? "true" : "false");
    case Layout::kFixed:
      return PutFixed(plan, array.buffers[1], row + array.offset, out);
    case Layout::kText32:
    case Layout::kText64:
    case Layout::kView: {
      const std::string_view text = arrow::TextAt(plan.format.layout, array, row);
      if (plan.format.kind == Kind::kBinary) return json_detail::PutBase64(text, out);
      return PutString(plan, text, out, json_detail::ReadableEnd(plan.format.layout, array));
    }
    case Layout::kList32:
    case Layout::kList64:
    case Layout::kFixedList:
      return plan.format.kind == Kind::kMap ? PutMap(plan, array, row, out)
                                            : PutItems(plan, array, row, out);
    case Layout::kStruct:
      return PutMembers(plan.children, array, row + array.offset, out);
    case Layout::kSparse:
    case Layout::kDense:
      return PutUnion(plan, array, row, out);
    case Layout::kRunEnd:
      return Put(plan.children[1], *array.children[1],
                 arrow::RunAt(plan.children[0].format.kind, array, row), out);
  }
}

inline void JsonWriter::PutFixed(const Plan& plan, const void* values, std::int64_t at,
                                 Tail& out) const {
  using arrow::ValueAt;
  out.Need(64);
  switch (plan.format.kind) {
    case Kind::kInt8:
    case Kind::kUInt8:
    case Kind::kInt16:
    case Kind::kUInt16:
    case Kind::kInt32:
    case Kind::kUInt32:
    case Kind::kInt64:
    case Kind::kUInt64:
      return json_detail::PutInteger(plan.format.kind, values, at, out);
    case Kind::kFloat16:
      return PutFloat(plan, json_detail::HalfToFloat(ValueAt<std::uint16_t>(values, at)), out);
    case Kind::kFloat32:
      return PutFloat(plan, ValueAt<float>(values, at), out);
    case Kind::kFloat64:
      return PutFloat(plan, ValueAt<double>(values, at), out);
    case Kind::kFixedBinary: {
      const auto width = static_cast<std::size_t>(plan.format.width);
      const std::string_view none;
      return json_detail::PutBase64(
          width ? std::string_view(static_cast<const char*>(values) + at * plan.format.width, width)
                : none,
          out);
    }
    case Kind::kDecimal:
      if (options_.decimals_as_text) out.Append("\"");
      json_detail::PutDecimal(static_cast<const char*>(values) + at * plan.format.width,
                              plan.format, out);
      if (options_.decimals_as_text) out.Append("\"");
      return;
    default:
      out.Put('"');
      PutTime(plan, values, at, out);
      out.Put('"');
  }
}

inline void JsonWriter::PutTime(const Plan& plan, const void* values, std::int64_t at,
                                Tail& out) const {
  using namespace json_detail;
  using arrow::Load;
  const char* value = static_cast<const char*>(values) + at * plan.format.width;
  const auto integer = [&] {
    return plan.format.width == 4 ? std::int64_t{Load<std::int32_t>(value)}
                                  : Load<std::int64_t>(value);
  };
  // Neighbours mostly have the same day.
  const auto date = [this, &out](std::int64_t days) {
    if (days != day_.number || day_.size == 0) {
      const char* const begin = out.p;
      PutDate(days, out);
      day_.number = days;
      day_.size = static_cast<std::size_t>(out.p - begin);
      std::memcpy(day_.text, begin, day_.size);
    } else {
      out.Put(day_.text, day_.size);
    }
  };
  const auto instant = [&out, &date](std::int64_t units, int digits) {
    const json_detail::Split day =
        FloorDivide(units, 86400 * static_cast<std::int64_t>(PowerOf10(digits)));
    date(day.whole);
    out.Put('T');
    PutClock(day.rest, digits, out);
  };
  switch (plan.format.kind) {
    case Kind::kDate32:
      return date(integer());
    case Kind::kDate64: {
      const json_detail::Split day = FloorDivide(integer(), 86400000);
      return day.rest == 0 ? date(day.whole) : instant(integer(), 3);
    }
    case Kind::kTime:
      if (integer() < 0) out.Put('-');
      return PutClock(Magnitude(integer()), plan.format.digits, out);
    case Kind::kTimestamp:
      instant(integer(), plan.format.digits);
      if (!plan.format.zone.empty()) out.Put('Z');
      return;
    case Kind::kDuration:
      out.Put('P');
      return PutSeconds(integer(), plan.format.digits, out);
    case Kind::kMonths:
      out.Put('P');
      PutNumber(integer(), out);
      return out.Put('M');
    case Kind::kDayTime:
      out.Put('P');
      PutNumber(Load<std::int32_t>(value), out);
      out.Put('D');
      return PutSeconds(Load<std::int32_t>(value + 4), 3, out);
    case Kind::kMonthDayNano:
      out.Put('P');
      PutNumber(Load<std::int32_t>(value), out);
      out.Put('M');
      PutNumber(Load<std::int32_t>(value + 4), out);
      out.Put('D');
      return PutSeconds(Load<std::int64_t>(value + 8), 9, out);
    default:
      plan.Fail("has a type that is not written as JSON");
  }
}

template <class T>
void JsonWriter::PutFloat(const Plan& plan, T value, Tail& out) const {
  if (std::isfinite(value)) return json_detail::PutNumber(value, out);
  const char* text = std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  switch (options_.non_finite) {
    case JsonNonFinite::kNull:
      return out.Append("null");
    case JsonNonFinite::kText:
      return out.Append(text);
    case JsonNonFinite::kThrow:
      break;
  }
  plan.Fail(std::string("holds ") + text + ", which JSON has no number for");
}

inline void JsonWriter::PutString(const Plan& plan, std::string_view text, Tail& out,
                                  const char* readable_end) const {
  if (plan.raw) return PutRaw(plan, text, out);
  const auto start = out.p - out.begin();
  const std::size_t valid =
      json_detail::PutText(text, options_.bad_text == JsonBadText::kReplace, out, readable_end);
  if (valid == text.size()) return;
  if (options_.bad_text == JsonBadText::kThrow) {
    plan.Fail("holds text that is not valid UTF-8 from byte " + std::to_string(valid));
  }
  out.p = out.begin() + start;
  out.Append("{\"base64\":");
  json_detail::PutBase64(text, out);
  out.Append("}");
}

inline void JsonWriter::PutRaw(const Plan& plan, std::string_view text, Tail& out) const {
  if (text.find_first_not_of(" \t\r\n") == text.npos) plan.Fail("holds no JSON text, but blank");
  const std::size_t valid = ValidUtf8(text);
  if (valid != text.size())
    plan.Fail("holds text that is not valid UTF-8 from byte " + std::to_string(valid));
  out.Append(text);
  // A line break can only stand between tokens, and would end the row for whoever reads by lines.
  char* const begin = out.p - text.size();
  for (const char c : {'\n', '\r'}) {
    char* p = begin;
    while ((p = static_cast<char*>(std::memchr(p, c, static_cast<std::size_t>(out.p - p)))))
      *p++ = ' ';
  }
}

inline void JsonWriter::PutItems(const Plan& plan, const ArrowArray& array, std::int64_t row,
                                 Tail& out) const {
  const arrow::Range range = arrow::ListAt(plan.format, array, row);
  out.Append("[");
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    if (i > range.begin) out.Append(",");
    Put(plan.children[0], *array.children[0], i, out);
  }
  out.Append("]");
}

inline void JsonWriter::PutMap(const Plan& plan, const ArrowArray& array, std::int64_t row,
                               Tail& out) const {
  const arrow::Range range = arrow::ListAt(plan.format, array, row);
  const ArrowArray& entries = *array.children[0];
  const std::vector<Plan>& plans = plan.children[0].children;
  out.Append(plan.object ? "{" : "[");
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const std::int64_t at = i + entries.offset;
    if (i > range.begin) out.Append(",");
    if (plan.object && NullAt(plans[0], *entries.children[0], at)) plan.Fail("holds a null key");
    if (!plan.object) out.Append("[");
    Put(plans[0], *entries.children[0], at, out);
    out.Append(plan.object ? ":" : ",");
    Put(plans[1], *entries.children[1], at, out);
    if (!plan.object) out.Append("]");
  }
  out.Append(plan.object ? "}" : "]");
}

inline void JsonWriter::PutUnion(const Plan& plan, const ArrowArray& array, std::int64_t row,
                                 Tail& out) const {
  const std::int64_t at = row + array.offset;
  const auto id = arrow::ValueAt<std::int8_t>(array.buffers[0], at);
  const int child = id < 0 ? -1 : plan.child_of[static_cast<std::size_t>(id)];
  if (child < 0) plan.Fail("holds the unknown type id " + std::to_string(id));
  const auto member = static_cast<std::size_t>(child);
  const bool dense = plan.format.layout == arrow::Layout::kDense;
  out.Append("{");
  out.Append(plan.children[member].key);
  Put(plan.children[member], *array.children[member],
      dense ? std::int64_t{arrow::ValueAt<std::int32_t>(array.buffers[1], at)} : at, out);
  out.Append("}");
}

}  // namespace v1
}  // namespace etl
