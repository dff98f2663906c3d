// kill -9 at random instants: each pass that comes to its end has every row exactly once, as it
// was.
#include <doctest/doctest.h>

#include <cstdlib>

#include "program.h"

namespace etl::test {
namespace {

constexpr std::int64_t kRows = kSanitized ? 20'000 : 100'000;
constexpr std::int64_t kFileRows = kSanitized ? 10'000 : 40'000;

std::size_t Kills(std::size_t full, std::size_t few) {
  return Full() ? full : kSanitized ? few / 4 + 1 : few;
}

/// What the kill left must be readable.  A pass is over when the state says so, also where the kill
/// came just after.
KillReport Loop(const Pipeline& pipeline, std::size_t kills, const std::vector<KillKind>& kinds,
                const std::function<double()>& left, const std::function<std::string()>& wrong,
                const std::string& target) {
  KillPlan plan;
  plan.command = pipeline.Run({"-q"});
  plan.kills = kills;
  plan.kinds = kinds;
  plan.left = left;
  if (const char* seed = std::getenv("ETL_SEED")) plan.seed = std::strtoull(seed, nullptr, 10);
  plan.after_pass = [&] {
    const std::string found = wrong();
    if (!found.empty()) throw std::runtime_error(target + " is not what was read: " + found);
    pipeline.StartOver(target);
  };
  plan.after_kill = [&](const Kill&) {
    if (pipeline.ShowState().find("is complete") != std::string::npos) plan.after_pass();
  };
  const KillReport report = RunKillLoop(plan);
  CHECK(report.landed == kills);
  MESSAGE(target << ": " << report.landed << " kills in " << report.runs << " runs");
  return report;
}

void KillIntoSqlite(const Pipeline& pipeline, const std::string& expected) {
  const auto left = [&] {
    return 1 - static_cast<double>(RowsIn(pipeline.file("out.db"), "rows")) / kRows;
  };
  const auto wrong = [&] { return Wrong(expected, pipeline.file("out.db"), {"--table", "rows"}); };
  Loop(pipeline, Kills(120, 20),
       {KillKind::kKill, KillKind::kKill, KillKind::kKill, KillKind::kStopThenKill}, left, wrong,
       "out.db");
}

const std::vector<KillKind> kStopsAndKills = {KillKind::kTerminate, KillKind::kKill,
                                              KillKind::kKill};

constexpr char kToSqlite[] = R"(
[[sink]]
type = "sqlite"
path = "out.db"
table = "rows"
batch = { rows = 2000 }
)";

}  // namespace

TEST_CASE("ndjson to sqlite under kill -9 has every row exactly once") {
  const Pipeline pipeline(std::string(R"(
[source]
type = "ndjson"
path = "in.ndjson"
split_bytes = "4MiB"
batch = { rows = 500 }
)") + kToSqlite);
  // The table has no key: a row that came twice would be there twice.
  WriteNdjson({1, kRows}, pipeline.file("in.ndjson"));
  WriteSqlite({1, kRows}, pipeline.file("expected.db"), "rows");
  KillIntoSqlite(pipeline, pipeline.file("expected.db"));
}

TEST_CASE("sqlite to sqlite under kill -9 has every row exactly once") {
  const Pipeline pipeline(std::string(R"(
[source]
type = "sqlite"
path = "in.db"
table = "rows"
chunk_rows = 10000
batch_rows = 500
)") + kToSqlite);
  WriteSqlite({1, kRows}, pipeline.file("in.db"), "rows");
  KillIntoSqlite(pipeline, pipeline.file("in.db"));
}

TEST_CASE(
    "a file of ndjson that is killed and stopped while it is written has every row exactly once") {
  const Pipeline pipeline(R"(
[source]
type = "ndjson"
path = "in.ndjson"
split_bytes = "4MiB"
batch = { rows = 500 }
[[sink]]
type = "ndjson"
path = "out.ndjson"
)");
  WriteNdjson({1, kFileRows}, pipeline.file("in.ndjson"));
  const auto wrong = [&] {
    return Wrong(pipeline.file("in.ndjson"), pipeline.file("out.ndjson"), {"--numbers", "value"});
  };
  Loop(pipeline, Kills(40, 8), kStopsAndKills, {}, wrong, "out.ndjson");
}

TEST_CASE(
    "a file of csv that is killed and stopped while it is written has every row exactly once") {
  const Pipeline pipeline(R"(
[source]
type = "csv"
path = "in.csv"
columns = { name = "utf8", note = "utf8", body = "utf8", day = "utf8", created_at = "utf8", ratio = "utf8" }
[[sink]]
type = "csv"
path = "out.csv"
)");
  WriteCsv({1, kFileRows}, pipeline.file("in.csv"));
  const auto wrong = [&] { return Wrong(pipeline.file("in.csv"), pipeline.file("out.csv")); };
  Loop(pipeline, Kills(40, 8), kStopsAndKills, {}, wrong, "out.csv");
}

TEST_CASE("a gzip file that is killed while it is written has every row exactly once") {
  // Slow enough for the state to be saved between two kills.
  const Pipeline pipeline(R"(
[source]
type = "ndjson"
path = "in.ndjson"
batch = { rows = 500 }
[[sink]]
type = "ndjson"
path = "out.ndjson.gz"
level = 9
)");
  WriteNdjson({1, kRows}, pipeline.file("in.ndjson"));
  const auto wrong = [&] {
    Command unpack;
    unpack.argv = {"sh", "-c", "gzip -dc out.ndjson.gz > out.ndjson"};
    unpack.cwd = pipeline.dir().path();
    const Finished unpacked = RunProcess(unpack);
    if (unpacked.exit_code != 0) return "gzip: " + unpacked.err;
    return Wrong(pipeline.file("in.ndjson"), pipeline.file("out.ndjson"), {"--numbers", "value"});
  };
  Loop(pipeline, Kills(40, 6), {KillKind::kKill}, {}, wrong, "out.ndjson.gz");
}

}  // namespace etl::test
