// What a run leaves to the next one, and what arrives in between: nothing is lost, nothing comes twice.
#include "lab.h"

#include <algorithm>
#include <filesystem>

using namespace etl::test;

namespace {

constexpr std::int64_t kBegin = 1'709'251'200;   // 2024-03-01
const std::string kTarget = "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"";

std::string Limited(const Store& store, const std::string& url, const std::string& more, int limit = 500) {
  return store.Options(url) + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = " + std::to_string(limit) + "\n" + more + "\n";
}

std::string Sql(const Pull& pull, const std::string& what) {
  const Finished f = RunProcess({{"sqlite3", pull.dir / "out.db", what}});
  return f.out.substr(0, f.out.find('\n'));
}

Finished Good(const Pull& pull) {
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  return f;
}

/// A store whose clock says what it is told to: "2024-03-01 00:10:00".
struct Clock {
  explicit Clock(const Store& store) : gate(store, [this](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
    const auto at = asked.body.find("now()");
    if (at == std::string::npos) return false;
    answer = forward(asked.body.substr(0, at) + "toDateTime('" + now + "')" + asked.body.substr(at + 5));
    return true;
  }) {}
  std::string now;
  Gate gate;
};

/// A store that gives so many pages, and then no more.
struct Failing {
  Failing(const Store& store, int pages) : left(pages), gate(store, [this](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
    if (!asked.rows || left-- > 0) return false;
    answer = {503, "", "", -1, true};
    return true;
  }) {}
  void Go() { left = 1 << 30; }
  std::atomic<int> left;
  Gate gate;
};
const std::string kLittle = "retry = {max_elapsed = \"100ms\", initial = \"1ms\", max = \"5ms\"}";

/// `count` rows from `first` on, with ids that go on from `id`; seconds as SQL of number.
void Insert(const Store& store, std::int64_t count, const std::string& second, std::int64_t id) {
  store.Run("INSERT INTO t SELECT toDateTime(" + std::to_string(kBegin) + " + (" + second + ")), toUInt32(" + std::to_string(id) + " + number), concat('v', toString(toUInt32(" + std::to_string(id) + " + number) % 4)) FROM (SELECT number FROM system.numbers LIMIT " +
            std::to_string(count) + ")");
}

}  // namespace

TEST_CASE("with expand, time that is not over is left to a later run, and what comes in it then is read once") {
  for (const std::string& name : kStores) {
    const Store store(name);
    Clock clock(store);
    for (const std::string to : {"", "to = \"2099-01-01\"\n"}) {
      store.Rows(600, "number");
      Insert(store, 1, "600", 600);     // the running second
      Insert(store, 1, "3600", 601);    // a clock that is wrong
      CAPTURE(name);
      CAPTURE(to);
      const Pull pull(Limited(store, clock.gate.url(), "expand = true\nreaders = 2\n" + to), kTarget);
      clock.now = "2024-03-01 00:10:00";
      const Finished first = Good(pull);
      CHECK(first.err.find("leaves rows from 2024-03-01 00:10:00 on to later runs") != std::string::npos);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), max(id) FROM t") == "600|600|599");
      Insert(store, 1, "600", 602);
      clock.now = "2024-03-01 00:30:00";
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), sum(id = 601) FROM t") == "602|602|0");
      // None since, and then a load of what was written in the meantime.
      Insert(store, 100, "601 + number * 10", 603);
      clock.now = "2024-03-01 02:00:00";
      const Finished last = Good(pull);
      CHECK(last.err.find("leaves") == std::string::npos);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id) FROM t") == "703|703");
      CHECK(Good(pull).err.find("all of it has been read") != std::string::npos);
    }
  }
}

TEST_CASE("with expand, what is read for good ends with the last row, however fine its time is") {
  const Store store("ch26");
  store.Run("CREATE TABLE t (ts DateTime64(9, 'UTC'), id UInt32) ENGINE = MergeTree ORDER BY ts");
  store.Run("INSERT INTO t SELECT toDateTime64('2024-03-01 00:00:00.999999999', 9, 'UTC') + number, number FROM numbers(10)");
  const Pull pull(Limited(store, "", "expand = true"), kTarget);
  Good(pull);
  CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id) FROM t") == "10|10");
  store.Run("INSERT INTO t SELECT toDateTime64('2024-03-01 00:00:10', 9, 'UTC') + number, 10 + number FROM numbers(10)");
  Good(pull);
  CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id) FROM t") == "20|20");
}

TEST_CASE("a table by days takes few requests, and a day is over when it is over on the server") {
  for (const std::string& name : kStores) {
    const Store store(name);
    for (const std::string type : {"Date", "Date32"}) {
      if (store.old() && type == "Date32") continue;
      Clock clock(store);
      store.Run("DROP TABLE IF EXISTS t");
      store.Run("CREATE TABLE t (ts " + type + ", id UInt32) ENGINE = MergeTree ORDER BY ts");
      // 140 rows a day for 50 days, and a day of 2,000.
      store.Run("INSERT INTO t SELECT to" + type + "('2024-01-01') + if(number < 7000, intDiv(number, 140), 20), toUInt32(number) FROM (SELECT number FROM system.numbers LIMIT 9000)");
      CAPTURE(name);
      CAPTURE(type);
      for (const std::string strategy : {"auto", "article"}) {
        CAPTURE(strategy);
        const Pull pull(Limited(store, "", "strategy = \"" + strategy + "\"", 500));
        const Finished f = Good(pull);
        CHECK(pull.Numbers() == UpTo(9000));
        // Three days a request make 17, the day of 2,140 five.
        CHECK(Metric(f, "requests") - Metric(f, "counts") <= (strategy == "auto" ? 27 : 70));
      }
      Pull pull(Limited(store, clock.gate.url(), "expand = true\noverlap = \"1h\"\nfrom = \"2024-01-01 12:00:00\""), kTarget);
      clock.now = "2024-02-10 23:59:59";   // the fortieth day
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), min(ts), max(ts) FROM t") == "7460|7460|2024-01-02|2024-02-09");
      store.Run("INSERT INTO t SELECT to" + type + "('2024-02-10'), toUInt32(9000 + number) FROM (SELECT number FROM system.numbers LIMIT 10)");
      store.Run("INSERT INTO t SELECT to" + type + "('2024-02-09'), toUInt32(9010)");   // late
      clock.now = "2024-03-11 00:00:00";
      Good(pull);
      // The overlap of an hour is a day: its 140 come again.
      CHECK(Sql(pull, "SELECT count(*) - 140, count(DISTINCT id), min(ts), max(ts) FROM t") == "8871|8871|2024-01-02|2024-02-19");
    }
  }
}

TEST_CASE("an overlap is read again, with what came late in it, and nothing else is") {
  for (const std::string& name : kStores) {
    const Store store(name);
    for (const std::string more : {"", "readers = 3", "strategy = \"article\"", "shard_by = \"v\"\nshard_values = [\"v1\", \"v2\"]\nreaders = 2"}) {
      CAPTURE(name);
      CAPTURE(more);
      store.Rows(4000, "number");
      const auto source = [&](const std::string& from, const std::string& to, const std::string& overlap) {
        return Limited(store, "", "expand = true\nfrom = \"" + from + "\"\nto = \"" + to + "\"\noverlap = \"" + overlap + "\"\n" + more);
      };
      Pull pull(source("2024-03-01 00:00:00", "2024-03-01 00:20:00", "0s"), kTarget);
      Good(pull);
      pull.Rewrite(source("2024-03-01 00:30:00", "2024-03-01 00:40:00", "0s"), kTarget);
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id) FROM t") == "1800|1800");
      // Late: in each overlap of a minute, one second before it, and between what was read.
      for (const auto& [second, id] : std::vector<std::pair<std::string, int>>{{"1139", 9001}, {"1140", 9002}, {"1199", 9003}, {"1500", 9004}, {"2339", 9005}, {"2340", 9006}, {"2400", 9007}}) {
        Insert(store, 1, second, id);
      }
      pull.Rewrite(source("2024-03-01 00:00:00", "2024-03-01 00:50:00", "60s"), kTarget);
      Good(pull);
      CHECK(Sql(pull, "SELECT group_concat(id) FROM (SELECT id FROM t WHERE id >= 9000 ORDER BY id)") == "9002,9003,9004,9006,9007");
      CHECK(Sql(pull, "SELECT sum(n = 1), sum(n = 2), sum(n > 2), min(CASE WHEN n = 2 THEN id END), max(CASE WHEN n = 2 THEN id END) FROM (SELECT id, count(*) n FROM t WHERE id < 9000 GROUP BY id)") ==
            "2880|120|0|1140|2399");
      // Longer than all that was read: the whole range once more, once.
      pull.Rewrite(source("2024-03-01 00:00:00", "2024-03-01 01:00:00", "7h"), kTarget);
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*) FROM t WHERE id >= 3000 AND id < 9000") == "600");
      CHECK(Sql(pull, "SELECT count(*) FROM t WHERE id < 3000") == "6120");
      CHECK(Sql(pull, "SELECT count(*) FROM t WHERE id >= 9000") == "12");
    }
  }
}

TEST_CASE("a wider range in an interrupted pass leaves out what earlier passes read") {
  const Store store("ch18");
  store.Rows(6000, "number");
  Failing failing(store, 1 << 30);
  const auto source = [&](const std::string& from, const std::string& to) {
    return Limited(store, failing.gate.url(), "expand = true\nfrom = \"2024-03-01 00:" + from + "\"\nto = \"2024-03-01 0" + to + "\"", 100);
  };
  Pull pull(source("20:00", "0:30:00"), kTarget, kLittle);
  Good(pull);
  CHECK(Sql(pull, "SELECT count(*), min(id), max(id) FROM t") == "600|1200|1799");
  failing.left = 3;
  pull.Rewrite(source("40:00", "0:50:00"), kTarget, kLittle);
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 6, f.err);
  failing.Go();
  pull.Rewrite(source("10:00", "1:00:00"), kTarget, kLittle);
  Good(pull);
  CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM t") == "3000|3000|600|3599");
  pull.Rewrite(source("00:00", "1:10:00"), kTarget, kLittle);
  Good(pull);
  CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM t") == "4200|4200|0|4199");
}

TEST_CASE("rows that come between a page and its count are no limit of the store") {
  for (const std::string& name : kStores) {
    const Store store(name);
    for (const std::string strategy : {"auto", "article"}) {
      store.Rows(100, "number");
      bool late = false;
      const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
        if (!asked.rows || late) return false;
        answer = forward(asked.body);
        Insert(store, 20, "number * 3", 100);
        late = true;
        return true;
      });
      CAPTURE(name);
      CAPTURE(strategy);
      const Pull pull(Limited(store, gate.url(), "slice = \"1h\"\nstrategy = \"" + strategy + "\""));
      const Finished f = Good(pull);
      CHECK(late);
      CHECK(pull.Numbers() == UpTo(120));
      CHECK(f.err.find("the store gives at most") == std::string::npos);
    }
  }
}

TEST_CASE("a run without a limit that is interrupted plans the rest anew, and says little in its state") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (k UInt8, s String, id UInt32) ENGINE = MergeTree ORDER BY (k, s, id) SETTINGS index_granularity = 1024");
    // Few values in the first column, so that borders take all three.
    store.Run("INSERT INTO t SELECT toUInt8(number > 10000), toString(number % 7), toUInt32(number) FROM (SELECT number FROM system.numbers LIMIT 400000)");
    for (const int pages : {1, 12}) {
      Failing failing(store, pages);
      CAPTURE(name);
      CAPTURE(pages);
      const Pull pull(store.Options(failing.gate.url()) + "table = \"t\"\npage_bytes = \"64KiB\"\nreaders = 2", kTarget, kLittle);
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 6, f.err);
      std::string state;
      for (const auto& e : std::filesystem::recursive_directory_iterator(pull.dir / ".etl")) {
        if (e.path().extension() == ".db") state = RunProcess({{"sqlite3", e.path(), "SELECT length(value) FROM item WHERE key = 'plan_state'"}}).out;
      }
      CHECK(std::atoi(state.c_str()) > 0);
      CHECK(std::atoi(state.c_str()) < 60);
      failing.Go();
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), sum(id) FROM t") == "400000|400000|79999800000");
    }
  }
}

TEST_CASE("a range that is read in order goes on where it was interrupted, inside one key and between two") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (k UInt64, id UInt32, pad String) ENGINE = MergeTree ORDER BY k");
    store.Run("INSERT INTO t SELECT intDiv(number, 20000), toUInt32(number), 'padding' FROM (SELECT number FROM system.numbers LIMIT 200000)");
    for (const int pages : {2, 5, 9}) {
      Failing failing(store, pages);
      CAPTURE(name);
      CAPTURE(pages);
      const Pull pull(store.Options(failing.gate.url()) + "table = \"t\"\npage_bytes = \"64KiB\"\nreaders = 1", kTarget, kLittle);
      CHECK(pull.Run().exit_code == 6);
      failing.Go();
      const Finished f = Good(pull);
      CHECK(Metric(f, "made_smaller") > 0);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), sum(id) FROM t") == "200000|200000|19999900000");
    }
  }
}

TEST_CASE("the article goes on behind the rows of a slice that were delivered, also where rows are alike") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (ts DateTime, v String) ENGINE = MergeTree ORDER BY ts");
    store.Run("INSERT INTO t SELECT toDateTime(1709251200 + intDiv(number, 300)), 'same' FROM (SELECT number FROM system.numbers LIMIT 1000)");
    for (const int rows : {50, 350, 650}) {
      CAPTURE(name);
      CAPTURE(rows);
      const Pull pull(Limited(store, store.url(), "strategy = \"article\"", 100), "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\nbatch = {rows = 100}");
      Sql(pull, "CREATE TABLE t (ts, v); CREATE TRIGGER full BEFORE INSERT ON t WHEN (SELECT count(*) FROM t) >= " + std::to_string(rows) + " BEGIN SELECT RAISE(ABORT, 'full'); END");
      CHECK(pull.Run().exit_code != 0);
      Sql(pull, "DROP TRIGGER full");
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*) FROM t") == "1000");
    }
  }
}

TEST_CASE("a narrow condition makes few requests") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(600'000, "intDiv(number, 100)");
    const Pull all(store.Options() + "table = \"t\"\npage_bytes = \"64KiB\"", "type = \"ndjson\"\npath = \"out.ndjson\"");
    const std::int64_t requests = Metric(Good(all), "requests");
    for (const std::string where : {"id % 100 = 7", "id >= 300000 AND id < 306000"}) {
      const Pull some(store.Options() + "table = \"t\"\npage_bytes = \"64KiB\"\nwhere = \"" + where + "\"");
      const Finished f = Good(some);
      CHECK(some.Numbers().size() == 6000);
      CAPTURE(name);
      CAPTURE(where);
      CHECK(requests >= 80);
      CHECK(Metric(f, "requests") <= 4);
    }
  }
}

TEST_CASE("few columns of a wide table take few requests") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (k UInt64, id UInt32, pad String) ENGINE = MergeTree ORDER BY k");
    store.Run("INSERT INTO t SELECT number, toUInt32(number), arrayStringConcat(arrayMap(x -> toString(cityHash64(number, x)), range(20))) FROM (SELECT number FROM system.numbers LIMIT 100000)");
    CAPTURE(name);
    const Pull whole(store.Options() + "table = \"t\"\npage_bytes = \"1MiB\""), narrow(store.Options() + "table = \"t\"\npage_bytes = \"1MiB\"\ncolumns = [\"id\"]");
    CHECK(Metric(Good(whole), "requests") > 30);   // 40 MB
    CHECK(Metric(Good(narrow), "requests") <= 3);   // 1.2 MB, with the key
    CHECK(narrow.Numbers() == UpTo(100000));
  }
}

TEST_CASE("rows at the first and the last time that a type holds are read, and bounds beyond them are no others") {
  for (const std::string& name : kStores) {
    const Store store(name);
    std::vector<std::pair<std::string, std::vector<std::string>>> types = {
        {"DateTime", {"toDateTime(0)", "toDateTime(1)", "toDateTime(toUInt32(4294967294))", "toDateTime(toUInt32(4294967295))"}},
        {"Date", {"toDate(toUInt16(0))", "toDate(toUInt16(1))", "toDate(toUInt16(65534))", "toDate(toUInt16(65535))"}},
        {"UInt32", {"0", "1", "4294967294", "4294967295"}},
        {"UInt8", {"0", "1", "254", "255"}},
        {"Int16", {"-32768", "-32767", "32766", "32767"}},
        {"Int32", {"-2147483648", "-2147483647", "2147483646", "2147483647"}},
        {"UInt64", {"0", "1", "1709251200", "1709251201"}},
        {"Int64", {"-1", "0", "1709251200", "1709251201"}}};
    if (!store.old()) {
      types.push_back({"Date32", {"toDate32('1900-01-01')", "toDate32('1900-01-02')", "toDate32('2299-12-30')", "toDate32('2299-12-31')"}});
      types.push_back({"DateTime64(3, 'UTC')", {"toDateTime64('1900-01-01 00:00:00.000', 3, 'UTC')", "toDateTime64('1900-01-01 00:00:00.001', 3, 'UTC')", "toDateTime64('2299-12-31 23:59:59.998', 3, 'UTC')", "toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC')"}});
      types.push_back({"DateTime64(9, 'UTC')", {"toDateTime64('1900-01-01 00:00:00', 9, 'UTC')", "toDateTime64('1900-01-01 00:00:00.000000001', 9, 'UTC')", "toDateTime64('2262-04-11 23:47:16.000000000', 9, 'UTC')", "toDateTime64('2262-04-11 23:47:16.854775807', 9, 'UTC')"}});
    }
    for (const auto& [type, values] : types) {
      store.Run("DROP TABLE IF EXISTS t");
      store.Run("CREATE TABLE t (ts " + type + ", id UInt32) ENGINE = MergeTree ORDER BY ts");
      std::string rows;
      for (std::size_t i = 0; i < values.size(); ++i) rows += (i ? ", (" : "(") + values[i] + ", " + std::to_string(i) + ")";
      store.Run("INSERT INTO t VALUES " + rows);
      for (const std::string more : {"strategy = \"slices\"", "strategy = \"article\"\nfrom = \"-99999\"\nto = \"99999\"", "order_by = \"id\"\nfrom = \"-99999999999\"\nto = \"99999999999\"", "from = \"-99999999999\"\nto = \"-99999999998\"", "from = \"99999999998\"\nto = \"99999999999\""}) {
        if (more.find("article") != std::string::npos && type != "UInt8" && type != "Int16") continue;   // never more than six hours at a time
        if (more.find("9999999") != std::string::npos && type.rfind("Date", 0) != 0 && type != "UInt32") continue;
        CAPTURE(name);
        CAPTURE(type);
        CAPTURE(more);
        const bool none = more.find("998") != std::string::npos;
        const Pull pull(Limited(store, "", more + "\ncolumns = [\"id\"]", 3));
        Good(pull);
        CHECK(pull.Numbers() == UpTo(none ? 0 : 4));
      }
    }
  }
}

TEST_CASE("rows that arrive behind and ahead of a run: those that were there come once, and none twice") {
  for (const std::string& name : kStores) {
    const Store store(name);
    for (const std::string how : {"auto", "slices", "article", "ranges"}) {
      const std::int64_t count = store.old() ? 20'000 : 6'000;
      const bool limited = how != "ranges";
      store.Rows(limited ? count : 300'000, "intDiv(number, 4)");
      int inserted = 0;
      std::mutex mutex;
      const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer&, const auto&) {
        const std::lock_guard lock(mutex);
        if (asked.rows && asked.number % 3 == 0) Insert(store, 100, "number * " + std::to_string(count / 400), 1'000'000 + inserted++ * 100);
        return false;
      });
      CAPTURE(name);
      CAPTURE(how);
      const Pull pull(limited ? Limited(store, gate.url(), "readers = 3\nstrategy = \"" + how + "\"") : store.Options(gate.url()) + "table = \"t\"\nreaders = 3\npage_bytes = \"64KiB\"");
      Good(pull);
      const auto ids = pull.Numbers();
      const auto twice = std::adjacent_find(ids.begin(), ids.end());
      CHECK(twice == ids.end());
      CHECK(std::count_if(ids.begin(), ids.end(), [](std::int64_t id) { return id < 1'000'000; }) == (limited ? count : 300'000));
      CHECK(inserted >= 2);
    }
    // Rows that are the same in all columns look as if they had been moved.
    const Pull same(Limited(store, "", "strategy = \"article\"\ncolumns = [\"v\"]\nwhere = \"id < 1000000\"\nslice = \"1h\""));
    store.Rows(6000, "intDiv(number, 40)");
    const Finished f = Good(same);
    CHECK(same.Lines().size() == 6000);
    CHECK(Metric(f, "requests") <= 40);
  }
}
