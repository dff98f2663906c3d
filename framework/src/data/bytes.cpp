#include <etl/json.h>

#include <algorithm>

#include "batch.h"

namespace etl::host {
namespace {

using arrow::Layout;

std::int64_t BitBytes(std::int64_t rows) { return (rows + 7) / 8; }

template <class Offset>
arrow::Range OffsetsOf(const ArrowArray& array, std::int64_t begin, std::int64_t rows) {
  return {arrow::ValueAt<Offset>(array.buffers[1], begin + array.offset),
          arrow::ValueAt<Offset>(array.buffers[1], begin + array.offset + rows)};
}

std::int64_t ViewBytes(const ArrowArray& array, std::int64_t begin, std::int64_t rows) {
  std::int64_t bytes = 16 * rows;
  const auto* views = static_cast<const char*>(array.buffers[1]) + (begin + array.offset) * 16;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto size = arrow::Load<std::int32_t>(views + i * 16);
    if (size > 12 && !arrow::IsNull(array, begin + i)) bytes += size;
  }
  return bytes;
}

/// Of rows [begin, begin + rows), cut to what the array has.
std::int64_t RangeBytes(const ArrowSchema& schema, const ArrowArray& array, std::int64_t begin,
                        std::int64_t rows) {
  begin = std::clamp<std::int64_t>(begin, 0, array.length);
  rows = std::clamp<std::int64_t>(rows, 0, array.length - begin);
  const arrow::Format format = arrow::ParseFormat(schema.format);
  const auto child = [&](std::int64_t i, std::int64_t from, std::int64_t n) {
    return RangeBytes(*schema.children[i], *array.children[i], from, n);
  };
  const auto items = [&](arrow::Range range) {
    return child(0, range.begin, range.end - range.begin);
  };
  std::int64_t bytes = 0;
  if (array.dictionary)
    bytes += RangeBytes(*schema.dictionary, *array.dictionary, 0, array.dictionary->length);
  if (rows == 0) return bytes;
  const bool unioned = format.kind == arrow::Kind::kUnion;
  if (arrow::HasValidity(format.layout) && array.buffers[0]) bytes += BitBytes(rows);
  switch (format.layout) {
    case Layout::kNone:
      return bytes;
    case Layout::kBits:
      return bytes + BitBytes(rows);
    case Layout::kFixed:
      return bytes + rows * format.width;
    case Layout::kText32: {
      const arrow::Range text = OffsetsOf<std::int32_t>(array, begin, rows);
      return bytes + (rows + 1) * 4 + text.end - text.begin;
    }
    case Layout::kText64: {
      const arrow::Range text = OffsetsOf<std::int64_t>(array, begin, rows);
      return bytes + (rows + 1) * 8 + text.end - text.begin;
    }
    case Layout::kView:
      return bytes + ViewBytes(array, begin, rows);
    case Layout::kList32:
      return bytes + (rows + 1) * 4 + items(OffsetsOf<std::int32_t>(array, begin, rows));
    case Layout::kList64:
      return bytes + (rows + 1) * 8 + items(OffsetsOf<std::int64_t>(array, begin, rows));
    case Layout::kFixedList:
      return bytes + child(0, (begin + array.offset) * format.size, rows * format.size);
    case Layout::kStruct:
    case Layout::kSparse:
      if (unioned) bytes += rows;
      for (std::int64_t i = 0; i < schema.n_children; ++i)
        bytes += child(i, begin + array.offset, rows);
      return bytes;
    case Layout::kDense:
      bytes += rows * 5;
      for (std::int64_t i = 0; i < schema.n_children; ++i)
        bytes += child(i, 0, array.children[i]->length);
      return bytes;
    case Layout::kRunEnd: {
      const arrow::Kind ends = arrow::ParseFormat(schema.children[0]->format).kind;
      const std::int64_t first = arrow::RunAt(ends, array, begin);
      const std::int64_t runs = arrow::RunAt(ends, array, begin + rows - 1) + 1 - first;
      return bytes + child(0, first, runs) + child(1, first, runs);
    }
  }
  return bytes;
}

}  // namespace

std::int64_t ArrayBytes(const ArrowSchema& schema, const ArrowArray& array) {
  return RangeBytes(schema, array, 0, array.length);
}

}  // namespace etl::host
