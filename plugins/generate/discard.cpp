// SPDX-License-Identifier: Apache-2.0
#include "discard.h"

#include <etl/json.h>

namespace etl::generate {
namespace {

/// [begin, end) of the bytes or items that rows [at, at + length) take.
arrow::Range Extent(arrow::Layout layout, const ArrowArray& array, std::int64_t at, std::int64_t length) {
  const bool wide = layout == arrow::Layout::kText64 || layout == arrow::Layout::kList64;
  const auto offset = [&](std::int64_t i) {
    return wide ? arrow::ValueAt<std::int64_t>(array.buffers[1], i)
                : std::int64_t{arrow::ValueAt<std::int32_t>(array.buffers[1], i)};
  };
  return {offset(at), offset(at + length)};
}

}  // namespace

std::int64_t ValueBytes(const ArrowSchema& schema, const ArrowArray& array, std::int64_t offset, std::int64_t length) {
  using arrow::Layout;
  if (length == 0) return 0;
  const arrow::Format format = arrow::ParseFormat(schema.format);
  const std::int64_t at = offset + array.offset;
  switch (format.layout) {
    case Layout::kBits: return (length + 7) / 8;
    case Layout::kFixed: return length * format.width;
    case Layout::kText32:
    case Layout::kText64: {
      const arrow::Range bytes = Extent(format.layout, array, at, length);
      return bytes.end - bytes.begin;
    }
    case Layout::kList32:
    case Layout::kList64: {
      const arrow::Range items = Extent(format.layout, array, at, length);
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

void DiscardSink::Open(const ArrowSchema&, std::string_view) {}

Written DiscardSink::Write(const Rows& in) {
  rows_ += in.size();
  bytes_ += ValueBytes(in.schema(), in.array(), 0, in.size());
  return Written::kSettled;
}

std::string DiscardSink::Flush() {
  host.Count("discarded_rows", static_cast<double>(rows_));
  host.Count("discarded_bytes", static_cast<double>(bytes_));
  rows_ = bytes_ = 0;
  return {};
}

}  // namespace etl::generate
