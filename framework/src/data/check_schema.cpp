#include <etl/json.h>

#include <string_view>
#include <unordered_set>

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

constexpr int kMostDepth = 64;
constexpr std::int64_t kMostColumns = 4096;
constexpr std::int64_t kMostFields = 65536;
constexpr std::int64_t kMostMetadata = std::int64_t{1} << 24;

std::string Num(std::int64_t n) { return std::to_string(n); }

std::int64_t ChildrenOf(const Format& format) {
  switch (format.layout) {
    case Layout::kList32:
    case Layout::kList64:
    case Layout::kFixedList:
      return 1;
    case Layout::kRunEnd:
      return 2;
    case Layout::kStruct:
    case Layout::kSparse:
    case Layout::kDense:
      return -1;
    default:
      return 0;
  }
}

bool IsInteger(Kind kind) { return kind >= Kind::kInt8 && kind <= Kind::kUInt64; }

Fault CheckMetadata(const char* metadata) {
  if (!metadata) return std::nullopt;
  const auto pairs = arrow::Load<std::int32_t>(metadata);
  std::int64_t total = 0;
  const char* p = metadata + 4;
  for (std::int64_t i = 0; i < std::int64_t{2} * pairs; ++i) {
    const auto size = arrow::Load<std::int32_t>(p);
    total += 4 + std::int64_t{size};
    if (size < 0 || total > kMostMetadata)
      return "its metadata has a part of " + Num(size) + " bytes";
    p += 4 + size;
  }
  if (pairs < 0) return "its metadata says " + Num(pairs) + " pairs";
  return std::nullopt;
}

struct SchemaCheck {
  std::int64_t fields = 0;

  Fault Run(const ArrowSchema& schema, const Place& place, int depth);
  Fault Own(const ArrowSchema& schema, const Format& format);
  Fault Children(const ArrowSchema& schema, const Format& format);
};

/// What a field says of itself; its children only counted.
Fault SchemaCheck::Own(const ArrowSchema& schema, const Format& format) {
  if (format.kind == Kind::kUnknown) {
    return std::string("\"") + schema.format + "\" is not an Arrow format that batches may carry";
  }
  if (schema.name && ValidUtf8(schema.name) != std::string_view(schema.name).size()) {
    return "its name is not valid UTF-8";
  }
  if (auto fault = CheckMetadata(schema.metadata)) return fault;
  const std::int64_t want = ChildrenOf(format);
  if (schema.n_children < 0 || (want >= 0 && schema.n_children != want)) {
    return "format \"" + std::string(schema.format) + "\" has " + Num(schema.n_children) +
           " children instead of " + Num(want < 0 ? 0 : want);
  }
  if (schema.n_children > 0 && !schema.children) return "its children are a null pointer";
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (!schema.children[i] || !schema.children[i]->release || !schema.children[i]->format) {
      return "child " + Num(i) + " is null or released";
    }
  }
  if (schema.dictionary && !IsInteger(format.kind)) return "a dictionary needs integer indexes";
  if (schema.dictionary && (!schema.dictionary->release || !schema.dictionary->format)) {
    return "its dictionary is released";
  }
  return Children(schema, format);
}

Fault SchemaCheck::Children(const ArrowSchema& schema, const Format& format) {
  arrow::UnionMap map;
  if (format.kind == Kind::kUnion && !arrow::ParseUnion(format.type_ids, schema.n_children, map)) {
    return "the type ids of \"" + std::string(schema.format) + "\" are not " +
           Num(schema.n_children) + " different numbers from 0 to 127";
  }
  if (format.kind == Kind::kMap) {
    const ArrowSchema& entries = *schema.children[0];
    if (arrow::ParseFormat(entries.format).kind != Kind::kStruct || entries.n_children != 2) {
      return "the entries of a map must be a struct of two";
    }
  }
  if (format.layout != Layout::kRunEnd) return std::nullopt;
  const ArrowSchema& ends = *schema.children[0];
  const Kind kind = arrow::ParseFormat(ends.format).kind;
  const bool fits = kind == Kind::kInt16 || kind == Kind::kInt32 || kind == Kind::kInt64;
  if (!fits || ends.dictionary) return "run ends must be int16, int32 or int64";
  return std::nullopt;
}

Fault SchemaCheck::Run(const ArrowSchema& schema, const Place& place, int depth) {
  if (depth > kMostDepth) return At(place) + "nested deeper than " + Num(kMostDepth) + " levels";
  if (++fields > kMostFields)
    return "the schema has more than " + Num(kMostFields) + " fields in all";
  const Format format = arrow::ParseFormat(schema.format);
  if (auto fault = Own(schema, format)) return At(place) + *fault;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (auto fault = Run(*schema.children[i], Place{&place, schema.children[i], i}, depth + 1))
      return fault;
  }
  return schema.dictionary
             ? Run(*schema.dictionary, Place{&place, schema.dictionary, -1}, depth + 1)
             : std::nullopt;
}

}  // namespace

std::optional<std::string> CheckSchema(const ArrowSchema& schema) {
  if (!schema.release || !schema.format) return "the schema is empty or released";
  if (std::string_view(schema.format) != "+s" || schema.dictionary) {
    return std::string("the schema has the format \"") + schema.format +
           "\" where a struct, \"+s\", is needed";
  }
  if (schema.n_children > kMostColumns) {
    return "the schema has " + Num(schema.n_children) + " columns; the most is " +
           Num(kMostColumns);
  }
  SchemaCheck check;
  if (auto fault = check.Run(schema, Place{}, 0)) return fault;
  std::unordered_set<std::string_view> names;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const char* name = schema.children[i]->name;
    if (!name) return "column " + Num(i) + " has no name";
    if (!names.insert(name).second) return "two columns are named \"" + std::string(name) + "\"";
  }
  return std::nullopt;
}

}  // namespace etl::host
