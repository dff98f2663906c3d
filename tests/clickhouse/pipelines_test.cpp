// The pipelines that the project shows, whole and twice, but for addresses; and the lookups that leave out what is there.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "../mysql/lab.h"
#include "lab.h"

using namespace etl::test;

namespace {

constexpr std::int64_t kRows = 20'000;

/// A table `events` as the pipelines have it; rows from `first` on.
void Fill(const Store& store, std::int64_t first, std::int64_t count, const std::string& payload = "concat('{\"n\":', toString(number), ',\"text\":\"a, b\"}')") {
  store.Run("CREATE TABLE IF NOT EXISTS events (id UInt64, ts DateTime, kind String, payload String) ENGINE = MergeTree ORDER BY (ts, id)");
  store.Run("INSERT INTO events SELECT number AS id, toDateTime(1709251200 + intDiv(number, 3)), ['view', 'click', 'search'][number % 3 + 1], " + payload +
            " FROM (SELECT number + " + std::to_string(first) + " AS number FROM system.numbers LIMIT " + std::to_string(count) + ")");
}

/// A pipeline of the project in a folder as it is there, with other addresses.
struct Shown {
  TempDir dir;
  std::string name;
  std::vector<std::string> more;
  Shown(const std::string& file, const Store& store, const std::vector<std::pair<std::string, std::string>>& others, std::vector<std::string> set = {}) : name(file), more(std::move(set)) {
    std::string toml = ReadFile(ETL_SOURCE_DIR "/pipelines/" + file + ".toml");
    std::vector<std::pair<std::string, std::string>> all = {{"http://127.0.0.1:8123", store.url()}};
    all.insert(all.end(), others.begin(), others.end());
    for (const auto& [from, to] : all) {
      REQUIRE(toml.find(from) != std::string::npos);
      for (std::size_t at = 0; (at = toml.find(from, at)) != std::string::npos; at += to.size()) toml.replace(at, from.size(), to);
    }
    std::filesystem::create_directories(dir / "pipelines");
    std::filesystem::create_directories(dir / "build");
    dir.Write("pipelines/" + file + ".toml", toml);
    more.insert(more.end(), {"--set", "source.database=" + store.database()});
  }
  Finished Run(const std::vector<std::string>& before = {}) const {
    Command c;
    c.argv = before;
    c.argv.insert(c.argv.end(), {ETL_BUILD_DIR "/bin/etl", "run", dir / ("pipelines/" + name + ".toml"), "--state-dir", dir / "state"});
    c.argv.insert(c.argv.end(), more.begin(), more.end());
    c.env = {"ETL_PLUGIN_PATH", "CLICKHOUSE_PASSWORD=etl", "WAREHOUSE_PASSWORD=etl"};
    c.time_limit = std::chrono::minutes(10);
    const Finished f = RunProcess(c);
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    return f;
  }
};

std::vector<std::string> Sorted(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// The server's own rows as the CSV sink writes them.
std::vector<std::string> AsCsv(const Store& store) {
  return Sorted(store.Run("SELECT concat(toString(id), ',', replaceOne(toString(ts), ' ', 'T'), 'Z,', kind, ',\"', replaceAll(payload, '\"', '\"\"'), '\"') FROM events FORMAT TSVRaw"));
}

/// Peak memory of a command in MiB goes to its standard output.
const std::vector<std::string> kWatched = {"python3", "-c",
                                           "import resource, subprocess, sys; r = subprocess.call(sys.argv[1:]); print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024); sys.exit(r)"};

/// A search node's answer, by curl.
std::string Node(const std::string& method, const std::string& path, const std::string& body = "") {
  static const std::string url = [] {
    Command up{{ETL_SOURCE_DIR "/tools/dev/servers", "up", "es8"}, {"ETL_SERVERS=" ETL_SERVERS_DIR}};
    up.time_limit = std::chrono::minutes(5);
    const Finished f = RunProcess(up);
    const auto at = f.out.find("ES8_URL=");
    if (f.exit_code || at == std::string::npos) throw std::runtime_error("no search node: " + f.err);
    return f.out.substr(at + 8, f.out.find('\n', at) - at - 8);
  }();
  if (path.empty()) return url;
  const Finished f = RunProcess({{"curl", "-sS", "--noproxy", "*", "-X", method, url + path, "-H", "Content-Type: application/json", "-d", body}});
  if (f.exit_code) throw std::runtime_error(f.err);
  return f.out;
}

/// The number behind "name": in JSON.
std::int64_t Number(const std::string& json, const std::string& name) {
  const auto at = json.find("\"" + name + "\":");
  return at == std::string::npos ? -1 : std::atoll(json.c_str() + at + name.size() + 3);
}

/// Count, distinct and sum of the ids from 0 on.
std::string Ids(std::int64_t n) { return std::to_string(n) + "|" + std::to_string(n) + "|" + std::to_string(n * (n - 1) / 2); }

std::string Sqlite(const std::string& file, const std::string& sql) {
  const Finished f = RunProcess({{"sqlite3", file, sql}});
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  return f.out.substr(0, f.out.find_last_not_of('\n') + 1);
}

}  // namespace

TEST_CASE("the pipeline to CSV writes what the server has, and the same again") {
  for (const std::string& name : kStores) {
    CAPTURE(name);
    const Store store(name);
    Fill(store, 0, kRows);
    const Shown shown("clickhouse-to-csv", store, {});
    for (int pass = 0; pass < 2; ++pass) {
      shown.Run();
      std::vector<std::string> lines = Sorted(ReadFile(shown.dir / "build/events.csv"));
      REQUIRE(lines.size() == kRows + 1);
      CHECK(lines.back() == "id,ts,kind,payload");
      lines.pop_back();
      CHECK((lines == AsCsv(store)));
    }
  }
}

TEST_CASE("hundreds of megabytes to CSV take no more than the memory limit, and little more than a small one") {
  const Store store("ch18");
  const std::int64_t rows = Full() ? 10'000'000 : 3'000'000;   // about 150 bytes each
  Fill(store, 0, rows, "concat(toString(cityHash64(number)), toString(cityHash64(number + 1)), toString(cityHash64(number + 2)), toString(cityHash64(number + 3)), toString(cityHash64(number + 4)), toString(cityHash64(number + 5)))");
  struct Case {
    std::string limit;
    std::int64_t most;
  };
  for (const Case& c : {Case{"256MiB", 256}, Case{"64MiB", 192}}) {   // the program and the buffers of its threads do not shrink
    const Shown shown("clickhouse-to-csv", store, {{"256MiB", c.limit}});
    const Finished f = shown.Run(kWatched);
    const std::int64_t peak = std::atoll(f.out.c_str() + f.out.rfind("peak ") + 5);
    const auto bytes = std::filesystem::file_size(shown.dir / "build/events.csv");
    MESSAGE((bytes / (1 << 20)), " MiB of CSV with memory_limit = ", c.limit, ": peak ", peak, " MiB");
    CHECK(bytes > static_cast<std::uintmax_t>(rows) * 140);
    CHECK(peak > 8);
    CHECK(peak <= c.most);
    CHECK(std::atoll(RunProcess({{"wc", "-l", shown.dir / "build/events.csv"}}).out.c_str()) == rows + 1);
  }
}

TEST_CASE("the pipeline to Elasticsearch writes each row once, and then only what is missing") {
  for (const std::string& name : kStores) {
    CAPTURE(name);
    const Store store(name);
    Fill(store, 0, kRows);
    const std::string index = store.database() + "_events";
    const Shown shown("clickhouse-to-elasticsearch", store, {{"http://127.0.0.1:9200", Node("", "")}, {"= \"events\"\nid", "= \"" + index + "\"\nid"}});
    const auto written = [&] {
      Node("POST", "/" + index + "/_refresh");
      return Number(Node("GET", "/" + index + "/_stats/indexing"), "index_total");
    };
    const auto count = [&] {
      Node("POST", "/" + index + "/_refresh");
      return Number(Node("GET", "/" + index + "/_count"), "count");
    };
    shown.Run();
    CHECK(count() == kRows);
    CHECK(written() == kRows);
    CHECK(Node("GET", "/" + index + "/_source/17") == "{\"id\":17,\"ts\":\"2024-03-01T00:00:05Z\",\"kind\":\"search\",\"payload\":\"{\\\"n\\\":17,\\\"text\\\":\\\"a, b\\\"}\"}");
    const Finished again = shown.Run();
    CHECK(again.err.find("filtered 20,000") != std::string::npos);
    CHECK(written() == kRows);
    Fill(store, kRows, 1234);
    Node("DELETE", "/" + index + "/_doc/17");
    shown.Run();
    CHECK(count() == kRows + 1234);
    CHECK(written() == kRows + 1235);
    Node("DELETE", "/" + index);
  }
}

TEST_CASE("the pipeline to MySQL brings each row over once") {
  for (const std::string& name : kStores) {
    CAPTURE(name);
    const Store store(name);
    Lab lab("mysql");
    Fill(store, 0, kRows);
    const Shown shown("clickhouse-to-mysql", store, {{"mysql://writer@127.0.0.1:3306/warehouse", "mysql://etl@127.0.0.1:" + std::to_string(lab.port()) + "/" + lab.database()}});
    for (int pass = 0; pass < 2; ++pass) {
      shown.Run();
      CHECK(lab.Query("SELECT count(*), count(DISTINCT id), sum(id) FROM events").at(0) == Ids(kRows));
      CHECK(lab.Query("SELECT ts, kind, payload FROM events WHERE id = 17").at(0) == "2024-03-01 00:00:05|search|{\"n\":17,\"text\":\"a, b\"}");
    }
  }
}

TEST_CASE("the pipeline from a limited store reads what is new, night after night") {
  for (const std::string& name : kStores) {
    CAPTURE(name);
    const Store store(name);
    Fill(store, 0, kRows);
    const Shown shown("clickhouse-limited", store, {});
    const std::string all = "SELECT count(*), count(DISTINCT id), sum(id) FROM events";
    const Finished first = shown.Run();
    CHECK(Sqlite(shown.dir / "build/events.db", all) == Ids(kRows));
    CHECK(Sqlite(shown.dir / "build/events.db", "SELECT kind, payload FROM events WHERE id = 17") == "search|{\"n\":17,\"text\":\"a, b\"}");
    CHECK(Metric(first, "requests") - Metric(first, "counts") <= 4 + 4);   // ideal: four; a reader's last page need not be full
    const Finished again = shown.Run();
    CHECK(Sqlite(shown.dir / "build/events.db", all) == Ids(kRows));
    CHECK(again.err.find("read 2,") != std::string::npos);   // of the overlap: 15 minutes of three rows a second
    Fill(store, kRows, 6000);
    shown.Run();
    CHECK(Sqlite(shown.dir / "build/events.db", all) == Ids(kRows + 6000));
  }
}

TEST_CASE("a lookup leaves out what SQLite and MySQL have, and only the rest is written") {
  const Store store("ch26");
  Fill(store, 0, 1000);
  Lab lab("mysql");
  lab.Run("CREATE TABLE events (id BIGINT PRIMARY KEY, kind VARCHAR(20), pass INT DEFAULT 0)");
  struct Target {
    std::string on, sink;
    std::function<std::string(const std::string&)> ask;
  };
  Pull pull(store.Options() + "table = \"events\"\ncolumns = [\"id\", \"kind\"]");
  const std::string db = pull.dir / "out.db";
  Sqlite(db, "CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT, pass INT DEFAULT 0)");
  const std::string to_mysql = lab.Options();
  const std::vector<Target> targets = {
      {"type = \"sqlite_lookup\"\npath = \"out.db\"\ntable = \"events\"\non = {id = \"id\"}", "type = \"sqlite\"\npath = \"out.db\"\ntable = \"events\"\nmode = \"insert\"", [&](const std::string& sql) { return Sqlite(db, sql); }},
      {"type = \"mysql_lookup\"\n" + to_mysql.substr(to_mysql.find('\n') + 1) + "table = \"events\"\non = {id = \"id\"}", to_mysql + "table = \"events\"\nmode = \"insert\"", [&](const std::string& sql) { return lab.Query(sql).at(0); }}};
  for (const std::string more : {"", "time_column = \"ts\"\nmax_rows_per_request = 100\n"}) {
    for (const Target& t : targets) {
      CAPTURE(t.on);
      CAPTURE(more);
      pull.Rewrite(store.Options() + "table = \"events\"\ncolumns = [\"id\", \"kind\"]\n" + more + "[[transform]]\n" + t.on + "\nonly_missing = true", t.sink);
      std::filesystem::remove_all(pull.dir / ".etl");
      const auto run = [&](const std::string& expected) {
        const Finished f = pull.Run();
        CHECK_MESSAGE(f.exit_code == 0, f.err);
        CHECK_MESSAGE(f.err.find(expected) != std::string::npos, f.err);
      };
      if (t.ask("SELECT count(*) FROM events") == "0") run("delivered 1,000, filtered 0,");
      run("delivered 0, filtered 1,000,");
      if (&t == &targets[0]) t.ask("DELETE FROM events WHERE id % 10 = 3");
      else lab.Run("DELETE FROM events WHERE id % 10 = 3");
      run("delivered 100, filtered 900,");
      CHECK(t.ask("SELECT count(*), count(DISTINCT id), sum(id) FROM events") == Ids(1000));
    }
  }
}
