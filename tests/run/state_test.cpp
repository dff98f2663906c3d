// What is saved, and whom it belongs to.
#include <doctest/doctest.h>

#include <fstream>

#include "error.h"
#include "fixture.h"

using namespace etl::host;

namespace {
const std::string kSink = "[sink]\ntype = \"probe\"\npath = \"out\"\n";
std::string Source(const std::string& options) { return "[source]\ntype = \"probe\"\n" + options + "\n"; }
}  // namespace

TEST_CASE("after success the next run is a new pass and reads everything again") {
  Fixture f;
  CHECK(f.RunToml(Source("rows = 100") + kSink).exit == Exit::kOk);
  const RunResult r = f.RunToml(Source("rows = 100") + kSink);
  CHECK(r.exit == Exit::kOk);
  CHECK(r.status.generation == 2);
  CHECK(r.status.rows_read == 100);
  CHECK(f.Ids().size() == 200);
}

TEST_CASE("an incremental source reads only what came since the last complete pass") {
  Fixture f;
  CHECK(f.RunToml(Source("incremental = true\nrows = 100\nbatch = 10") + kSink).exit == Exit::kOk);
  CHECK(f.RunToml(Source("incremental = true\nrows = 150\nfail_at = 120\nbatch = 10") + kSink).exit == Exit::kSource);
  CHECK(f.RunToml(Source("incremental = true\nrows = 150\nbatch = 10") + kSink).exit == Exit::kOk);
  CHECK(f.RunToml(Source("incremental = true\nrows = 150\nbatch = 10") + kSink).status.rows_read == 0);
  CHECK(f.Ids() == UpTo(150));
}

TEST_CASE("a source that asks for it is given the state of its plan's end when a run goes on") {
  Fixture f;
  const std::string fails = "readers = 2\nincremental = true\nrows = 150\nfail_at = 120\nfail_planned = true\nbatch = 10";
  CHECK(f.RunToml(Source(fails) + kSink).exit == Exit::kSource);
  REQUIRE(f.Saved().planned_all);
  const RunResult r = f.RunToml(Source("incremental = true\nrows = 150\nbatch = 10") + kSink);
  CHECK(r.exit == Exit::kOk);
  CHECK(r.status.stages[0].metrics.at("ended_plans") == 1);
  CHECK(f.Ids() == UpTo(150));
}

TEST_CASE("an interrupted pass of another source is refused, field by field") {
  Fixture f;
  CHECK(f.RunToml(Source("rows = 100\nfail_at = 50\nbatch = 10") + kSink).exit == Exit::kSource);
  const RunResult r = f.RunToml(Source("rows = 100\nbatch = 20\npayload = 3") + kSink);
  CHECK(r.exit == Exit::kState);
  CHECK(r.message.find("source.batch: the state has 10, the pipeline now says 20\n") != std::string::npos);
  CHECK(r.message.find("source.payload: the state has 0, the pipeline now says 3\n") != std::string::npos);
  CHECK(r.message.find("etl state reset " + f.File("p.toml")) != std::string::npos);
  CHECK(f.Saved().splits.at("s0").position == "50");
  const PipelineConfig changed = f.Load(Source("rows = 100\nbatch = 20") + kSink);
  CHECK(PlanPipeline(changed, {}, 1, "").standing ==
        "pass 1 was interrupted and belongs to another pipeline than this file now declares, so that 'etl run' will refuse it: "
        "source.batch: the state has 10, the pipeline now says 20");
  const PipelineConfig same = f.Load(Source("rows = 100\nbatch = 10") + kSink);
  CHECK(PlanPipeline(same, {}, 1, "").standing == "pass 1 was interrupted and will go on");
}

TEST_CASE("a result says what a transform says that it is") {
  Fixture f;
  const RunResult r = f.RunToml(Source("rows = 1") + "[[transform]]\ntype = \"probe\"\n" + kSink);
  CHECK(r.exit == Exit::kOk);
  using Said = std::vector<std::pair<std::string, std::string>>;
  CHECK(r.status.stages.at(0).identity == Said{});
  CHECK(r.status.stages.at(1).identity == Said{{"kind", "plain"}});
}

TEST_CASE("a changed pipeline goes on after its state was accepted") {
  Fixture f;
  CHECK(f.RunToml(Source("rows = 100\nfail_at = 50\nbatch = 10") + kSink).exit == Exit::kSource);
  State s = f.Saved();
  s.identity.clear();
  {
    StateStore store(f.File(".etl/p"));
    store.Load();
    store.Save(s);
  }
  CHECK(f.RunToml(Source("rows = 100\nbatch = 20") + kSink).exit == Exit::kOk);
  CHECK(f.Ids() == UpTo(100));
}

TEST_CASE("a complete pass binds nobody: the next one may read something else") {
  Fixture f;
  CHECK(f.RunToml(Source("rows = 100") + kSink).exit == Exit::kOk);
  CHECK(f.RunToml(Source("rows = 100\nbatch = 20") + kSink).exit == Exit::kOk);
}

TEST_CASE("two runs of one pipeline exclude each other") {
  Fixture f;
  const RunResult r = f.RunToml(Source("rows = 100\nblock_at = 50\nbatch = 10") + kSink, [&](Run& first) {
    while (first.Status().rows_delivered < 50) std::this_thread::yield();
    const PipelineConfig config = f.Load(Source("rows = 100") + kSink);
    const RunResult second = Run(config, {}).Execute();
    CHECK(second.exit == Exit::kBusy);
    CHECK(second.message.find("another run holds this pipeline (pid ") == 0);
    first.Stop(15);
  });
  CHECK(r.exit == Exit::kTerminated);
}

TEST_CASE("a state file that is foreign, damaged or newer is refused and left alone") {
  Fixture f;
  const std::string state = f.File(".etl/p/state.db");
  std::filesystem::create_directories(f.File(".etl/p"));
  for (const std::string& content : {std::string("this is no database, and long enough to look like something at all..."), std::string(4096, '\0')}) {
    std::ofstream(state) << content;
    const RunResult r = f.RunToml(Source("rows = 100") + kSink);
    CHECK(r.exit == Exit::kState);
    CHECK(r.message.find(state) == 0);
    CHECK(f.Read(".etl/p/state.db") == content);
  }
}

TEST_CASE("a state file that is a link to somewhere else is refused") {
  Fixture f;
  std::filesystem::create_directories(f.File(".etl/p"));
  std::ofstream(f.File("elsewhere")) << "";
  std::filesystem::create_symlink(f.File("elsewhere"), f.File(".etl/p/state.db"));
  CHECK(f.RunToml(Source("rows = 100") + kSink).exit == Exit::kState);
}

TEST_CASE("the state's folder is named by --state-dir, then ETL_STATE_DIR, then the pipeline file") {
  Fixture f;
  const PipelineConfig config = f.Load(Source("rows = 1") + kSink);
  CHECK(StateFolder(config, "") == f.File(".etl/p"));
  CHECK(StateFolder(config, "/var/lib/x") == "/var/lib/x/p");
  setenv("ETL_STATE_DIR", "/srv/state", 1);
  CHECK(StateFolder(config, "") == "/srv/state/p");
  CHECK(StateFolder(config, "/var/lib/x") == "/var/lib/x/p");
  unsetenv("ETL_STATE_DIR");
}

TEST_CASE("a saved state reads back the same, opaque bytes included") {
  Fixture f;
  State s;
  s.generation = 7;
  s.key = "k";
  s.plan_state = std::string("a\0b\xff", 4);
  s.plan_begun = true;
  s.splits["x\n"] = {"x\n", std::string("\0", 1), std::string("p\0q", 3), 12, -1, 5, 99, false};
  s.worker_states["sink[0]/0"] = std::string("\xfe\0", 2);
  s.kept["sink[0]"] = "note";
  s.totals["rows_read"] = 1LL << 60;
  s.identity = {{"source.b", "2"}, {"source.a", "\"line\nline\""}};
  {
    StateStore store(f.File("state"));
    CHECK(store.Load().generation == 0);
    store.Save(s);
    s.splits["x\n"].seq = 13;
    s.splits.erase("none");
    store.Save(s);
    CHECK(!LockHolder(f.File("state")).empty());
  }
  CHECK(LockHolder(f.File("state")).empty());
  const State back = PeekState(f.File("state"));
  CHECK(back.generation == 7);
  CHECK(back.plan_state == s.plan_state);
  CHECK(back.plan_begun);
  CHECK(back.splits.at("x\n").state == s.splits["x\n"].state);
  CHECK(back.splits.at("x\n").position == s.splits["x\n"].position);
  CHECK(back.splits.at("x\n").seq == 13);
  CHECK(back.splits.at("x\n").bytes == 5);
  CHECK(back.worker_states == s.worker_states);
  CHECK(back.kept == s.kept);
  CHECK(back.totals == s.totals);
  CHECK(back.identity == s.identity);
  CHECK(!back.saved_at.empty());
}
