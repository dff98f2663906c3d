#include "samples.h"

#include <cstring>

#include "data/build.h"
#include "data/json_read.h"

namespace etl::test {
namespace {

using host::SchemaHandle;

Type Of(const char* format) { return {format, {}, {}}; }
Type Map(Type key, Type value) {
  return {"+m",
          {{"entries", Struct({{"key", std::move(key), false}, {"value", std::move(value), true}}),
            false}},
          {}};
}
Type Union(const char* format) { return {format, {{"i", Int64(), true}, {"s", Utf8(), true}}, {}}; }

void AddNumbers(std::vector<Sample>& all) {
  const auto add = [&all](Type type, std::vector<std::string> values, const char* declared = "") {
    all.push_back({std::move(type), std::move(values), Encoding::kPlain, declared});
  };
  add(Of("n"), {"null"});
  add(Bool(), {"true", "false", "null"}, "bool");
  add(Int8(), {"-128", "127", "null"}, "int8");
  add(UInt8(), {"0", "255", "null"}, "uint8");
  add(Int16(), {"-32768", "32767", "null"}, "int16");
  add(UInt16(), {"0", "65535", "null"}, "uint16");
  add(Int32(), {"-2147483648", "2147483647", "null"}, "int32");
  add(UInt32(), {"0", "4294967295", "null"}, "uint32");
  add(Int64(), {"-9223372036854775808", "9223372036854775807", "null"}, "int64");
  add(UInt64(), {"0", "9223372036854775807", "18446744073709551615", "null"}, "uint64");
  add(Of("e"), {"1.5", "-65504", "\"NaN\"", "\"Infinity\"", "null"});
  add(Float32(), {"0.1", "-3.4028235e+38", "1e-45", "\"NaN\"", "\"-Infinity\"", "null"}, "float32");
  add(Float64(), {"0.1", "1.7976931348623157e+308", "5e-324", "\"NaN\"", "\"Infinity\"", "null"},
      "float64");
  add(Of("d:9,2,32"), {"-1234567.89", "null"});
  add(Of("d:18,4,64"), {"-12345678901234.5678", "null"});
  add(Decimal128(38, 10), {"-0.0000000001", "9999999999999999999999999999.9999999999", "null"},
      "decimal(38,10)");
  add(Decimal256(76, 0), {"-9" + std::string(75, '9'), "1", "null"}, "decimal(76,0)");
  add(Decimal128(5, -2), {"1234500", "null"});
}

void AddTexts(std::vector<Sample>& all) {
  const auto add = [&all](Type type, std::vector<std::string> values, const char* declared = "") {
    all.push_back({std::move(type), std::move(values), Encoding::kPlain, declared});
  };
  add(Utf8(), {R"("")", R"("na\u00efve, \"quoted\"")", R"("two\nlines")", "null"}, "utf8");
  all.back().values[1] = "\"na\xC3\xAFve, \\\"quoted\\\"\"";
  add(LargeUtf8(), {R"("text")", "null"});
  add(Json(), {R"({"a":[1,null]})", R"("text")", "12345678901234567890", "null"}, "json");
  add(Binary(), {R"("")", R"("AP8=")", "null"}, "binary");
  add(LargeBinary(), {R"("AP8=")", "null"});
  add(FixedBinary(2), {R"("AP8=")", "null"});
}

void AddTimes(std::vector<Sample>& all) {
  const auto add = [&all](const char* format, std::vector<std::string> values,
                          const char* declared = "") {
    values.push_back("null");
    all.push_back({Of(format), std::move(values), Encoding::kPlain, declared});
  };
  add("tdD", {R"("2024-02-29")", R"("0001-01-01")", R"("9999-12-31")"}, "date");
  add("tdm", {R"("2024-02-29")", R"("1969-12-31T23:59:59.999")"});
  add("tts", {R"("13:05:09")", R"("-838:59:59")"});
  add("ttm", {R"("13:05:09.250")", R"("-596:31:23.648")"});
  add("ttu", {R"("13:05:09.250000")", R"("-838:59:59.000001")", R"("25:00:00.000000")"}, "time");
  add("ttn", {R"("13:05:09.000000001")", R"("838:59:59.000000000")"});
  add("tss:", {R"("2024-02-29T13:05:09")", R"("1900-01-01T00:00:00")"});
  add("tsm:", {R"("2024-02-29T13:05:09.250")"});
  add("tsu:", {R"("2024-02-29T13:05:09.250000")", R"("0001-01-01T00:00:00.000001")"},
      "timestamp_local");
  add("tsn:", {R"("2024-02-29T13:05:09.000000001")"});
  add("tss:UTC", {R"("2024-02-29T13:05:09Z")"});
  add("tsm:UTC", {R"("2024-02-29T13:05:09.250Z")"});
  add("tsu:UTC", {R"("2024-02-29T13:05:09.250000Z")", R"("9999-12-31T23:59:59.999999Z")"},
      "timestamp");
  add("tsn:UTC", {R"("2024-02-29T13:05:09.000000001Z")"});
  add("tsu:Europe/Vienna", {R"("2024-02-29T13:05:09.250000Z")"});
  add("tDs", {R"("PT1S")", R"("PT-3600S")"});
  add("tDm", {R"("PT1.5S")"});
  add("tDu", {R"("PT1.5S")", R"("PT-0.000001S")"});
  add("tDn", {R"("PT-0.000000001S")"});
  add("tiM", {R"("P14M")", R"("P-1M")"});
  add("tiD", {R"("P3DT-1.5S")"});
  add("tin", {R"("P14M3DT0.000000001S")"});
}

void AddNested(std::vector<Sample>& all) {
  const auto add = [&all](Type type, std::vector<std::string> values) {
    all.push_back({std::move(type), std::move(values), Encoding::kPlain, ""});
  };
  add(List(Int64()), {"[]", "[1,null,3]", "null"});
  add({"+L", {{"item", Utf8(), true}}, {}}, {R"(["a","b"])", "null"});
  add(FixedList(Float32(), 3), {"[0.1,0.2,-0.3]", "null"});
  add(Struct({{"a", UInt64(), true}, {"b", Utf8(), true}}),
      {R"({"a":18446744073709551615,"b":null})", "null"});
  add(Map(Utf8(), Int64()), {"{}", R"({"k":1})", "null"});
  add(Map(Int64(), Utf8()), {R"([[1,"x"]])", "null"});
  add(List(Struct({{"d", Decimal128(10, 2), true}, {"t", {"tdD", {}, {}}, true}})),
      {R"([{"d":-1.50,"t":"2024-02-29"},null])", "null"});
  add(Union("+us:0,1"), {R"({"i":1})", R"({"s":"x"})"});
  add(Union("+ud:0,1"), {R"({"i":1})", R"({"s":"x"})"});
}

void AddEncoded(std::vector<Sample>& all) {
  const std::vector<std::string> texts = {R"("short")", R"("longer than twelve bytes")", "null"};
  all.push_back({Utf8(), texts, Encoding::kDictionary, ""});
  all.push_back({UInt64(), {"7", "18446744073709551615", "null"}, Encoding::kDictionary, ""});
  all.push_back({Utf8(), texts, Encoding::kView, ""});
  all.push_back({Binary(), {R"("AP8=")", "null"}, Encoding::kView, ""});
  all.push_back({Utf8(), texts, Encoding::kRunEnd, ""});
}

/// One of the buffers as a copy.
host::data::Buffer CopyOf(const void* from, std::int64_t bytes) {
  host::data::Buffer out(bytes);
  if (bytes) std::memcpy(out.As<char>(), from, static_cast<std::size_t>(bytes));
  return out;
}

host::data::Node Values(ArrowArray& column) {
  host::data::Node node;
  node.length = column.length;
  node.ready = host::data::OwnedArray(column);
  column.release = nullptr;
  return node;
}

host::data::Node ViewsOf(const ArrowArray& column) {
  host::data::Node out;
  out.length = column.length;
  out.null_count = column.null_count;
  host::data::Buffer views;
  const auto* ends = static_cast<const std::int32_t*>(column.buffers[1]);
  const auto* bytes = static_cast<const char*>(column.buffers[2]);
  for (std::int64_t i = 0; i < column.length; ++i) {
    char view[16] = {};
    const std::int32_t size = ends[i + 1] - ends[i];
    std::memcpy(view, &size, 4);
    if (size <= 12) {
      std::memcpy(view + 4, bytes + ends[i], static_cast<std::size_t>(size));
    } else {
      std::memcpy(view + 4, bytes + ends[i], 4);
      std::memcpy(view + 12, &ends[i], 4);  // of buffer 0
    }
    views.Append(view, sizeof view);
  }
  host::data::Buffer sizes;
  const std::int64_t size = ends[column.length];
  sizes.Append(size);
  out.buffers.push_back(column.buffers[0] ? CopyOf(column.buffers[0], (column.length + 7) / 8)
                                          : host::data::Buffer());
  out.buffers.push_back(std::move(views));
  out.buffers.push_back(CopyOf(bytes, size));
  out.buffers.push_back(std::move(sizes));
  return out;
}

host::data::Node Encode(Encoding encoding, ArrowArray& column) {
  if (encoding == Encoding::kView) {
    host::data::Node views = ViewsOf(column);
    column.release(&column);
    return views;
  }
  host::data::Node out;
  out.length = column.length;
  host::data::Buffer numbers;
  if (encoding == Encoding::kDictionary) {
    for (std::int8_t i = 0; i < column.length; ++i) numbers.Append(i);
    out.buffers.emplace_back();
    out.buffers.push_back(std::move(numbers));
    out.dictionary = std::make_unique<host::data::Node>(Values(column));
    return out;
  }
  host::data::Node ends;
  ends.length = column.length;
  for (std::int32_t i = 1; i <= column.length; ++i) numbers.Append(i);
  ends.buffers.emplace_back();
  ends.buffers.push_back(std::move(numbers));
  out.children.push_back(std::move(ends));
  out.children.push_back(Values(column));
  return out;
}

SchemaHandle FieldSchema(const Field& field) {
  ArrowSchema out;
  etl::detail::ExportField(field, &out);
  return SchemaHandle(out);
}

SchemaHandle Encoded(const Sample& sample) {
  const Field plain{"v", sample.type, true};
  if (sample.encoding == Encoding::kPlain) return FieldSchema(plain);
  host::data::Field field;
  field.name = "v";
  field.flags = ARROW_FLAG_NULLABLE;
  if (sample.encoding == Encoding::kView) field.format = sample.type.format == "u" ? "vu" : "vz";
  if (sample.encoding == Encoding::kDictionary) {
    field.format = "c";
    field.dictionary = FieldSchema({"", sample.type, true});
  }
  if (sample.encoding == Encoding::kRunEnd) {
    field.format = "+r";
    field.children.push_back(FieldSchema({"run_ends", Int32(), false}));
    field.children.push_back(FieldSchema({"values", sample.type, true}));
  }
  SchemaHandle out;
  Export(std::move(field), out.out());
  return out;
}

SchemaHandle TwoColumns(SchemaHandle v) {
  host::data::Field top;
  top.format = "+s";
  top.name = "";
  top.children.push_back(FieldSchema({"n", Int64(), false}));
  top.children.push_back(std::move(v));
  SchemaHandle out;
  Export(std::move(top), out.out());
  return out;
}

}  // namespace

std::vector<Sample> Samples() {
  std::vector<Sample> all;
  AddNumbers(all);
  AddTexts(all);
  AddTimes(all);
  AddNested(all);
  AddEncoded(all);
  return all;
}

SchemaHandle PlainSchemaOf(const Sample& sample) {
  return TwoColumns(FieldSchema({"v", sample.type, true}));
}
SchemaHandle SchemaOf(const Sample& sample) { return TwoColumns(Encoded(sample)); }

void MakeBatchOf(const Sample& sample, ArrowArray* out) {
  std::vector<std::string> rows;
  const bool json = sample.type == Json();
  for (const std::string& value : sample.values) {
    // In exact JSON a text that is JSON is a string.
    std::string quoted = "\"";
    for (const char c : value)
      quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    rows.push_back("{\"n\":" + std::to_string(rows.size()) +
                   ",\"v\":" + (json && value != "null" ? quoted + "\"" : value) + "}");
  }
  ArrowArray plain;
  host::ReadJsonRows(*PlainSchemaOf(sample), rows, &plain, JsonOptions::Exact());
  if (sample.encoding == Encoding::kPlain) {
    *out = plain;
    return;
  }
  host::data::OwnedArray owner(plain);
  host::data::Node top;
  top.length = plain.length;
  top.buffers.emplace_back();
  top.children.push_back(Values(*plain.children[0]));
  ArrowArray column = *plain.children[1];
  plain.children[1]->release = nullptr;
  top.children.push_back(Encode(sample.encoding, column));
  Export(std::move(top), out);
}

}  // namespace etl::test
