// kill -9 at random instants: the target has each row of the store once, whatever was under way.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "../mysql/lab.h"
#include "kill_loop.h"
#include "lab.h"

using namespace etl::test;

namespace {

constexpr std::int64_t kRows = 60'000;

constexpr std::int64_t kBatch = 2000, kRowBytes = 19, kQueueBytes = 64 << 10;   // a row in memory: 8 + 4 + 4 + 3; a queue under memory_limit = 1 MiB
const std::string kTop = "retry = {max_elapsed = \"20s\", initial = \"1ms\", max = \"5ms\"}\nmemory_limit = \"1MiB\"";

/// Counts what the store gives, and what of it a kill makes the next run read again.
struct Reread {
  const Store& store;
  std::int64_t readers, pages;   ///< that a reader may hold besides the one under way
  std::atomic<std::int64_t> given{0}, largest{0};
  std::int64_t lost = 0, most = 0;
  Gate gate{store, [this](const Gate::Asked& asked, Gate::Answer&, const auto& forward) {
              if (!asked.rows) return false;
              const std::int64_t n = std::atoll(forward("SELECT count() FROM (" + asked.body.substr(0, asked.body.rfind(" FORMAT ")) + ")").body.c_str());
              given += n;
              largest = std::max(largest.load(), n);
              return false;
            }};
  Reread(const Store& from, std::int64_t reading, std::int64_t holding) : store(from), readers(reading), pages(holding) {}
  /// Each reader's pages, two queues with a batch too much each, and what the sink has not committed: a batch that it fills
  /// and one that it writes.
  std::int64_t Bound() const { return readers * (pages + 1) * largest + 2 * (kQueueBytes / kRowBytes + largest) + 2 * kBatch; }
  void Killed(std::int64_t there) {
    const std::int64_t now = given - there;
    most = std::max(most, now - lost);
    CHECK(now - lost <= Bound());
    lost = now;
  }
  void Anew() {
    given = 0;
    lost = 0;
  }
};

/// Runs the loop on a pipeline; `rows` says how many are there, `ids` "count|distinct|sum" of the ids, `clear` empties the target.
void Loop(const Pull& pull, const std::function<std::int64_t()>& rows, const std::function<std::string()>& ids, const std::function<void()>& clear,
          Reread& again) {
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
    again.Anew();
    std::filesystem::remove_all(pull.dir / ".etl");
  };
  plan.after_kill = [&](const Kill&) {
    again.Killed(rows());
    // Behind the pass's end.
    Command show = pull.Make();
    show.argv = {show.argv[0], "state", "show", "p.toml"};
    if (RunProcess(show).out.find("is complete") != std::string::npos) plan.after_pass();
  };
  const KillReport report = RunKillLoop(plan);
  CHECK(report.landed == plan.kills);
  MESSAGE(report.landed << " kills in " << report.runs << " runs, " << passes << " passes; ETL_TEST_SEED=" << report.seed << "; read again after a kill: at most " << again.most
                         << " rows, bound " << again.Bound());
}

struct From {
  std::string lines;
  std::int64_t readers, pages;
};

/// `url`: of the gate.
std::vector<From> Sources(const Store& store, const std::string& url = "") {
  const std::string limited = store.Options(url) + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = 500\n";
  return {{limited + "readers = 3\n", 3, 1}, {limited + "strategy = \"article\"\nreaders = 1\n", 1, 10}, {store.Options(url) + "table = \"t\"\npage_bytes = \"64KiB\"\nreaders = 2\n", 2, 0}};
}

void Make(const Store& store) { store.Rows(kRows, "toUInt32(multiIf(number < 20000, intDiv(number, 10), number < 30000, 2100, intDiv(number, 7)))"); }

}  // namespace

TEST_CASE("ClickHouse to SQLite under kill -9, exactly once: paged, by the article, and in ranges") {
  const Store store("ch18");
  Make(store);
  for (std::size_t i = 0; i < Sources(store).size(); ++i) {
    if (i == 2) store.Rows(kRows, "intDiv(number, 7)");   // ranges of about a page, none of which is read by parts
    Reread again(store, Sources(store)[i].readers, Sources(store)[i].pages);
    const std::string source = Sources(store, again.gate.url())[i].lines;
    CAPTURE(source);
    const Pull pull(source, "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\nmode = \"insert\"\ncreate = true\nexactly_once = true\nbatch = {rows = 2000}", kTop);
    const auto ask = [&](const std::string& sql) {
      const Finished f = RunProcess({{"sqlite3", "-cmd", ".timeout 5000", pull.dir / "out.db", sql}});
      return f.exit_code ? std::string() : f.out.substr(0, f.out.find('\n'));
    };
    Loop(pull, [&] { return std::atoll(ask("SELECT count(*) FROM t").c_str()); }, [&] { return ask("SELECT count(*), count(DISTINCT id), sum(id) FROM t"); },
         [&] {
           for (const char* file : {"out.db", "out.db-wal", "out.db-shm"}) std::filesystem::remove(pull.dir / file);
         }, again);
  }
}

TEST_CASE("ClickHouse to MySQL under kill -9, exactly once: paged and in ranges") {
  const Store store("ch18");
  Make(store);
  Lab lab("mysql");
  const std::string create = "CREATE TABLE t (ts DATETIME, id BIGINT, v VARCHAR(20), KEY (id))";
  lab.Run(create);
  for (const std::size_t i : {0, 2}) {
    if (i == 2) store.Rows(kRows, "intDiv(number, 7)");   // ranges of about a page, none of which is read by parts
    Reread again(store, Sources(store)[i].readers, Sources(store)[i].pages);
    const std::string source = Sources(store, again.gate.url())[i].lines;
    CAPTURE(source);
    const std::string options = lab.Options();
    const Pull pull(source, options + "table = \"t\"\nmode = \"insert\"\nexactly_once = true\nbatch = {rows = 2000}", kTop);
    Loop(pull, [&] { return std::atoll(lab.Value("SELECT count(*) FROM t").c_str()); }, [&] { return lab.Query("SELECT count(*), count(DISTINCT id), sum(id) FROM t").at(0); },
         [&] { lab.Run("TRUNCATE t; DROP TABLE IF EXISTS _etl_checkpoint; DROP TABLE IF EXISTS _etl_owner"); }, again);
  }
}
