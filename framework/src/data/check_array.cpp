#include <etl/json.h>

#include <algorithm>
#include <string_view>

#include "batch.h"
#include "place.h"

namespace etl::host {
namespace {

using arrow::Format;
using arrow::Kind;
using arrow::Layout;
using data::At;
using data::Place;
using Fault = std::optional<std::string>;

constexpr std::int64_t kMostRows = std::int64_t{1} << 48;

std::string Num(std::int64_t n) { return std::to_string(n); }

std::int64_t BuffersOf(const Format& format) {
  switch (format.layout) {
    case Layout::kNone:
    case Layout::kRunEnd:
      return 0;
    case Layout::kFixedList:
    case Layout::kStruct:
    case Layout::kSparse:
      return 1;
    case Layout::kText32:
    case Layout::kText64:
      return 3;
    default:
      return 2;
  }
}

std::int64_t NullsIn(const ArrowArray& array) {
  std::int64_t nulls = 0;
  for (std::int64_t i = 0; i < array.length; ++i)
    nulls += !arrow::BitAt(array.buffers[0], i + array.offset);
  return nulls;
}

/// An array and what lies below it.  All but Run say what is wrong without saying where.
struct ArrayCheck {
  bool full;

  Fault Run(const ArrowSchema& schema, const ArrowArray& array, const Place& place, bool no_nulls);
  Fault Shape(const ArrowSchema& schema, const ArrowArray& array, const Format& format);
  Fault Buffers(const ArrowArray& array, const Format& format);
  Fault Children(const ArrowSchema& schema, const ArrowArray& array, const Format& format);
  Fault Nulls(const ArrowSchema& schema, const ArrowArray& array, const Format& format,
              bool no_nulls);
  Fault Values(const ArrowSchema& schema, const ArrowArray& array, const Format& format);
  template <class Offset>
  Fault Offsets(const ArrowArray& array, const Format& format);
  Fault Keys(const ArrowSchema& schema, const ArrowArray& array, const Format& format);
  Fault Text(const ArrowArray& array, const Format& format, std::int64_t begin, std::int64_t end);
  Fault Views(const ArrowArray& array, const Format& format);
  Fault Union(const ArrowSchema& schema, const ArrowArray& array, const Format& format);
  Fault Indexes(const ArrowArray& array, const Format& format);
  Fault RunEnds(const ArrowSchema& schema, const ArrowArray& array);
};

Fault ArrayCheck::Shape(const ArrowSchema& schema, const ArrowArray& array, const Format& format) {
  if (!array.release) return "released, or moved out before";
  if (array.length < 0 || array.length > kMostRows) return "length " + Num(array.length);
  if (array.offset < 0 || array.offset > kMostRows) return "offset " + Num(array.offset);
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(array.offset + array.length, std::max(format.width, 16), &bytes)) {
    return Num(array.length) + " rows of " + Num(format.width) + " bytes";
  }
  if (array.null_count < -1 || array.null_count > array.length) {
    return Num(array.null_count) + " nulls in " + Num(array.length) + " rows";
  }
  if (array.n_children != schema.n_children) {
    return Num(array.n_children) + " children, but the schema says " + Num(schema.n_children);
  }
  if (array.n_children > 0 && !array.children) return "its children are a null pointer";
  for (std::int64_t i = 0; i < array.n_children; ++i) {
    if (!array.children[i]) return "child " + Num(i) + " is a null pointer";
  }
  if (!schema.dictionary != !array.dictionary) {
    return schema.dictionary ? "no dictionary, but the schema has one"
                             : "a dictionary that the schema does not have";
  }
  return Buffers(array, format);
}

Fault ArrayCheck::Buffers(const ArrowArray& array, const Format& format) {
  const std::int64_t want = BuffersOf(format);
  const bool view = format.layout == Layout::kView;
  if (view ? array.n_buffers < 3 || array.n_buffers > kMostRows : array.n_buffers != want) {
    return Num(array.n_buffers) + " buffers instead of " + (view ? "3 or more" : Num(want));
  }
  if (array.n_buffers > 0 && !array.buffers) return "its buffers are a null pointer";
  const bool unioned = format.kind == Kind::kUnion;
  if (arrow::HasValidity(format.layout) && array.null_count > 0 && !array.buffers[0]) {
    return Num(array.null_count) + " nulls without a validity buffer";
  }
  if (array.length == 0) return std::nullopt;
  for (std::int64_t i = unioned ? 0 : 1; i < (view ? 2 : want); ++i) {
    const bool bytes = i == 2 || (format.layout == Layout::kFixed && format.width == 0);
    if (!array.buffers[i] && !bytes) return "buffer " + Num(i) + " is a null pointer";
  }
  if (view && array.n_buffers > 3 && !array.buffers[array.n_buffers - 1])
    return "the sizes of its buffers are missing";
  return std::nullopt;
}

/// Whether the children have all the rows that the parent's shape makes use of.
Fault ArrayCheck::Children(const ArrowSchema& schema, const ArrowArray& array,
                           const Format& format) {
  std::int64_t want = 0;
  if (format.layout == Layout::kStruct || format.layout == Layout::kSparse) {
    want = array.offset + array.length;
  } else if (format.layout == Layout::kFixedList) {
    if (__builtin_mul_overflow(array.offset + array.length, format.size, &want))
      return "more items than can be";
  }
  for (std::int64_t i = 0; i < array.n_children; ++i) {
    if (!array.children[i]->release)
      return "child " + Num(i) + " is released, or was moved out before";
    if (array.children[i]->length < want) {
      return "child " + Num(i) + " has " + Num(array.children[i]->length) + " rows where " +
             Num(want) + " are needed";
    }
  }
  return format.layout == Layout::kRunEnd ? RunEnds(schema, array) : std::nullopt;
}

Fault ArrayCheck::RunEnds(const ArrowSchema& schema, const ArrowArray& array) {
  const ArrowArray& ends = *array.children[0];
  const Format format = arrow::ParseFormat(schema.children[0]->format);
  if (auto fault = Shape(*schema.children[0], ends, format)) return "its run ends: " + *fault;
  if (ends.null_count > 0) return "its run ends have nulls";
  if (ends.length > array.children[1]->length) {
    return Num(ends.length) + " run ends, but only " + Num(array.children[1]->length) + " values";
  }
  const auto end = [&](std::int64_t i) {
    return arrow::IntegerAt(format.kind, ends.buffers[1], i + ends.offset);
  };
  const std::int64_t covered = ends.length > 0 ? end(ends.length - 1) : 0;
  if (array.length > 0 && covered < array.offset + array.length) {
    return "its runs end at row " + Num(covered) + ", before row " +
           Num(array.offset + array.length);
  }
  std::int64_t before = 0;
  for (std::int64_t i = 0; full && i < ends.length; ++i) {
    if (end(i) <= before)
      return "run " + Num(i) + " ends at " + Num(end(i)) + ", not after " + Num(before);
    before = end(i);
  }
  return std::nullopt;
}

Fault ArrayCheck::Nulls(const ArrowSchema& schema, const ArrowArray& array, const Format& format,
                        bool no_nulls) {
  const bool has_validity = arrow::HasValidity(format.layout) && array.buffers[0];
  const std::int64_t nulls = has_validity ? NullsIn(array) : 0;
  if (has_validity && array.null_count >= 0 && nulls != array.null_count) {
    return "says " + Num(array.null_count) + " nulls, but has " + Num(nulls);
  }
  if (no_nulls && nulls > 0 && !(schema.flags & ARROW_FLAG_NULLABLE)) {
    return Num(nulls) + " nulls, but the schema says not null";
  }
  return std::nullopt;
}

template <class Offset>
Fault ArrayCheck::Offsets(const ArrowArray& array, const Format& format) {
  if (array.length == 0) return std::nullopt;
  const auto offset = [&](std::int64_t i) {
    return std::int64_t{arrow::ValueAt<Offset>(array.buffers[1], i + array.offset)};
  };
  const std::int64_t begin = offset(0), end = offset(array.length);
  if (begin < 0 || end < begin) return "offsets from " + Num(begin) + " to " + Num(end);
  for (std::int64_t i = 0; full && i < array.length; ++i) {
    if (offset(i + 1) < offset(i) || offset(i + 1) > end) {
      return "row " + Num(i) + " has offsets from " + Num(offset(i)) + " to " + Num(offset(i + 1));
    }
  }
  if (format.layout == Layout::kText32 || format.layout == Layout::kText64)
    return Text(array, format, begin, end);
  if (end > array.children[0]->length) {
    return "offsets up to " + Num(end) + ", but only " + Num(array.children[0]->length) + " items";
  }
  return std::nullopt;
}

Fault ArrayCheck::Keys(const ArrowSchema& schema, const ArrowArray& array, const Format& format) {
  const ArrowArray& entries = *array.children[0];
  const ArrowSchema& key = *schema.children[0]->children[0];
  if (!arrow::HasValidity(arrow::ParseFormat(key.format).layout)) return std::nullopt;
  for (std::int64_t row = 0; row < array.length; ++row) {
    const arrow::Range range = arrow::ListAt(format, array, row);
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      if (arrow::IsNull(*entries.children[0], i + entries.offset))
        return "row " + Num(row) + " has a null key";
    }
  }
  return std::nullopt;
}

Fault ArrayCheck::Text(const ArrowArray& array, const Format& format, std::int64_t begin,
                       std::int64_t end) {
  if (end > begin && !array.buffers[2]) return "buffer 2 is a null pointer";
  if (!full || format.kind != Kind::kUtf8 || end == begin) return std::nullopt;
  const std::string_view all(static_cast<const char*>(array.buffers[2]) + begin,
                             static_cast<std::size_t>(end - begin));
  // Most often the whole is ASCII, or at least no character reaches over a border.
  bool fine = ValidUtf8(all) == all.size();
  for (std::int64_t i = 0; fine && i < array.length; ++i) {
    const std::string_view text = arrow::TextAt(format.layout, array, i);
    fine = text.empty() || (text[0] & 0xC0) != 0x80;
  }
  for (std::int64_t i = 0; !fine && i < array.length; ++i) {
    if (arrow::IsNull(array, i)) continue;
    const std::string_view text = arrow::TextAt(format.layout, array, i);
    const std::size_t valid = ValidUtf8(text);
    if (valid != text.size()) {
      return "row " + Num(i) + " is not valid UTF-8 from byte " +
             Num(static_cast<std::int64_t>(valid));
    }
  }
  return std::nullopt;
}

Fault ArrayCheck::Views(const ArrowArray& array, const Format& format) {
  const std::int64_t n_texts = array.n_buffers - 3;
  for (std::int64_t i = 0; i < array.length; ++i) {
    if (arrow::IsNull(array, i)) continue;
    const std::string row = "row " + Num(i);
    const char* view = static_cast<const char*>(array.buffers[1]) + (i + array.offset) * 16;
    const auto size = arrow::Load<std::int32_t>(view);
    if (size < 0) return row + " has " + Num(size) + " bytes";
    if (size > 12) {
      const std::int64_t text = arrow::Load<std::int32_t>(view + 8),
                         at = arrow::Load<std::int32_t>(view + 12);
      if (text < 0 || text >= n_texts)
        return row + " lies in buffer " + Num(text) + " of " + Num(n_texts);
      const auto has = arrow::ValueAt<std::int64_t>(array.buffers[array.n_buffers - 1], text);
      if (at < 0 || at + size > has || !array.buffers[2 + text]) {
        return row + " reaches to byte " + Num(at + size) + " of " + Num(has);
      }
      if (std::memcmp(view + 4, static_cast<const char*>(array.buffers[2 + text]) + at, 4) != 0) {
        return row + " has another prefix than its text";
      }
    }
    const std::string_view text = arrow::TextAt(format.layout, array, i);
    if (format.kind == Kind::kUtf8 && ValidUtf8(text) != text.size())
      return row + " is not valid UTF-8";
  }
  return std::nullopt;
}

Fault ArrayCheck::Union(const ArrowSchema& schema, const ArrowArray& array, const Format& format) {
  arrow::UnionMap map;
  arrow::ParseUnion(format.type_ids, schema.n_children, map);
  for (std::int64_t i = 0; i < array.length; ++i) {
    const int id = arrow::ValueAt<std::int8_t>(array.buffers[0], i + array.offset);
    const int child = id < 0 ? -1 : map[static_cast<std::size_t>(id)];
    if (child < 0) return "row " + Num(i) + " has the unknown type id " + Num(id);
    if (format.layout == Layout::kSparse) continue;
    const std::int64_t at = arrow::ValueAt<std::int32_t>(array.buffers[1], i + array.offset);
    if (at < 0 || at >= array.children[child]->length) {
      return "row " + Num(i) + " is value " + Num(at) + " of " + Num(array.children[child]->length);
    }
  }
  return std::nullopt;
}

Fault ArrayCheck::Indexes(const ArrowArray& array, const Format& format) {
  for (std::int64_t i = 0; i < array.length; ++i) {
    if (arrow::IsNull(array, i)) continue;
    const std::int64_t index = arrow::IntegerAt(format.kind, array.buffers[1], i + array.offset);
    if (index < 0 || index >= array.dictionary->length) {
      return "row " + Num(i) + " is entry " + Num(index) + " of a dictionary of " +
             Num(array.dictionary->length);
    }
  }
  return std::nullopt;
}

Fault ArrayCheck::Values(const ArrowSchema& schema, const ArrowArray& array, const Format& format) {
  if (schema.dictionary) return full ? Indexes(array, format) : std::nullopt;
  switch (format.layout) {
    case Layout::kText32:
      return Offsets<std::int32_t>(array, format);
    case Layout::kList32: {
      auto fault = Offsets<std::int32_t>(array, format);
      return fault || !full || format.kind != Kind::kMap ? fault : Keys(schema, array, format);
    }
    case Layout::kText64:
    case Layout::kList64:
      return Offsets<std::int64_t>(array, format);
    case Layout::kView:
      return full ? Views(array, format) : std::nullopt;
    case Layout::kSparse:
    case Layout::kDense:
      return full ? Union(schema, array, format) : std::nullopt;
    default:
      return std::nullopt;
  }
}

Fault ArrayCheck::Run(const ArrowSchema& schema, const ArrowArray& array, const Place& place,
                      bool no_nulls) {
  const Format format = arrow::ParseFormat(schema.format);
  auto fault = Shape(schema, array, format);
  if (!fault) fault = Children(schema, array, format);
  if (!fault && full) fault = Nulls(schema, array, format, no_nulls);
  if (fault) return At(place) + *fault;
  const bool below =
      no_nulls && format.kind == Kind::kStruct && (array.null_count == 0 || !array.buffers[0]);
  for (std::int64_t i = 0; i < array.n_children; ++i) {
    const Place child{&place, schema.children[i], i};
    if (auto inner = Run(*schema.children[i], *array.children[i], child, below)) return inner;
  }
  if (array.dictionary) {
    const Place dictionary{&place, schema.dictionary, -1};
    if (auto inner = Run(*schema.dictionary, *array.dictionary, dictionary, false)) return inner;
  }
  if ((fault = Values(schema, array, format))) return At(place) + *fault;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> CheckArray(const ArrowSchema& schema, const ArrowArray& array,
                                      bool full) {
  ArrayCheck check{full};
  if (auto fault = check.Run(schema, array, Place{}, true)) return fault;
  if (array.null_count != 0 && array.buffers[0] && NullsIn(array) > 0) {
    return "the batch: its rows themselves are null; only their columns may be";
  }
  return std::nullopt;
}

}  // namespace etl::host
