// SPDX-License-Identifier: Apache-2.0
// Rows of Arrow batches as JSON text.  C++17; needs <etl/plugin.h> and the standard library only.
#pragma once
#include <etl/arrow.h>

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

/// The end of a string that is being written: room is made ahead, and cut off at the end.
class Tail {
 public:
  /// What was appended goes again unless Keep() is called.
  Tail(std::string& text, std::size_t room) : text_(text), base_(text.size()) {
    text_.resize(base_ + room);
    p = text_.data() + base_;
    end_ = text_.data() + text_.size();
  }
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;
  ~Tail() { text_.resize(base_); }
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
  char* end_;
};

inline constexpr std::uint64_t kOnes = 0x0101010101010101u, kHigh = 0x8080808080808080u;

/// Bit 7 of each byte that is a control character or not ASCII. Bytes above the first such one may
/// be marked in error.
inline std::uint64_t MarkedHard(std::uint64_t w) { return (w | (w - kOnes * 0x20)) & kHigh; }

/// The same of each byte that JSON does not take as it is: those, quotes and backslashes.
inline std::uint64_t Marked(std::uint64_t w) {
  const std::uint64_t quote = w ^ (kOnes * '"'), slash = w ^ (kOnes * '\\');
  return MarkedHard(w) | (((quote - kOnes) | (slash - kOnes)) & kHigh);
}

inline bool IsPlain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

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
/// UTF-8.
inline std::size_t PutText(std::string_view text, bool replace, Tail& out) {
  const char* s = text.data();
  const char* const end = s + text.size();
  out.Need(text.size() + 24);
  out.Put('"');
  while (s < end) {
    while (end - s >= 8) {
      const auto word = arrow::Load<std::uint64_t>(s);
      if (Marked(word) == 0) {
        std::memcpy(out.p, &word, 8);
        out.p += 8;
      } else if (MarkedHard(word) == 0) {
        // Quotes and backslashes come where they like: no branch for them.
        char* p = out.p;
        for (int i = 0; i < 8; ++i) {
          const bool escaped = s[i] == '"' || s[i] == '\\';
          p[0] = escaped ? '\\' : s[i];
          p[1] = s[i];
          p += 1 + escaped;
        }
        out.p = p;
        out.Need(static_cast<std::size_t>(end - s) + 24);
      } else {
        break;
      }
      s += 8;
    }
    while (s < end && IsPlain(static_cast<unsigned char>(*s))) *out.p++ = *s++;
    if (s == end) break;
    if (static_cast<unsigned char>(*s) < 0x80) {
      PutEscape(static_cast<unsigned char>(*s++), out);
      out.Need(static_cast<std::size_t>(end - s) + 24);
      continue;
    }
    while (s < end && static_cast<unsigned char>(*s) >= 0x80) {
      const std::string_view rest(s, static_cast<std::size_t>(end - s));
      const std::size_t size = CharacterSize(rest);
      if (size == 0) {
        if (!replace) return text.size() - rest.size();
        out.Need(rest.size() + 24);
        out.Put("\xEF\xBF\xBD", 3);
        ++s;
        continue;
      }
      for (std::size_t i = 0; i < size; ++i) *out.p++ = *s++;
    }
    out.Need(static_cast<std::size_t>(end - s) + 24);
  }
  out.Put('"');
  return text.size();
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

/// Any number, after room for it was made.
template <class T>
void PutNumber(T value, Tail& out) {
  out.p = std::to_chars(out.p, out.end(), value).ptr;
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

inline std::uint64_t Magnitude(std::int64_t v) {
  return v < 0 ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
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

/// What is known of a column before the first row.
struct Plan {
  std::string format_text;
  Format format;  ///< points into format_text
  std::string name, path;
  std::string key;  ///< "\"name\":"
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
  }
  Plan(Plan&& other) noexcept { *this = std::move(other); }
  Plan& operator=(Plan&& other) noexcept {
    format_text = std::move(other.format_text);
    name = std::move(other.name);
    path = std::move(other.path);
    key = std::move(other.key);
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
    for (std::int64_t row = first; row < first + count; ++row) {
      PutRow(batch, row, tail);
      tail.Append("\n");
    }
    const std::size_t written = tail.Keep();
    if (count > 0) Learn(written / static_cast<std::size_t>(count));
  }

  /// Appends one column's value; null as null.  Throws as Row does.
  void Value(std::size_t column, const ArrowArray& batch, std::int64_t row,
             std::string& out) const {
    json_detail::Tail tail(out, 64);
    Put(columns_[column], *batch.children[column], row + batch.offset, tail);
    tail.Keep();
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
  void PutString(const Plan& plan, std::string_view text, Tail& out) const;
  void PutRaw(const Plan& plan, std::string_view text, Tail& out) const;
  void PutItems(const Plan& plan, const ArrowArray& array, std::int64_t row, Tail& out) const;
  void PutMap(const Plan& plan, const ArrowArray& array, std::int64_t row, Tail& out) const;
  void PutUnion(const Plan& plan, const ArrowArray& array, std::int64_t row, Tail& out) const;
  static bool NullAt(const Plan& plan, const ArrowArray& array, std::int64_t row);

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
      return PutString(plan, text, out);
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
      return json_detail::PutNumber(int{ValueAt<std::int8_t>(values, at)}, out);
    case Kind::kUInt8:
      return json_detail::PutNumber(int{ValueAt<std::uint8_t>(values, at)}, out);
    case Kind::kInt16:
      return json_detail::PutNumber(int{ValueAt<std::int16_t>(values, at)}, out);
    case Kind::kUInt16:
      return json_detail::PutNumber(int{ValueAt<std::uint16_t>(values, at)}, out);
    case Kind::kInt32:
      return json_detail::PutNumber(ValueAt<std::int32_t>(values, at), out);
    case Kind::kUInt32:
      return json_detail::PutNumber(ValueAt<std::uint32_t>(values, at), out);
    case Kind::kInt64:
      return json_detail::PutNumber(ValueAt<std::int64_t>(values, at), out);
    case Kind::kUInt64:
      return json_detail::PutNumber(ValueAt<std::uint64_t>(values, at), out);
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

inline void JsonWriter::PutString(const Plan& plan, std::string_view text, Tail& out) const {
  if (plan.raw) return PutRaw(plan, text, out);
  const auto start = out.p - out.begin();
  const std::size_t valid =
      json_detail::PutText(text, options_.bad_text == JsonBadText::kReplace, out);
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
