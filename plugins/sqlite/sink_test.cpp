#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "database.h"
#include "fake_host.h"
#include "run_pipeline.h"
#include "support/temp_dir.h"

using namespace etl::test;
using etl::Batch;
using etl::Schema;
using Lines = std::vector<std::string>;

namespace {

/// The rows of a query, each as its values in SQLite's own quoting with commas between.
Lines Ask(const std::string& path, const std::string& sql) {
  const etl::sqlite::Database db(path, false);
  const etl::sqlite::Statement s(db.get(), sql);
  Lines rows;
  while (s.Step()) {
    std::string row;
    for (int i = 0; i < sqlite3_column_count(s.get()); ++i) {
      const int type = sqlite3_column_type(s.get(), i);
      row += i ? "," : "";
      if (type == SQLITE_NULL) row += "null";
      else if (type == SQLITE_TEXT) row += "'" + std::string(s.Text(i)) + "'";
      else if (type == SQLITE_BLOB) row += "x'" + std::string(s.Blob(i)) + "'";
      else row += std::string(s.Text(i));
    }
    rows.push_back(row);
  }
  return rows;
}

void Do(const std::string& path, const std::string& sql) { etl::sqlite::Database(path, true).Run(sql); }

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

TomlOptions Into(const std::string& path, TomlOptions more = {}) {
  more.insert(more.end(), {{"path", Quoted(path)}, {"table", "\"t\""}});
  return more;
}

const Schema kTwo{{"id", etl::Int64(), false}, {"name", etl::Utf8()}};
using Pairs = std::vector<std::pair<std::int64_t, const char*>>;

Batch Two(const Pairs& rows) {
  Batch b(kTwo);
  for (const auto& [id, name] : rows) {
    b[0].Append(id);
    if (name) b[1].Append(name);
    else b[1].Null();
  }
  return b;
}

/// Writes rows in one pass; what was rejected.
std::vector<Rejected> Write(TomlOptions options, const Pairs& rows, const Schema& schema = kTwo) {
  TestSink sink("sqlite", std::move(options), schema);
  sink.Begin();
  sink.Open();
  Batch b = Two(rows);
  CHECK(sink.Write(b) == ETL_PENDING);
  sink.Flush();
  CHECK(sink.worker().host.settled == std::vector<std::uint64_t>{1});
  auto rejects = sink.worker().host.rejects;
  sink.Stop();
  sink.End();
  return rejects;
}

/// What begin() says against these options: "option: sentence".
std::string Refusal(const TomlOptions& options, const Schema& schema = kTwo) {
  TestSink sink("sqlite", options, schema);
  try {
    sink.Begin();
  } catch (const Failure& f) {
    return f.option + ": " + f.what();
  }
  return {};
}

/// One pass with a key and marks of its own.
struct Pass {
  explicit Pass(const TomlOptions& options, const std::string& key = "key", std::uint32_t flags = 0)
      : head(FindComponent('k', "sqlite"), options), schema(etl::detail::OwnSchema(kTwo)) {
    const etl_run run{sizeof run, flags, etl::ToStr("test"), etl::ToStr(key), {nullptr, 0}, schema.get()};
    Call(head.component().sink->begin(head.self(), &run, &error));
  }
  void Call(etl_status status) const {
    if (status < 0) throw Failure(status, error);
  }
  /// As "split position seq", or "unsupported".
  Lines Positions() {
    Lines lines;
    const etl_status status = head.component().sink->positions(
        head.self(), &lines,
        [](void* to, const etl_mark* m) noexcept {
          static_cast<Lines*>(to)->push_back(std::string(etl::View(m->split)) + " " + std::string(etl::View(m->position)) + " " +
                                             std::to_string(m->seq));
        },
        &error);
    Call(status == ETL_UNSUPPORTED ? ETL_OK : status);
    return status == ETL_UNSUPPORTED ? Lines{"unsupported"} : lines;
  }
  void Open() {
    worker = std::make_unique<Worker>(head);
    host = const_cast<etl_host*>(worker->host.table());
    Call(head.component().sink->open(worker->self(), schema.get(), {nullptr, 0}, &error));
  }
  etl_status Write(const Pairs& rows, const std::string& split = "", const std::string& position = "", std::uint64_t seq = 0) {
    if (!worker) Open();
    Batch b = Two(rows);
    ArrowArray array{};
    b.Finish(&array);
    const etl_mark mark{etl::ToStr(split), etl::ToStr(position), seq};
    etl_batch batch{sizeof batch, 0, ++id, first, &array, &mark, split.empty() ? 0u : 1u};
    first += rows.size();
    const etl_status status = head.component().sink->write(worker->self(), &batch, &error);
    if (array.release) array.release(&array);
    return status;
  }
  etl_status Flush() {
    etl_str state{nullptr, 0};
    return head.component().sink->flush(worker->self(), &state, &error);
  }
  etl_status Tick() { return head.component().sink->tick(worker->self(), &error); }

  etl_error error{sizeof(etl_error), 0, 0, 0, {}, {}};
  Head head;
  std::shared_ptr<const ArrowSchema> schema;
  std::unique_ptr<Worker> worker;
  etl_host* host = nullptr;
  std::uint64_t id = 0, first = 0;
};

thread_local std::vector<std::int64_t> wakes;
thread_local int durable_calls = 0;
thread_local etl_status durable_says = ETL_OK;
thread_local std::string durable_saw, database;

}  // namespace

TEST_CASE("a table is made from the schema of the rows") {
  TempDir dir;
  const std::string path = dir / "a.db";
  const Schema schema{{"i", etl::Int32(), false}, {"u", etl::UInt64()}, {"b", etl::Bool()}, {"f", etl::Float32()}, {"s", etl::Utf8()},
                      {"z", etl::Binary()}, {"d", etl::Decimal128(38, 1)}, {"day", etl::Date32()}, {"t", etl::TimestampMicros()},
                      {"l", etl::List(etl::Utf8())}, {"j", etl::Json()}, {"a \"b", etl::Float64()}};
  TestSink sink("sqlite", Into(path, {{"keys", "\"i\""}}), schema);
  sink.Begin();
  CHECK(Ask(path, "SELECT sql FROM sqlite_schema WHERE name = 't'") ==
        Lines{R"('CREATE TABLE "t"("i" INTEGER NOT NULL PRIMARY KEY, "u" INTEGER, "b" INTEGER, "f" REAL, "s" TEXT, "z" BLOB, "d" TEXT, )"
              R"("day" TEXT, "t" TEXT, "l" TEXT, "j" TEXT, "a ""b" REAL)')"});
  sink.Open();
  Batch b(schema);
  b[0].Append(-5);
  b[1].Append(std::uint64_t{9223372036854775807u});
  b[2].Append(true);
  b[3].Append(0.5F);
  b[4].Append(std::string_view("a\0'b", 4));
  b[5].Append("\xff");
  const std::int64_t d[2] = {12345, 0};
  b[6].Append(std::string_view(reinterpret_cast<const char*>(d), 16));
  b[7].Append(19782);
  b[8].Append(std::int64_t{1709211909123456});
  b[9].child(0).Append("x\"y");
  b[9].EndRow();
  b[10].Append("\"text\"");
  b[11].Append(-std::numeric_limits<double>::infinity());
  b[0].Append(6);
  for (std::size_t i = 1; i < 12; ++i) b[i].Null();
  sink.Write(b);
  sink.Flush();
  CHECK(sink.worker().host.rejects.empty());
  CHECK(Ask(path, R"(SELECT i, u, b, f, hex(s), hex(z), d, day, t, l, j, "a ""b" FROM t)") ==
        Lines{"-5,9223372036854775807,1,0.5,'61002762','FF','1234.5','2024-02-29','2024-02-29T13:05:09.123456Z','[\"x\\\"y\"]',"
              "'\"text\"',-Inf",
              "6,null,null,null,'','',null,null,null,null,null,null"});
  CHECK(Ask(path, "SELECT typeof(s), typeof(z), typeof(d) FROM t") == Lines{"'text','blob','text'", "'null','null','null'"});
}

TEST_CASE("several keys are one primary key, and a text key may not be null") {
  TempDir dir;
  const std::string path = dir / "a.db";
  CHECK(Refusal(Into(path, {{"keys", R"(["name", "id"])"}})) == "");
  CHECK(Ask(path, "SELECT sql FROM sqlite_schema WHERE name = 't'") ==
        Lines{R"('CREATE TABLE "t"("id" INTEGER NOT NULL, "name" TEXT NOT NULL, PRIMARY KEY("name", "id"))')"});
}

TEST_CASE("each mode does with a row what it says") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, more TEXT DEFAULT 'new'); INSERT INTO t VALUES(1,'one','old'),(2,'two','old')");
  const auto run = [&](const char* mode, TomlOptions more = {}) {
    more.push_back({"mode", "\"" + std::string(mode) + "\""});
    const auto rejects = Write(Into(path, more), {{2, "x"}, {3, "y"}, {3, "z"}});
    Lines lines = Ask(path, "SELECT * FROM t");
    for (const Rejected& r : rejects) lines.push_back("row " + std::to_string(r.row) + ": " + r.reason);
    return lines;
  };
  SUBCASE("insert") {
    CHECK(run("insert") == Lines{"1,'one','old'", "2,'two','old'", "3,'y','new'", "row 0: UNIQUE constraint failed: t.id",
                                 "row 2: UNIQUE constraint failed: t.id"});
  }
  SUBCASE("ignore") { CHECK(run("ignore") == Lines{"1,'one','old'", "2,'two','old'", "3,'y','new'"}); }
  SUBCASE("ignore by keys") {
    CHECK(run("ignore", {{"keys", "\"id\""}}) == Lines{"1,'one','old'", "2,'two','old'", "3,'y','new'"});
  }
  SUBCASE("upsert keeps what is not written") {
    CHECK(run("upsert", {{"keys", "\"ID\""}}) == Lines{"1,'one','old'", "2,'x','old'", "3,'z','new'"});
  }
  SUBCASE("replace") { CHECK(run("replace") == Lines{"1,'one','old'", "2,'x','new'", "3,'z','new'"}); }
  SUBCASE("update rejects what is not there") {
    CHECK(run("update", {{"keys", "\"id\""}}) == Lines{"1,'one','old'", "2,'x','old'", "row 1: no row of the table has this key",
                                                       "row 2: no row of the table has this key"});
  }
  SUBCASE("delete") { CHECK(run("delete", {{"keys", "\"id\""}}) == Lines{"1,'one','old'"}); }
  SUBCASE("delete by another column") {
    Do(path, "UPDATE t SET name = 'y'");
    CHECK(run("delete", {{"keys", "\"name\""}}) == Lines{});
  }
}

TEST_CASE("columns says what is written where") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(\"the name\" TEXT, number INTEGER DEFAULT 7, twice AS (number * 2))");
  Write(Into(path, {{"columns", R"({"the name" = "name"})"}}), {{1, "a"}, {2, nullptr}});
  CHECK(Ask(path, "SELECT * FROM t") == Lines{"'a',7,14", "null,7,14"});
  CHECK(Refusal(Into(path, {{"columns", "{number = \"idd\"}"}})) == "columns: the rows have no column \"idd\"");
  CHECK(Refusal(Into(path, {{"columns", "{twice = \"id\"}"}})) == "columns: column \"twice\" of \"t\" is generated and cannot be written");
  CHECK(Refusal(Into(path, {{"columns", "{number = \"id\", NUMBER = \"id\"}"}})) ==
        "columns: two columns of the rows would be written into column \"NUMBER\" of \"t\"");
}

TEST_CASE("what does not fit the table is refused before the first row") {
  TempDir dir;
  const std::string path = dir / "a.db";
  CHECK(Refusal(Into(path, {{"create", "false"}})) ==
        "table: " + path + " has no table \"t\"; make it, or let create = true do so");
  Do(path, "CREATE TABLE t(id INTEGER, other TEXT)");
  CHECK(Refusal(Into(path)) == "table: table \"t\" has no column \"name\"; name what is to be written in columns");
  const TomlOptions id = {{"columns", "{id = \"id\"}"}};
  const auto with = [&](TomlOptions more) {
    more.insert(more.end(), id.begin(), id.end());
    return Refusal(Into(path, more));
  };
  CHECK(with({{"mode", "\"upsert\""}}) == "keys: mode \"upsert\" needs keys");
  CHECK(with({{"mode", "\"update\""}}) == "keys: mode \"update\" needs keys");
  CHECK(with({{"mode", "\"delete\""}}) == "keys: mode \"delete\" needs keys");
  CHECK(with({{"mode", "\"upsert\""}, {"keys", "\"id\""}}) ==
        "keys: upsert needs a primary key or unique index over just \"id\" in table \"t\"");
  CHECK(with({{"mode", "\"update\""}, {"keys", "\"id\""}}) ==
        "keys: mode \"update\" has nothing to set: all columns that are written are keys");
  CHECK(with({{"mode", "\"delete\""}, {"keys", "\"other\""}}) == "keys: \"other\" is no column that is written");
  Do(path, "DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY NOT NULL, name TEXT, must TEXT NOT NULL)");
  CHECK(Refusal(Into(path)) == "columns: column \"must\" of \"t\" must not be null, and the rows have none");
  CHECK(Refusal(Into(path, {{"mode", "\"update\""}, {"keys", "\"id\""}})) == "");
  Do(path, "DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY NOT NULL, name TEXT)");
  CHECK(Refusal(Into(path, {{"columns", "{name = \"name\"}"}})) == "");
  Do(path, "DROP TABLE t; CREATE TABLE t(id TEXT, name TEXT, PRIMARY KEY(id)) WITHOUT ROWID");
  CHECK(Refusal(Into(path, {{"columns", "{name = \"name\"}"}})) == "columns: column \"id\" of \"t\" must not be null, and the rows have none");
  Do(path, "DROP TABLE t; CREATE VIEW t AS SELECT 1 AS id, 'x' AS name");
  CHECK(Refusal(Into(path)) == "table: cannot write into \"t\": cannot modify t because it is a view");
  CHECK(Refusal(Into(dir / "none/a.db")) == "path: cannot open " + (dir / "none/a.db") + ": unable to open database file");
  CHECK(Refusal(Into(dir.Write("text", std::string(2000, 'x')))) == "path: cannot read " + (dir / "text") + ": file is not a database");
}

TEST_CASE("an integer key that the rows do not have is given by SQLite") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(n INTEGER PRIMARY KEY, name TEXT)");
  Write(Into(path, {{"columns", "{name = \"name\"}"}}), {{7, "a"}, {7, "b"}});
  CHECK(Ask(path, "SELECT * FROM t") == Lines{"1,'a'", "2,'b'"});
}

TEST_CASE("rows that break a constraint are rejected with SQLite's words, and the others are delivered") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER CHECK(id < 10), name TEXT NOT NULL)");
  const auto rejects = Write(Into(path), {{1, "a"}, {11, "b"}, {2, nullptr}, {3, "c"}});
  CHECK(Ask(path, "SELECT * FROM t") == Lines{"1,'a'", "3,'c'"});
  REQUIRE(rejects.size() == 2);
  CHECK(rejects[0].row == 1);
  CHECK(rejects[0].reason == "CHECK constraint failed: id < 10");
  CHECK(rejects[1].row == 2);
  CHECK(rejects[1].reason == "NOT NULL constraint failed: t.name");
}

TEST_CASE("a wrong type in a STRICT table is rejected") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER, name INTEGER) STRICT");
  const auto rejects = Write(Into(path), {{1, "5"}, {2, "x"}});
  CHECK(Ask(path, "SELECT * FROM t") == Lines{"1,5"});
  REQUIRE(rejects.size() == 1);
  CHECK(rejects[0].reason == "cannot store TEXT value in INTEGER column t.name");
}

TEST_CASE("a row whose key is null is rejected, since nothing would find it again") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER, name TEXT UNIQUE)");
  const auto rejects = Write(Into(path, {{"mode", "\"upsert\""}, {"keys", "\"name\""}}), {{1, "a"}, {2, nullptr}, {3, "a"}});
  CHECK(Ask(path, "SELECT * FROM t") == Lines{"3,'a'"});
  REQUIRE(rejects.size() == 1);
  CHECK(rejects[0].reason == "the key column \"name\" is null");
}

TEST_CASE("what SQLite cannot hold is rejected") {
  TempDir dir;
  const std::string path = dir / "a.db";
  const Schema schema{{"u", etl::UInt64()}, {"f", etl::Float64()}, {"g", etl::Float32()}};
  TestSink sink("sqlite", Into(path), schema);
  sink.Begin();
  sink.Open();
  Batch b(schema);
  b[0].Append(std::uint64_t{1} << 63);
  b[1].Append(1.0);
  b[2].Append(1.0F);
  b[0].Append(1);
  b[1].Append(std::nan(""));
  b[2].Append(1.0F);
  b[0].Append(2);
  b[1].Append(2.0);
  b[2].Append(std::nanf(""));
  b[0].Append(3);
  b[1].Append(3.0);
  b[2].Append(3.0F);
  sink.Write(b);
  sink.Flush();
  CHECK(Ask(path, "SELECT * FROM t") == Lines{"3,3.0,3.0"});
  const auto& rejects = sink.worker().host.rejects;
  REQUIRE(rejects.size() == 3);
  CHECK(rejects[0].reason == "column \"u\": 9223372036854775808 is larger than SQLite's integers (2^63-1); cast it to text before");
  CHECK(rejects[1].reason == "column \"f\": NaN would become NULL in SQLite");
  CHECK(rejects[2].reason == "column \"g\": NaN would become NULL in SQLite");
}

TEST_CASE("rows and position are committed together, and given back for the same pass only") {
  TempDir dir;
  const std::string path = dir / "a.db";
  {
    Pass pass(Into(path), "one");
    CHECK(pass.Positions() == Lines{});
    CHECK(pass.Write({{1, "a"}}, "s1", "p1", 1) == ETL_PENDING);
    CHECK(pass.Write({{2, "b"}}, "s1", "p2", 2) == ETL_PENDING);
    CHECK(pass.Write({{3, "c"}}, "s2", std::string("q\0", 2), 1) == ETL_PENDING);
    CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"0"});
    CHECK(Ask(path, "SELECT count(*) FROM _etl_position") == Lines{"0"});
    CHECK(pass.worker->host.settled.empty());
    CHECK(pass.Flush() == ETL_OK);
    CHECK(pass.worker->host.settled == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"3"});
    CHECK(pass.Write({{4, "d"}}, "s1", "p3", 3) == ETL_PENDING);   // the program dies here
  }
  CHECK(Ask(path, "SELECT id FROM t") == Lines{"1", "2", "3"});
  CHECK(Pass(Into(path), "one", ETL_RESUMED).Positions() == Lines{"s1 p2 2", std::string("s2 q\0 1", 7)});
  CHECK(Pass(Into(path), "two").Positions() == Lines{});
  CHECK(Ask(path, "SELECT count(*) FROM _etl_position") == Lines{"0"});
  CHECK(Ask(path, "SELECT id FROM t") == Lines{"1", "2", "3"});
}

TEST_CASE("the positions of another pipeline in the same database stay") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Pass pass(Into(path), "one");
  Do(path, "INSERT INTO _etl_position VALUES('other', 'old', 's', 1, 'p')");
  CHECK(Pass(Into(path), "two").Positions() == Lines{});
  CHECK(Ask(path, "SELECT pipeline FROM _etl_position") == Lines{"'other'"});
}

TEST_CASE("without exactly_once, and in a replay, no position is kept") {
  TempDir dir;
  Pass off(Into(dir / "a.db", {{"exactly_once", "false"}}));
  CHECK(off.Positions() == Lines{"unsupported"});
  CHECK(Ask(dir / "a.db", "SELECT name FROM sqlite_schema") == Lines{"'t'"});
  Pass replay(Into(dir / "b.db"), "key", ETL_REPLAY);
  CHECK(replay.Positions() == Lines{"unsupported"});
  CHECK(replay.Write({{1, "a"}}) == ETL_PENDING);
  CHECK(replay.Flush() == ETL_OK);
  CHECK(Ask(dir / "b.db", "SELECT id FROM t") == Lines{"1"});
}

TEST_CASE("rejects are on disk before the rows beside them are committed") {
  TempDir dir;
  const std::string path = database = dir / "a.db";
  Pass pass(Into(path));
  CHECK(pass.Write({{1, "a"}}, "s", "p", 1) == ETL_PENDING);
  durable_calls = 0;
  pass.host->durable = [](const etl_host*) noexcept -> etl_status {
    ++durable_calls;
    durable_saw = Ask(database, "SELECT count(*) FROM t")[0];
    return durable_says;
  };
  SUBCASE("then commit") {
    durable_says = ETL_OK;
    CHECK(pass.Flush() == ETL_OK);
    CHECK(durable_calls == 1);
    CHECK(durable_saw == "0");
    CHECK(Ask(path, "SELECT id FROM t") == Lines{"1"});
  }
  SUBCASE("a cancelled one rolls back") {
    durable_says = ETL_CANCELLED;
    CHECK(pass.Flush() == ETL_CANCELLED);
    pass.worker.reset();
    CHECK(Ask(path, "SELECT id FROM t") == Lines{});
    CHECK(Ask(path, "SELECT * FROM _etl_position") == Lines{});
  }
  SUBCASE("a passing fault leaves the rows in the transaction, to be committed by the next try") {
    durable_says = ETL_RETRY;
    CHECK(pass.Flush() == ETL_RETRY);
    durable_says = ETL_OK;
    CHECK(pass.Flush() == ETL_OK);
    CHECK(Ask(path, "SELECT id FROM t") == Lines{"1"});
  }
}

TEST_CASE("a full batch is committed at once, and a passing fault of that does not write it twice") {
  TempDir dir;
  const std::string path = database = dir / "a.db";
  Pass pass(Into(path, {{"batch", "{rows = 3}"}}));
  CHECK(pass.Write({{1, "a"}, {2, "b"}}, "s", "p1", 1) == ETL_PENDING);
  CHECK(pass.worker->host.settled.empty());
  CHECK(pass.Write({{3, "c"}, {4, "d"}}, "s", "p2", 2) == ETL_PENDING);
  CHECK(pass.worker->host.settled == std::vector<std::uint64_t>{1, 2});
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"4"});
  durable_says = ETL_RETRY;
  wakes.clear();
  pass.host->durable = [](const etl_host*) noexcept -> etl_status { return durable_says; };
  pass.host->wake = [](const etl_host*, std::int64_t at) noexcept { wakes.push_back(at); };
  CHECK(pass.Write({{5, "e"}, {6, "f"}, {7, "g"}}, "s", "p3", 3) == ETL_PENDING);
  REQUIRE(!wakes.empty());
  CHECK(wakes.back() == 1);   // now
  CHECK(pass.Tick() == ETL_RETRY);
  durable_says = ETL_OK;
  CHECK(pass.Tick() == ETL_OK);
  CHECK(Ask(path, "SELECT id FROM t") == Lines{"1", "2", "3", "4", "5", "6", "7"});
  CHECK(pass.Positions() == Lines{"s p3 3"});
}

TEST_CASE("bytes fill a batch, too") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Pass pass(Into(path, {{"batch", "{bytes = \"1KiB\"}"}}));
  const std::string big(2000, 'x');
  CHECK(pass.Write({{1, "small"}}) == ETL_PENDING);
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"0"});
  CHECK(pass.Write({{2, big.c_str()}}) == ETL_PENDING);
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"2"});
}

TEST_CASE("the oldest row waits no longer than linger") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Pass pass(Into(path, {{"batch", "{linger = \"5s\"}"}}));
  pass.Open();
  wakes.clear();
  pass.host->wake = [](const etl_host*, std::int64_t at) noexcept { wakes.push_back(at); };
  CHECK(pass.Write({{1, "a"}}) == ETL_PENDING);
  CHECK(pass.Write({{2, "b"}}) == ETL_PENDING);
  CHECK(wakes == std::vector<std::int64_t>{5'000'000'001});   // the fake clock stands at 1
  CHECK(pass.Tick() == ETL_OK);
  CHECK(wakes == std::vector<std::int64_t>{5'000'000'001, 0});
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"2"});
  CHECK(pass.worker->host.settled == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("marks without rows are committed, too") {
  TempDir dir;
  Pass pass(Into(dir / "a.db"));
  CHECK(pass.Write({}, "s", "p", 9) == ETL_PENDING);
  CHECK(pass.Flush() == ETL_OK);
  CHECK(pass.Positions() == Lines{"s p 9"});
}

TEST_CASE("truncate empties the table in a new pass only") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER, name TEXT); INSERT INTO t VALUES(1, 'a')");
  const TomlOptions options = Into(path, {{"truncate", "true"}});
  Pass(options, "one", ETL_RESUMED);
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"1"});
  Pass(options, "one", ETL_REPLAY);
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"1"});
  Pass(options, "two");
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"0"});
}

TEST_CASE("a refused sink changes nothing") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER, other TEXT); INSERT INTO t VALUES(1, 'a')");
  CHECK(Refusal(Into(path, {{"truncate", "true"}})) != "");
  CHECK(Ask(path, "SELECT * FROM t") == Lines{"1,'a'"});
  CHECK(Ask(path, "SELECT name FROM sqlite_schema") == Lines{"'t'"});
}

TEST_CASE("a database that another program writes to is waited for, not given up") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Pass pass(Into(path));
  pass.Open();
  const etl::sqlite::Database other(path, true);
  other.Run("BEGIN IMMEDIATE");
  CHECK(pass.Write({{1, "a"}}) == ETL_RETRY);
  CHECK(std::string(pass.error.message) == "BEGIN IMMEDIATE: database is locked");
  other.Run("COMMIT");
  CHECK(pass.Write({{1, "a"}}) == ETL_PENDING);
  CHECK(pass.Flush() == ETL_OK);
  CHECK(Ask(path, "SELECT id FROM t") == Lines{"1"});
}

TEST_CASE("a table that rolls back the whole transaction stops the run instead of losing rows") {
  TempDir dir;
  const std::string path = dir / "a.db";
  Do(path, "CREATE TABLE t(id INTEGER UNIQUE ON CONFLICT ROLLBACK, name TEXT)");
  Pass pass(Into(path));
  CHECK(pass.Write({{1, "a"}, {1, "b"}, {2, "c"}}, "s", "p", 1) == ETL_FATAL);
  CHECK(std::string(pass.error.message) ==
        "writing into \"t\": UNIQUE constraint failed: t.id, and the whole transaction was rolled back (by ON CONFLICT ROLLBACK or a "
        "trigger?)");
  pass.worker.reset();
  CHECK(Ask(path, "SELECT count(*) FROM t") == Lines{"0"});
  CHECK(pass.Positions() == Lines{});
}
