// Values of two sides in the form that they have in common.
#include <doctest/doctest.h>
#include <etl/sdk.h>

#include "run/compare_values.h"

using namespace etl;
using namespace etl::host;

namespace {

std::string Number(std::string_view text) {
  std::string made;
  return std::string(CommonNumber(text, made));
}
std::string Moment(std::string_view text) {
  std::string made;
  return std::string(CommonMoment(text, made));
}

/// A batch of one column and its schema.
struct One {
  SchemaHandle schema;
  ArrowArray array{};
  One(const Type& type, const std::function<void(Column&)>& fill) {
    ArrowSchema s;
    ExportSchema({{"v", type, true}}, &s);
    schema = SchemaHandle(s);
    Batch batch({{"v", type, true}});
    fill(batch[0]);
    batch.Finish(&array);
  }
  ~One() { array.release(&array); }
  One(const One&) = delete;
};

bool Same(const One& expected, const One& stored) {
  const auto columns = Pair(*expected.schema, *stored.schema, {});
  RowHasher a(*expected.schema, columns, RowHasher::Side::kExpected), b(*stored.schema, columns, RowHasher::Side::kStored);
  a.Begin(expected.array);
  b.Begin(stored.array);
  const RowHash left = a.Row(0), right = b.Row(0);
  CHECK((left.row == right.row) == (a.KeyText(0) == b.KeyText(0)));
  return left.row == right.row;
}

template <class T>
std::function<void(Column&)> Value(T v) {
  return [v](Column& c) { c.Append(v); };
}
const std::function<void(Column&)> kNull = [](Column& c) { c.Null(); };

/// A decimal128 of that many units.
std::function<void(Column&)> Units(std::int64_t units) {
  return [units](Column& c) {
    const __int128_t wide = units;
    c.Append(std::string_view(reinterpret_cast<const char*>(&wide), 16));
  };
}

}  // namespace

TEST_CASE("numbers are compared by their value, digit by digit") {
  for (const auto& [text, common] : std::vector<std::pair<std::string, std::string>>{
           {"1", "1"}, {"+1", "1"}, {"007", "7"}, {"1.50", "1.5"}, {"-0.0", "0"}, {"-0", "0"}, {"-1.00", "-1"}, {".5", "0.5"}, {"5.", "5"},
           {"0", "0"}, {"000", "0"}, {"12345678901234567890123456789.10", "12345678901234567890123456789.1"}}) {
    CHECK(Number(text) == common);
  }
  for (const char* none : {"", "-", ".", "1e5", "abc", "1.2.3", " 1", "0x10"}) CHECK(Number(none) == none);
}

TEST_CASE("moments and times are compared without zone, midnight and needless zeros") {
  CHECK(Moment("2024-02-29T13:05:09.250Z") == "2024-02-29T13:05:09.25");
  CHECK(Moment("2024-02-29 13:05:09.250000") == "2024-02-29T13:05:09.25");
  CHECK(Moment("2024-02-29 00:00:00") == "2024-02-29");
  CHECK(Moment("2024-02-29") == "2024-02-29");
  CHECK(Moment("0000-00-00 00:00:00") == "0000-00-00");
  CHECK(Moment("yesterday") == "yesterday");
  CHECK(Moment("2024-02-29T13:05") == "2024-02-29T13:05");
  CHECK(CommonClock("-838:59:59.000000") == "-838:59:59");
  CHECK(CommonClock("13:05:09.100") == "13:05:09.1");
  CHECK(CommonClock("noon") == "noon");
}

TEST_CASE("JSON is compared by what it says") {
  CHECK(CommonJson(R"({"b": [1, 2.50, null], "a": "\u00e9"})") == "{\"a\":\"é\",\"b\":[1,2.5,null]}");
  CHECK(CommonJson("1.0") == "1");
  CHECK(CommonJson("1e2") == "100");
  CHECK(CommonJson("\"x\"") == "\"x\"");
  CHECK(CommonJson("9999999999999999999999999999.1") == "9999999999999999999999999999.1");
  CHECK(CommonJson("12345678901234567890123") == "12345678901234567890123");
  for (const char* none : {"", "{", "1,2", "1 2", "[1]]", "nul", "{\"a\":1}x"}) CHECK(CommonJson(none) == none);
}

TEST_CASE("columns of different types are compared by what they have in common") {
  CHECK(Same(One(Int32(), Value(5)), One(Int64(), Value(5))));
  CHECK_FALSE(Same(One(Int32(), Value(5)), One(Int64(), Value(6))));
  CHECK(Same(One(UInt64(), Value(std::uint64_t{18446744073709551615u})), One(Utf8(), Value("18446744073709551615"))));
  CHECK(Same(One(Bool(), Value(true)), One(Utf8(), Value("1"))));
  CHECK(Same(One(Bool(), Value(true)), One(Int64(), Value(1))));
  CHECK(Same(One(Decimal128(10, 2), Units(150)), One(Utf8(), Value("1.50"))));
  CHECK(Same(One(Decimal128(10, 2), Units(150)), One(Decimal128(20, 6), Units(1'500'000))));
  CHECK_FALSE(Same(One(Decimal128(10, 2), Units(150)), One(Decimal128(20, 6), Units(1'500'001))));
  CHECK(Same(One(Utf8(), Value("007")), One(Int64(), Value(7))));
  CHECK_FALSE(Same(One(Utf8(), Value("007")), One(Utf8(), Value("7"))));
  CHECK(Same(One(Float64(), Value(0.1)), One(Utf8(), Value("0.1"))));
  CHECK(Same(One(Float32(), Value(0.1f)), One(Utf8(), Value("0.10000000149011612"))));
  CHECK_FALSE(Same(One(Float64(), Value(0.1)), One(Utf8(), Value("0.10000000149011612"))));
  CHECK(Same(One(Float64(), Value(0.1)), One(Float32(), Value(0.1f))));
  CHECK(Same(One(Float64(), Value(-0.0)), One(Utf8(), Value("0.0"))));
  CHECK(Same(One(TimestampMicros(), Value(std::int64_t{1'500'000})), One(Utf8(), Value("1970-01-01 00:00:01.500000"))));
  CHECK(Same(One(TimestampMicros(), Value(std::int64_t{0})), One(Date32(), Value(0))));
  CHECK_FALSE(Same(One(TimestampMicros(), Value(std::int64_t{1})), One(Date32(), Value(0))));
  CHECK(Same(One(Time64(), Value(std::int64_t{-1'500'000})), One(Utf8(), Value("-00:00:01.500000"))));
  CHECK(Same(One(DurationMicros(), Value(std::int64_t{1'500'000})), One(Utf8(), Value("PT1.5S"))));
  CHECK(Same(One(DurationMicros(), Value(std::int64_t{1'500'000})), One(Time64(), Value(std::int64_t{1'500'000}))));
  CHECK(Same(One(Json(), Value("{\"a\": 1}")), One(Utf8(), Value("{\"a\":1}"))));
  CHECK(Same(One(Utf8(), Value("x")), One(Binary(), Value("x"))));
  CHECK_FALSE(Same(One(Utf8(), Value("x")), One(Utf8(), Value("x "))));
}

TEST_CASE("null is no value, not even an empty one") {
  CHECK(Same(One(Utf8(), kNull), One(Utf8(), kNull)));
  CHECK(Same(One(Int64(), kNull), One(Utf8(), kNull)));
  CHECK_FALSE(Same(One(Utf8(), kNull), One(Utf8(), Value(""))));
  CHECK_FALSE(Same(One(Int64(), kNull), One(Int64(), Value(0))));
}

TEST_CASE("a value that has moved to another column, or to another row's column, changes the hash") {
  const Schema two = {{"a", Utf8(), true}, {"b", Utf8(), true}};
  ArrowSchema s;
  ExportSchema(two, &s);
  const SchemaHandle schema(s);
  Batch batch(two);
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{{"x", "yz"}, {"xy", "z"}, {"yz", "x"}, {"x", "yz"}}) {
    batch[0].Append(a);
    batch[1].Append(b);
  }
  ArrowArray array;
  batch.Finish(&array);
  const auto columns = Pair(*schema, *schema, {"a"});
  RowHasher hasher(*schema, columns, RowHasher::Side::kExpected);
  hasher.Begin(array);
  CHECK(hasher.Row(0).row == hasher.Row(3).row);
  CHECK(hasher.Row(0).row != hasher.Row(1).row);
  CHECK(hasher.Row(0).row != hasher.Row(2).row);
  CHECK(hasher.Row(0).key == hasher.Key(3));
  CHECK(hasher.Row(0).key != hasher.Key(1));
  CHECK(hasher.KeyText(2) == "{\"a\":\"yz\"}");
  array.release(&array);
}

TEST_CASE("a reader that names what the pipeline does not write is the plugin's fault") {
  const One a(Int64(), kNull);
  ArrowSchema s;
  ExportSchema({{"w", Int64(), true}}, &s);
  const SchemaHandle other(s);
  CHECK_THROWS_WITH(Pair(*a.schema, *other, {}), "rows are read back with a column \"w\" that the pipeline does not write; report it to the author of the sink's plugin");
  CHECK_THROWS_WITH(Pair(*a.schema, *a.schema, {"k"}), "the key column \"k\" is not read back; report it to the author of the sink's plugin");
}
