#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "database.h"
#include "support/temp_dir.h"
#include "test_transform.h"

using namespace etl::test;
using etl::Batch;
using etl::Schema;
using Lines = std::vector<std::string>;
using Origins = std::vector<std::uint64_t>;

namespace {

const Schema kIn{{"id", etl::Int64()}, {"name", etl::Utf8()}, {"score", etl::Float64()}};

/// 1 a 0.5; 2 b null; 3 null 1.5; null d 2.5; 5 e 3.5
Batch In() {
  Batch b(kIn);
  for (const int i : {1, 2, 3}) b[0].Append(i);
  b[0].Null();
  b[0].Append(5);
  b[1].Append("a");
  b[1].Append("b");
  b[1].Null();
  b[1].Append("d");
  b[1].Append("e");
  b[2].Append(0.5);
  b[2].Null();
  for (const double f : {1.5, 2.5, 3.5}) b[2].Append(f);
  return b;
}

struct Table {
  Table() {
    etl::sqlite::Database(path, true)
        .Run("CREATE TABLE people(pid INTEGER PRIMARY KEY, name TEXT, score REAL, city TEXT, age INT, photo BLOB, ok BOOL, price NUMERIC);"
             "INSERT INTO people VALUES(1,'a',0.5,'Bern',30,x'ff',1,0.1),(2,'B',NULL,NULL,NULL,NULL,0,'free'),(3,NULL,1.5,'Chur',7,x'',NULL,NULL)");
  }
  TestTransform Look(TomlOptions more) const {
    more.push_back({"path", "'" + path + "'"});
    more.push_back({"table", "\"people\""});
    return TestTransform("sqlite_lookup", more, kIn);
  }
  TempDir dir;
  std::string path = dir / "a.db";
};

const std::pair<std::string, std::string> kOn{"on", "{id = \"pid\"}"};

}  // namespace

TEST_CASE("columns are added by key, null where there is no such row") {
  const Table table;
  TestTransform t = table.Look({kOn, {"columns", "{town = \"city\", years = \"age\", pic = \"photo\", good = \"OK\", cost = \"price\"}"}});
  CHECK(t.Describe() == "id:l name:u score:g cost:u good:b pic:z town:u years:l");
  Batch b = In();
  const Applied got = t.Apply(b);
  CHECK(got.rows == Lines{R"({"id":1,"name":"a","score":0.5,"cost":"0.1","good":true,"pic":"/w==","town":"Bern","years":30})",
                          R"({"id":2,"name":"b","score":null,"cost":"free","good":false,"pic":null,"town":null,"years":null})",
                          R"({"id":3,"name":null,"score":1.5,"cost":null,"good":null,"pic":"","town":"Chur","years":7})",
                          R"({"id":null,"name":"d","score":2.5,"cost":null,"good":null,"pic":null,"town":null,"years":null})",
                          R"({"id":5,"name":"e","score":3.5,"cost":null,"good":null,"pic":null,"town":null,"years":null})"});
  CHECK(got.origins == Origins{0, 1, 2, 3, 4});
  CHECK(got.rejects.empty());
}

TEST_CASE("only_missing passes the rows whose key is not there") {
  const Table table;
  TestTransform t = table.Look({kOn, {"only_missing", "true"}});
  CHECK(t.Describe() == "id:l name:u score:g");
  for (int i = 0; i < 2; ++i) {
    Batch b = In();
    const Applied got = t.Apply(b);
    CHECK(got.rows == Lines{R"({"id":null,"name":"d","score":2.5})", R"({"id":5,"name":"e","score":3.5})"});
    CHECK(got.origins == Origins{3, 4});
  }
}

TEST_CASE("only_changed passes the rows that are not there or differ, null being a value like others") {
  const Table table;
  TestTransform t = table.Look({kOn, {"only_changed", R"(["name", "score"])"}, {"columns", "{was = \"city\"}"}});
  Batch b = In();
  const Applied got = t.Apply(b);
  CHECK(got.rows == Lines{R"({"id":2,"name":"b","score":null,"was":null})", R"({"id":null,"name":"d","score":2.5,"was":null})",
                          R"({"id":5,"name":"e","score":3.5,"was":null})"});
  CHECK(got.origins == Origins{1, 3, 4});
  TestTransform one = table.Look({kOn, {"only_changed", "\"score\""}});
  Batch c = In();
  CHECK(one.Apply(c).origins == Origins{3, 4});
}

TEST_CASE("a value that the table cannot hold counts as changed") {
  const Table table;
  TestTransform t = table.Look({kOn, {"only_changed", "\"score\""}});
  Batch b(kIn);
  for (int i = 0; i < 2; ++i) {
    b[0].Append(1);
    b[1].Append("a");
    b[2].Append(i ? std::nan("") : 0.5);
  }
  CHECK(t.Apply(b).origins == Origins{1});
}

TEST_CASE("several keys belong together, and a piece of a longer array is read from where it begins") {
  const Table table;
  TestTransform t = table.Look({{"on", "{id = \"pid\", name = \"name\"}"}, {"columns", "{town = \"city\"}"}});
  Batch b = In();
  ArrowArray array{};
  b.Finish(&array);
  TestTransform part = table.Look({kOn, {"columns", "{town = \"city\"}"}});
  array.offset = 1;
  array.length = 2;
  CHECK(part.Apply(array).rows ==
        Lines{R"({"id":2,"name":"b","score":null,"town":null})", R"({"id":3,"name":null,"score":1.5,"town":"Chur"})"});
  Batch c = In();
  const Applied got = t.Apply(c);
  CHECK(got.rows[0] == R"({"id":1,"name":"a","score":0.5,"town":"Bern"})");
  CHECK(got.rows[2] == R"({"id":3,"name":null,"score":1.5,"town":null})");
}

TEST_CASE("a row is rejected when the table holds another type than it declares, or the key cannot be looked up") {
  const Table table;
  etl::sqlite::Database(table.path, true).Run("UPDATE people SET age = 'old' WHERE pid = 2");
  TestTransform t = table.Look({kOn, {"columns", "{town = \"city\", years = \"age\"}"}});
  Batch b = In();
  const Applied got = t.Apply(b);
  CHECK(got.rows.size() == 4);
  CHECK(got.origins == Origins{0, 2, 3, 4});
  REQUIRE(got.rejects.size() == 1);
  CHECK(got.rejects[0].row == 1);
  CHECK(got.rejects[0].reason == "in \"people\", column \"age\" holds the text \"old\", which is no int64");

  const Schema in{{"u", etl::UInt64()}};
  TestTransform u("sqlite_lookup", {{"path", "'" + table.path + "'"}, {"table", "\"people\""}, {"on", "{u = \"pid\"}"}}, in);
  Batch c(in);
  c[0].Append(1);
  c[0].Append(std::numeric_limits<std::uint64_t>::max());
  const Applied big = u.Apply(c);
  CHECK(big.rows == Lines{R"({"u":1})"});
  REQUIRE(big.rejects.size() == 1);
  CHECK(big.rejects[0].reason ==
        "column \"u\": 18446744073709551615 is larger than SQLite's integers (2^63-1); cast it to text before");
}

TEST_CASE("a table without an index over the keys is warned about once") {
  const Table table;
  TestTransform by_key = table.Look({kOn, {"columns", "{town = \"city\"}"}});
  by_key.Describe();
  CHECK(by_key.logs().empty());
  const std::pair<std::string, std::string> by_name{"on", "{name = \"name\", score = \"score\"}"};
  TestTransform scans = table.Look({by_name, {"only_missing", "true"}});
  Batch b = In();
  scans.Apply(b);
  CHECK(scans.logs() ==
        Lines{R"(reads table "people" from its beginning for each row: it has no index over "name", "score")"});
  etl::sqlite::Database(table.path, true).Run("CREATE INDEX i ON people(name)");
  TestTransform indexed = table.Look({by_name, {"only_missing", "true"}});
  indexed.Describe();
  CHECK(indexed.logs().empty());
}

TEST_CASE("what cannot be looked up is refused before the first row") {
  const Table table;
  CHECK(table.Look({kOn, {"columns", "{name = \"city\"}"}}).Refusal() == "columns: the rows have a column \"name\" already");
  CHECK(table.Look({kOn, {"columns", "{x = \"cty\"}"}}).Refusal() == "columns: table \"people\" has no column \"cty\"");
  CHECK(table.Look({{"on", "{idd = \"pid\"}"}}).Refusal() == "on: the rows have no column \"idd\"");
  CHECK(table.Look({{"on", "{id = \"id\"}"}}).Refusal() == "on: table \"people\" has no column \"id\"");
  CHECK(table.Look({{"on", "{}"}}).Refusal() == "on: name at least one column");
  CHECK(table.Look({kOn, {"only_changed", "\"city\""}}).Refusal() == "only_changed: the rows have no column \"city\"");
  CHECK(table.Look({kOn, {"only_changed", "\"name\""}, {"only_missing", "true"}}).Refusal() ==
        "only_changed: only_missing and only_changed exclude each other");
  CHECK(TestTransform("sqlite_lookup", {{"path", "'" + table.path + "'"}, {"table", "\"x\""}, kOn}, kIn).Refusal() ==
        "table: " + table.path + " has no table \"x\"");
}
