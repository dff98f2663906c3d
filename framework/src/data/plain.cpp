#include <etl/json.h>

#include <numeric>

#include "batch.h"
#include "build.h"

namespace etl::host {

bool IsPlain(const ArrowSchema& schema) {
  if (schema.dictionary) return false;
  const auto layout = arrow::ParseFormat(schema.format).layout;
  if (layout == arrow::Layout::kView || layout == arrow::Layout::kRunEnd) return false;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (!IsPlain(*schema.children[i])) return false;
  }
  return true;
}

namespace {

/// The field that stands for `outer` once its values, of type `inner`, are spelled out.
SchemaHandle Unwrapped(const ArrowSchema& outer, const ArrowSchema& inner, std::int64_t nullable) {
  const SchemaHandle plain = PlainSchema(inner);
  data::Field field = data::FieldOf(*plain);
  for (std::int64_t i = 0; i < plain->n_children; ++i) {
    field.children.push_back(CopySchema(*plain->children[i]));
  }
  const data::Field named = data::FieldOf(outer);
  field.name = named.name;
  if (named.metadata) field.metadata = named.metadata;
  field.flags =
      (field.flags & ~std::int64_t{ARROW_FLAG_NULLABLE}) | (nullable & ARROW_FLAG_NULLABLE);
  SchemaHandle out;
  Export(std::move(field), out.out());
  return out;
}

}  // namespace

SchemaHandle PlainSchema(const ArrowSchema& schema) {
  if (schema.dictionary) return Unwrapped(schema, *schema.dictionary, schema.flags);
  const arrow::Format format = arrow::ParseFormat(schema.format);
  if (format.layout == arrow::Layout::kRunEnd) {
    const ArrowSchema& values = *schema.children[1];
    return Unwrapped(schema, values, schema.flags | values.flags);
  }
  data::Field field = data::FieldOf(schema);
  if (format.layout == arrow::Layout::kView)
    field.format = format.kind == arrow::Kind::kUtf8 ? "u" : "z";
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    field.children.push_back(PlainSchema(*schema.children[i]));
  }
  SchemaHandle out;
  Export(std::move(field), out.out());
  return out;
}

void MakePlain(const ArrowSchema& schema, ArrowArray array, ArrowArray* out) {
  data::OwnedArray owned(array);
  if (IsPlain(schema)) {
    *out = owned.Release();
    return;
  }
  std::vector<std::int64_t> rows(static_cast<std::size_t>(array.length));
  std::iota(rows.begin(), rows.end(), array.offset);
  data::Node node;
  node.length = array.length;
  node.buffers.emplace_back();
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    data::Node column;
    ArrowArray* child = array.children[i];
    if (IsPlain(*schema.children[i])) {
      ArrowArray moved = *child;
      child->release = nullptr;
      // A part of a child without nulls has none; how many another part has, nobody counted.
      if (moved.null_count > 0 && moved.length != array.length) moved.null_count = -1;
      moved.offset += array.offset;
      moved.length = array.length;
      column.ready = data::OwnedArray(moved);
    } else {
      column = data::Gather(*schema.children[i], *child, rows, true);
    }
    node.children.push_back(std::move(column));
  }
  Export(std::move(node), out);
}

}  // namespace etl::host
