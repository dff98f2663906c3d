// SPDX-License-Identifier: Apache-2.0
// The Arrow C data interface, decoded: what a column's format says, and where its values lie.
// C++17; needs <etl/plugin.h> and the standard library only.
#pragma once
#include <etl/plugin.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace etl {
inline namespace v1 {

/// What the Arrow C data interface says, decoded.
namespace arrow {

enum class Kind : std::uint8_t {
  kUnknown,
  kNull,
  kBool,
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kUInt32,
  kInt64,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kDecimal,
  kUtf8,
  kBinary,
  kFixedBinary,
  kDate32,
  kDate64,
  kTime,
  kTimestamp,
  kDuration,
  kMonths,
  kDayTime,
  kMonthDayNano,
  kList,
  kFixedList,
  kStruct,
  kMap,
  kUnion,
  kRunEnd
};

enum class Layout : std::uint8_t {
  kNone,  ///< no buffers
  kBits,
  kFixed,  ///< validity, values
  kText32,
  kText64,  ///< validity, offsets, bytes
  kView,    ///< validity, views, bytes ..., sizes
  kList32,
  kList64,  ///< validity, offsets; one child
  kFixedList,
  kStruct,  ///< validity; one child, any number of children
  kSparse,
  kDense,  ///< type ids; type ids, offsets; any number of children
  kRunEnd  ///< no buffers; run ends and values as children
};

/// A format string taken apart.  Views point into the string.
struct Format {
  Kind kind = Kind::kUnknown;
  Layout layout = Layout::kNone;
  int width = 0;      ///< kFixed: bytes of a value
  int digits = 0;     ///< times: decimal digits after the second, 0, 3, 6 or 9
  int precision = 0;  ///< decimals
  int scale = 0;
  std::int64_t size = 0;      ///< kFixedList: items of a value
  std::string_view zone;      ///< timestamps; empty = none
  std::string_view type_ids;  ///< unions: "0,1,5"
};

namespace detail {

/// A decimal integer up to the end or to `stop`; false if there is none.
inline bool ParseInt(std::string_view& text, char stop, std::int64_t& value) {
  const bool negative = !text.empty() && text.front() == '-';
  std::size_t i = negative;
  std::int64_t v = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    v = v * 10 + (text[i] - '0');
    if (v > 0x7FFFFFFF) return false;
  }
  if (i == static_cast<std::size_t>(negative)) return false;
  if (i < text.size() && text[i] != stop) return false;
  value = negative ? -v : v;
  text.remove_prefix(i < text.size() ? i + 1 : i);
  return true;
}

inline Format Fixed(Kind kind, int width, int digits = 0) {
  Format f;
  f.kind = kind;
  f.layout = Layout::kFixed;
  f.width = width;
  f.digits = digits;
  return f;
}

inline Format Shaped(Kind kind, Layout layout) {
  Format f;
  f.kind = kind;
  f.layout = layout;
  return f;
}

inline int UnitDigits(char unit) {
  return unit == 's' ? 0 : unit == 'm' ? 3 : unit == 'u' ? 6 : unit == 'n' ? 9 : -1;
}

inline Format ParseDecimal(std::string_view text) {
  std::int64_t precision = 0, scale = 0, bits = 128;
  const bool with_bits = text.find(',') != text.rfind(',');
  if (!ParseInt(text, ',', precision) || !ParseInt(text, ',', scale)) return {};
  if (with_bits && !ParseInt(text, '\0', bits)) return {};
  const int most = bits == 32 ? 9 : bits == 64 ? 18 : bits == 128 ? 38 : bits == 256 ? 76 : 0;
  if (!text.empty() || precision < 1 || precision > most || scale < -1000 || scale > 1000)
    return {};
  Format f = Fixed(Kind::kDecimal, static_cast<int>(bits / 8));
  f.precision = static_cast<int>(precision);
  f.scale = static_cast<int>(scale);
  return f;
}

inline Format ParseTime(std::string_view text) {
  if (text == "dD") return Fixed(Kind::kDate32, 4);
  if (text == "dm") return Fixed(Kind::kDate64, 8);
  if (text == "iM") return Fixed(Kind::kMonths, 4);
  if (text == "iD") return Fixed(Kind::kDayTime, 8);
  if (text == "in") return Fixed(Kind::kMonthDayNano, 16);
  if (text.size() < 2) return {};
  const int digits = UnitDigits(text[1]);
  if (digits < 0) return {};
  if (text[0] == 't' && text.size() == 2) return Fixed(Kind::kTime, digits < 6 ? 4 : 8, digits);
  if (text[0] == 'D' && text.size() == 2) return Fixed(Kind::kDuration, 8, digits);
  if (text[0] != 's' || text.size() < 3 || text[2] != ':') return {};
  Format f = Fixed(Kind::kTimestamp, 8, digits);
  f.zone = text.substr(3);
  return f;
}

inline Format ParseNested(std::string_view text) {
  if (text == "l") return Shaped(Kind::kList, Layout::kList32);
  if (text == "L") return Shaped(Kind::kList, Layout::kList64);
  if (text == "s") return Shaped(Kind::kStruct, Layout::kStruct);
  if (text == "m") return Shaped(Kind::kMap, Layout::kList32);
  if (text == "r") return Shaped(Kind::kRunEnd, Layout::kRunEnd);
  if (text.substr(0, 2) == "w:") {
    Format f = Shaped(Kind::kFixedList, Layout::kFixedList);
    text.remove_prefix(2);
    return ParseInt(text, '\0', f.size) && f.size >= 0 && text.empty() ? f : Format{};
  }
  if (text.size() < 3 || text[0] != 'u' || text[2] != ':') return {};
  if (text[1] != 's' && text[1] != 'd') return {};
  Format f = Shaped(Kind::kUnion, text[1] == 's' ? Layout::kSparse : Layout::kDense);
  f.type_ids = text.substr(3);
  return f;
}

}  // namespace detail

/// kUnknown if the text is no format that batches may carry.
inline Format ParseFormat(std::string_view text) {
  using namespace detail;
  if (text.empty()) return {};
  const std::string_view rest = text.substr(1);
  if (rest.empty()) {
    switch (text[0]) {
      case 'n':
        return Shaped(Kind::kNull, Layout::kNone);
      case 'b':
        return Shaped(Kind::kBool, Layout::kBits);
      case 'c':
        return Fixed(Kind::kInt8, 1);
      case 'C':
        return Fixed(Kind::kUInt8, 1);
      case 's':
        return Fixed(Kind::kInt16, 2);
      case 'S':
        return Fixed(Kind::kUInt16, 2);
      case 'i':
        return Fixed(Kind::kInt32, 4);
      case 'I':
        return Fixed(Kind::kUInt32, 4);
      case 'l':
        return Fixed(Kind::kInt64, 8);
      case 'L':
        return Fixed(Kind::kUInt64, 8);
      case 'e':
        return Fixed(Kind::kFloat16, 2);
      case 'f':
        return Fixed(Kind::kFloat32, 4);
      case 'g':
        return Fixed(Kind::kFloat64, 8);
      case 'u':
        return Shaped(Kind::kUtf8, Layout::kText32);
      case 'U':
        return Shaped(Kind::kUtf8, Layout::kText64);
      case 'z':
        return Shaped(Kind::kBinary, Layout::kText32);
      case 'Z':
        return Shaped(Kind::kBinary, Layout::kText64);
      default:
        return {};
    }
  }
  if (text == "vu") return Shaped(Kind::kUtf8, Layout::kView);
  if (text == "vz") return Shaped(Kind::kBinary, Layout::kView);
  if (text[0] == 't') return ParseTime(rest);
  if (text[0] == '+') return ParseNested(rest);
  if (text.size() < 3 || text[1] != ':') return {};
  if (text[0] == 'd') return ParseDecimal(text.substr(2));
  if (text[0] != 'w') return {};
  std::int64_t width = 0;
  std::string_view digits = text.substr(2);
  if (!ParseInt(digits, '\0', width) || width < 0 || !digits.empty()) return {};
  return Fixed(Kind::kFixedBinary, static_cast<int>(width));
}

/// Of a union: which child a type id means, -1 = none.  False if the ids are malformed.
using UnionMap = std::array<std::int16_t, 128>;
inline bool ParseUnion(std::string_view type_ids, std::int64_t n_children, UnionMap& map) {
  map.fill(-1);
  std::int16_t child = 0;
  while (!type_ids.empty()) {
    std::int64_t id = 0;
    if (!detail::ParseInt(type_ids, ',', id) || id < 0 || id > 127) return false;
    if (map[static_cast<std::size_t>(id)] != -1) return false;
    map[static_cast<std::size_t>(id)] = child++;
  }
  return child == n_children;
}

inline bool BitAt(const void* bits, std::int64_t i) {
  return (static_cast<const unsigned char*>(bits)[i >> 3] >> (i & 7) & 1) != 0;
}

/// Whether arrays of that layout begin with a validity buffer.
inline bool HasValidity(Layout layout) {
  return layout != Layout::kNone && layout != Layout::kSparse && layout != Layout::kDense &&
         layout != Layout::kRunEnd;
}

/// Row i of the array, which has a validity buffer, is null by its own validity; i does not count
/// the array's offset.
inline bool IsNull(const ArrowArray& array, std::int64_t i) {
  return array.null_count != 0 && array.buffers[0] && !BitAt(array.buffers[0], i + array.offset);
}

template <class T>
T Load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Value i of a buffer of T.
template <class T>
T ValueAt(const void* buffer, std::int64_t i) {
  return Load<T>(static_cast<const char*>(buffer) + i * static_cast<std::int64_t>(sizeof(T)));
}

/// An integer of a column with that kind, as an index or a run end.
inline std::int64_t IntegerAt(Kind kind, const void* buffer, std::int64_t i) {
  switch (kind) {
    case Kind::kInt8:
      return ValueAt<std::int8_t>(buffer, i);
    case Kind::kUInt8:
      return ValueAt<std::uint8_t>(buffer, i);
    case Kind::kInt16:
      return ValueAt<std::int16_t>(buffer, i);
    case Kind::kUInt16:
      return ValueAt<std::uint16_t>(buffer, i);
    case Kind::kInt32:
      return ValueAt<std::int32_t>(buffer, i);
    case Kind::kUInt32:
      return ValueAt<std::uint32_t>(buffer, i);
    default:
      return ValueAt<std::int64_t>(buffer, i);
  }
}

/// Bytes of row i of a text, binary or view column.
inline std::string_view TextAt(Layout layout, const ArrowArray& array, std::int64_t i) {
  const std::int64_t at = i + array.offset;
  if (layout == Layout::kView) {
    const char* view = static_cast<const char*>(array.buffers[1]) + at * 16;
    const auto size = static_cast<std::size_t>(Load<std::int32_t>(view));
    if (size <= 12) return {view + 4, size};
    const auto buffer = Load<std::int32_t>(view + 8), offset = Load<std::int32_t>(view + 12);
    return {static_cast<const char*>(array.buffers[2 + buffer]) + offset, size};
  }
  std::int64_t begin = 0, end = 0;
  if (layout == Layout::kText32) {
    begin = ValueAt<std::int32_t>(array.buffers[1], at);
    end = ValueAt<std::int32_t>(array.buffers[1], at + 1);
  } else {
    begin = ValueAt<std::int64_t>(array.buffers[1], at);
    end = ValueAt<std::int64_t>(array.buffers[1], at + 1);
  }
  if (begin == end) return {};
  return {static_cast<const char*>(array.buffers[2]) + begin,
          static_cast<std::size_t>(end - begin)};
}

/// Items of row i of a list or map: [begin, end) of the child's rows.
struct Range {
  std::int64_t begin, end;
};
inline Range ListAt(const Format& format, const ArrowArray& array, std::int64_t i) {
  const std::int64_t at = i + array.offset;
  if (format.layout == Layout::kFixedList) return {at * format.size, (at + 1) * format.size};
  if (format.layout == Layout::kList32) {
    return {ValueAt<std::int32_t>(array.buffers[1], at),
            ValueAt<std::int32_t>(array.buffers[1], at + 1)};
  }
  return {ValueAt<std::int64_t>(array.buffers[1], at),
          ValueAt<std::int64_t>(array.buffers[1], at + 1)};
}

/// Run that row i of a run-end-encoded column lies in: a row of its values.
inline std::int64_t RunAt(Kind ends_kind, const ArrowArray& array, std::int64_t i) {
  const ArrowArray& ends = *array.children[0];
  std::int64_t low = 0, high = ends.length;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (IntegerAt(ends_kind, ends.buffers[1], middle + ends.offset) <= i + array.offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Value of a key of a schema's metadata, or nothing (data() == nullptr).
inline std::string_view Metadata(const char* metadata, std::string_view key) {
  if (!metadata) return {};
  auto pairs = Load<std::int32_t>(metadata);
  const char* p = metadata + 4;
  for (; pairs > 0; --pairs) {
    const std::string_view k(p + 4, static_cast<std::size_t>(Load<std::int32_t>(p)));
    p += 4 + k.size();
    const std::string_view v(p + 4, static_cast<std::size_t>(Load<std::int32_t>(p)));
    p += 4 + v.size();
    if (k == key) return v;
  }
  return {};
}

/// Bytes of a schema's metadata.
inline std::size_t MetadataSize(const char* metadata) {
  if (!metadata) return 0;
  const char* p = metadata + 4;
  for (auto parts = 2 * static_cast<std::int64_t>(Load<std::int32_t>(metadata)); parts > 0;
       --parts) {
    p += 4 + Load<std::int32_t>(p);
  }
  return static_cast<std::size_t>(p - metadata);
}

}  // namespace arrow

}  // namespace v1
}  // namespace etl
