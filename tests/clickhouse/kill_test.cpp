// kill -9 at random instants: the target has each row of the store once, whatever was under way.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "../mysql/lab.h"
#include "kill_loop.h"
#include "lab.h"

using namespace etl::test;

namespace {

constexpr std::int64_t kRows = 60'000;

/// Runs the loop on a pipeline; `rows` says how many are there, `ids` "count|distinct|sum" of the ids, `clear` empties the target.
void Loop(const Pull& pull, const std::function<std::int64_t()>& rows, const std::function<std::string()>& ids, const std::function<void()>& clear) {
  const std::string expected = std::to_string(kRows) + "|" + std::to_string(kRows) + "|" + std::to_string(kRows * (kRows - 1) / 2);
  KillPlan plan;
  plan.command = pull.Make();
  plan.quiet = true;
  const char* const kills = std::getenv("ETL_TEST_KILLS");
  plan.kills = kills ? std::strtoull(kills, nullptr, 10) : Full() ? 200 : 10;
  if (const char* seed = std::getenv("ETL_TEST_SEED")) plan.seed = std::strtoull(seed, nullptr, 10);
  std::size_t passes = 0;
  plan.left = [&] { return std::max(0.3, 1 - static_cast<double>(rows()) / kRows); };
  plan.after_pass = [&] {
    ++passes;
    const std::string there = ids();
    if (there != expected) throw std::runtime_error("count|distinct|sum of the ids are " + there + ", not " + expected);
    clear();
    std::filesystem::remove_all(pull.dir / ".etl");
  };
  plan.after_kill = [&](const Kill&) {   // behind the pass's end
    Command show = pull.Make();
    show.argv = {show.argv[0], "state", "show", "p.toml"};
    if (RunProcess(show).out.find("is complete") != std::string::npos) plan.after_pass();
  };
  const KillReport report = RunKillLoop(plan);
  CHECK(report.landed == plan.kills);
  MESSAGE(report.landed << " kills in " << report.runs << " runs, " << passes << " passes; ETL_TEST_SEED=" << report.seed);
}

std::vector<std::string> Sources(const Store& store) {
  const std::string limited = store.Options() + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = 500\n";
  return {limited + "readers = 3\n", limited + "strategy = \"article\"\n", store.Options() + "table = \"t\"\npage_bytes = \"64KiB\"\nreaders = 2\n"};
}

void Make(const Store& store) { store.Rows(kRows, "toUInt32(multiIf(number < 20000, intDiv(number, 10), number < 30000, 2100, intDiv(number, 7)))"); }

}  // namespace

TEST_CASE("ClickHouse to SQLite under kill -9, exactly once: paged, by the article, and in ranges") {
  const Store store("ch18");
  Make(store);
  for (const std::string& source : Sources(store)) {
    CAPTURE(source);
    const Pull pull(source, "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\nmode = \"insert\"\ncreate = true\nexactly_once = true\nbatch = {rows = 2000}");
    const auto ask = [&](const std::string& sql) {
      const Finished f = RunProcess({{"sqlite3", "-cmd", ".timeout 5000", pull.dir / "out.db", sql}});
      return f.exit_code ? std::string() : f.out.substr(0, f.out.find('\n'));
    };
    Loop(pull, [&] { return std::atoll(ask("SELECT count(*) FROM t").c_str()); }, [&] { return ask("SELECT count(*), count(DISTINCT id), sum(id) FROM t"); },
         [&] {
           for (const char* file : {"out.db", "out.db-wal", "out.db-shm"}) std::filesystem::remove(pull.dir / file);
         });
  }
}

TEST_CASE("ClickHouse to MySQL under kill -9, exactly once: paged and in ranges") {
  const Store store("ch18");
  Make(store);
  Lab lab("mysql");
  const std::string create = "CREATE TABLE t (ts DATETIME, id BIGINT, v VARCHAR(20), KEY (id))";
  lab.Run(create);
  std::vector<std::string> sources = Sources(store);
  sources.erase(sources.begin() + 1);
  for (const std::string& source : sources) {
    CAPTURE(source);
    const std::string options = lab.Options();
    const Pull pull(source, options + "table = \"t\"\nmode = \"insert\"\nexactly_once = true\nbatch = {rows = 2000}");
    Loop(pull, [&] { return std::atoll(lab.Value("SELECT count(*) FROM t").c_str()); }, [&] { return lab.Query("SELECT count(*), count(DISTINCT id), sum(id) FROM t").at(0); },
         [&] { lab.Run("TRUNCATE t; DROP TABLE IF EXISTS _etl_checkpoint; DROP TABLE IF EXISTS _etl_owner"); });
  }
}
