// Signals in the middle of a run: it drains and saves, or leaves at once, and the next run goes on
// exactly.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <memory>
#include <sstream>

#include "program.h"

namespace etl::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::int64_t kRows = 100'000;
constexpr auto kLongest = 60s;

/// Reads the target and goes on reading it: with a rollback journal nothing can be committed
/// meanwhile, so a run that has rows left cannot end by itself.
class Hold {
 public:
  explicit Hold(const std::string& database) {
    if (sqlite3_open_v2(database.c_str(), &db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK)
      return;
    const auto count = [](void* rows, int, char** values, char**) {
      *static_cast<std::int64_t*>(rows) = std::stoll(values[0]);
      return 0;
    };
    // Not made yet, or in the middle of a commit: no rows are seen then.
    sqlite3_exec(db_, "BEGIN; SELECT count(*) FROM rows", count, &rows_, nullptr);
  }
  ~Hold() { sqlite3_close(db_); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  std::int64_t rows() const { return rows_; }

 private:
  sqlite3* db_ = nullptr;
  std::int64_t rows_ = 0;
};

class Started {
 public:
  explicit Started(const Command& command)
      : in_(::open("/dev/null", O_RDWR | O_CLOEXEC)), process_(command, in_, in_, in_) {}
  ~Started() { ::close(in_); }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  /// Waits, with the process alive, until `done` says so.
  template <class Done>
  void Await(const char* what, Done done) {
    const auto until = Clock::now() + kLongest;
    while (!done()) {
      REQUIRE_MESSAGE(Clock::now() < until, what, " did not come to pass");
      REQUIRE_MESSAGE(!process_.WaitUntil(Clock::now() + 2ms), "it ended with ",
                      Describe(process_.Join()), " before ", what);
    }
  }
  /// Sends it and waits until the process has taken it: two that are pending at once would be one.
  void Signal(int signal) {
    REQUIRE(process_.Signal(signal));
    Await("taking the signal", [&] { return !Has("ShdPnd:", signal); });
  }
  Ending Join() {
    REQUIRE_MESSAGE(process_.WaitUntil(Clock::now() + kLongest), "it did not end");
    return process_.Join();
  }
  Process& process() { return process_; }
  /// Is the signal in that set of /proc/PID/status?
  bool Has(const std::string& set, int signal) const {
    std::istringstream lines(ReadFile("/proc/" + std::to_string(process_.pid()) + "/status"));
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind(set, 0) == 0)
        return (std::stoull(line.substr(set.size()), nullptr, 16) >> (signal - 1) & 1) != 0;
    }
    return false;
  }

 private:
  int in_;
  Process process_;
};

constexpr char kToSqlite[] = R"(
[source]
type = "ndjson"
path = "in.ndjson"
batch = { rows = 100 }
[[sink]]
type = "sqlite"
path = "out.db"
table = "rows"
journal = "delete"
batch = { rows = 200 }
)";

void Change(const std::string& database, const std::string& sql) {
  sqlite3* db = nullptr;
  const bool done =
      sqlite3_open_v2(database.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
      sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  INFO(sql, ": ", sqlite3_errmsg(db));
  CHECK(done);
  sqlite3_close(db);
}

struct Halfway {
  Halfway() : pipeline(kToSqlite) {
    WriteNdjson({1, kRows, 1, Profile::kPlain}, pipeline.file("in.ndjson"));
    WriteSqlite({1, kRows, 1, Profile::kPlain}, pipeline.file("expected.db"), "rows");
    started = std::make_unique<Started>(pipeline.Run({"-q"}));
    started->Await("the first rows", [&] {
      hold = std::make_unique<Hold>(pipeline.file("out.db"));
      if (hold->rows() == 0) hold.reset();
      return hold != nullptr;
    });
    REQUIRE(hold->rows() < kRows);
  }

  void FinishAndVerify() {
    const std::string standing = pipeline.ShowState();
    CHECK_MESSAGE(standing.find("is not complete") != std::string::npos, standing);
    const Finished next = RunProcess(pipeline.Run());
    CHECK_MESSAGE(next.exit_code == 0, Describe(next), ": ", next.err);
    const std::string wrong =
        Wrong(pipeline.file("expected.db"), pipeline.file("out.db"), {"--table", "rows"});
    CHECK_MESSAGE(wrong.empty(), wrong);
  }

  Pipeline pipeline;
  std::unique_ptr<Started> started;
  std::unique_ptr<Hold> hold;
};

}  // namespace

TEST_CASE("SIGTERM in the middle of a run ends it with 143, and the next run goes on exactly") {
  Halfway run;
  run.started->Signal(SIGTERM);
  run.hold.reset();
  const Ending ending = run.started->Join();
  CHECK_MESSAGE(ending.exit_code == 143, Describe(ending));
  run.FinishAndVerify();
}

TEST_CASE("SIGINT in the middle of a run ends it with 130, and the next run goes on exactly") {
  Halfway run;
  run.started->Signal(SIGINT);
  run.hold.reset();
  const Ending ending = run.started->Join();
  CHECK_MESSAGE(ending.exit_code == 130, Describe(ending));
  run.FinishAndVerify();
}

TEST_CASE(
    "a second SIGINT ends a run that cannot drain at once, and the next run goes on exactly") {
  Halfway run;
  run.started->Signal(SIGINT);
  // Nothing lets the first one come to its end: the target stays held until the process is gone.
  REQUIRE(run.started->process().Signal(SIGINT));
  const auto asked = Clock::now();
  const Ending ending = run.started->Join();
  const auto took = Clock::now() - asked;
  CHECK_MESSAGE(ending.exit_code == 130, Describe(ending));
  CHECK_MESSAGE(took < 5s, "a drain may take 30 s; this took ",
                std::chrono::duration<double>(took).count(), " s");
  run.hold.reset();
  run.FinishAndVerify();
}

TEST_CASE("SIGINT ends a replay with 130, and what is not delivered stays among the rejects") {
  constexpr RowRange kRejected = {1, 10'000, 1, Profile::kPlain};
  const Pipeline pipeline(std::string("on_reject = \"file\"\n") + kToSqlite);
  WriteNdjson(kRejected, pipeline.file("in.ndjson"));
  WriteSqlite(kRejected, pipeline.file("expected.db"), "rows");
  WriteSqlite(kRejected, pipeline.file("out.db"), "rows");
  Change(pipeline.file("out.db"),
         "DELETE FROM rows; CREATE TRIGGER no BEFORE INSERT ON rows BEGIN SELECT RAISE(ABORT, "
         "'no'); END");
  const Finished first = RunProcess(pipeline.Run());
  CHECK_MESSAGE(first.exit_code == 3, Describe(first), ": ", first.err);
  Change(pipeline.file("out.db"), "DROP TRIGGER no");

  auto hold = std::make_unique<Hold>(pipeline.file("out.db"));
  const Command replay = Etl({"rejects", "replay", pipeline.file("p.toml")});
  Started started(replay);
  started.Await("watching for signals", [&] { return started.Has("SigBlk:", SIGINT); });
  started.Signal(SIGINT);
  const Ending ending = started.Join();
  hold.reset();
  CHECK_MESSAGE(ending.exit_code == 130, Describe(ending));
  const Finished listed = RunProcess(Etl({"rejects", "list", pipeline.file("p.toml"), "--json"}));
  CHECK_MESSAGE(listed.out.find("\"rows\": " + std::to_string(RowsIn(pipeline.file("expected.db"),
                                                                     "rows"))) != std::string::npos,
                listed.out);
  const Finished rest = RunProcess(replay);
  CHECK_MESSAGE(rest.exit_code == 0, Describe(rest), ": ", rest.err);
  const std::string wrong =
      Wrong(pipeline.file("expected.db"), pipeline.file("out.db"), {"--table", "rows"});
  CHECK_MESSAGE(wrong.empty(), wrong);
}

}  // namespace etl::test
