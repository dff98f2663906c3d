// Rows through the runtime: every row arrives, is filtered on purpose, or is among the rejects.
#include <doctest/doctest.h>

#include <algorithm>

#include "fixture.h"
#include "state/rejects.h"

using namespace etl::host;

namespace {

std::string Pipeline(const std::string& source, const std::string& transforms, const std::string& sink,
                     const std::string& pipeline = "") {
  return "[pipeline]\nretry = { initial = \"1ms\", max = \"5ms\", max_elapsed = \"50ms\" }\n" + pipeline +
         "\n[source]\ntype = \"probe\"\n" + source + "\n" + transforms + "\n[sink]\n" + sink + "\n";
}
const std::string kFile = "type = \"probe\"\npath = \"out\"\nlog = \"log\"\n";
std::string Map(const std::string& options) { return "[[transform]]\ntype = \"probe\"\n" + options + "\n"; }

std::vector<RejectRecord> Rejects(const Fixture& f) {
  std::vector<RejectRecord> all;
  ReadRejects(f.File(".etl/p/rejects.ndjson"), [&](const RejectRecord& r, const std::string&) { all.push_back(r); });
  return all;
}

}  // namespace

TEST_CASE("every row of every split arrives through several readers, workers and writers") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 10007\nsplits = 13\nreaders = 4", Map("") + Map(""), kFile + "writers = 3"));
  CHECK(r.exit == Exit::kOk);
  CHECK(Sorted(f.Ids()) == UpTo(10007));
  CHECK(r.status.rows_read == 10007);
  CHECK(r.status.rows_delivered == 10007);
  CHECK(f.Read("log") == "begin new kept=\nend 0\n");
  const State s = f.Saved();
  CHECK(s.complete);
  CHECK(s.generation == 1);
  CHECK(s.splits.size() == 13);
  for (const auto& [id, split] : s.splits) CHECK(split.done);
  CHECK(s.totals.at("rows_delivered") == 10007);
  CHECK(s.totals.at("rows_read") == 10007);
  CHECK(s.kept.empty());
}

TEST_CASE("rows settle however the sink says it: at once, by flush, from a thread of its own") {
  for (const char* mode : {"settle", "flush", "thread"}) {
    CAPTURE(mode);
    Fixture f;
    const RunResult r = f.RunToml(Pipeline("rows = 2500", "", kFile + "mode = \"" + mode + "\""));
    CHECK(r.exit == Exit::kOk);
    CHECK(Sorted(f.Ids()) == UpTo(2500));
    CHECK(f.Saved().complete);
  }
}

TEST_CASE("filtered rows are counted, and their batches settle") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000", Map("mode = \"drop\"\nn = 1"), kFile));
  CHECK(r.exit == Exit::kOk);
  CHECK(r.status.rows_filtered == 1000);
  CHECK(r.status.rows_delivered == 0);
  CHECK(f.Saved().complete);
}

TEST_CASE("a transform may make more rows of one") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000", Map("mode = \"double\"\nn = 10"), kFile));
  CHECK(r.exit == Exit::kOk);
  CHECK(r.status.rows_filtered == 0);
  CHECK(f.Ids().size() == 1100);
}

TEST_CASE("a transform may hold rows back and hand them on later, in other batches") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1050\nsplits = 3", Map("") + "[[transform]]\ntype = \"probe_hold\"\nn = 4\n" + Map("mode = \"drop\"\nn = 2"), kFile));
  CHECK(r.exit == Exit::kOk);
  CHECK(f.Ids().size() == 525);
  CHECK(f.Saved().complete);
}

TEST_CASE("a held row is handed on when the time that its transform asked for has come") {
  Fixture f;
  // The source blocks after 500 rows; only the clock can bring the held ones out.
  const RunResult r = f.RunToml(Pipeline("rows = 1000\nblock_at = 500", "[[transform]]\ntype = \"probe_hold\"\nn = 100\nlinger = \"20ms\"\n", kFile),
                            [&](Run& run) {
                              while (run.Status().rows_delivered < 500) std::this_thread::yield();
                              run.Stop(15);
                            });
  CHECK(r.exit == Exit::kTerminated);
  CHECK(Sorted(f.Ids()) == UpTo(500));
}

TEST_CASE("what a transform holds back counts as filtered when it is finished with, not before") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000", "[[transform]]\ntype = \"probe_hold\"\ndrop_mod = 4\n", kFile));
  CHECK(r.exit == Exit::kOk);
  CHECK(r.status.rows_filtered == 250);
  CHECK(f.Ids().size() == 750);
}

TEST_CASE("a transform that would hold for ever hands on what it holds when the readers wait for it") {
  Fixture f;
  const std::string hold = "[[transform]]\ntype = \"probe_hold\"\nn = 1000000\n";
  CHECK(f.RunToml(Pipeline("rows = 20000\nbatch = 1", hold, kFile)).exit == Exit::kOk);   // the window
  CHECK(Sorted(f.Ids()) == UpTo(20000));
  Fixture g;
  CHECK(g.RunToml(Pipeline("rows = 6000\npayload = 1000", hold, kFile, "memory_limit = \"2MiB\"")).exit == Exit::kOk);   // the budget
  CHECK(Sorted(g.Ids()) == UpTo(6000));
}

TEST_CASE("much that a transform hands on in one call is taken on while it hands on") {
  Fixture f;
  const std::string hold = "[[transform]]\ntype = \"probe_hold\"\nn = 1000000\nlarge = 100000\n";
  const RunResult r = f.RunToml(Pipeline("rows = 300", hold + Map(""), kFile, "memory_limit = \"2MiB\""));   // 30 MB, and queues of 128 KiB
  CHECK(r.exit == Exit::kOk);
  CHECK(Sorted(f.Ids()) == UpTo(300));
  CHECK(r.status.stages[1].metrics.at("saved_meanwhile") > 200);
  Fixture g;
  CHECK(g.RunToml(Pipeline("rows = 300", hold + Map("mode = \"fail\"\nn = 250"), kFile)).message.find("cannot go on") != std::string::npos);
  Fixture h;
  CHECK(h.RunToml(Pipeline("rows = 300", hold + Map(""), kFile + "fail_at = 100")).message.find("disk on fire") != std::string::npos);
}

TEST_CASE("a sink's linger is served by the host's clock") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000\nblock_at = 300", "", kFile + "mode = \"flush\"\nlinger = \"10ms\""), [&](Run& run) {
    while (f.Ids().size() < 300) std::this_thread::yield();
    run.Stop(2);
  });
  CHECK(r.exit == Exit::kInterrupted);
  CHECK(r.status.stages[1].metrics.at("ticks") >= 1);
}

TEST_CASE("passing faults are tried again, at every stage") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000\nretry_at = 450", Map("mode = \"retry\""), kFile + "retry_at = 700"));
  CHECK(r.exit == Exit::kOk);
  CHECK(Sorted(f.Ids()) == UpTo(1000));
  CHECK(r.status.stages[0].retries == 2);
  CHECK(r.status.stages[1].retries >= 1);
  CHECK(r.status.stages[2].retries == 1);
}

TEST_CASE("a transform that gave its rows away cannot be tried again") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 100", Map("mode = \"late_retry\""), kFile));
  CHECK(r.exit == Exit::kSource);
  CHECK(r.message.find("busy; and the rows are gone") != std::string::npos);
}

TEST_CASE("when the retry budget is used up the run stops with exit 6, and what was delivered stands") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000\nretry_at = 450\nretries = 1000000", "", kFile));
  CHECK(r.exit == Exit::kRetriesUsedUp);
  CHECK(r.message.find("source (probe): next: not now; gave up after ") == 0);
  CHECK(f.Ids() == UpTo(400));
  CHECK(f.Saved().splits.at("s0").position == "400");
  CHECK(f.RunToml(Pipeline("rows = 1000", "", kFile)).exit == Exit::kOk);
  CHECK(f.Ids() == UpTo(1000));
}

TEST_CASE("rows that a sink wants once more come again, alone") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000", "", kFile + "again_mod = 7"));
  CHECK(r.exit == Exit::kOk);
  CHECK(Sorted(f.Ids()) == UpTo(1000));
  CHECK(r.status.rows_delivered == 1000);
}

TEST_CASE("by default the first rejected row stops the run with exit 11, and no position passes it") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000", Map("workers = 1\nmode = \"reject\"\nn = 555"), kFile));
  CHECK(r.exit == Exit::kRejectStop);
  CHECK(r.message == "transform[0] (probe) rejected a row (split s0, batch 0, row 0): does not suit; mend the row, or let "
                     "rejects go to a file with on_reject = \"file\"");
  CHECK(f.Saved().splits.at("s0").position == "");
  CHECK(!f.Saved().complete);
}

TEST_CASE("rejects go to a file, with reason, code, stage and row, and the run ends with exit 3") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000\nreject_every = 500", Map("mode = \"reject\"\nn = 400"), kFile + "reject_mod = 333",
                                     "on_reject = \"file\""));
  CHECK(r.exit == Exit::kRejected);
  CHECK(r.status.rows_rejected == 2 + 3 + 2);   // 499 999 | 0 400 800 | 333 666 (999 and 0 are gone already)
  const auto records = Rejects(f);
  CHECK(records.size() == static_cast<std::size_t>(r.status.rows_rejected));
  for (const RejectRecord& rec : records) {
    if (rec.stage == "source") {
      CHECK(rec.where.find("row ") == 0);
      CHECK(rec.code == 7);
    } else {
      CHECK(rec.split == "s0");
      CHECK(rec.row.find("{\"id\":") == 0);
      const std::int64_t id = std::stoll(rec.row.substr(6));
      CHECK(static_cast<std::int64_t>(rec.seq) == id / 100);
      CHECK((id % 400 == 0 || id % 333 == 0));
    }
  }
  CHECK(f.Ids().size() == 1000 - records.size());
  CHECK((std::filesystem::status(f.File(".etl/p/rejects.ndjson")).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("more rejects than max_rejects.count stop the run") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000", "", kFile + "reject_mod = 100", "on_reject = \"file\"\nmax_rejects = { count = 4 }"));
  CHECK(r.exit == Exit::kRejectStop);
  CHECK(r.message.find("more than 4 rows were rejected (max_rejects.count)") == 0);
}

TEST_CASE("a higher rate of rejects than max_rejects.rate stops the run") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000", "", kFile + "reject_mod = 100", "on_reject = \"file\"\nmax_rejects = { rate = 0.005 }"));
  CHECK(r.exit == Exit::kRejectStop);
}

TEST_CASE("rejected rows can be given back to the stage that refused them") {
  Fixture f;
  const std::string pipeline = "on_reject = \"file\"";
  CHECK(f.RunToml(Pipeline("rows = 1000", "", kFile + "reject_mod = 100", pipeline)).exit == Exit::kRejected);
  CHECK(Rejects(f).size() == 10);
  const RunResult still = f.ReplayToml(Pipeline("rows = 1000", "", kFile + "reject_mod = 300", pipeline));
  CHECK(still.message == "4 rows are still rejected");
  CHECK(still.exit == Exit::kRejected);
  const RunResult done = f.ReplayToml(Pipeline("rows = 1000", "", kFile, pipeline));
  CHECK(done.message == "");
  CHECK(done.exit == Exit::kOk);
  CHECK(Sorted(f.Ids()) == UpTo(1000));
  CHECK(!std::filesystem::exists(f.File(".etl/p/rejects.ndjson")));
}

TEST_CASE("a lasting fault of the source stops the run with exit 4; what was read before it is delivered") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000\nfail_at = 650", Map(""), kFile));
  CHECK(r.exit == Exit::kSource);
  CHECK(r.message == "source (probe): next: no more");
  CHECK(Sorted(f.Ids()) == UpTo(600));
  CHECK(f.Read("log") == "begin new kept=\nend 1\n");
}

TEST_CASE("a lasting fault of a transform is exit 4, of a sink exit 5") {
  Fixture f;
  const RunResult t = f.RunToml(Pipeline("rows = 1000", Map("mode = \"fail\"\nn = 450"), kFile));
  CHECK(t.exit == Exit::kSource);
  CHECK(t.message == "transform[0] (probe): apply: cannot go on");
  Fixture g;
  const RunResult s = g.RunToml(Pipeline("rows = 1000", "", kFile + "fail_at = 450"));
  CHECK(s.exit == Exit::kSink);
  CHECK(s.message == "sink[0] (probe): write: disk on fire");
  CHECK(g.Saved().splits.at("s0").position == "400");
}

TEST_CASE("what a sink notes when it begins is on disk before the first row") {
  Fixture f;
  f.RunToml(Pipeline("rows = 100\nblock_at = 50", "", kFile), [&](Run& run) {
    while (run.Status().phase == "starting") std::this_thread::yield();
    CHECK(f.Saved().kept.count("sink[0]") == 1);   // a save each second would bring it back later
    run.Stop(15);
  });
}

TEST_CASE("a sink that cannot end is exit 5, and the pass is not complete") {
  Fixture f;
  CHECK(f.RunToml(Pipeline("rows = 100", "", kFile + "mode = \"fail_end\"")).exit == Exit::kSink);
  CHECK(!f.Saved().complete);
  CHECK(f.Saved().kept.at("sink[0]") == "note");
  const RunResult r = f.RunToml(Pipeline("rows = 100", "", kFile));
  CHECK(r.exit == Exit::kOk);
  CHECK(r.status.rows_read == 0);
  CHECK(f.Read("log") == "begin new kept=\nend 0\nbegin resumed kept=note\nend 0\n");
}

TEST_CASE("broken batches and lies of a plugin end the run with exit 1 and name the plugin") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 1000\nbroken_at = 500", "", kFile));
  CHECK(r.exit == Exit::kInternal);
  CHECK(r.message.find("source (probe) gave a broken batch: ") == 0);
  CHECK(f.Ids() == UpTo(500));
  Fixture g;
  const RunResult lie = g.RunToml(Pipeline("rows = 1000", Map("mode = \"lie\""), kFile));
  CHECK(lie.exit == Exit::kInternal);
  CHECK(lie.message.find("transform[0] (probe): emitted a row with origin 1000000000, which it does not hold") == 0);
}

TEST_CASE("every row goes to every sink") {
  Fixture f;
  const RunResult r = f.RunToml("[source]\ntype = \"probe\"\nrows = 1000\n[[sink]]\ntype = \"probe\"\npath = \"out\"\n[[sink]]\ntype = \"probe\"\npath = \"two\"\nmode = \"flush\"\n"
                            "[[sink]]\ntype = \"probe_ordered\"\npath = \"three\"\n");
  CHECK(r.exit == Exit::kOk);
  CHECK(Sorted(f.Ids("out")) == UpTo(1000));
  CHECK(Sorted(f.Ids("two")) == UpTo(1000));
  CHECK(f.Ids("three") == UpTo(1000));
}

TEST_CASE("an ordered sink gets the batches of a split in order, however many workers there are") {
  Fixture f;
  const RunResult r = f.RunToml(Pipeline("rows = 50000\nbatch = 50", Map("mode = \"drop\"\nn = 3\nworkers = 4"), "type = \"probe_ordered\"\npath = \"out\"",
                                     "workers = 4"));
  CHECK(r.exit == Exit::kOk);
  const auto ids = f.Ids();
  CHECK(ids.size() == 33333);
  CHECK(std::is_sorted(ids.begin(), ids.end()));
}

TEST_CASE("live batches stay within the memory limit while a sink is slow") {
  Fixture f;
  std::int64_t most = 0;
  const RunResult r = f.RunToml(Pipeline("rows = 100000\nbatch = 100\npayload = 1000\nsplits = 4\nreaders = 4", Map(""),
                                     kFile + "slow = \"1ms\"", "memory_limit = \"4MiB\""),
                            [&](Run& run) {
                              for (RunStatus s = run.Status(); s.phase != "ended" && s.rows_delivered < 100000; s = run.Status()) {
                                most = std::max(most, s.memory_used);
                              }
                            });
  CHECK(r.exit == Exit::kOk);
  CHECK(most > 0);
  CHECK(most <= (4 << 20) + 8 * 110'000);   // one batch for each reader and worker may be on top
}
