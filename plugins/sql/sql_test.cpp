#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "run_pipeline.h"
#include "support/temp_dir.h"
#include "test_transform.h"

using namespace etl::test;
using etl::Batch;
using etl::Schema;
using Lines = std::vector<std::string>;
using Origins = std::vector<std::uint64_t>;

namespace {

std::string Toml(const std::string& text) { return "'''" + text + "'''"; }

TestTransform Query(const std::string& query, Schema in, TomlOptions more = {}) {
  more.insert(more.begin(), {"query", Toml(query)});
  return TestTransform("sql", more, std::move(in));
}

const Schema kTwo{{"id", etl::Int64()}, {"name", etl::Utf8()}};

/// 1 a, 2 b, 3 null, 4 d
Batch Two() {
  Batch b(kTwo);
  for (const int i : {1, 2, 3, 4}) b[0].Append(i);
  b[1].Append("a");
  b[1].Append("b");
  b[1].Null();
  b[1].Append("d");
  return b;
}

Applied RunTwo(const std::string& query, TomlOptions more = {}) {
  Batch b = Two();
  TestTransform t = Query(query, kTwo, std::move(more));
  return t.Apply(b);
}

Lines Rows(const std::string& query, TomlOptions more = {}) { return RunTwo(query, std::move(more)).rows; }

/// One row of the types that SQL has no name for.
const Schema kExact{{"id", etl::Int64()},
                    {"u", etl::UInt64()},
                    {"d", etl::Decimal128(38, 2)},
                    {"v", etl::FixedList(etl::Float32(), 2)},
                    {"j", etl::Json()},
                    {"n", etl::Struct({{"a", etl::List(etl::Int32()), true}})},
                    {"t", etl::TimestampMicros()},
                    {"b", etl::Bool()},
                    {"h", etl::Float32()}};
const std::string kExactRow =
    R"("u":18446744073709551615,"d":999999999999999999999999999999999999.99,"v":[0.1,-3.5],"j":{"k": 1.50},)"
    R"("n":{"a":[1,null]},"t":"2024-02-29T13:05:09.123456Z","b":true,"h":0.1})";

void AppendExact(Batch& b, std::int64_t id) {
  b[0].Append(id);
  b[1].Append(std::numeric_limits<std::uint64_t>::max());
  __extension__ unsigned __int128 d = 1;
  for (int i = 0; i < 38; ++i) d *= 10;
  --d;
  b[2].Append(std::string_view(reinterpret_cast<const char*>(&d), sizeof d));
  b[3].child(0).Append(0.1F);
  b[3].child(0).Append(-3.5F);
  b[3].EndRow();
  b[4].Append(R"({"k": 1.50})");
  b[5].child(0).child(0).Append(1);
  b[5].child(0).child(0).Null();
  b[5].child(0).EndRow();
  b[5].EndRow();
  b[6].Append(std::int64_t{1709211909123456});
  b[7].Append(true);
  b[8].Append(0.1F);
}

Batch Exact() {
  Batch b(kExact);
  for (const int id : {1, 2, 3}) AppendExact(b, id);
  return b;
}

}  // namespace

TEST_CASE("columns that are passed through stay exact, with and without a condition") {
  for (const std::string where : {"", " WHERE id <> 2"}) {
    CAPTURE(where);
    TestTransform t = Query("SELECT * FROM batch" + where, kExact);
    CHECK(t.Describe() == "id:l u:L d:d:38,2 v:+w:2 j:json n:+s t:tsu:UTC b:b h:f");
    Batch b = Exact();
    const Applied got = t.Apply(b);
    const std::string first = "{\"id\":1," + kExactRow, second = "{\"id\":2," + kExactRow, third = "{\"id\":3," + kExactRow;
    CHECK(got.rows == (where.empty() ? Lines{first, second, third} : Lines{first, third}));
    CHECK(got.origins == (where.empty() ? Origins{0, 1, 2} : Origins{0, 2}));
    CHECK(got.rejects.empty());
  }
}

TEST_CASE("a column may be renamed, named twice, and moved") {
  TestTransform t = Query("SELECT u AS one, id, u AS two, d AS u FROM batch WHERE id = 2", kExact);
  CHECK(t.Describe() == "one:L id:l two:L u:d:38,2");
  Batch b = Exact();
  CHECK(t.Apply(b).rows == Lines{R"({"one":18446744073709551615,"id":2,"two":18446744073709551615,"u":999999999999999999999999999999999999.99})"});
  TestTransform all = Query("SELECT u, v AS w, v, u AS x FROM batch", kExact);
  Batch c = Exact();
  CHECK(all.Apply(c).rows[2] == R"({"u":18446744073709551615,"w":[0.1,-3.5],"v":[0.1,-3.5],"x":18446744073709551615})");
}

TEST_CASE("computed columns have the type that the expression says") {
  const auto type = [](const std::string& expression) {
    std::string text = Query("SELECT " + expression + " AS x FROM batch", kExact).Describe();
    return text.substr(2);
  };
  CHECK(type("CAST(id AS TEXT)") == "u");
  CHECK(type("CAST(h AS INTEGER)") == "l");
  CHECK(type("CAST(id AS REAL)") == "g");
  CHECK(type("id + 1") == "l");
  CHECK(type("id * 1.0") == "g");
  CHECK(type("id / 2") == "l");
  CHECK(type("d + 1") == "g");
  CHECK(type("id || 'x'") == "u");
  CHECK(type("coalesce(j, 'none')") == "u");
  CHECK(type("CASE WHEN b THEN 'yes' ELSE 'no' END") == "u");
  CHECK(type("CASE WHEN b THEN 1 ELSE 2.5 END") == "g");
  CHECK(type("NOT b") == "l");
  CHECK(type("CAST(j AS BLOB)") == "z");
  CHECK(type("json_extract(j, '$.a')") == "l");
  CHECK(type("substr(t, 1, 10)") == "u");
  CHECK(type("'constant'") == "u");
  CHECK(type("null") == "u");
  CHECK(type("id IS DISTINCT FROM u") == "l");
}

TEST_CASE("computed values are what SQLite makes of them") {
  CHECK(Rows("SELECT id + 10 AS a, name || '!' AS b, coalesce(name, '-') AS c, CASE id WHEN 1 THEN 'one' ELSE 'more' END AS d, "
             "CAST(id AS TEXT) AS e, id / 2.0 AS f FROM batch WHERE id IN (1, 3)") ==
        Lines{R"({"a":11,"b":"a!","c":"a","d":"one","e":"1","f":0.5})", R"({"a":13,"b":null,"c":"-","d":"more","e":"3","f":1.5})"});
}

TEST_CASE("decimals, times, nested values and bools have a form in expressions") {
  TestTransform t = Query("SELECT d > 1e35 AS d, t || '' AS t, v || '' AS v, n || '' AS n, b + 1 AS b, json_extract(j, '$.k') + 0 AS k "
                          "FROM batch WHERE id = 1", kExact, {{"types", "{k = \"float64\"}"}});
  Batch b = Exact();
  CHECK(t.Apply(b).rows ==
        Lines{R"({"d":1,"t":"2024-02-29T13:05:09.123456Z","v":"[0.1,-3.5]","n":"{\"a\":[1,null]}","b":2,"k":1.5})"});
}

TEST_CASE("types gives computed columns a type") {
  TestTransform t = Query(
      "SELECT id > 2 AS flag, id AS id, '2024-02-0' || id AS day, id || '.25' AS money, '[' || id || ']' AS list, id + 0 AS small, "
      "'18446744073709551615' AS big, id * 0.5 AS half FROM batch WHERE id < 4",
      kTwo, {{"types", R"T({flag = "bool", day = "date", money = "decimal(10,2)", list = "json", small = "uint8", big = "uint64", half = "float32"})T"}});
  CHECK(t.Describe() == "flag:b id:l day:tdD money:d:10,2 list:json small:C big:L half:f");
  Batch b = Two();
  CHECK(t.Apply(b).rows[2] ==
        R"({"flag":true,"id":3,"day":"2024-02-03","money":3.25,"list":[3],"small":3,"big":18446744073709551615,"half":1.5})");
  CHECK(Query("SELECT id FROM batch", kTwo, {{"types", "{id = \"utf8\"}"}}).Refusal() ==
        "types: column \"id\" is passed through as it is; to change its type, write an expression such as CAST(id AS TEXT) AS id");
  CHECK(Query("SELECT id FROM batch", kTwo, {{"types", "{x = \"utf8\"}"}}).Refusal() ==
        "types: there is no column \"x\" in the result");
}

TEST_CASE("a computed value that does not fit its column is rejected, and the others pass") {
  SUBCASE("inferred") {
    const Applied got = RunTwo("SELECT id, coalesce(name, 5) AS x FROM batch");
    CHECK(got.rows == Lines{R"({"id":1,"x":"a"})", R"({"id":2,"x":"b"})", R"({"id":4,"x":"d"})"});
    CHECK(got.origins == Origins{0, 1, 3});
    REQUIRE(got.rejects.size() == 1);
    CHECK(got.rejects[0].row == 2);
    CHECK(got.rejects[0].reason ==
          "column \"x\" is utf8, and its value is INTEGER 5; write CAST(... AS TEXT) AS x, or types = { x = \"int64\" }");
  }
  SUBCASE("declared, after other columns of the row") {
    const Applied got = RunTwo("SELECT id * 2 AS twice, id * 100 AS x, name FROM batch", {{"types", "{x = \"int8\"}"}});
    CHECK(got.rows == Lines{R"({"twice":2,"x":100,"name":"a"})"});
    REQUIRE(got.rejects.size() == 3);
    CHECK(got.rejects[0].row == 1);
    CHECK(got.rejects[0].reason ==
          "column \"x\" is int8, and its value is INTEGER 200, which is no such value; mend the expression, or the type in `types`");
  }
  SUBCASE("JSON that is none") {
    const Applied got = RunTwo("SELECT iif(id = 2, '{', id) AS x FROM batch", {{"types", "{x = \"json\"}"}});
    CHECK(got.rows == Lines{R"({"x":1})", R"({"x":3})", R"({"x":4})"});
    CHECK(got.rejects.size() == 1);
  }
}

TEST_CASE("a uint64 beyond SQL's integers is rejected in an expression only") {
  const Schema in{{"u", etl::UInt64()}};
  const auto batch = [&in] {
    Batch b(in);
    b[0].Append(7u);
    b[0].Append(std::uint64_t{1} << 63);
    b[0].Append(std::numeric_limits<std::int64_t>::max());
    return b;
  };
  TestTransform used = Query("SELECT u, u - 7 AS x FROM batch", in);
  Batch a = batch();
  const Applied got = used.Apply(a);
  CHECK(got.rows == Lines{R"({"u":7,"x":0})", R"({"u":9223372036854775807,"x":9223372036854775800})"});
  CHECK(got.origins == Origins{0, 2});
  REQUIRE(got.rejects.size() == 1);
  CHECK(got.rejects[0].row == 1);
  CHECK(got.rejects[0].reason == "column \"u\" holds 9223372036854775808, which is beyond SQL's 64-bit signed integers; such a "
                                 "column can be passed through, but not be used in an expression");
  TestTransform passed = Query("SELECT u, 'x' AS x FROM batch WHERE 1", in);
  Batch c = batch();
  CHECK(passed.Apply(c).rows.size() == 3);
}

TEST_CASE("a row on which the expression fails is rejected, wherever it stands") {
  const Schema in{{"t", etl::Utf8()}};
  for (const std::size_t bad : {0u, 1u, 2u}) {
    Batch b(in);
    for (std::size_t i = 0; i < 3; ++i) b[0].Append(i == bad ? "{" : "{\"a\":1}");
    TestTransform t = Query("SELECT json_extract(t, '$.a') AS a FROM batch", in, {{"types", "{a = \"int64\"}"}});
    const Applied got = t.Apply(b);
    CHECK(got.rows == Lines{R"({"a":1})", R"({"a":1})"});
    REQUIRE(got.rejects.size() == 1);
    CHECK(got.rejects[0].row == bad);
    CHECK(got.rejects[0].reason == "malformed JSON");
  }
}

TEST_CASE("batches that are a piece of a longer array, with nulls, are read from where they begin") {
  const Schema in{{"i", etl::Int32()}, {"s", etl::Utf8()}, {"u", etl::UInt64()}, {"b", etl::Bool()}, {"d", etl::Decimal128(10, 1)}};
  for (const std::string query : {"SELECT i, s, u, b, d, i * 2 AS x, s || '.' AS y, d + 0 AS z FROM batch WHERE b OR b IS NULL",
                                  "SELECT i, s, u, b, d, i * 2 AS x, s || '.' AS y, d + 0 AS z FROM batch"}) {
    CAPTURE(query);
    Batch b(in);
    for (std::int64_t i = 0; i < 20; ++i) {
      if (i % 3 == 0) b[0].Null();
      else b[0].Append(i);
      if (i % 4 == 0) b[1].Null();
      else b[1].Append(std::to_string(i));
      b[2].Append(i);
      if (i % 5 == 0) b[3].Null();
      else b[3].Append(true);
      const std::int64_t d[2] = {i * 10 + 5, 0};
      b[4].Append(std::string_view(reinterpret_cast<const char*>(d), 16));
    }
    ArrowArray array{};
    b.Finish(&array);
    array.offset = 9;
    array.length = 4;
    TestTransform t = Query(query, in);
    const Applied got = t.Apply(array);
    CHECK(got.rows == Lines{R"({"i":null,"s":"9","u":9,"b":true,"d":9.5,"x":null,"y":"9.","z":9.5})",
                            R"({"i":10,"s":"10","u":10,"b":null,"d":10.5,"x":20,"y":"10.","z":10.5})",
                            R"({"i":11,"s":"11","u":11,"b":true,"d":11.5,"x":22,"y":"11.","z":11.5})",
                            R"({"i":null,"s":null,"u":12,"b":true,"d":12.5,"x":null,"y":null,"z":12.5})"});
    CHECK(got.origins == Origins{0, 1, 2, 3});
  }
}

TEST_CASE("a transform runs batch after batch, also when nothing passes") {
  TestTransform t = Query("SELECT id FROM batch WHERE name = 'b'", kTwo);
  for (int i = 0; i < 3; ++i) {
    Batch b = Two();
    const Applied got = t.Apply(b);
    CHECK(got.rows == Lines{R"({"id":2})"});
    CHECK(got.origins == Origins{1});
    Batch none(kTwo);
    none[0].Append(1);
    none[1].Append("x");
    CHECK(t.Apply(none).rows.empty());
    Batch empty(kTwo);
    CHECK(t.Apply(empty).rows.empty());
  }
  CHECK(Rows("SELECT id FROM batch WHERE 0").empty());
}

TEST_CASE("what more than one row would decide is refused with the reason") {
  const auto refusal = [](const std::string& query) { return Query(query, kTwo).Refusal(); };
  const std::string aggregate =
      "query: an aggregate would give one result for each batch, and batches end anywhere; load the rows and aggregate in the target";
  CHECK(refusal("SELECT count(*) AS n FROM batch") == aggregate);
  CHECK(refusal("SELECT id, max(name) AS n FROM batch WHERE id > 1") == aggregate);
  const std::string group = " would give one result for each batch, and batches end anywhere; load the rows and group them in the target";
  CHECK(refusal("SELECT id FROM batch GROUP BY id") == "query: GROUP" + group);
  CHECK(refusal("SELECT id FROM batch WHERE id > 1 group by id") == "query: GROUP" + group);
  CHECK(refusal("SELECT count(*) AS n FROM batch HAVING n > 1") == "query: HAVING" + group);
  CHECK(refusal("SELECT DISTINCT id FROM batch") ==
        "query: DISTINCT would compare the rows of one batch only; let the target remove duplicates (a sink with keys)");
  CHECK(refusal("SELECT id FROM batch ORDER BY id") ==
        "query: ORDER would sort each batch by itself; sort in the source's query, or when the target is read");
  CHECK(refusal("SELECT id FROM batch WHERE id > 1 LIMIT 5") ==
        "query: LIMIT would count anew in each batch; limit the rows in the source");
  const std::string join = " would join within one batch only; use the transform \"sqlite_lookup\" to add columns of another table";
  CHECK(refusal("SELECT a.id FROM batch AS a JOIN batch AS b ON a.id = b.id") == "query: JOIN" + join);
  CHECK(refusal("SELECT id FROM batch LEFT JOIN x") == "query: LEFT" + join);
  CHECK(refusal("SELECT id FROM batch, batch AS b") == "query: a second table" + join);
  const std::string compound = " would combine rows within one batch only; use a pipeline for each part";
  CHECK(refusal("SELECT id FROM batch UNION ALL SELECT id FROM batch") == "query: UNION" + compound);
  CHECK(refusal("SELECT id FROM batch WHERE id = 1 EXCEPT SELECT 1") == "query: EXCEPT" + compound);
  const std::string subquery = "query: a subquery over batch would see the rows of one batch only; use the transform "
                               "\"sqlite_lookup\", or do it in the target";
  CHECK(refusal("SELECT id FROM batch WHERE id = (SELECT max(id) FROM batch)") == subquery);
  CHECK(refusal("SELECT (SELECT count(*) FROM batch) AS n FROM batch") == subquery);
  CHECK(refusal("SELECT id FROM batch WHERE EXISTS (SELECT 1 FROM batch AS b WHERE b.id > batch.id)") == subquery);
  CHECK(refusal("SELECT row_number() OVER (ORDER BY id) AS n FROM batch") ==
        "query: a window function (OVER) would see the rows of one batch only; compute it in the target");
  CHECK(refusal("SELECT lag(id) OVER w AS n FROM batch WINDOW w AS (ORDER BY id)") ==
        "query: a window function (OVER) would see the rows of one batch only; compute it in the target");
}

TEST_CASE("what is no query over the batch is refused with the reason") {
  const auto refusal = [](const std::string& query) { return Query(query, kTwo).Refusal(); };
  CHECK(refusal("SELECT id FROM batch; SELECT 1 FROM batch") == "query: it has more than one statement; write one SELECT");
  const auto begins = [](const std::string& word) {
    return "query: it must be one SELECT ... FROM batch [WHERE ...], and begins with \"" + word + "\"";
  };
  CHECK(refusal("INSERT INTO batch VALUES (1, 'a')") == begins("INSERT"));
  CHECK(refusal("PRAGMA database_list") == begins("PRAGMA"));
  CHECK(refusal("ATTACH 'x.db' AS x") == begins("ATTACH"));
  CHECK(refusal("WITH x AS (SELECT 1) SELECT * FROM batch") == begins("WITH"));
  CHECK(refusal("") == begins(""));
  CHECK(refusal("SELECT load_extension('x') AS x FROM batch") == "query: the function load_extension may not be called from a pipeline");
  CHECK(refusal("SELECT idd FROM batch") == "query: no such column: idd; the columns are: id, name");
  CHECK(refusal("SELECT \"idd\" FROM batch") == "query: no such column: idd; the columns are: id, name");
  CHECK(refusal("SELECT id FROM batch WHERE nme = 'x'") == "query: no such column: nme; the columns are: id, name");
  CHECK(refusal("SELECT id FROM rows") ==
        "query: it reads from \"rows\", and the only table is batch; write SELECT ... FROM batch [WHERE ...]");
  CHECK(refusal("SELECT id FROM batch WHERE id IN (SELECT rootpage FROM sqlite_schema)") ==
        "query: it reads from sqlite_master, and the only table is batch");
  CHECK(refusal("SELECT id FROM batch WHERE id IN other") == "query: no such table: other");
  CHECK(refusal("SELECT rowid FROM batch") ==
        "query: ROWID is a row's place in its batch, which means nothing; use a column of the source");
  CHECK(refusal("SELECT id FROM batch WHERE id = ?") == "query: it has a parameter (?); write the value itself");
  CHECK(refusal("SELECT id") == "query: it has no FROM; write SELECT ... FROM batch");
  CHECK(refusal("SELECT id, FROM batch") == "query: an item of the list before FROM is missing");
  CHECK(refusal("SELECT (id FROM batch") == "query: it has an opening parenthesis without a closing one");
  CHECK(refusal("SELECT id) FROM batch") == "query: it has a closing parenthesis without an opening one");
  CHECK(refusal("SELECT 'id FROM batch") == "query: it ends inside of a quoted piece that begins with 'id FROM batch");
  CHECK(refusal("SELECT id, name AS id FROM batch") == "query: two columns of the result have the name \"id\"; give one another name with AS");
  CHECK(refusal("SELECT iif(id > 1, 'x', 1) AS x FROM batch") ==
        "query: column \"x\" is sometimes of one type and sometimes of another; write CAST(... AS TEXT) AS x or another CAST");
  CHECK(TestTransform("sql", {}, kTwo).Refusal() ==
        "query: neither `query` nor `where` is given; write query = \"SELECT ... FROM batch\"");
  CHECK(TestTransform("sql", {{"query", "\"SELECT * FROM batch\""}, {"where", "\"1\""}}, kTwo).Refusal() ==
        "query: `query` and `where` are both given; keep one of them");
  CHECK(Query("SELECT * FROM batch", {{"a", etl::Int64()}, {"A", etl::Int64()}}).Refusal() ==
        "query: the columns \"a\" and \"A\" are the same name to SQL, which knows no case; rename one where it is read");
}

TEST_CASE("comments, quotes and odd layout change nothing") {
  CHECK(Rows("select -- the number, FROM x\n id /* , name; */ , ';' || \"name\" || 'it''s' AS \"a, b\"\nFROM batch AS b -- all\nWHERE b.[id]=1;") ==
        Lines{R"({"id":1,"a, b":";ait's"})"});
  CHECK(Rows("SELECT b.* , 'FROM batch' AS `from` FROM \"batch\" b WHERE name LIKE 'b' -- end") ==
        Lines{R"({"id":2,"name":"b","from":"FROM batch"})"});
  CHECK(Rows("SELECT ALL (id) AS x, id IS NOT DISTINCT FROM 1 AS one FROM batch WHERE id < 3") ==
        Lines{R"({"x":1,"one":1})", R"({"x":2,"one":0})"});
}

TEST_CASE("a star and its like stand for every column where they stand") {
  CHECK(Rows("SELECT id * 2 AS twice, *, batch.name AS again FROM batch WHERE id = 4") ==
        Lines{R"({"twice":8,"id":4,"name":"d","again":"d"})"});
}

TEST_CASE("a condition may use names of the result") {
  CHECK(Rows("SELECT name AS n, id + 1 AS next FROM batch WHERE n = 'b'") == Lines{R"({"n":"b","next":3})"});
  CHECK(Rows("SELECT name, id + 1 AS next FROM batch WHERE next > 4") == Lines{R"({"name":"d","next":5})"});
  CHECK(Rows("SELECT name AS id, id AS name FROM batch WHERE id = 2") == Lines{R"({"id":"b","name":2})"});
}

TEST_CASE("a subquery over the row's own values is computed, not mistaken for a column") {
  const Schema in{{"value", etl::Int64()}, {"tags", etl::List(etl::Int64())}};
  Batch b(in);
  for (const int v : {1, 2}) {
    b[0].Append(v);
    b[1].child(0).Append(v * 10);
    b[1].child(0).Append(v * 10 + 1);
    b[1].EndRow();
  }
  TestTransform t = Query("SELECT (SELECT value FROM json_each(tags) LIMIT 1) AS first, (SELECT sum(j.value) FROM json_each(tags) j) AS total, "
                          "(SELECT batch.value WHERE batch.value > 1) AS big FROM batch",
                          in, {{"types", "{first = \"int64\", total = \"int64\", big = \"int64\"}"}});
  CHECK(t.Apply(b).rows == Lines{R"({"first":10,"total":21,"big":null})", R"({"first":20,"total":41,"big":2})"});
}

TEST_CASE("where alone keeps all columns and drops rows") {
  TestTransform t("sql", {{"where", Toml("id > 1 AND name IS NOT NULL -- both")}}, kTwo);
  CHECK(t.Describe() == "id:l name:u");
  Batch b = Two();
  const Applied got = t.Apply(b);
  CHECK(got.rows == Lines{R"({"id":2,"name":"b"})", R"({"id":4,"name":"d"})"});
  CHECK(got.origins == Origins{1, 3});
  const auto refusal = [](const std::string& where) { return TestTransform("sql", {{"where", Toml(where)}}, kTwo).Refusal(); };
  CHECK(refusal("1) OR (1") == "where: it has a closing parenthesis without an opening one");
  CHECK(refusal("1; DROP TABLE x") == "where: it must be one condition, such as kind = 'error', without a semicolon");
  CHECK(refusal("1 ORDER BY id") == "where: ORDER would sort each batch by itself; sort in the source's query, or when the target is read");
  CHECK(refusal(" ") == "where: it is empty; write a condition such as kind = 'error'");
  CHECK(refusal("kind = 1") == "where: no such column: kind; the columns are: id, name");
}

TEST_CASE("it serves the condition of a sink") {
  const auto* filter = static_cast<const etl_filter*>(FindComponent('t', "sql").extension(ETL_EXT_FILTER));
  REQUIRE(filter);
  CHECK(filter->option == std::string("where"));
  CHECK(FindComponent('t', "sql").extension("etl.other/1") == nullptr);
  TempDir dir;
  dir.Write("in.ndjson", "{\"id\":1,\"k\":\"a\"}\n{\"id\":2,\"k\":\"b\"}\n{\"id\":3,\"k\":\"a\"}\n{\"id\":4,\"k\":null}\n");
  const auto result = RunPipeline(dir, R"(
[source]
type = "ndjson"
path = "in.ndjson"
[[transform]]
type = "sql"
query = "SELECT id * 10 AS id, k FROM batch WHERE id < 4 OR k IS NULL"
[[sink]]
type = "ndjson"
path = "a.ndjson"
when = "k = 'a'"
[[sink]]
type = "ndjson"
path = "rest.ndjson"
when = "k IS NOT 'a'"
)");
  CHECK(result.message == "");
  CHECK(result.status.rows_read == 4);
  CHECK(ReadFile(dir / "a.ndjson") == "{\"id\":10,\"k\":\"a\"}\n{\"id\":30,\"k\":\"a\"}\n");
  CHECK(ReadFile(dir / "rest.ndjson") == "{\"id\":20,\"k\":\"b\"}\n{\"id\":40,\"k\":null}\n");
}
