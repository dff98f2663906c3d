// Exact rows of both engines, by every strategy and with many readers.
#include "lab.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

using namespace etl::test;

namespace {

std::string Limited(const Store& store, const std::string& more = "", int limit = 500, const std::string& url = "") {
  return store.Options(url) + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = " + std::to_string(limit) + "\n" + more + "\n";
}

// Rows on slice edges, equal times, an empty year, a hot second.
const std::string kSecond = "toUInt32(multiIf(number < 3000, intDiv(number, 3), number < 8000, 5000, number < 9000, 7200 + number % 600, 31535100 + intDiv(number, 10)))";
constexpr std::int64_t kCount = 10'000;

}  // namespace

TEST_CASE("every strategy gives every row once, with one reader and with sixteen") {
  for (const std::string& name : kStores) {
    const Store store(name);
    for (const std::string order : {"ts, id", "id"}) {
      if (!store.old() && order == "id" && !Full()) continue;   // one query at a time, and slow ones
      store.Rows(kCount, kSecond, order);
      for (const std::string strategy : {"auto", "slices", "article"}) {
        for (const int readers : {1, 4, 16}) {
          if (!store.old() && readers == 4 && !Full()) continue;
          CAPTURE(name);
          CAPTURE(order);
          CAPTURE(strategy);
          CAPTURE(readers);
          const Pull pull(Limited(store, "strategy = \"" + strategy + "\"\nreaders = " + std::to_string(readers)));
          const Finished f = pull.Run();
          CHECK_MESSAGE(f.exit_code == 0, f.err);
          CHECK(pull.Numbers() == UpTo(kCount));
        }
      }
    }
  }
}

TEST_CASE("keys of one's own, days, parts of seconds and numbers as times") {
  for (const std::string& name : kStores) {
    const Store store(name);
    std::vector<std::pair<std::string, std::string>> shapes = {
        {"ts Date, id UInt32", "toDate('2024-01-01') + intDiv(number, 700), toUInt32(number)"},
        {"ts UInt64, id UInt32", "1709251200 + intDiv(number, 3), toUInt32(number)"},
        {"ts Int32, id UInt32", "toInt32(-2000 + intDiv(number, 3)), toUInt32(number)"}};
    if (!store.old()) {
      shapes.push_back({"ts DateTime64(3, 'Europe/Vienna'), id UInt32", "toDateTime64('1969-12-31 23:58:00', 3, 'UTC') + toIntervalMillisecond(number * 37), toUInt32(number)"});
      shapes.push_back({"ts DateTime64(6), id UInt32", "fromUnixTimestamp64Micro(toInt64(1709251200000000 + intDiv(number, 2) * 333)), toUInt32(number)"});
      shapes.push_back({"ts Date32, id UInt32", "toDate32('1930-01-01') + intDiv(number, 700), toUInt32(number)"});
    }
    for (const auto& [columns, values] : shapes) {
      CAPTURE(name);
      CAPTURE(columns);
      store.Run("DROP TABLE IF EXISTS t");
      store.Run("CREATE TABLE t (" + columns + ") ENGINE = MergeTree ORDER BY ts");
      store.Run("INSERT INTO t SELECT " + values + " FROM (SELECT number FROM system.numbers LIMIT 5000)");
      for (const std::string more : {"order_by = \"id\"", "strategy = \"slices\"", "strategy = \"article\"", "strategy = \"auto\""}) {
        CAPTURE(more);
        const Pull pull(Limited(store, more + "\nreaders = 2\ncolumns = [\"id\"]", 300));
        const Finished f = pull.Run();
        CHECK_MESSAGE(f.exit_code == 0, f.err);
        CHECK(pull.Numbers() == UpTo(5000));
      }
    }
  }
}

TEST_CASE("one second of 250,000 rows is paged through whole") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(252'000, "multiIf(number < 1000, intDiv(number, 10), number < 251000, 100, intDiv(number, 10))", "id");
    for (const std::string strategy : {"auto", "article"}) {
      const Pull pull(Limited(store, "strategy = \"" + strategy + "\"\ncolumns = [\"id\", \"v\"]\nreaders = 1", 25'000));
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(pull.Numbers() == UpTo(252'000));
      CHECK(Metric(f, "pages_by_offset") >= 9);
      CHECK(Metric(f, "requests") <= (strategy == "auto" ? 22 : 300));
    }
  }
}

TEST_CASE("an order that is said to be unique and is not loses nothing") {
  const Store store("ch26");
  store.Rows(4000, "intDiv(number, 1000)", "ts, v");   // v: 100 values
  for (const std::string more : {"order_by = \"v\"", "order_by = \"v\"\nreaders = 4"}) {
    const Pull pull(Limited(store, more, 7));
    const Finished f = pull.Run();
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK(pull.Numbers() == UpTo(4000));
    CHECK(f.err.find("rows have one key at") != std::string::npos);
  }
}

TEST_CASE("a manifest is written, followed, and re-cut where it no longer fits") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(kCount, kSecond);
    Pull pull(Limited(store, "manifest = \"slices.json\"\nstrategy = \"slices\""));
    const Finished plan = pull.Run({"--write", "slices.json"}, "plan");
    CHECK_MESSAGE(plan.exit_code == 0, plan.err);
    CHECK(plan.out.find("ideal requests") != std::string::npos);
    const Finished f = pull.Run();
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK(pull.Numbers() == UpTo(kCount));
    CHECK(Metric(f, "slices_recut") == 0);
    const auto foreseen = plan.out.find("requests of the manifest");
    REQUIRE(foreseen != std::string::npos);
    const std::int64_t requests = std::atoll(plan.out.c_str() + plan.out.find_first_of("123456789", foreseen));
    CHECK(requests >= 20);
    CHECK(Metric(f, "requests") - Metric(f, "counts") <= requests);   // counts: more rows than ever before
    CHECK(Metric(f, "counts") <= 8);
    store.Run("INSERT INTO t SELECT toDateTime(1709251200 + intDiv(number, 3)), toUInt32(10000 + number), 'late' FROM (SELECT number FROM system.numbers LIMIT 3000)");
    const Finished late = pull.Run();
    CHECK_MESSAGE(late.exit_code == 0, late.err);
    CHECK(pull.Numbers() == UpTo(kCount + 3000));
    CHECK(Metric(late, "slices_recut") > 0);
    const Finished shared = pull.Run({"--set", "source.readers=4"});
    CHECK_MESSAGE(shared.exit_code == 0, shared.err);
    CHECK(pull.Numbers() == UpTo(kCount + 3000));
  }
}

TEST_CASE("a manifest of dates: a day of more rows than the limit is read in pages, and not told as cut again") {
  const Store store("ch26");
  store.Run("CREATE TABLE t (ts Date, id UInt32) ENGINE = MergeTree ORDER BY (ts, id)");
  store.Run("INSERT INTO t SELECT toDate(19783 + multiIf(number < 300, 0, number < 2000, 1, 2)), toUInt32(number) FROM (SELECT number FROM system.numbers LIMIT 2400)");
  const Pull pull(Limited(store, "manifest = \"slices.json\""));
  const Finished plan = pull.Run({"--write", "slices.json"}, "plan");
  CHECK_MESSAGE(plan.exit_code == 0, plan.err);
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(pull.Numbers() == UpTo(2400));
  CHECK(Metric(f, "slices_recut") == 0);
}

TEST_CASE("parts by the values of a column, found or listed, hold every row, those without a value too") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (ts DateTime, id UInt32, country Nullable(String), k UInt8) ENGINE = MergeTree ORDER BY ts");
    store.Run("INSERT INTO t SELECT toDateTime(1709251200 + intDiv(number, 3)), toUInt32(number), if(number % 7 = 0, NULL, if(number % 2, 'de', 'a\\'t')), toUInt8(number % 5) FROM (SELECT number FROM system.numbers LIMIT 6000)");
    for (const std::string more : {"shard_by = \"country\"", "shard_by = \"country\"\nshard_values = [\"de\"]", "shard_by = \"k\"\nreaders = 4", "shard_by = \"k\"\nshard_values = [\"1\", \"2\"]\nstrategy = \"article\""}) {
      CAPTURE(name);
      CAPTURE(more);
      const Pull pull(Limited(store, more));
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(pull.Numbers() == UpTo(6000));
    }
    Pull pull(Limited(store, "shard_by = \"country\"\nmanifest = \"s.json\"\nreaders = 3"));
    CHECK(pull.Run({"--write", "s.json"}, "plan").exit_code == 0);
    const Finished f = pull.Run();
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK(pull.Numbers() == UpTo(6000));
  }
}

TEST_CASE("bytes of a fixed length are parts and keys like any text") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (ts DateTime, id UInt32, f FixedString(4)) ENGINE = MergeTree ORDER BY (ts, f)");
    store.Run("INSERT INTO t SELECT toDateTime(1709251200 + intDiv(number, 900)), toUInt32(number), toFixedString(['ab', 'abcd', 'x'][number % 3 + 1], 4) FROM (SELECT number FROM system.numbers LIMIT 3000)");
    for (const std::string more : {"shard_by = \"f\"", "shard_by = \"f\"\nshard_values = [\"ab\"]", "", "fixed_strings = \"text\"", "shard_by = \"f\"\nfixed_strings = \"text\""}) {
      CAPTURE(name);
      CAPTURE(more);
      const Pull pull(Limited(store, more, 100));
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(pull.Numbers() == UpTo(3000));
    }
  }
}

TEST_CASE("texts that look like an error of the server, or are very long, are keys and values like others") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (m String, ts DateTime, id UInt32) ENGINE = MergeTree ORDER BY m");
    store.Run("INSERT INTO t SELECT concat('Code: 100, DB::Exception: x', toString(number % 50)), toDateTime(1709251200 + number), toUInt32(number) FROM (SELECT number FROM system.numbers LIMIT 20000)");
    for (const std::string more : {"page_bytes = \"64KiB\"", "time_column = \"ts\"\nmax_rows_per_request = 2000\nshard_by = \"m\""}) {
      CAPTURE(name);
      CAPTURE(more);
      const Pull pull(store.Options() + "table = \"t\"\n" + more);
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(pull.Numbers() == UpTo(20000));
    }
  }
  const Store store("ch18");
  store.Run("CREATE TABLE t (k String, id UInt32) ENGINE = MergeTree ORDER BY k");
  store.Run("INSERT INTO t SELECT concat(toString(number), arrayStringConcat(arrayMap(x -> 'yyyyyyyyyyyyyyyyyyyy', range(100)))), toUInt32(number) FROM (SELECT number FROM system.numbers LIMIT 40000)");
  const Pull pull(store.Options() + "table = \"t\"\ncolumns = [\"id\"]\npage_bytes = \"1MiB\"");   // its sample would be 80 MB
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(pull.Numbers() == UpTo(40000));
}

TEST_CASE("parameters may have any name, and a query may end with a comment") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(30000, "number");
    const auto ids = [&](const std::string& source) {
      const Pull pull(store.Options() + source);
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      return pull.Numbers();
    };
    CAPTURE(name);
    CHECK(ids("table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = 500\nwhere = \"id < {etl1:UInt64}\"\nparams = {etl1 = \"100\"}") == UpTo(100));
    CHECK(ids("table = \"t\"\npage_bytes = \"64KiB\"\nwhere = \"id >= {etl1:UInt64}\"\nparams = {etl1 = \"0\"}") == UpTo(30000));
    CHECK(ids("query = \"SELECT id FROM t WHERE id < 10 -- ten of them\"") == UpTo(10));
  }
}

TEST_CASE("a wider range pulls only what is missing, and the overlap for what came late") {
  const Store store("ch18");
  store.Rows(6000, "number");   // a row a second
  const auto source = [&](const std::string& to, const std::string& more) {
    return Limited(store, "expand = true\nfrom = \"2024-03-01\"\nto = \"" + to + "\"\n" + more);
  };
  Pull pull(source("2024-03-01 00:30:00", ""), "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"");
  const auto rows = [&](const std::string& what) {
    const Finished f = RunProcess({{"sqlite3", pull.dir / "out.db", what}});
    return f.out;
  };
  CHECK(pull.Run().exit_code == 0);
  CHECK(rows("SELECT count(*), count(DISTINCT id), max(id) FROM t") == "1800|1800|1799\n");
  pull.Rewrite(source("2024-03-01 01:00:00", ""), "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"");
  Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(rows("SELECT count(*), count(DISTINCT id), max(id) FROM t") == "3600|3600|3599\n");
  f = pull.Run();
  CHECK(rows("SELECT count(*) FROM t") == "3600\n");
  CHECK(f.err.find("all of it has been read") != std::string::npos);
}

TEST_CASE("without a limit: ranges of the sorting key, one stream where there is none, queries with parameters, compression") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(300'000, "intDiv(number, 100)");
    for (const std::string more : {"readers = 1", "readers = 4\npage_bytes = \"64KiB\"", "compression = \"lz4\"", "compression = \"zstd\"", "readers = 2\npage_bytes = \"1MiB\"\ncompression = \"lz4\""}) {
      CAPTURE(name);
      CAPTURE(more);
      const Pull pull(store.Options() + "table = \"t\"\n" + more);
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(pull.Numbers() == UpTo(300'000));
    }
    // One key for all: read in order, by offset.
    store.Rows(60'000, "5", "ts");
    const Pull dense(store.Options() + "table = \"t\"\npage_bytes = \"64KiB\"");
    const Finished d = dense.Run();
    CHECK_MESSAGE(d.exit_code == 0, d.err);
    CHECK(dense.Numbers() == UpTo(60'000));
    store.Run("CREATE TABLE log (id UInt32) ENGINE = Log");
    store.Run("INSERT INTO log SELECT toUInt32(number) FROM (SELECT number FROM system.numbers LIMIT 200000)");
    const Pull log(store.Options() + "table = \"log\"");
    CHECK(log.Run().exit_code == 0);
    CHECK(log.Numbers() == UpTo(200'000));
    const Pull query(store.Options() + "query = \"SELECT toUInt32(id - {first:UInt32}) AS id FROM (SELECT id FROM log WHERE id >= {first:UInt32} AND '{x}' = {text:String}) ORDER BY id\"\nparams = {first = \"199000\", text = \"{x}\"}");
    const Finished q = query.Run();
    CHECK_MESSAGE(q.exit_code == 0, q.err);
    CHECK(query.Numbers() == UpTo(1000));
    const Pull where(store.Options() + "table = \"log\"\nwhere = \"id < {n:UInt32}\"\nparams = {n = \"10\"}");
    CHECK(where.Run().exit_code == 0);
    CHECK(where.Numbers() == UpTo(10));
  }
}

TEST_CASE("rows that arrive while they are read: none twice, and those that were there all") {
  const Store store("ch18");
  store.Rows(20'000, "intDiv(number, 4)");
  int inserted = 0;
  const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer&, const auto&) {
    if (asked.rows && asked.number % 4 == 0) {
      store.Run("INSERT INTO t SELECT toDateTime(1709251200 + number * 7), toUInt32(1000000 + number + " + std::to_string(inserted++ * 100) + "), 'late' FROM (SELECT number FROM system.numbers LIMIT 100)");
    }
    return false;
  });
  const Pull pull(Limited(store, "readers = 3\nto = \"2024-03-01 03:00:00\"", 500, gate.url()));
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  const auto ids = pull.Numbers();
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  CHECK(std::count_if(ids.begin(), ids.end(), [](std::int64_t id) { return id < 1'000'000; }) == 20'000);
  CHECK(inserted > 3);
}

TEST_CASE("options that do not fit together, and things that are not there, are named") {
  const Store store("ch26");
  store.Rows(10, "number");
  const auto says = [&](const std::string& source, int code, const std::string& what) {
    const Pull pull(store.Options() + source);
    const Finished f = pull.Run();
    CAPTURE(source);
    CHECK_MESSAGE(f.exit_code == code, f.err);
    CHECK_MESSAGE(f.err.find(what) != std::string::npos, f.err);
  };
  says("", 4, "give either table or query");
  says("table = \"t\"\nmax_rows_per_request = 5", 4, "name the column");
  says("table = \"nowhere\"", 4, "\"table\"");
  says("table = \"t\"\ncolumns = [\"nothing\"]", 4, "\"columns\"");
  says("table = \"t\"\nwhere = \"nothing = 1\"", 4, "\"where\"");
  says("table = \"t\"\ntime_column = \"v\"\nmax_rows_per_request = 5", 4, "is text; a date");
  says("table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = 5\nfrom = \"2024-02-30x\"", 4, "is no time");
  says("query = \"SELEC 1\"", 4, "\"query\"");
  says("table = \"t\"\nexpand = true", 4, "belongs to max_rows_per_request");
  says("table = \"t\"\nsettings = {timeout_overflow_mode = \"break\"}", 4, "cuts results without a word");
  const Pull wrong("type = \"clickhouse\"\nurl = \"" + store.url() + "\"\nuser = \"etl\"\npassword = \"secret-word\"\ntable = \"t\"");
  const Finished f = wrong.Run();
  CHECK(f.exit_code == 4);
  CHECK(f.err.find("secret-word") == std::string::npos);
}
