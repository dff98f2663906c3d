#include <etl/json.h>

#include "batch.h"
#include "build.h"

namespace etl::host {
namespace data {

Field FieldOf(const ArrowSchema& schema) {
  Field field;
  field.format = schema.format;
  if (schema.name) field.name = schema.name;
  if (schema.metadata)
    field.metadata.emplace(schema.metadata, arrow::MetadataSize(schema.metadata));
  field.flags = schema.flags;
  return field;
}

}  // namespace data

SchemaHandle CopySchema(const ArrowSchema& schema) {
  data::Field field = data::FieldOf(schema);
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    field.children.push_back(CopySchema(*schema.children[i]));
  }
  if (schema.dictionary) field.dictionary = CopySchema(*schema.dictionary);
  SchemaHandle out;
  Export(std::move(field), out.out());
  return out;
}

namespace {

using arrow::Format;
using arrow::Kind;
using arrow::Layout;

std::string NamedText(const ArrowSchema& field) {
  std::string text = field.name ? field.name : "";
  if (!text.empty()) text += ": ";
  text += TypeText(field);
  if (!(field.flags & ARROW_FLAG_NULLABLE)) text += " not null";
  return text;
}

std::string ChildrenText(const ArrowSchema& field) {
  std::string text = "<";
  for (std::int64_t i = 0; i < field.n_children; ++i) {
    if (i > 0) text += ", ";
    text += NamedText(*field.children[i]);
  }
  return text + '>';
}

const char* UnitText(int digits) {
  return digits == 0 ? "s" : digits == 3 ? "ms" : digits == 6 ? "us" : "ns";
}

std::string UnionText(const ArrowSchema& field, const Format& format) {
  std::string text = format.layout == Layout::kSparse ? "sparse_union" : "dense_union";
  text += ChildrenText(field);
  std::string usual;
  for (std::int64_t i = 0; i < field.n_children; ++i) usual += (i ? "," : "") + std::to_string(i);
  if (format.type_ids != usual) text += "[" + std::string(format.type_ids) + "]";
  return text;
}

std::string LargeText(const Format& format, const char* name) {
  const std::string text = name;
  if (format.layout == Layout::kView) return text + "_view";
  return format.layout == Layout::kText64 || format.layout == Layout::kList64 ? "large_" + text
                                                                              : text;
}

std::string MapText(const ArrowSchema& field) {
  const ArrowSchema& entries = *field.children[0];
  std::string text =
      "map<" + TypeText(*entries.children[0]) + ", " + TypeText(*entries.children[1]);
  if (!(entries.children[1]->flags & ARROW_FLAG_NULLABLE)) text += " not null";
  return text + (field.flags & ARROW_FLAG_MAP_KEYS_SORTED ? ", keys_sorted>" : ">");
}

std::string DictionaryText(const ArrowSchema& field, const std::string& indexes) {
  const char* ordered = field.flags & ARROW_FLAG_DICTIONARY_ORDERED ? ", ordered>" : ">";
  return "dictionary<" + TypeText(*field.dictionary) + ", " + indexes + ordered;
}

std::string PlainText(const ArrowSchema& field, const Format& format) {
  switch (format.kind) {
    case Kind::kUnknown:
      return std::string("unknown format \"") + field.format + '"';
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "bool";
    case Kind::kInt8:
      return "int8";
    case Kind::kUInt8:
      return "uint8";
    case Kind::kInt16:
      return "int16";
    case Kind::kUInt16:
      return "uint16";
    case Kind::kInt32:
      return "int32";
    case Kind::kUInt32:
      return "uint32";
    case Kind::kInt64:
      return "int64";
    case Kind::kUInt64:
      return "uint64";
    case Kind::kFloat16:
      return "float16";
    case Kind::kFloat32:
      return "float";
    case Kind::kFloat64:
      return "double";
    case Kind::kDecimal:
      return "decimal" + std::to_string(format.width * 8) + "(" + std::to_string(format.precision) +
             ", " + std::to_string(format.scale) + ")";
    case Kind::kUtf8:
      return LargeText(format, "utf8");
    case Kind::kBinary:
      return LargeText(format, "binary");
    case Kind::kFixedBinary:
      return "fixed_size_binary[" + std::to_string(format.width) + "]";
    case Kind::kDate32:
      return "date32";
    case Kind::kDate64:
      return "date64";
    case Kind::kTime:
      return (format.width == 4 ? "time32[" : "time64[") + std::string(UnitText(format.digits)) +
             "]";
    case Kind::kTimestamp: {
      const std::string text = std::string("timestamp[") + UnitText(format.digits);
      return format.zone.empty() ? text + "]" : text + ", " + std::string(format.zone) + "]";
    }
    case Kind::kDuration:
      return std::string("duration[") + UnitText(format.digits) + "]";
    case Kind::kMonths:
      return "month_interval";
    case Kind::kDayTime:
      return "day_time_interval";
    case Kind::kMonthDayNano:
      return "month_day_nano_interval";
    case Kind::kList:
      return LargeText(format, "list") + ChildrenText(field);
    case Kind::kFixedList:
      return "fixed_size_list" + ChildrenText(field) + "[" + std::to_string(format.size) + "]";
    case Kind::kStruct:
      return "struct" + ChildrenText(field);
    case Kind::kMap:
      return MapText(field);
    case Kind::kUnion:
      return UnionText(field, format);
    case Kind::kRunEnd:
      return "run_end_encoded" + ChildrenText(field);
  }
  return {};
}

}  // namespace

std::string TypeText(const ArrowSchema& field) {
  const std::string text = PlainText(field, arrow::ParseFormat(field.format));
  return field.dictionary ? DictionaryText(field, text) : text;
}

std::string SchemaText(const ArrowSchema& schema) {
  std::string text;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& field = *schema.children[i];
    if (i > 0) text += ", ";
    text += std::string(field.name ? field.name : "") + ' ' + TypeText(field);
    if (!(field.flags & ARROW_FLAG_NULLABLE)) text += " not null";
  }
  return text;
}

}  // namespace etl::host
