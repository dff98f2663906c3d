// SPDX-License-Identifier: Apache-2.0
/// Some rows of a batch as a new one: what a transform that drops rows needs.  C++17, standard library only.
#pragma once
#include <etl/column.h>
#include <etl/arrow.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace etl {
inline namespace v1 {
namespace take_detail {

/// Rows of an array, its own offset not counted.
using Indexes = std::vector<std::int64_t>;
using Node = std::unique_ptr<detail::ArrayNode>;

void Gather(const ArrowSchema& schema, const ArrowArray& array, const Indexes& rows, ArrowArray* out);

inline void Add(detail::ArrayNode& node, Buffer&& b) {
  if (!b.data()) b.Extend(8);  // no null pointers where a buffer is due
  node.owned.push_back(std::move(b));
  node.buffers.push_back(node.owned.back().data());
}

/// Adds the validity buffer; returns how many rows are null.
inline std::int64_t AddValidity(const ArrowArray& array, const Indexes& rows, detail::ArrayNode& node) {
  std::int64_t nulls = 0;
  if (array.null_count != 0 && array.buffers[0]) {
    Buffer bits;
    std::memset(bits.Extend(rows.size() / 8 + 1), 0, rows.size() / 8 + 1);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool valid = arrow::BitAt(array.buffers[0], rows[i] + array.offset);
      nulls += !valid;
      if (valid) bits.data()[i / 8] = static_cast<char>(bits.data()[i / 8] | (1 << (i % 8)));
    }
    if (nulls) Add(node, std::move(bits));
  }
  if (!nulls) node.buffers.push_back(nullptr);
  return nulls;
}

template <class T>
void CopyValues(const ArrowArray& array, const Indexes& rows, Buffer& to) {
  const char* from = static_cast<const char*>(array.buffers[1]) + array.offset * static_cast<std::int64_t>(sizeof(T));
  char* p = to.Extend(rows.size() * sizeof(T));
  for (const std::int64_t row : rows) {
    std::memcpy(p, from + row * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    p += sizeof(T);
  }
}

inline Buffer FixedValues(const ArrowArray& array, int width, const Indexes& rows) {
  struct Sixteen {
    std::uint64_t half[2];
  };
  Buffer to;
  switch (width) {
    case 1: CopyValues<std::uint8_t>(array, rows, to); break;
    case 2: CopyValues<std::uint16_t>(array, rows, to); break;
    case 4: CopyValues<std::uint32_t>(array, rows, to); break;
    case 8: CopyValues<std::uint64_t>(array, rows, to); break;
    case 16: CopyValues<Sixteen>(array, rows, to); break;
    default:
      for (const std::int64_t row : rows) {
        to.Append(static_cast<const char*>(array.buffers[1]) + (row + array.offset) * width, static_cast<std::size_t>(width));
      }
  }
  return to;
}

inline Buffer Bits(const ArrowArray& array, const Indexes& rows) {
  Buffer to;
  std::memset(to.Extend(rows.size() / 8 + 1), 0, rows.size() / 8 + 1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (arrow::BitAt(array.buffers[1], rows[i] + array.offset)) {
      to.data()[i / 8] = static_cast<char>(to.data()[i / 8] | (1 << (i % 8)));
    }
  }
  return to;
}

template <class Offset>
void AddText(arrow::Layout layout, const ArrowArray& array, const Indexes& rows, detail::ArrayNode& node) {
  Buffer ends, bytes;
  ends.Push<Offset>(0);
  for (const std::int64_t row : rows) {
    const std::string_view text = arrow::TextAt(layout, array, row);
    bytes.Append(text.data(), text.size());
    ends.Push(static_cast<Offset>(bytes.size()));  // no more than the batch held
  }
  Add(node, std::move(ends));
  Add(node, std::move(bytes));
}

/// Offsets of the lists' items, and which items they are.
template <class Offset>
Indexes AddOffsets(const arrow::Format& format, const ArrowArray& array, const Indexes& rows, detail::ArrayNode& node) {
  Buffer ends;
  Indexes items;
  ends.Push<Offset>(0);
  for (const std::int64_t row : rows) {
    const arrow::Range range = arrow::ListAt(format, array, row);
    for (std::int64_t i = range.begin; i < range.end; ++i) items.push_back(i);
    ends.Push(static_cast<Offset>(items.size()));
  }
  Add(node, std::move(ends));
  return items;
}

inline Indexes FixedListItems(const arrow::Format& format, const ArrowArray& array, const Indexes& rows) {
  Indexes items;
  items.reserve(rows.size() * static_cast<std::size_t>(format.size));
  for (const std::int64_t row : rows) {
    const arrow::Range range = arrow::ListAt(format, array, row);
    for (std::int64_t i = range.begin; i < range.end; ++i) items.push_back(i);
  }
  return items;
}

inline void AddChild(const ArrowSchema& schema, const ArrowArray& array, std::int64_t i, const Indexes& rows,
                     detail::ArrayNode& node) {
  auto child = std::make_unique<ArrowArray>();
  Gather(*schema.children[i], *array.children[i], rows, child.get());
  node.children.push_back(child.release());
}

inline void AddStruct(const ArrowSchema& schema, const ArrowArray& array, const Indexes& rows, detail::ArrayNode& node) {
  Indexes shifted = rows;
  for (std::int64_t& row : shifted) row += array.offset;
  for (std::int64_t i = 0; i < schema.n_children; ++i) AddChild(schema, array, i, shifted, node);
}

inline void AddUnion(const ArrowSchema& schema, const ArrowArray& array, const arrow::Format& format, const Indexes& rows,
                     detail::ArrayNode& node) {
  arrow::UnionMap child_of{};
  if (!arrow::ParseUnion(format.type_ids, schema.n_children, child_of)) throw Fatal("a union has a malformed format");
  std::vector<Indexes> values(static_cast<std::size_t>(schema.n_children));
  Buffer ids, ends;
  for (const std::int64_t row : rows) {
    const auto id = arrow::ValueAt<std::int8_t>(array.buffers[0], row + array.offset);
    ids.Push(id);
    if (format.layout == arrow::Layout::kSparse) continue;
    Indexes& of_child = values[static_cast<std::size_t>(child_of[static_cast<std::size_t>(id)])];
    ends.Push(static_cast<std::int32_t>(of_child.size()));
    of_child.push_back(arrow::ValueAt<std::int32_t>(array.buffers[1], row + array.offset));
  }
  Add(node, std::move(ids));
  if (format.layout == arrow::Layout::kSparse) return AddStruct(schema, array, rows, node);
  Add(node, std::move(ends));
  for (std::int64_t i = 0; i < schema.n_children; ++i) AddChild(schema, array, i, values[static_cast<std::size_t>(i)], node);
}

inline void Gather(const ArrowSchema& schema, const ArrowArray& array, const Indexes& rows, ArrowArray* out) {
  const arrow::Format format = arrow::ParseFormat(schema.format);
  auto node = std::make_unique<detail::ArrayNode>();
  node->owned.reserve(3);
  std::int64_t nulls = 0;
  const bool is_union = format.layout == arrow::Layout::kSparse || format.layout == arrow::Layout::kDense;
  if (format.layout != arrow::Layout::kNone && !is_union) nulls = AddValidity(array, rows, *node);
  switch (format.layout) {
    case arrow::Layout::kBits: Add(*node, Bits(array, rows)); break;
    case arrow::Layout::kFixed: Add(*node, FixedValues(array, format.width, rows)); break;
    case arrow::Layout::kText32: AddText<std::int32_t>(format.layout, array, rows, *node); break;
    case arrow::Layout::kText64: AddText<std::int64_t>(format.layout, array, rows, *node); break;
    case arrow::Layout::kList32: AddChild(schema, array, 0, AddOffsets<std::int32_t>(format, array, rows, *node), *node); break;
    case arrow::Layout::kList64: AddChild(schema, array, 0, AddOffsets<std::int64_t>(format, array, rows, *node), *node); break;
    case arrow::Layout::kFixedList: AddChild(schema, array, 0, FixedListItems(format, array, rows), *node); break;
    case arrow::Layout::kStruct: AddStruct(schema, array, rows, *node); break;
    case arrow::Layout::kSparse: case arrow::Layout::kDense: AddUnion(schema, array, format, rows, *node); break;
    default:
      if (format.kind == arrow::Kind::kNull) {
        nulls = static_cast<std::int64_t>(rows.size());
        break;
      }
      throw Fatal("rows of Arrow format \"" + std::string(schema.format) + "\" cannot be taken here");
  }
  *out = {static_cast<std::int64_t>(rows.size()), nulls, 0, static_cast<std::int64_t>(node->buffers.size()),
          static_cast<std::int64_t>(node->children.size()), node->buffers.data(), node->children.data(), nullptr,
          detail::ReleaseArray, node.get()};
  node.release();
}

}  // namespace take_detail

/// The rows with these numbers, in that order, of an array without dictionaries, views and run-ends; `rows` do not count
/// the array's own offset.  Copies.  Throws Fatal for a type that it cannot take.
inline void Take(const ArrowSchema& schema, const ArrowArray& array, const std::vector<std::int64_t>& rows, ArrowArray* out) {
  take_detail::Gather(schema, array, rows, out);
}

/// Child i of a struct array as an array of its own, moved out of `batch`, which must be the caller's.  No copy.
inline ArrowArray MoveColumn(ArrowArray& batch, std::int64_t i) {
  ArrowArray column = *batch.children[i];
  batch.children[i]->release = nullptr;
  if (column.length != batch.length && column.null_count != 0) column.null_count = -1;  // others may have been among them
  column.offset += batch.offset;
  column.length = batch.length;
  return column;
}

/// A batch made of whole columns, each `rows` long; they are moved.
inline void MakeBatch(std::vector<ArrowArray>& columns, std::int64_t rows, ArrowArray* out) {
  auto node = std::make_unique<detail::ArrayNode>();
  for (ArrowArray& c : columns) {
    node->children.push_back(new ArrowArray(c));
    c.release = nullptr;
  }
  node->buffers.push_back(nullptr);
  *out = {rows, 0, 0, 1, static_cast<std::int64_t>(node->children.size()), node->buffers.data(), node->children.data(),
          nullptr, detail::ReleaseArray, node.get()};
  node.release();
}

}  // namespace v1
}  // namespace etl
