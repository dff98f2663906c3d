// Stopping in the middle, and going on.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "fixture.h"

using namespace etl::host;

namespace {
std::string Source(const std::string& options) { return "[source]\ntype = \"probe\"\nrows = 5000\nbatch = 50\n" + options + "\n"; }
}  // namespace

TEST_CASE("SIGTERM drains: what was read is delivered, the state is saved, the exit code is 143, the next run goes on") {
  Fixture f;
  const std::string sink = "[sink]\ntype = \"probe\"\npath = \"out\"\nlog = \"log\"\n";
  const RunResult r = f.RunToml(Source("block_at = 3333") + sink, [](Run& run) {
    while (run.Status().rows_delivered < 3300) std::this_thread::yield();
    run.Stop(15);
  });
  CHECK(r.exit == Exit::kTerminated);
  CHECK(r.message == "stopped by a signal; what was read is delivered, and the state is saved");
  CHECK(f.Ids() == UpTo(3300));
  CHECK(f.Saved().splits.at("s0").position == "3300");
  CHECK(r.next == std::vector<std::string>{"etl run " + f.File("p.toml")});
  const RunResult again = f.RunToml(Source("") + sink);
  CHECK(again.exit == Exit::kOk);
  CHECK(again.status.resumed);
  CHECK(again.status.rows_read == 1700);
  CHECK(f.Ids() == UpTo(5000));
  CHECK(f.Read("log") == "begin new kept=\nend 2\nbegin resumed kept=\nend 0\n");
}

TEST_CASE("a sink that never recovers does not outlive the grace period") {
  Fixture f;
  const RunResult r = f.RunToml("[pipeline]\ngrace = \"300ms\"\nretry = { max_elapsed = \"1h\", initial = \"1ms\", max = \"10ms\" }\n" + Source("") +
                                "[sink]\ntype = \"probe\"\npath = \"out\"\nmode = \"endless\"\n",
                            [](Run& run) {
                              while (run.Status().stages.size() < 2 || run.Status().stages[1].retries < 3) std::this_thread::yield();
                              run.Stop(2);
                            });
  CHECK(r.exit == Exit::kInterrupted);
  CHECK(r.message == "stopped by a signal; not all that was read was delivered within the time of grace, and a run that goes on reads it again");
  CHECK(r.status.elapsed_ns < 5'000'000'000);
  CHECK(f.Saved().splits.at("s0").position == "");
}

TEST_CASE("a file that keeps its order and its length is continued without a row lost or doubled") {
  Fixture f;
  const std::string rest = "[[transform]]\ntype = \"probe\"\nmode = \"drop\"\nn = 4\n[sink]\ntype = \"probe_ordered\"\npath = \"out\"\n";
  CHECK(f.RunToml(Source("fail_at = 2525") + rest).exit == Exit::kSource);
  std::ofstream(f.File("out"), std::ios::app) << "torn";   // what a kill leaves behind the saved length
  CHECK(f.RunToml(Source("fail_at = 4000") + rest).exit == Exit::kSource);
  CHECK(f.RunToml(Source("") + rest).exit == Exit::kOk);
  std::vector<std::int64_t> expected = UpTo(5000);
  std::erase_if(expected, [](std::int64_t id) { return id % 4 == 0; });
  CHECK(f.Ids() == expected);
}

TEST_CASE("a transactional sink's positions decide where the next run goes on: nothing lost, nothing doubled") {
  for (const std::string transforms : {"", "[[transform]]\ntype = \"probe\"\n", "[[transform]]\ntype = \"probe\"\nmode = \"split\"\nn = 7\n"}) {
    CAPTURE(transforms);
    Fixture f;
    const auto sink = [](int fail_after) {
      return "[sink]\ntype = \"probe_txn\"\npath = \"out\"\ncommit_every = 2\nfail_after = " + std::to_string(fail_after) + "\n";
    };
    for (const int fail_after : {1, 4, 5}) {
      CHECK(f.RunToml(Source("splits = 3\nreaders = 2") + transforms + sink(fail_after)).exit == Exit::kSink);
    }
    CHECK(f.RunToml(Source("splits = 3\nreaders = 2") + transforms + sink(-1)).exit == Exit::kOk);
    CHECK(Sorted(f.Ids()) == UpTo(5000));
  }
}

TEST_CASE("batches that are filtered away whole still move a transactional sink's position") {
  Fixture f;
  const std::string drop = "[[transform]]\ntype = \"probe\"\nmode = \"drop\"\nn = 1\n";
  CHECK(f.RunToml(Source("") + drop + "[sink]\ntype = \"probe_txn\"\npath = \"out\"\n").exit == Exit::kOk);
  CHECK(f.Read("out").find("mark s0 5000 100") != std::string::npos);
}

TEST_CASE("a rejected row that stops the run is not committed past by a transactional sink") {
  Fixture f;
  const auto sink = [](int mod) { return "[sink]\ntype = \"probe_txn\"\npath = \"out\"\nreject_mod = " + std::to_string(mod) + "\n"; };
  CHECK(f.RunToml(Source("") + sink(1777)).exit == Exit::kRejectStop);
  CHECK(f.RunToml(Source("") + sink(0)).exit == Exit::kOk);
  CHECK(Sorted(f.Ids()) == UpTo(5000));
}

TEST_CASE("a replay that is stopped delivers what it has under way, and the other rows stay among the rejects") {
  Fixture f;
  const auto pipeline = [](const std::string& sink) {
    return "[pipeline]\non_reject = \"file\"\n[source]\ntype = \"probe\"\nrows = 2500\nbatch = 50\n[sink]\ntype = \"probe\"\n" + sink;
  };
  CHECK(f.RunToml(pipeline("path = \"out\"\nreject_mod = 1")).exit == Exit::kRejected);
  // Nobody reads the pipe before the replay is told to stop, and so its first rows cannot be delivered earlier.
  REQUIRE(::mkfifo(f.File("pipe").c_str(), 0600) == 0);
  std::ifstream pipe;
  std::vector<std::int64_t> ids;
  const RunResult r = f.ReplayToml(pipeline("path = \"pipe\""), [&](Run& run) {
    while (run.Status().rows_read < 1000) std::this_thread::yield();
    run.Stop(2);
    pipe.open(f.File("pipe"));
    for (std::int64_t id = 0; pipe >> id;) ids.push_back(id);
  });
  CHECK(r.exit == Exit::kInterrupted);
  CHECK(r.message == "stopped by a signal; 1500 rows are still among the rejects");
  CHECK(f.ReplayToml(pipeline("path = \"out\"")).exit == Exit::kOk);
  CHECK(ids.size() == 1000);
  for (const std::int64_t id : f.Ids()) ids.push_back(id);
  CHECK(Sorted(ids) == UpTo(2500));
}
