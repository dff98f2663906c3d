#include "kill_loop.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "temp_dir.h"

using etl::test::Ending;
using etl::test::Finished;
using etl::test::Kill;
using etl::test::KillKind;
using etl::test::KillPlan;
using etl::test::KillReport;
using etl::test::RunKillLoop;
using etl::test::RunProcess;
using etl::test::TempDir;

namespace {

constexpr int kRows = 20'000;

std::string ExpectedRows(const TempDir& dir) {
  std::string text;
  for (int id = 1; id <= kRows; ++id) {
    text += "{\"id\":" + std::to_string(id) + ",\"text\":\"row " + std::to_string(id) + "\"}\n";
  }
  return dir.Write("expected.ndjson", text);
}

struct Rig {
  TempDir dir;
  std::string expected = ExpectedRows(dir);
  std::string database = dir / "rows.db";
  Finished verdict;

  KillPlan Plan(bool careless) {
    KillPlan plan;
    plan.command.argv = {ETL_VICTIM, "copy", database, std::to_string(kRows)};
    if (careless) plan.command.argv.push_back("careless");
    plan.after_pass = [this] {
      const Finished found = Verify();
      if (verdict.exit_code <= 0) verdict = found;
      for (const char* end : {"", "-journal"}) std::filesystem::remove(database + end);
    };
    return plan;
  }

  Finished Verify() const {
    return RunProcess({.argv = {ETL_VERIFY_ROWS, "--expected", expected, "--actual", database,
                                "--table", "rows", "--key", "id"}});
  }
};

}  // namespace

TEST_CASE("a careful program killed 30 times in all three ways loses and repeats nothing") {
  Rig rig;
  KillPlan plan = rig.Plan(false);
  plan.kills = 30;
  plan.kinds = {KillKind::kKill, KillKind::kTerminate, KillKind::kStopThenKill};
  std::vector<Kill> kills;
  plan.after_kill = [&](const Kill& kill) { kills.push_back(kill); };
  const KillReport report = RunKillLoop(plan);

  CHECK_MESSAGE(rig.verdict.exit_code == 0, rig.verdict.out, rig.verdict.err);
  CHECK(report.landed == 30);
  CHECK(report.in_phase == std::array<std::size_t, 3>{9, 18, 3});
  CHECK(report.passes >= 2);
  CHECK(report.runs == report.landed + report.passes);
  REQUIRE(kills.size() == 30);
  for (std::size_t i = 0; i < kills.size(); ++i) {
    CHECK(kills[i].number == i + 1);
    CHECK(kills[i].kind == plan.kinds[i % 3]);
    const Ending& ending = kills[i].ending;
    if (kills[i].kind != KillKind::kTerminate) CHECK(ending.signal == SIGKILL);
    if (kills[i].kind == KillKind::kTerminate)
      CHECK((ending.exit_code == 143 || ending.signal == SIGTERM));
  }
}

TEST_CASE("the rows that a careless program loses when it is killed are found") {
  Rig rig;
  KillPlan plan = rig.Plan(true);
  plan.kills = 20;
  RunKillLoop(plan);
  CHECK(rig.verdict.exit_code == 1);
  CHECK(rig.verdict.out.find("\nlost 0") == std::string::npos);
}

TEST_CASE("the same seed gives the same plan of kills") {
  std::vector<int> phases[2];
  for (auto& drawn : phases) {
    Rig rig;
    KillPlan plan = rig.Plan(false);
    plan.kills = 10;
    plan.seed = 7;
    plan.quiet = true;
    plan.after_kill = [&](const Kill& kill) { drawn.push_back(static_cast<int>(kill.phase)); };
    CHECK(RunKillLoop(plan).seed == 7);
  }
  CHECK(phases[0] == phases[1]);
}

TEST_CASE("a run that ends wrongly stops the loop with what it said") {
  KillPlan plan;
  plan.command.argv = {"sh", "-c", "echo the reason >&2; exit 4"};
  plan.quiet = true;
  std::string message;
  try {
    RunKillLoop(plan);
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  CHECK(message.find("exit code 4") != std::string::npos);
  CHECK(message.find("the reason") != std::string::npos);
  CHECK(message.find("seed ") != std::string::npos);
}

TEST_CASE("a program that does not heed SIGTERM is told on") {
  KillPlan plan;
  plan.command.argv = {"sh", "-c", "trap '' TERM; sleep 1"};   // long, so that the signal does not come before the trap
  plan.kinds = {KillKind::kTerminate};
  plan.kills = 3;
  plan.seed = 1;
  plan.quiet = true;
  plan.terminated_codes = {143};
  CHECK_THROWS_AS(RunKillLoop(plan), std::runtime_error);
}
