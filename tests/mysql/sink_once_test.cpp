// The sink `mysql` against everything that comes between it and the server: each row once.
#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "fault_proxy.h"
#include "lab.h"
#include "sink_lab.h"

using namespace etl::test;

namespace {

const std::string kColumns = "id = \"int64\", v = \"utf8\"";
constexpr auto kTable = "DROP TABLE IF EXISTS once, _etl_owner, _etl_checkpoint; CREATE TABLE once (n BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT, v VARCHAR(100))";
// No key on id: a row that comes twice is there twice.

std::string Sink(const std::string& more = "") {
  return "table = \"once\"\nexactly_once = true\nbatch = {rows = 500, linger = \"100ms\"}\nrows_per_statement = 100\n" + more + "\n";
}

std::string Numbered(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) rows += "{\"id\":" + std::to_string(i) + ",\"v\":\"value " + std::to_string(i) + "\"}\n";
  return rows;
}

/// "rows, different ids, their sum, wrong values" of rows 0 to count - 1, each once.
std::string Exactly(std::int64_t count) {
  return std::to_string(count) + "\t" + std::to_string(count) + "\t" + std::to_string(count * (count - 1) / 2) + "\t0";
}
std::string Found(const Target& t) { return t.One("SELECT COUNT(*), COUNT(DISTINCT id), COALESCE(SUM(id), 0), COALESCE(SUM(v <> CONCAT('value ', id)), 0) FROM once"); }

bool Full() {
  const char* full = std::getenv("ETL_FULL");
  return full && *full && *full != '0';
}

}  // namespace

TEST_CASE("rows and position are committed together, and a second run adds nothing") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql(kTable);
    Load load(t, kColumns, Sink());
    load.Rows(Numbered(5000)).All();
    CHECK(Found(t) == Exactly(5000));
    CHECK(t.One("SELECT COUNT(*) FROM _etl_owner WHERE pipeline = 'p' AND epoch = 1") == "1");
    CHECK(t.One("SELECT COUNT(*) > 0 FROM _etl_checkpoint WHERE pipeline = 'p' AND split <> ''") == "1");
  }
}

TEST_CASE("an answer to COMMIT that never comes is looked up, and no row is written twice or left out") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    int lost = 0;
    for (int n = 1; n <= (Full() ? 100 : 10); ++n) {
      CAPTURE(n);
      t.Sql(kTable);
      // Connections 1 is the head's, 2 the worker's; of it the n-th COMMIT.
      const FaultProxy proxy(t.host, static_cast<std::uint16_t>(t.port), "2 swallow_answer_after " + std::to_string(n) + " \"COMMIT\"\n");
      Load load(t, kColumns, Sink(n % 2 ? "" : "way = \"text\""), proxy.port());
      const Finished f = load.Rows(Numbered(6000)).Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(Found(t) == Exactly(6000));
      for (const FaultEvent& e : proxy.events()) lost += e.what.find("swallow") != std::string::npos;
    }
    CHECK(lost > 0);
  }
}

TEST_CASE("a connection that breaks anywhere costs nothing but time") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    for (int k = 0; k < (Full() ? 200 : 12); ++k) {
      CAPTURE(k);
      t.Sql(kTable);
      const int at = 500 + k * (Full() ? 1700 : 19'000);
      const FaultProxy proxy(t.host, static_cast<std::uint16_t>(t.port), "2-3 up reset_after " + std::to_string(at) + "\n4 down reset_after " + std::to_string(200 + k * 40) + "\n");
      Load load(t, kColumns, Sink(k % 2 ? "way = \"prepared\"" : ""), proxy.port());
      const Finished f = load.Rows(Numbered(6000)).Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(Found(t) == Exactly(6000));
    }
  }
}

TEST_CASE("connections killed by the server's administrator again and again") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql(kTable);
    Load load(t, kColumns, Sink());
    load.Rows(Numbered(60'000));
    std::atomic<bool> done{false};
    Finished f;
    std::thread run([&] {
      f = load.Run();
      done = true;
    });
    int kills = 0;
    std::string rows = "0";
    while (!done) {
      const std::string now = t.One("SELECT COUNT(*) FROM once");
      if (now == rows) continue;   // it shall get on
      rows = now;
      for (const std::string& id : t.Sql("SELECT id FROM information_schema.processlist WHERE db = '" + t.database + "' AND id <> CONNECTION_ID()")) {
        kills += RunProcess(t.Client("KILL " + id, "")).exit_code == 0;
      }
    }
    run.join();
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK(kills > 0);
    CHECK(Found(t) == Exactly(60'000));
  }
}

TEST_CASE("a lock that is not given up in time rolls the whole transaction back, and it is done again") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql(std::string(kTable) + "; DROP TABLE IF EXISTS locked; CREATE TABLE locked (id BIGINT PRIMARY KEY, v VARCHAR(100)); INSERT INTO locked VALUES (2500, 'old'); "
          "SET GLOBAL innodb_lock_wait_timeout = 1");
    Load load(t, kColumns, "table = \"locked\"\nmode = \"upsert\"\nkeys = [\"id\"]\nexactly_once = true\nbatch = {rows = 3000}\nrows_per_statement = 100\n");
    load.Rows(Numbered(3000));
    Lab other(t.name);
    other.Run("START TRANSACTION; UPDATE " + t.database + ".locked SET v = 'x' WHERE id = 2500");
    const std::string log = load.dir() / "log";
    FILE* out = std::fopen(log.c_str(), "w+");
    Process run(load.Command_(), 0, fileno(out), fileno(out));
    while (ReadFile(log).find("trying again") == std::string::npos && !run.WaitUntil(std::chrono::steady_clock::now() + std::chrono::milliseconds(10))) {
    }
    other.Run("ROLLBACK");
    CHECK_MESSAGE(run.Join().exit_code == 0, ReadFile(log));
    std::fclose(out);
    t.Sql("SET GLOBAL innodb_lock_wait_timeout = 50");
    CHECK(ReadFile(log).find("trying again") != std::string::npos);
    CHECK(t.One("SELECT COUNT(*), SUM(v = CONCAT('value ', id)) FROM locked") == "3000\t3000");
  }
}

TEST_CASE("a run that another has taken over from stops, and writes nothing after that") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql(kTable);
    const FaultProxy slow(t.host, static_cast<std::uint16_t>(t.port), "2 up bandwidth 60000\n");
    Load first(t, kColumns, Sink(), slow.port()), second(t, kColumns, Sink());
    first.Rows(Numbered(20'000));
    second.Rows(Numbered(3000));
    Finished f;
    std::thread run([&] { f = first.Run(); });
    while (t.One("SELECT COUNT(*) FROM once") == "0") {
    }
    second.All();
    const std::string after = Found(t);
    run.join();
    CHECK_MESSAGE(f.exit_code == 8, f.err);
    CHECK(f.err.find("has taken over") != std::string::npos);
    CHECK(Found(t) == after);
    CHECK(t.One("SELECT epoch FROM _etl_owner") == "2");
  }
}

TEST_CASE("kill -9 at any time: the next run goes on from what is committed") {
  // With ETL_FULL 100,000 rows and 250 kills on each server; else a tenth.
  const int rows = Full() ? 100'000 : 30'000, wanted = Full() ? 250 : 25;
  std::random_device device;
  const unsigned seed = device();
  std::mt19937 random(seed);
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    CAPTURE(seed);
    t.Sql("DROP TABLE IF EXISTS source; CREATE TABLE source (id BIGINT PRIMARY KEY, v VARCHAR(100)); INSERT INTO source WITH RECURSIVE d (n) AS "
          "(SELECT 0 UNION ALL SELECT n + 1 FROM d WHERE n < 999) SELECT a.n * 1000 + b.n, CONCAT('value ', a.n * 1000 + b.n) FROM d a, d b WHERE a.n < " +
          std::to_string(rows / 1000));
    Load load(t, "", Sink(), 0, "source");
    int kills = 0, passes = 0;
    while (kills < wanted) {
      t.Sql(kTable);
      std::filesystem::remove_all(load.dir() / ".etl");
      int code = -1;
      while (code < 0 && Found(t) != Exactly(rows)) {   // a run killed behind its last commit is at its end too
        Process run(load.Command_(), 0, 1, 2);
        const auto some_time = std::chrono::milliseconds(20 + random() % 600);
        if (!run.WaitUntil(std::chrono::steady_clock::now() + some_time) && run.Signal(9)) ++kills;
        code = run.Join().exit_code;
      }
      CHECK(code <= 0);
      REQUIRE(Found(t) == Exactly(rows));
      ++passes;
    }
    MESSAGE(t.name << ": " << kills << " kills in " << passes << " passes, seed " << seed);
  }
}

TEST_CASE("a transaction that is too large for the server's binary log becomes smaller") {
  for (const Target& t : Targets()) {
    if (t.mariadb()) continue;   // writes no binary log here
    t.Sql(kTable);
    const std::string before = t.One("SELECT @@max_binlog_cache_size");
    t.Sql("SET GLOBAL max_binlog_cache_size = 65536");
    Load load(t, kColumns, "table = \"once\"\nexactly_once = true\n", 0);
    const Finished f = load.Rows(Numbered(20'000)).Run({"--set", "source.batch.rows=500"});
    t.Sql("SET GLOBAL max_binlog_cache_size = " + before);
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK(Found(t) == Exactly(20'000));
  }
}

TEST_CASE("a table that is emptied while a pass is interrupted stops the pass, instead of being left half full") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql(kTable);
    Load load(t, kColumns, Sink());
    load.Rows(Numbered(100'000));
    Process run(load.Command_({"--set", "source.batch.rows=100"}), 0, 1, 2);
    while (t.One("SELECT COUNT(*) FROM once") == "0") {
    }
    REQUIRE(run.Signal(9));
    CHECK(run.Join().signal == 9);
    t.Sql("DELETE FROM once");
    const Finished f = load.Run({"--set", "source.batch.rows=100"});
    CHECK_MESSAGE(f.exit_code == 5, f.err);
    CHECK(f.err.find("table \"once\" is empty, though this pass had written into it") != std::string::npos);
  }
}
