#include <etl/json.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "batch.h"
#include "build.h"
#include "error.h"

namespace etl::host {
namespace data {
namespace {

using arrow::Format;
using arrow::Kind;
using arrow::Layout;
using Indexes = std::vector<std::int64_t>;

/// Which rows of an array to gather; -1 is null.  `shift` is added to each: children of a struct
/// with an offset.
struct Rows {
  std::span<const std::int64_t> at;
  std::int64_t shift = 0;
  bool gaps = false;  ///< some may be -1
  bool run = false;   ///< each is the one before plus 1

  explicit Rows(std::span<const std::int64_t> rows) : at(rows) {
    run = true;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      gaps |= rows[i] < 0;
      run &= rows[i] == rows[0] + static_cast<std::int64_t>(i);
    }
    run = run && !gaps && !rows.empty();
  }
  std::int64_t size() const { return static_cast<std::int64_t>(at.size()); }
  std::int64_t operator[](std::int64_t i) const {
    const std::int64_t row = at[static_cast<std::size_t>(i)];
    return row < 0 ? -1 : row + shift;
  }
  Rows Shifted(std::int64_t by) const {
    Rows out = *this;
    out.shift += by;
    return out;
  }
};

Node GatherRows(const ArrowSchema& schema, const ArrowArray& array, const Rows& rows, bool plain);

[[noreturn]] void TooLarge(const ArrowSchema& schema, const char* what) {
  throw Error(Exit::kInternal, "column \"" + std::string(schema.name ? schema.name : "") + "\": " +
                                   what + " do not fit its type in one batch; use smaller batches");
}

/// Validity of the rows, and how many are null.
void GatherValidity(const ArrowArray& array, const Rows& rows, Node& node) {
  node.length = rows.size();
  node.buffers.emplace_back();
  const bool nulls = array.null_count != 0 && array.buffers[0];
  if (!nulls && !rows.gaps) return;
  Bits bits;
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const std::int64_t row = rows[i];
    bits.Append(row >= 0 && !arrow::IsNull(array, row));
  }
  node.null_count = bits.zeros();
  if (node.null_count > 0) node.buffers[0] = bits.Take();
}

template <std::size_t kWidth>
void CopyValues(const char* from, const Rows& rows, char* to) {
  for (std::int64_t i = 0; i < rows.size(); ++i, to += kWidth) {
    const std::int64_t row = rows[i];
    if (row < 0) {
      std::memset(to, 0, kWidth);
    } else {
      std::memcpy(to, from + row * static_cast<std::int64_t>(kWidth), kWidth);
    }
  }
}

void GatherFixed(const ArrowArray& array, std::int64_t width, const Rows& rows, Node& node) {
  Buffer values(rows.size() * width);
  const char* from = static_cast<const char*>(array.buffers[1]);
  if (from) from += array.offset * width;  // without values there is nothing but -1 to gather
  char* to = values.As<char>();
  if (rows.run) {
    if (width > 0)
      std::memcpy(to, from + rows[0] * width, static_cast<std::size_t>(rows.size() * width));
  } else {
    switch (width) {
      case 1:
        CopyValues<1>(from, rows, to);
        break;
      case 2:
        CopyValues<2>(from, rows, to);
        break;
      case 4:
        CopyValues<4>(from, rows, to);
        break;
      case 8:
        CopyValues<8>(from, rows, to);
        break;
      case 16:
        CopyValues<16>(from, rows, to);
        break;
      default:
        for (std::int64_t i = 0; width > 0 && i < rows.size(); ++i, to += width) {
          const std::int64_t row = rows[i];
          if (row < 0) {
            std::memset(to, 0, static_cast<std::size_t>(width));
          } else {
            std::memcpy(to, from + row * width, static_cast<std::size_t>(width));
          }
        }
    }
  }
  node.buffers.push_back(std::move(values));
}

void GatherBits(const ArrowArray& array, const Rows& rows, Node& node) {
  Bits bits;
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const std::int64_t row = rows[i];
    bits.Append(row >= 0 && arrow::BitAt(array.buffers[1], row + array.offset));
  }
  node.buffers.push_back(rows.size() ? bits.Take() : Buffer(0));
}

template <class Offset, Layout kFrom>
void GatherText(const ArrowSchema& schema, const ArrowArray& array, const Rows& rows, Node& node) {
  const auto text = [&](std::int64_t row) {
    return row < 0 || (kFrom == Layout::kView && arrow::IsNull(array, row))
               ? std::string_view()
               : arrow::TextAt(kFrom, array, row);
  };
  Buffer offsets((rows.size() + 1) * static_cast<std::int64_t>(sizeof(Offset)));
  auto* offset = offsets.As<Offset>();
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    offset[i] = static_cast<Offset>(total);
    total += static_cast<std::int64_t>(text(rows[i]).size());
    if (total > std::numeric_limits<Offset>::max()) TooLarge(schema, "the bytes of its values");
  }
  offset[rows.size()] = static_cast<Offset>(total);
  Buffer bytes(total);
  char* to = bytes.As<char>();
  if (kFrom != Layout::kView && rows.run) {
    const std::int64_t begin = arrow::ValueAt<Offset>(array.buffers[1], rows[0] + array.offset);
    if (total > 0) {
      std::memcpy(to, static_cast<const char*>(array.buffers[2]) + begin,
                  static_cast<std::size_t>(total));
    }
  } else {
    for (std::int64_t i = 0; i < rows.size(); ++i) {
      const std::string_view value = text(rows[i]);
      if (value.empty()) continue;
      std::memcpy(to, value.data(), value.size());
      to += value.size();
    }
  }
  node.buffers.push_back(std::move(offsets));
  node.buffers.push_back(std::move(bytes));
}

void GatherViews(const ArrowArray& array, const Rows& rows, Node& node) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  Buffer views(rows.size() * 16);
  std::vector<Buffer> texts;
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    char* view = views.As<char>() + i * 16;
    std::memset(view, 0, 16);
    if (rows[i] < 0 || arrow::IsNull(array, rows[i])) continue;
    const std::string_view value = arrow::TextAt(Layout::kView, array, rows[i]);
    const auto size = static_cast<std::int32_t>(value.size());
    std::memcpy(view, &size, 4);
    if (size <= 12) {
      std::memcpy(view + 4, value.data(), value.size());
      continue;
    }
    if (texts.empty() || texts.back().size() + size > kMost) texts.emplace_back();
    const auto buffer = static_cast<std::int32_t>(texts.size() - 1);
    const auto at = static_cast<std::int32_t>(texts.back().size());
    std::memcpy(view + 4, value.data(), 4);
    std::memcpy(view + 8, &buffer, 4);
    std::memcpy(view + 12, &at, 4);
    texts.back().Append(value.data(), value.size());
  }
  Buffer sizes(0);
  for (const Buffer& text : texts) sizes.Append<std::int64_t>(text.size());
  node.buffers.push_back(std::move(views));
  for (Buffer& text : texts) node.buffers.push_back(std::move(text));
  node.buffers.push_back(std::move(sizes));
}

void AppendRange(Indexes& to, std::int64_t begin, std::int64_t end) {
  const std::size_t at = to.size();
  to.resize(at + static_cast<std::size_t>(end - begin));
  for (std::int64_t row = begin; row < end; ++row)
    to[at + static_cast<std::size_t>(row - begin)] = row;
}

template <class Offset>
void GatherList(const ArrowSchema& schema, const ArrowArray& array, const Format& format,
                const Rows& rows, bool plain, Node& node) {
  Buffer offsets((rows.size() + 1) * static_cast<std::int64_t>(sizeof(Offset)));
  auto* offset = offsets.As<Offset>();
  Indexes items;
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    offset[i] = static_cast<Offset>(items.size());
    if (rows[i] < 0 || arrow::IsNull(array, rows[i])) continue;
    const arrow::Range range = arrow::ListAt(format, array, rows[i]);
    AppendRange(items, range.begin, range.end);
    if (items.size() > static_cast<std::size_t>(std::numeric_limits<Offset>::max())) {
      TooLarge(schema, "the items of its lists");
    }
  }
  offset[rows.size()] = static_cast<Offset>(items.size());
  node.buffers.push_back(std::move(offsets));
  node.children.push_back(GatherRows(*schema.children[0], *array.children[0], Rows(items), plain));
}

void GatherFixedList(const ArrowSchema& schema, const ArrowArray& array, const Format& format,
                     const Rows& rows, bool plain, Node& node) {
  const ArrowSchema& item = *schema.children[0];
  const ArrowArray& items = *array.children[0];
  const Format item_format = arrow::ParseFormat(item.format);
  const bool no_nulls = items.null_count == 0 || (items.n_buffers > 0 && !items.buffers[0]);
  if (item_format.layout == Layout::kFixed && !item.dictionary && no_nulls && !rows.gaps) {
    // Vectors, by far the most common: each is one stretch of memory.
    Node child;
    child.length = rows.size() * format.size;
    child.buffers.emplace_back();
    ArrowArray stretches = items;
    const std::int64_t width = format.size * item_format.width;
    const char* values = static_cast<const char*>(items.buffers[1]);
    const void* buffers[] = {nullptr, values ? values + items.offset * item_format.width : values};
    stretches.buffers = buffers;
    stretches.offset = 0;
    GatherFixed(stretches, width, rows.Shifted(array.offset), child);
    node.children.push_back(std::move(child));
    return;
  }
  Indexes indexes;
  indexes.reserve(static_cast<std::size_t>(rows.size() * format.size));
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0) {
      indexes.insert(indexes.end(), static_cast<std::size_t>(format.size), -1);
    } else {
      const arrow::Range range = arrow::ListAt(format, array, rows[i]);
      AppendRange(indexes, range.begin, range.end);
    }
  }
  node.children.push_back(GatherRows(item, items, Rows(indexes), plain));
}

Node GatherUnion(const ArrowSchema& schema, const ArrowArray& array, const Format& format,
                 const Rows& rows, bool plain) {
  arrow::UnionMap child_of;
  if (!arrow::ParseUnion(format.type_ids, schema.n_children, child_of)) {
    throw Error(Exit::kInternal,
                std::string("a union with the malformed format \"") + schema.format + '"');
  }
  const auto first = static_cast<std::int8_t>(
      std::find(child_of.begin(), child_of.end(), std::int16_t{0}) - child_of.begin());
  if (schema.n_children == 0 && rows.size() > 0) {
    throw Error(Exit::kInternal, "a union without members cannot have rows; check the batch first");
  }
  Node node;
  node.length = rows.size();
  Buffer ids(rows.size()), offsets(rows.size() * 4);
  std::vector<Indexes> dense(static_cast<std::size_t>(schema.n_children));
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const std::int64_t at = rows[i] + array.offset;
    const auto id = rows[i] < 0 ? first : arrow::ValueAt<std::int8_t>(array.buffers[0], at);
    ids.As<std::int8_t>()[i] = id;
    if (format.layout == Layout::kSparse) continue;
    Indexes& values = dense[static_cast<std::size_t>(child_of[static_cast<std::size_t>(id)])];
    offsets.As<std::int32_t>()[i] = static_cast<std::int32_t>(values.size());
    values.push_back(rows[i] < 0 ? -1 : arrow::ValueAt<std::int32_t>(array.buffers[1], at));
  }
  node.buffers.push_back(std::move(ids));
  if (format.layout == Layout::kDense) node.buffers.push_back(std::move(offsets));
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const Rows of_child = format.layout == Layout::kSparse
                              ? rows.Shifted(array.offset)
                              : Rows(dense[static_cast<std::size_t>(i)]);
    node.children.push_back(GatherRows(*schema.children[i], *array.children[i], of_child, plain));
  }
  return node;
}

template <class T>
void StoreIntegers(const Indexes& values, Buffer& to) {
  to.Resize(static_cast<std::int64_t>(values.size() * sizeof(T)));
  for (std::size_t i = 0; i < values.size(); ++i) to.As<T>()[i] = static_cast<T>(values[i]);
}

Buffer Integers(const Indexes& values, int width) {
  Buffer to;
  switch (width) {
    case 1:
      StoreIntegers<std::int8_t>(values, to);
      break;
    case 2:
      StoreIntegers<std::int16_t>(values, to);
      break;
    case 4:
      StoreIntegers<std::int32_t>(values, to);
      break;
    default:
      StoreIntegers<std::int64_t>(values, to);
  }
  return to;
}

Node GatherDictionary(const ArrowSchema& schema, const ArrowArray& array, const Format& format,
                      const Rows& rows, bool plain) {
  Indexes indexes(rows.at.size());
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const bool null = rows[i] < 0 || arrow::IsNull(array, rows[i]);
    indexes[static_cast<std::size_t>(i)] =
        null ? -1 : arrow::IntegerAt(format.kind, array.buffers[1], rows[i] + array.offset);
  }
  if (plain) return GatherRows(*schema.dictionary, *array.dictionary, Rows(indexes), true);
  // Only the entries in use come along, in their old order, which may mean something.
  Indexes used = indexes;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  if (!used.empty() && used[0] < 0) used.erase(used.begin());
  for (std::int64_t& index : indexes) {
    if (index < 0) {
      index = 0;
    } else {
      index = std::lower_bound(used.begin(), used.end(), index) - used.begin();
    }
  }
  Node node;
  GatherValidity(array, rows, node);
  node.buffers.push_back(Integers(indexes, format.width));
  node.dictionary =
      std::make_unique<Node>(GatherRows(*schema.dictionary, *array.dictionary, Rows(used), false));
  return node;
}

Node GatherRuns(const ArrowSchema& schema, const ArrowArray& array, const Rows& rows, bool plain) {
  const Format ends_format = arrow::ParseFormat(schema.children[0]->format);
  Indexes runs(rows.at.size());
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    runs[static_cast<std::size_t>(i)] =
        rows[i] < 0 ? -1 : arrow::RunAt(ends_format.kind, array, rows[i]);
  }
  if (plain) return GatherRows(*schema.children[1], *array.children[1], Rows(runs), true);
  if (ends_format.width < 8 && rows.size() >= std::int64_t{1} << (8 * ends_format.width - 1)) {
    TooLarge(schema, "its run ends");
  }
  Indexes ends, values;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i > 0 && runs[i] == runs[i - 1]) {
      ++ends.back();
    } else {
      ends.push_back(static_cast<std::int64_t>(i) + 1);
      values.push_back(runs[i]);
    }
  }
  Node node, ends_node;
  node.length = rows.size();
  ends_node.length = static_cast<std::int64_t>(ends.size());
  ends_node.buffers.emplace_back();
  ends_node.buffers.push_back(Integers(ends, ends_format.width));
  node.children.push_back(std::move(ends_node));
  node.children.push_back(GatherRows(*schema.children[1], *array.children[1], Rows(values), false));
  return node;
}

Node GatherRows(const ArrowSchema& schema, const ArrowArray& array, const Rows& rows, bool plain) {
  const Format format = arrow::ParseFormat(schema.format);
  if (schema.dictionary) return GatherDictionary(schema, array, format, rows, plain);
  if (format.layout == Layout::kRunEnd) return GatherRuns(schema, array, rows, plain);
  if (format.kind == Kind::kUnion) return GatherUnion(schema, array, format, rows, plain);
  Node node;
  if (format.kind == Kind::kNull) {
    node.length = node.null_count = rows.size();
    return node;
  }
  GatherValidity(array, rows, node);
  switch (format.layout) {
    case Layout::kBits:
      GatherBits(array, rows, node);
      break;
    case Layout::kFixed:
      GatherFixed(array, format.width, rows, node);
      break;
    case Layout::kText32:
      GatherText<std::int32_t, Layout::kText32>(schema, array, rows, node);
      break;
    case Layout::kText64:
      GatherText<std::int64_t, Layout::kText64>(schema, array, rows, node);
      break;
    case Layout::kView:
      if (plain) {
        GatherText<std::int32_t, Layout::kView>(schema, array, rows, node);
      } else {
        GatherViews(array, rows, node);
      }
      break;
    case Layout::kList32:
      GatherList<std::int32_t>(schema, array, format, rows, plain, node);
      break;
    case Layout::kList64:
      GatherList<std::int64_t>(schema, array, format, rows, plain, node);
      break;
    case Layout::kFixedList:
      GatherFixedList(schema, array, format, rows, plain, node);
      break;
    case Layout::kStruct:
      for (std::int64_t i = 0; i < schema.n_children; ++i) {
        node.children.push_back(
            GatherRows(*schema.children[i], *array.children[i], rows.Shifted(array.offset), plain));
      }
      break;
    default:
      throw Error(Exit::kInternal, std::string("rows cannot be taken from a column of format \"") +
                                       schema.format + "\"; check the schema first");
  }
  return node;
}

}  // namespace

Node Gather(const ArrowSchema& schema, const ArrowArray& array, std::span<const std::int64_t> rows,
            bool plain) {
  return GatherRows(schema, array, Rows(rows), plain);
}

}  // namespace data

void Take(const ArrowSchema& schema, const ArrowArray& array, std::span<const std::int64_t> rows,
          ArrowArray* out) {
  data::Export(data::Gather(schema, array, rows, false), out);
}

}  // namespace etl::host
