// What options and manifests say, and what is refused of them: nothing is cut without a word, and nothing comes twice.
#include "lab.h"

#include <filesystem>

using namespace etl::test;

namespace {

const std::string kTarget = "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"";

std::string Limited(const Store& store, const std::string& more, int limit = 300, const std::string& url = "") {
  return store.Options(url) + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = " + std::to_string(limit) + "\n" + more + "\n";
}

std::string Sql(const Pull& pull, const std::string& what) {
  const Finished f = RunProcess({{"sqlite3", pull.dir / "out.db", what}});
  return f.out.substr(0, f.out.find('\n'));
}

Finished Good(const Pull& pull, const std::vector<std::string>& more = {}) {
  const Finished f = pull.Run(more);
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  return f;
}

void Says(const Finished& f, int code, const std::string& what) {
  CHECK_MESSAGE(f.exit_code == code, f.err);
  CHECK_MESSAGE(f.err.find(what) != std::string::npos, f.err);
}

/// `count` rows from second `first` on, one a second, with ids from `id` on.
void Insert(const Store& store, std::int64_t count, std::int64_t first, std::int64_t id) {
  store.Run("INSERT INTO t SELECT toDateTime(" + std::to_string(1'709'251'200 + first) + " + number), toUInt32(" + std::to_string(id) + " + number), 'v' FROM (SELECT number FROM system.numbers LIMIT " +
            std::to_string(count) + ")");
}

}  // namespace

TEST_CASE("rows before and behind the slices of a manifest are read as well") {
  for (const std::string& name : kStores) {
    const Store store(name);
    for (const std::string more : {"expand = true", "readers = 3"}) {
      CAPTURE(name);
      CAPTURE(more);
      store.Rows(3300, "number");
      const Pull pull(Limited(store, more + "\nmanifest = \"slices.json\""), kTarget);
      const Finished plan = pull.Run({"--write", "slices.json"}, "plan");
      CHECK(plan.exit_code == 0);
      CHECK((plan.out.find("a run leaves out what complete runs have read") != std::string::npos) == (more == "expand = true"));
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), max(id) FROM t") == "3300|3300|3299");
      Insert(store, 300, 3300, 3300);
      Insert(store, 7, -100, 3600);
      Good(pull);
      const bool expands = more == "expand = true";
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), max(id) FROM t") == (expands ? "3607|3607|3606" : "6907|3607|3606"));
    }
  }
}

TEST_CASE("a manifest that was damaged is refused by its name, and one of an empty range leaves nothing out") {
  const Store store("ch18");
  store.Rows(2000, "number");
  const Pull pull(Limited(store, "manifest = \"slices.json\""));
  const auto manifest = [&](const std::string& to, const std::string& shards, const std::string& from = "2024-03-01") {
    pull.dir.Write("slices.json", "{\"etl_manifest\": 1, \"table\": \"t\", \"time_column\": \"ts\", \"shard_by\": \"\", \"limit\": 300, \"from\": \"" + from + "\", \"to\": \"" + to + "\", \"shards\": [" + shards + "]}");
  };
  const auto shard = [](const std::string& slices, const std::string& name = "") { return "{\"shard\": \"" + name + "\", \"slices\": [" + slices + "]}"; };
  const auto slice = [](const std::string& from, const std::string& to, int rows = 1) {
    return "{\"from\": \"" + from + "\", \"to\": \"" + to + "\", \"rows\": " + std::to_string(rows) + "}";
  };
  const std::string far = "9223372036854775807", day = slice("2024-03-01", "2024-03-02");
  const std::vector<std::pair<std::function<void()>, std::string>> wrongs = {
      {[&] { manifest(far, shard(slice("-" + far, far)), "-" + far); }, "is too far away"},
      {[&] { manifest("2024-02-29", shard("")); }, "lies before"},
      {[&] { manifest("2024-03-02", shard(slice("2024-03-01", "2024-03-02", -1))); }, "fewer than none"},
      {[&] { manifest("2024-03-02", shard(day) + "," + shard(day)); }, "twice"},
      {[&] { manifest("2024-03-02", shard(day) + "," + shard(day, "x")); }, "no \"shard_by\""},
      {[&] { manifest("2024-03-03", shard(day)); }, "end before"},
      {[&] { std::filesystem::remove(pull.dir / "slices.json"); }, "cannot be read"},
      {[&] { std::filesystem::create_directory(pull.dir / "slices.json"); }, "cannot be read"}};
  for (const auto& [make, what] : wrongs) {
    make();
    CAPTURE(what);
    const Finished f = pull.Run();
    Says(f, 4, what);
    CHECK(f.err.find("\"manifest\"") != std::string::npos);
  }
  std::filesystem::remove(pull.dir / "slices.json");
  manifest("2024-03-01", shard(""));
  Good(pull);
  CHECK(pull.Numbers() == UpTo(2000));
}

TEST_CASE("values of shard_by that are the same one, and those that its type does not hold, are refused") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (ts DateTime, id UInt32, u UInt8, i Int8, n Nullable(Int64), w UInt64, g UUID, f FixedString(4), s String) ENGINE = MergeTree ORDER BY ts");
    store.Run("INSERT INTO t SELECT toDateTime(1709251200 + number), toUInt32(number), toUInt8(44), toInt8(-5), toInt64(-9223372036854775807 - 1), toUInt64(18446744073709551615), "
              "toUUID('a1b2c3d4-0000-4000-8000-00000000000a'), toFixedString('ab', 4), 'ab' FROM (SELECT number FROM system.numbers LIMIT 500)");
    const auto run = [&](const std::string& column, const std::string& values) {
      const Pull pull(Limited(store, "columns = [\"id\"]\nshard_by = \"" + column + "\"\nshard_values = [" + values + "]"));
      const Finished f = pull.Run();
      if (f.exit_code == 0) CHECK(pull.Numbers() == UpTo(500));
      return f;
    };
    CAPTURE(name);
    for (const auto& [column, values] : std::vector<std::pair<std::string, std::string>>{
             {"id", R"("0", "0")"}, {"id", R"("7", "007")"}, {"s", R"("ab", "x", "ab")"}, {"i", R"("-0", "0")"},
             {"g", R"("a1b2c3d4-0000-4000-8000-00000000000a", "A1B2C3D4-0000-4000-8000-00000000000A")"}, {"f", R"("ab", "ab\u0000\u0000")"}}) {
      CAPTURE(column);
      Says(run(column, values), 4, "is listed twice");
    }
    for (const auto& [column, value] : std::vector<std::pair<std::string, std::string>>{
             {"u", "300"}, {"u", "-1"}, {"u", "-"}, {"u", ""}, {"u", "4x"}, {"i", "128"}, {"i", "251"}, {"i", "-129"}, {"n", "9223372036854775808"}, {"w", "18446744073709551616"}}) {
      CAPTURE(column);
      CAPTURE(value);
      Says(run(column, "\"" + value + "\""), 4, "is no value of a column of type");
    }
    for (const auto& [column, values] : std::vector<std::pair<std::string, std::string>>{
             {"u", R"("255", "044", "0")"}, {"i", R"("-128", "-05", "127")"}, {"n", R"("-9223372036854775808", "9223372036854775807")"}, {"w", R"("18446744073709551615")"},
             {"s", R"("ab", "AB", "ab ")"}, {"g", R"("A1B2C3D4-0000-4000-8000-00000000000A")"}}) {
      CAPTURE(column);
      const Finished f = run(column, values);
      CHECK_MESSAGE(f.exit_code == 0, f.err);
    }
  }
}

TEST_CASE("with expand, a value of shard_by that appears while a run is going is read once") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (ts DateTime, id UInt32, c String) ENGINE = MergeTree ORDER BY ts");
    const auto insert = [&](int count, int first, const std::string& value) {
      store.Run("INSERT INTO t SELECT toDateTime(1709251200 + number % 3000), toUInt32(" + std::to_string(first) + " + number), " + value + " FROM (SELECT number FROM system.numbers LIMIT " + std::to_string(count) + ")");
    };
    insert(3000, 0, "if(number % 2, 'a', 'b')");
    bool late = false;
    const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer&, const auto&) {
      if (asked.rows && !late) {
        late = true;
        insert(200, 3000, "'n'");
      }
      return false;
    });
    CAPTURE(name);
    const Pull pull(Limited(store, "expand = true\nshard_by = \"c\"", 300, gate.url()), kTarget);
    Good(pull);
    CHECK(late);
    CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id) FROM t") == "3200|3200");
    Good(pull);
    CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id) FROM t") == "3200|3200");
    store.Run("INSERT INTO t SELECT toDateTime(1709254200 + number), toUInt32(3200 + number), 'n' FROM (SELECT number FROM system.numbers LIMIT 50)");
    Good(pull);
    CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id) FROM t") == "3250|3250");
  }
}

TEST_CASE("settings that cut results without a word are refused, in the options and in the user's profile") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(600, "number");
    CAPTURE(name);
    std::vector<std::pair<std::string, std::string>> cuts = {{"limit", "10"}, {"offset", "3"}, {"join_overflow_mode", "break"}, {"group_by_overflow_mode", "any"}};
    for (const std::string mode : {"read", "read_overflow_mode_leaf", "distinct", "set", "transfer", "sort", "result", "timeout", "timeout_overflow_mode_leaf", "group_by"}) {
      cuts.emplace_back(mode + (mode.find("_leaf") == std::string::npos ? "_overflow_mode" : ""), "break");
    }
    for (const auto& [setting, value] : cuts) {
      CAPTURE(setting);
      Says(Pull(Limited(store, "settings = {" + setting + " = \"" + value + "\"}")).Run(), 4, "the server's setting " + setting + " = " + value + " cuts results without a word");
    }
    for (const std::string setting : {"distinct_overflow_mode", "group_by_overflow_mode", "set_overflow_mode"}) {
      const Gate profile(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
        if (asked.body.find("system.settings") == std::string::npos) return false;
        answer = forward(asked.body);
        const auto at = answer.body.find(setting + "\tthrow");
        if (at == std::string::npos) return false;
        answer.body.replace(at + setting.size() + 1, 5, "any");
        return true;
      });
      CAPTURE(setting);
      Says(Pull(Limited(store, "", 300, profile.url())).Run(), 4, setting + " = any cuts results without a word");
    }
    const Pull good(Limited(store, "settings = {result_overflow_mode = \"throw\"}"));
    Good(good);
    CHECK(good.Numbers() == UpTo(600));
  }
}

TEST_CASE("a question that a setting forbids and that cannot be made smaller ends the run at once, and one that need not be asked does not") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(30'000, "number");
    CAPTURE(name);
    const std::string few = "settings = {max_rows_to_read = \"9000\"}\n";
    if (store.old()) Says(Pull(Limited(store, few)).Run(), 4, "max_rows_to_read forbids it: raise that, or give from and to");
    for (const std::string more : {"", "shard_by = \"v\"\n", "strategy = \"slices\"\n"}) {
      CAPTURE(more);
      const Pull part(Limited(store, few + more + "from = \"2024-03-01\"\nto = \"2024-03-01 00:50:00\"", 3000));
      Good(part);
      CHECK(part.Numbers() == UpTo(3000));
    }
    Says(Pull(Limited(store, "strategy = \"article\"\nsettings = {max_result_rows = \"100\"}")).Run(), 4, "does not ask for less: make max_rows_per_request smaller");
    if (!store.old()) continue;   // which counts no rows of system tables
    store.Run("DROP TABLE t");
    store.Run("CREATE TABLE t (ts DateTime, id UInt32, v String) ENGINE = MergeTree ORDER BY ts SETTINGS index_granularity = 16");
    Insert(store, 60, 0, 0);
    const Pull least(Limited(store, "settings = {max_rows_to_read = \"100\"}"));
    const Finished f = Good(least);
    CHECK(f.err.find("goes on without knowing: cannot look at the settings") != std::string::npos);
    CHECK(least.Numbers() == UpTo(60));
  }
}

TEST_CASE("etl check tells options that contradict each other without a server") {
  const std::string store = "type = \"clickhouse\"\nurl = \"http://127.0.0.1:1\"\n", table = "table = \"t\"\n", limited = table + "time_column = \"ts\"\nmax_rows_per_request = 10\n";
  for (const auto& [options, what] : std::vector<std::pair<std::string, std::string>>{
           {"", "give either table or query"},
           {table + "query = \"SELECT 1\"", "give either table or query"},
           {table + "max_rows_per_request = 10", "name the column"},
           {table + "strategy = \"article\"", "belongs to max_rows_per_request"},
           {table + "manifest = \"x.json\"", "belongs to max_rows_per_request"},
           {limited + "manifest = \"x.json\"", "cannot be read"},
           {limited + "overlap = \"1h\"", "belongs to expand = true"},
           {limited + "from = \"yesterday\"", "is no time"},
           {limited + "to = \"tomorrow\"", "is no time"},
           {limited + "from = \"2024-03-02\"\nto = \"2024-03-01\"", "lies before from"},
           {limited + "shard_values = [\"1\"]", "values of shard_by"},
           {limited + "shard_by = \"v\"\nshard_values = [\"1\", \"1\"]", "is listed twice"},
           {limited + "settings = {limit = \"10\"}", "cuts results"},
           {limited + "password = \"x\"", "a password without a user"}}) {
    CAPTURE(options);
    const Finished f = Pull(store + options).Run({}, "check");
    CHECK_MESSAGE(f.exit_code == 2, f.err);
    CHECK_MESSAGE(f.err.find(what) != std::string::npos, f.err);
  }
  CHECK(Pull(store + limited).Run({}, "check").exit_code == 0);
}

TEST_CASE("a password in a URL's query is refused and not shown") {
  const Pull pull("type = \"clickhouse\"\nurl = \"http://127.0.0.1:1/?user=u&password=S3cretPw\"\ntable = \"t\"");
  for (const char* verb : {"check", "run"}) {
    const Finished f = pull.Run({}, verb);
    CHECK(f.exit_code != 0);
    CHECK(f.err.find("the URL has a query") != std::string::npos);
    CHECK_MESSAGE((f.err + f.out).find("S3cret") == std::string::npos, f.err);
  }
}

TEST_CASE("a user who may set nothing is served without compression, and told so") {
  const Store store("ch18");
  store.Rows(3000, "number");
  for (const std::string& source : {Limited(store, ""), store.Options() + "table = \"t\"\n"}) {
    for (const std::string compression : {"lz4", "zstd"}) {
      const Pull pull(source + "settings = {readonly = \"1\"}\ncompression = \"" + compression + "\"");
      const Finished f = Good(pull);
      CHECK(pull.Numbers() == UpTo(3000));
      CHECK_MESSAGE(f.err.find("is not compressed: compression = \"" + compression + "\"") != std::string::npos, f.err);
    }
  }
}

TEST_CASE("a run that checks no certificates says so once") {
  const Store store("ch18");
  store.Rows(100, "number");
  const Finished f = Good(Pull(Limited(store, "readers = 2\ntls = {verify = false}")));
  const std::string warning = "tls.verify is false";
  const auto at = f.err.find(warning);
  CHECK(at != std::string::npos);
  CHECK(f.err.find(warning, at + 1) == std::string::npos);
}

TEST_CASE("a page of a network that wants a login is asked past") {
  const Store store("ch26");
  store.Rows(1000, "number");
  const auto past = [&](int first, int last, const std::string& headers, const std::string& said) {   // requests that the page answers
    const Gate portal(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
      if (asked.number < first || asked.number > last) return false;
      answer = {200, "<html>Please log in</html>", headers, -1, true};
      return true;
    });
    CAPTURE(first);
    CAPTURE(last);
    const Pull pull(Limited(store, "", 300, portal.url()));
    const Finished f = Good(pull);
    CHECK(pull.Numbers() == UpTo(1000));
    CHECK(f.err.find(said) != std::string::npos);
  };
  for (const int pages : {1, 3, 6}) past(1, pages, "", "what answers is no ClickHouse server: it says \"<html>Please log in</html>\"");
  for (int one = 1; one <= 12; ++one) past(one, one, "Content-Type: text/html; charset=utf-8\r\n", "<html>Please log in</html>");
}

TEST_CASE("a day that is in no calendar is no time") {
  const Store store("ch18");
  store.Rows(10, "number");
  for (const std::string day : {"2023-02-29", "2023-02-30", "2024-02-30", "2024-04-31", "1900-02-29", "2024-12-32", "2024-13-01"}) {
    CAPTURE(day);
    Says(Pull(Limited(store, "from = \"" + day + "\"")).Run(), 4, "\"" + day + "\" is no time");
  }
  for (const std::string day : {"2024-02-29", "2000-02-29", "2023-12-31", "2024-01-31 12:00:00"}) Good(Pull(Limited(store, "from = \"" + day + "\"")));
}

TEST_CASE("what is refused is named: the setting, the database, the column") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(1000, "number");
    CAPTURE(name);
    Says(Pull(store.Options() + "table = \"t\"\nsettings = {nosuch = \"1\"}").Run(), 4, "\"settings\": cannot ask the server for its version: Code: 115");
    Says(Pull(store.Options() + "table = \"default.t\"").Run(), 4, "a database has an option of its own: database = \"default\"");
    store.Run("CREATE TABLE n (ts Nullable(DateTime), id UInt32) ENGINE = Log");
    Says(Pull(store.Options() + "table = \"n\"\ntime_column = \"ts\"\nmax_rows_per_request = 10").Run(), 4, "\"time_column\": column \"ts\" is Nullable: rows without a value would never be read");
    const auto text = [&](int size) {
      return Pull(store.Options() + "query = \"SELECT 1 AS id, arrayStringConcat(arrayMap(x -> 'x', range(" + std::to_string(size) + "))) AS s\"\nmax_row_bytes = \"1KiB\"").Run();
    };
    CHECK(text(1024).exit_code == 0);
    for (const int size : {1025, 16'000, 20'000}) Says(text(size), 4, "column \"s\": a text has " + std::to_string(size) + " bytes, more than max_row_bytes");
    if (store.old()) continue;
    Says(Pull(store.Options() + "query = \"SELECT 1 AS id, toDateTime64('2299-01-01 00:00:00', 7, 'UTC') AS late\"").Run(), 4, "column \"late\": a time lies beyond what its column can hold");
    Says(Pull(store.Options() + "table = \"t\"\nsettings = {output_format_native_encode_types_in_binary_format = \"1\"}").Run(), 4, "write settings = {output_format_native_encode_types_in_binary_format = \"0\"}");
  }
}
