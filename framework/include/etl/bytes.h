// SPDX-License-Identifier: Apache-2.0
/// How much the rows of a batch hold: what a plugin that counts bytes, or cuts by them, needs.  C++17, standard library only.
#pragma once
#include <etl/arrow.h>

#include <cstdint>

namespace etl {
inline namespace v1 {
namespace arrow {
namespace bytes_detail {

/// [begin, end) of the bytes or items that rows [at, at + length) take.
inline Range Extent(Layout layout, const ArrowArray& array, std::int64_t at, std::int64_t length) {
  const bool wide = layout == Layout::kText64 || layout == Layout::kList64;
  const auto offset = [&](std::int64_t i) {
    return wide ? ValueAt<std::int64_t>(array.buffers[1], i)
                : std::int64_t{ValueAt<std::int32_t>(array.buffers[1], i)};
  };
  return {offset(at), offset(at + length)};
}

}  // namespace bytes_detail

/// Bytes of the values of rows [offset, offset + length), without validity and offsets; 0 for columns whose layout is unknown.
inline std::int64_t ValueBytes(const ArrowSchema& schema, const ArrowArray& array, std::int64_t offset, std::int64_t length) {
  if (length == 0) return 0;
  const Format format = ParseFormat(schema.format);
  const std::int64_t at = offset + array.offset;
  switch (format.layout) {
    case Layout::kBits: return (length + 7) / 8;
    case Layout::kFixed: return length * format.width;
    case Layout::kText32:
    case Layout::kText64: {
      const Range bytes = bytes_detail::Extent(format.layout, array, at, length);
      return bytes.end - bytes.begin;
    }
    case Layout::kList32:
    case Layout::kList64: {
      const Range items = bytes_detail::Extent(format.layout, array, at, length);
      return ValueBytes(*schema.children[0], *array.children[0], items.begin, items.end - items.begin);
    }
    case Layout::kFixedList:
      return ValueBytes(*schema.children[0], *array.children[0], at * format.size, length * format.size);
    case Layout::kStruct: {
      std::int64_t bytes = 0;
      for (std::int64_t i = 0; i < array.n_children; ++i) {
        bytes += ValueBytes(*schema.children[i], *array.children[i], at, length);
      }
      return bytes;
    }
    default: return 0;
  }
}

}  // namespace arrow
}  // namespace v1
}  // namespace etl
