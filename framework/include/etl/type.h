// SPDX-License-Identifier: Apache-2.0
/// Types, fields and schemas.  A type is its Arrow format string
/// (https://arrow.apache.org/docs/format/CDataInterface.html#data-type-description-format-strings), its children, and
/// metadata where an extension type needs it.
#pragma once
#include <etl/error.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace etl {
inline namespace v1 {

struct Field;

struct Type {
  std::string format;
  std::vector<Field> children;
  std::string metadata;  ///< in Arrow's encoding; empty = none
  bool operator==(const Type& o) const;
  bool operator!=(const Type& o) const { return !(*this == o); }
};

struct Field {
  std::string name;
  Type type;
  bool nullable = true;
  bool operator==(const Field& o) const { return name == o.name && type == o.type && nullable == o.nullable; }
};
using Schema = std::vector<Field>;

inline bool Type::operator==(const Type& o) const {
  return format == o.format && children == o.children && metadata == o.metadata;
}

inline Type Bool() { return {"b", {}, {}}; }
inline Type Int8() { return {"c", {}, {}}; }
inline Type UInt8() { return {"C", {}, {}}; }
inline Type Int16() { return {"s", {}, {}}; }
inline Type UInt16() { return {"S", {}, {}}; }
inline Type Int32() { return {"i", {}, {}}; }
inline Type UInt32() { return {"I", {}, {}}; }
inline Type Int64() { return {"l", {}, {}}; }
inline Type UInt64() { return {"L", {}, {}}; }
inline Type Float32() { return {"f", {}, {}}; }
inline Type Float64() { return {"g", {}, {}}; }
inline Type Utf8() { return {"u", {}, {}}; }
inline Type LargeUtf8() { return {"U", {}, {}}; }
inline Type Binary() { return {"z", {}, {}}; }
inline Type LargeBinary() { return {"Z", {}, {}}; }
inline Type FixedBinary(int width) { return {"w:" + std::to_string(width), {}, {}}; }
inline Type Decimal128(int precision, int scale) {
  return {"d:" + std::to_string(precision) + "," + std::to_string(scale), {}, {}};
}
inline Type Decimal256(int precision, int scale) {
  return {"d:" + std::to_string(precision) + "," + std::to_string(scale) + ",256", {}, {}};
}
inline Type Date32() { return {"tdD", {}, {}}; }                       ///< days since 1970-01-01
inline Type Time64() { return {"ttu", {}, {}}; }                       ///< microseconds since midnight
inline Type DurationMicros() { return {"tDu", {}, {}}; }
/// Microseconds since the epoch; zone "UTC" for an instant, empty for a local date and time.
inline Type TimestampMicros(const std::string& zone = "UTC") { return {"tsu:" + zone, {}, {}}; }
inline Type List(Type item) { return {"+l", {Field{"item", std::move(item), true}}, {}}; }
inline Type FixedList(Type item, int length) {
  return {"+w:" + std::to_string(length), {Field{"item", std::move(item), true}}, {}};
}
inline Type Struct(std::vector<Field> fields) { return {"+s", std::move(fields), {}}; }

namespace detail {
inline std::string Metadata(std::string_view key, std::string_view value) {
  std::string out;
  const auto number = [&out](std::size_t n) {
    const auto v = static_cast<std::int32_t>(n);
    out.append(reinterpret_cast<const char*>(&v), sizeof v);
  };
  number(1);
  number(key.size());
  out += key;
  number(value.size());
  out += value;
  return out;
}
/// The length of an encoded metadata block.
inline std::size_t MetadataSize(const char* m) {
  std::int32_t n = 0;
  std::memcpy(&n, m, sizeof n);
  std::size_t at = sizeof n;
  for (std::int32_t i = 0; i < 2 * n; ++i) {
    std::int32_t len = 0;
    std::memcpy(&len, m + at, sizeof len);
    at += sizeof len + static_cast<std::size_t>(len);
  }
  return at;
}
}  // namespace detail

/// JSON text: Arrow's canonical extension type arrow.json over utf8.  A JSON writer writes it as it is.
inline Type Json() { return {"u", {}, detail::Metadata("ARROW:extension:name", "arrow.json")}; }

/// The value of a metadata key of a field, or empty.
inline std::string MetadataValue(const ArrowSchema& field, std::string_view key) {
  if (!field.metadata) return {};
  std::int32_t n = 0, len = 0;
  const char* m = field.metadata;
  std::memcpy(&n, m, sizeof n);
  m += sizeof n;
  const auto text = [&] {
    std::memcpy(&len, m, sizeof len);
    std::string_view s(m + sizeof len, static_cast<std::size_t>(len));
    m += sizeof len + static_cast<std::size_t>(len);
    return s;
  };
  for (std::int32_t i = 0; i < n; ++i) {
    const std::string_view k = text(), v = text();
    if (k == key) return std::string(v);
  }
  return {};
}
inline bool IsJson(const ArrowSchema& field) {
  return field.metadata && MetadataValue(field, "ARROW:extension:name") == "arrow.json";
}

/// A copy of an Arrow schema's fields.  Throws Fatal when it is not a struct; keeps dictionaries out.
inline Field ImportField(const ArrowSchema& s) {
  if (s.dictionary) throw Fatal("column \"" + std::string(s.name ? s.name : "") + "\" is dictionary-encoded");
  Field f;
  f.name = s.name ? s.name : "";
  f.nullable = (s.flags & ARROW_FLAG_NULLABLE) != 0;
  f.type.format = s.format;
  if (s.metadata) f.type.metadata.assign(s.metadata, detail::MetadataSize(s.metadata));
  for (std::int64_t i = 0; i < s.n_children; ++i) f.type.children.push_back(ImportField(*s.children[i]));
  return f;
}
inline Schema ImportSchema(const ArrowSchema& s) {
  Field top = ImportField(s);
  if (top.type.format != "+s") throw Fatal("a batch must be a struct, not " + top.type.format);
  return std::move(top.type.children);
}

namespace detail {
struct SchemaNode {
  Field field;
  std::vector<ArrowSchema*> children;
};
inline void ReleaseSchema(ArrowSchema* s) {
  auto* node = static_cast<SchemaNode*>(s->private_data);
  for (ArrowSchema* c : node->children) {
    if (c->release) c->release(c);
    delete c;
  }
  delete node;
  s->release = nullptr;
}
inline void ExportField(Field field, ArrowSchema* out) {
  auto node = std::make_unique<SchemaNode>();
  std::vector<Field> children = std::move(field.type.children);
  node->field = std::move(field);
  for (Field& c : children) {
    auto child = std::make_unique<ArrowSchema>();
    ExportField(std::move(c), child.get());
    node->children.push_back(child.release());
  }
  const Field& f = node->field;
  *out = {f.type.format.c_str(), f.name.c_str(), f.type.metadata.empty() ? nullptr : f.type.metadata.data(),
          f.nullable ? ARROW_FLAG_NULLABLE : 0, static_cast<std::int64_t>(node->children.size()),
          node->children.data(), nullptr, ReleaseSchema, node.get()};
  node.release();
}
}  // namespace detail

inline void ExportSchema(Schema schema, ArrowSchema* out) {
  detail::ExportField(Field{"", Struct(std::move(schema)), false}, out);
}

namespace detail {
inline std::shared_ptr<const ArrowSchema> OwnSchema(Schema schema) {
  std::shared_ptr<ArrowSchema> own(new ArrowSchema{}, [](ArrowSchema* s) {
    if (s->release) s->release(s);
    delete s;
  });
  ExportSchema(std::move(schema), own.get());
  return own;
}
}  // namespace detail

}  // namespace v1
}  // namespace etl
