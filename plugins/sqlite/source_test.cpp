#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "database.h"
#include "fake_host.h"
#include "run_pipeline.h"
#include "support/temp_dir.h"

using namespace etl::test;
using Lines = std::vector<std::string>;

namespace {

void Do(const std::string& path, const std::string& sql) { etl::sqlite::Database(path, true).Run(sql); }

TomlOptions From(const std::string& path, TomlOptions more = {}) {
  more.push_back({"path", "'" + path + "'"});
  if (std::none_of(more.begin(), more.end(), [](const auto& o) { return o.first == "query" || o.first == "table"; })) {
    more.push_back({"table", "\"t\""});
  }
  return more;
}

TestSource Read(const std::string& path, TomlOptions more = {}) { return TestSource("sqlite", From(path, std::move(more))); }

/// All rows of all splits, sorted.
Lines All(TestSource& source) {
  Lines rows = source.ReadAll();
  std::sort(rows.begin(), rows.end());
  return rows;
}

Lines RowsOf(const std::vector<ReadBatch>& batches, std::size_t first = 0) {
  Lines rows;
  for (std::size_t i = first; i < batches.size(); ++i) rows.insert(rows.end(), batches[i].rows.begin(), batches[i].rows.end());
  return rows;
}

Lines Ids(const TestSource& source, const Lines& rows) {
  static_cast<void>(source);
  Lines ids;
  for (const std::string& r : rows) ids.push_back(r.substr(r.find(':') + 1, r.find_first_of(",}") - r.find(':') - 1));
  return ids;
}

std::string Refusal(const std::string& path, TomlOptions more) {
  try {
    Read(path, std::move(more)).Describe();
  } catch (const Failure& f) {
    return f.option + ": " + f.what();
  }
  return {};
}

/// Reads all splits; then again from each position on.  Nothing may be lost or come twice.
void CheckPositions(TestSource& source, const Lines& expected) {
  Lines all;
  for (const PlannedSplit& split : source.Plan()) {
    const std::vector<ReadBatch> batches = source.ReadBatches(split);
    const Lines rows = RowsOf(batches);
    all.insert(all.end(), rows.begin(), rows.end());
    for (std::size_t i = 0; i < batches.size(); ++i) {
      CAPTURE(split.id);
      CAPTURE(i);
      CHECK(RowsOf(source.ReadBatches(split, batches[i].position)) == RowsOf(batches, i + 1));
    }
  }
  std::sort(all.begin(), all.end());
  CHECK(all == expected);
}

}  // namespace

TEST_CASE("a table is cut into ranges of its rowid, however sparse and negative, and each row is read once") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)");
  Do(path, "WITH RECURSIVE n(i) AS (SELECT -50 UNION ALL SELECT i + 1 FROM n WHERE i < 49) INSERT INTO t SELECT i * i * i * 1000000000, 's' || i FROM n");
  Do(path, "INSERT INTO t VALUES(-9223372036854775808, 'least'), (9223372036854775807, 'most')");
  Lines expected;
  {
    TestSource whole = Read(path);
    expected = All(whole);
    CHECK(whole.Plan().size() == 1);
  }
  CHECK(expected.size() == 102);
  for (const int chunk : {1, 7, 51, 101, 102, 103}) {
    CAPTURE(chunk);
    TestSource source = Read(path, {{"chunk_rows", std::to_string(chunk)}, {"batch_rows", "5"}});
    CHECK(All(source) == expected);
    const auto splits = source.Plan();
    CHECK(splits.size() == static_cast<std::size_t>(102 / chunk + 1));
    for (std::size_t i = 0; i + 1 < splits.size(); ++i) CHECK(splits[i].rows == chunk);
    CHECK(splits[0].id == "begin");
    if (splits.size() > 1) CHECK(splits[0].id != splits[1].id);
  }
  TestSource source = Read(path, {{"chunk_rows", "40"}, {"batch_rows", "7"}});
  CHECK(source.Plan()[1].id == "after -1728000000000");
  CheckPositions(source, expected);
}

TEST_CASE("an empty table is one range without rows") {
  TempDir dir;
  Do(dir / "a.db", "CREATE TABLE t(id INTEGER)");
  TestSource source = Read(dir / "a.db");
  CHECK(source.Plan().size() == 1);
  CHECK(source.ReadAll().empty());
}

TEST_CASE("planning goes on where it stopped") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES('a'),('b'),('c'),('d'),('e'),('f')");
  TestSource source = Read(path, {{"chunk_rows", "2"}});
  const auto splits = source.Plan();
  REQUIRE(splits.size() == 4);
  for (std::size_t i = 0; i < splits.size(); ++i) {
    TestSource again = Read(path, {{"chunk_rows", "2"}});
    const auto rest = again.Plan(false, splits[i].plan_state);
    REQUIRE(rest.size() == splits.size() - i - 1);
    for (std::size_t k = 0; k < rest.size(); ++k) {
      CHECK(rest[k].id == splits[i + k + 1].id);
      CHECK(rest[k].state == splits[i + k + 1].state);
    }
  }
  CHECK_THROWS_WITH(source.Plan(false, "what"), "the saved state is not one of this source's; start anew with 'etl state reset'");
}

TEST_CASE("a text key of a table without rowid gives ranges in its own order") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v INTEGER) WITHOUT ROWID;"
           "INSERT INTO t VALUES('', 0),('a',1),('B',2),('c',3),('D''x',4),('\xC3\xA9',5),('a' || char(10), 6),('7',7)");
  TestSource source = Read(path, {{"chunk_rows", "3"}, {"batch_rows", "2"}});
  CHECK(source.Describe() == "k:u v:l");
  const auto splits = source.Plan();
  CHECK(splits.size() == 3);
  for (const auto& s : splits) {
    CHECK(std::all_of(s.id.begin(), s.id.end(), [](unsigned char c) { return std::isprint(c); }));
  }
  CheckPositions(source, {R"({"k":"","v":0})", R"({"k":"7","v":7})", R"({"k":"B","v":2})", R"({"k":"D'x","v":4})", R"({"k":"a","v":1})",
                          R"({"k":"a\n","v":6})", R"({"k":"c","v":3})", "{\"k\":\"\xC3\xA9\",\"v\":5}"});
}

TEST_CASE("a blob key, a float key and a key of mixed types give ranges") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(k PRIMARY KEY, n INTEGER) WITHOUT ROWID;"
           "INSERT INTO t VALUES(x'00ff',1),(x'',2),(0.1,3),(-1e300,4),(1e999,5),(5,6),('5',7),(9007199254740993,8)");
  TestSource source = Read(path, {{"columns", "[\"n\"]"}, {"chunk_rows", "2"}, {"batch_rows", "1"}});
  CheckPositions(source, {R"({"n":1})", R"({"n":2})", R"({"n":3})", R"({"n":4})", R"({"n":5})", R"({"n":6})", R"({"n":7})", R"({"n":8})"});
}

TEST_CASE("split_by takes the ranges from another unique column") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, code TEXT UNIQUE, other TEXT); INSERT INTO t VALUES(1,'x','a'),(2,'b','a'),(3,'m','c')");
  TestSource source = Read(path, {{"split_by", "\"code\""}, {"chunk_rows", "2"}});
  const auto splits = source.Plan();
  REQUIRE(splits.size() == 2);
  CHECK(RowsOf(source.ReadBatches(splits[0])) == Lines{R"({"id":2,"code":"b","other":"a"})", R"({"id":3,"code":"m","other":"c"})"});
  CHECK(RowsOf(source.ReadBatches(splits[1])) == Lines{R"({"id":1,"code":"x","other":"a"})"});
  CHECK(Refusal(path, {{"split_by", "\"other\""}}) ==
        "split_by: column \"other\" has no unique index of its own; rows with one value could be read twice or not at all");
  CHECK(Refusal(path, {{"split_by", "\"none\""}}) == "split_by: table \"t\" has no column \"none\"");
  Do(path, "INSERT INTO t VALUES(4, NULL, '')");
  CHECK(Refusal(path, {{"split_by", "\"code\""}}) ==
        "split_by: column \"code\" holds null, which is in no range; leave those rows out with a view, or split by another column");
}

TEST_CASE("an index that tells apart what its column does not loses no rows") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(c TEXT COLLATE NOCASE NOT NULL); CREATE UNIQUE INDEX i ON t(c COLLATE BINARY); INSERT INTO t VALUES('a'),('A'),('b'),('B')");
  TestSource source = Read(path, {{"split_by", "\"c\""}, {"chunk_rows", "1"}, {"batch_rows", "1"}});
  CheckPositions(source, {R"({"c":"A"})", R"({"c":"B"})", R"({"c":"a"})", R"({"c":"b"})"});
}

TEST_CASE("a composite key is read in one stream in its order, and counted off") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(v TEXT, b INTEGER, a INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID;"
           "INSERT INTO t VALUES('w',2,1),('x',1,1),('y',1,2),('z',3,0)");
  TestSource source = Read(path, {{"batch_rows", "3"}});
  source.Describe();
  CHECK(source.head().host.logs ==
        Lines{"is read in one stream, in the order of its primary key; an interrupted run counts the rows off again"});
  const auto splits = source.Plan();
  REQUIRE(splits.size() == 1);
  CHECK(splits[0].id == "all");
  const auto batches = source.ReadBatches(splits[0]);
  CHECK(RowsOf(batches) == Lines{R"({"v":"z","b":3,"a":0})", R"({"v":"x","b":1,"a":1})", R"({"v":"w","b":2,"a":1})", R"({"v":"y","b":1,"a":2})"});
  CHECK(batches[0].position == "3");
  CheckPositions(source, {R"({"v":"w","b":2,"a":1})", R"({"v":"x","b":1,"a":1})", R"({"v":"y","b":1,"a":2})", R"({"v":"z","b":3,"a":0})"});
}

TEST_CASE("views and columns called rowid are read, too") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(rowid TEXT, n INTEGER); INSERT INTO t VALUES('x', 1), ('x', 2), (NULL, 3); CREATE VIEW v AS SELECT n + 1 AS m FROM t");
  TestSource table = Read(path, {{"chunk_rows", "2"}, {"batch_rows", "1"}});
  CheckPositions(table, {R"({"rowid":"x","n":1})", R"({"rowid":"x","n":2})", R"({"rowid":null,"n":3})"});
  TestSource view = Read(path, {{"table", "\"v\""}, {"batch_rows", "1"}});
  CHECK(view.Describe() == "m:u");
  CheckPositions(view, {R"({"m":"2"})", R"({"m":"3"})", R"({"m":"4"})"});
}

TEST_CASE("declared types are the types of the columns") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(a INT, b BIGINT, c VARCHAR(10), d CLOB, e BLOB, f DOUBLE, g BOOLEAN, h JSON, i NUMERIC(10,2), j DATE, k)");
  Do(path, "INSERT INTO t VALUES(1, -9223372036854775808, 'x', 'y', x'00ff', 0.1, 1, '{\"a\": 1.50}', 12.5, '2024-02-29', 'z'),"
           "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
  TestSource source = Read(path);
  CHECK(source.Describe() == "a:l b:l c:u d:u e:z f:g g:b h:json i:u j:u k:u");
  CHECK(source.ReadAll() ==
        Lines{R"({"a":1,"b":-9223372036854775808,"c":"x","d":"y","e":"AP8=","f":0.1,"g":true,"h":{"a": 1.50},"i":"12.5","j":"2024-02-29","k":"z"})",
              R"({"a":null,"b":null,"c":null,"d":null,"e":null,"f":null,"g":null,"h":null,"i":null,"j":null,"k":null})"});
  TestSource typed = Read(path, {{"columns", R"(["i", "c", "a"])"}, {"types", R"({i = "float64", c = "binary", a = "bool"})"}});
  CHECK(typed.Describe() == "a:b c:z i:g");
  CHECK(typed.ReadAll()[0] == R"({"a":true,"c":"eA==","i":12.5})");
  CHECK(Refusal(path, {{"types", "{a = \"int\"}"}}) ==
        "types: unknown type \"int\" of column \"a\"; write int64, float64, utf8, binary, bool or json");
  CHECK(Refusal(path, {{"types", "{x = \"int64\"}"}}) == "types: no column \"x\" is read");
}

TEST_CASE("a column declared as text keeps every digit of a number") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(n NUMERIC); INSERT INTO t VALUES(0.1 + 0.2), (1e300), (-5.0), (12345678901234567)");
  TestSource source = Read(path);
  CHECK(source.ReadAll() == Lines{R"({"n":"0.30000000000000004"})", R"({"n":"1e+300"})", R"({"n":"-5"})", R"({"n":"12345678901234567"})"});
}

TEST_CASE("values that are not of their column's type are rejected with place, row and reason") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, i INT, f REAL, b BOOL, j JSON)");
  const auto unfit = [&](const std::string& column, const std::string& value) {
    Do(path, "DELETE FROM t; INSERT INTO t(id, s) VALUES(1, 'before'), (7, 'it'), (9, 'after'); UPDATE t SET " + column + " = " + value + " WHERE id = 7");
    TestSource source = Read(path, {{"columns", "[\"id\", \"s\", \"" + column + "\"]"}});
    const Lines rows = source.ReadAll();
    CHECK(Ids(source, rows) == Lines{"1", "9"});
    REQUIRE(source.rejects.size() == 1);
    CHECK(source.rejects[0].row == ETL_NO_ROW);
    CHECK(source.rejects[0].where == "t where rowid = 7");
    return source.rejects[0].raw + " " + source.rejects[0].reason;
  };
  CHECK(unfit("i", "'many'") == "7|it|many column \"i\" holds the text \"many\", which is no int64; name another type for it in types");
  CHECK(unfit("i", "1.5") == "7|it|1.5 column \"i\" holds the float 1.5, which is no int64; name another type for it in types");
  CHECK(unfit("f", "'1,5'") == "7|it|1,5 column \"f\" holds the text \"1,5\", which is no float64; name another type for it in types");
  CHECK(unfit("b", "2") == "7|it|2 column \"b\" holds the integer 2, which is no bool; name another type for it in types");
  CHECK(unfit("j", "'{'") == "7|it|{ column \"j\" holds the text \"{\", which is no json; name another type for it in types");
  CHECK(unfit("j", "x'7b7d'") == "7|it|{} column \"j\" holds a blob of 2 bytes, which is no json; name another type for it in types");
  CHECK(unfit("s", "x'616263'") == "7|abc column \"s\" holds a blob of 3 bytes, which is no utf8; name another type for it in types");
  CHECK(unfit("s", "CAST(x'61ff' AS TEXT)").substr(5) ==
        "column \"s\" holds text that is not UTF-8; read it as binary; name another type for it in types");
}

TEST_CASE("where and columns say what is read") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES(1,'x','k'),(2,'y','k'),(3,'x','m'),(4,'x','k')");
  TestSource source = Read(path, {{"where", "\"a = 'x' OR 0 -- both\""}, {"columns", R"(["B", "id"])"}, {"chunk_rows", "2"}});
  CHECK(source.Describe() == "id:l b:u");
  CHECK(source.ReadAll() == Lines{R"({"id":1,"b":"k"})", R"({"id":3,"b":"m"})", R"({"id":4,"b":"k"})"});
  TestSource none = Read(path, {{"where", "\"a = 'z'\""}, {"chunk_rows", "2"}, {"batch_rows", "1"}});
  CHECK(none.ReadAll().empty());
  CHECK(Refusal(path, {{"columns", "\"c\""}}) == "columns: table \"t\" has no column \"c\"");
  CHECK(Refusal(path, {{"where", "\"c = 1\""}}) == "where: no such column: c");
  CHECK(Refusal(path, {{"where", "'\"c\" = 1'"}}) == "where: no such column: c");
  CHECK(Refusal(path, {{"where", "\"id = ?\""}}) == "where: it has a parameter; write the value itself");
  CHECK(Refusal(path, {{"table", "\"none\""}}) == "table: " + path + " has no table \"none\"");
  CHECK(Refusal(path, {{"table", "\"\""}}) == "table: give either table or query");
  CHECK(Refusal(dir / "none.db", {}) == "path: cannot open " + (dir / "none.db") + ": unable to open database file");
}

TEST_CASE("a query is read in one stream, and its columns have the types that their tables declare") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, f BOOL); INSERT INTO t VALUES(1,'x',1),(2,'y',0),(3,'x',NULL)");
  TestSource source = Read(path, {{"query", "\"SELECT id, f, upper(a) AS a, id * 2 AS d FROM t ORDER BY id DESC;\""},
                                  {"types", "{d = \"int64\"}"}, {"batch_rows", "1"}});
  CHECK(source.Describe() == "id:l f:b a:u d:l");
  CheckPositions(source, {R"({"id":1,"f":true,"a":"X","d":2})", R"({"id":2,"f":false,"a":"Y","d":4})", R"({"id":3,"f":null,"a":"X","d":6})"});
  CHECK(Refusal(path, {{"query", "\"DELETE FROM t\""}}) == "query: only a SELECT can be read");
  CHECK(Refusal(path, {{"query", "\"DELETE FROM t RETURNING id\""}}) == "query: only a SELECT can be read");
  CHECK(Refusal(path, {{"query", "\"SELECT 1; DELETE FROM t\""}}) == "query: it must be one statement");
  CHECK(Refusal(path, {{"query", "\"SELECT x FROM t\""}}) == "query: no such column: x");
  CHECK(Refusal(path, {{"query", "\"SELECT id, a AS id FROM t\""}}) == "query: two columns have the name \"id\"; give one another name with AS");
  CHECK(Refusal(path, {{"query", "\"SELECT id FROM t\""}, {"where", "\"1\""}}) ==
        "query: where, columns, split_by and incremental belong to table; write them into the query");
  CHECK(Refusal(path, {{"query", "\"SELECT id FROM t\""}, {"table", "\"t\""}}) == "query: give either table or query");
}

TEST_CASE("rows that come or go while a table is read neither double nor hide the others") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "PRAGMA journal_mode = wal; CREATE TABLE t(id INTEGER PRIMARY KEY)");
  Do(path, "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 2 FROM n WHERE i < 40) INSERT INTO t SELECT i FROM n");
  TestSource source = Read(path, {{"chunk_rows", "10"}, {"batch_rows", "3"}});
  const auto splits = source.Plan();
  CHECK(splits.size() == 3);
  Do(path, "INSERT INTO t SELECT id + 1 FROM t; INSERT INTO t VALUES(0), (100); DELETE FROM t WHERE id = 20");
  Lines ids;
  for (const auto& split : splits) {
    for (const std::string& id : Ids(source, RowsOf(source.ReadBatches(split)))) ids.push_back(id);
  }
  Lines expected{"0"};
  for (int i = 2; i <= 41; ++i) {
    if (i != 20) expected.push_back(std::to_string(i));
  }
  expected.push_back("100");
  CHECK(ids == expected);
}

TEST_CASE("a big row ends its batch early") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB); INSERT INTO t VALUES(1, zeroblob(3000000)), (2, zeroblob(3000000)), (3, zeroblob(10))");
  TestSource source = Read(path);
  const auto batches = source.ReadBatches(source.Plan()[0]);
  REQUIRE(batches.size() == 2);
  CHECK(batches[0].rows.size() == 2);
  CHECK(batches[1].rows.size() == 1);
}

TEST_CASE("the database is opened for reading only") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER); INSERT INTO t VALUES(1)");
  const std::string before = ReadFile(path);
  TestSource source = Read(path);
  CHECK(source.ReadAll() == Lines{R"({"id":1})"});
  CHECK(ReadFile(path) == before);
  const etl::sqlite::Database db(path, false);
  CHECK_THROWS_WITH(db.Run("DELETE FROM t"), "DELETE FROM t: attempt to write a readonly database");
}

TEST_CASE("incremental reads in each run only what is new") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, changed TEXT); INSERT INTO t VALUES(1,'2024-01-01'),(2,'2024-01-03'),(3,'2024-01-02'),(4,NULL)");
  const std::string toml = R"(
[source]
type = "sqlite"
path = "a.db"
table = "t"
incremental = "changed"
chunk_rows = 2
[[sink]]
type = "sqlite"
path = "out.db"
table = "o"
)";
  const auto run = [&] {
    const auto result = RunPipeline(dir, toml);
    CHECK(result.message == "");
    return result.status.rows_delivered;
  };
  CHECK(run() == 3);
  CHECK(run() == 0);
  Do(path, "INSERT INTO t VALUES(9,'2024-01-03'),(5,'2024-01-04'),(-6,'2024-02-01'); UPDATE t SET changed = '2024-01-05' WHERE id = 1");
  CHECK(run() == 3);
  CHECK(run() == 0);
  Do(path, "INSERT INTO t VALUES(11,'2024-02-02')");
  CHECK(run() == 1);
  TestSource out = TestSource("sqlite", {{"path", "'" + (dir / "out.db") + "'"}, {"table", "\"o\""}});
  CHECK(All(out) == Lines{R"({"id":-6,"changed":"2024-02-01"})", R"({"id":1,"changed":"2024-01-01"})", R"({"id":1,"changed":"2024-01-05"})",
                          R"({"id":11,"changed":"2024-02-02"})", R"({"id":2,"changed":"2024-01-03"})", R"({"id":3,"changed":"2024-01-02"})",
                          R"({"id":5,"changed":"2024-01-04"})"});
  CHECK(Refusal(path, {{"incremental", "\"chnged\""}}) == "incremental.column: table \"t\" has no column \"chnged\"");
  TestSource warned = Read(path, {{"incremental", "\"changed\""}});
  warned.Describe();
  CHECK(warned.head().host.logs == Lines{"leaves out the rows whose \"changed\" is null: they are newer than nothing"});
}

TEST_CASE("incremental over an empty table begins when rows come") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
  TestSource source = Read(path, {{"incremental", "\"id\""}});
  CHECK(source.Plan().empty());
  Do(path, "INSERT INTO t VALUES(5)");
  CHECK(source.Plan(true, "").size() == 1);
  CHECK(source.Plan(true, "i5").empty());
  Do(path, "INSERT INTO t VALUES(6)");
  const auto splits = source.Plan(true, "i5");
  REQUIRE(splits.size() == 1);
  CHECK(RowsOf(source.ReadBatches(splits[0])) == Lines{R"({"id":6})"});
}

TEST_CASE("a table goes whole through the runtime into another database") {
  TempDir dir;
  Do(dir / "a.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, f REAL)");
  Do(dir / "a.db", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i * 3, 's' || i, i / 7.0 FROM n");
  const std::string toml = R"(
[source]
type = "sqlite"
path = "a.db"
table = "t"
chunk_rows = 1000
batch_rows = 300
[[sink]]
type = "sqlite"
path = "out.db"
table = "t"
keys = "id"
)";
  const auto result = RunPipeline(dir, toml);
  CHECK(result.message == "");
  CHECK(result.status.rows_delivered == 20000);
  TestSource in = Read(dir / "a.db"), out = Read(dir / "out.db");
  CHECK(All(in) == All(out));
}
