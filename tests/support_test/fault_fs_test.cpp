#include <doctest/doctest.h>

#include <filesystem>
#include <stdexcept>

#include "fs_matrix.h"
#include "run_process.h"
#include "temp_dir.h"

using namespace etl::test;

namespace {

const std::string kOld(6000, 'o');
const std::string kNew(9000, 'n');

/// What saving a file leaves when each of its operations fails.
struct Outcome {
  FsMatrixReport report;
  std::size_t torn = 0;    ///< neither the old content nor the new
  std::size_t unsaid = 0;  ///< exit code 0 and not the new content
};

Outcome SaveUnderFaults(bool careless, bool sticky) {
  const TempDir dir;
  const std::string file = dir / "state";
  Outcome outcome;
  FsMatrix matrix;
  matrix.command.argv = {ETL_VICTIM, "save", file, kNew, careless ? "careless" : "careful"};
  matrix.path = dir.path().string();
  matrix.kinds = {"EIO", "ENOSPC", "EINTR", "SHORT", "CRASH", "TORN"};
  matrix.sticky = sticky;
  matrix.before = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
      std::filesystem::remove(entry.path());
    dir.Write("state", kOld);
  };
  matrix.after = [&](const FsFault& fault, const Finished& finished) {
    CAPTURE(Describe(fault));
    if (fault.kind == "CRASH" || fault.kind == "TORN") CHECK(finished.exit_code == 86);
    const std::string found = ReadFile(file);
    outcome.torn += found != kOld && found != kNew;
    outcome.unsaid += finished.exit_code == 0 && found != kNew;
  };
  matrix.after_clean = [&](const Finished& finished) {
    CHECK(finished.exit_code == 0);
    CHECK(ReadFile(file) == kNew);
  };
  outcome.report = RunFsMatrix(matrix);
  return outcome;
}

}  // namespace

TEST_CASE("a careful save has the old or the new content whichever operation fails") {
  for (const bool sticky : {false, true}) {
    const Outcome outcome = SaveUnderFaults(false, sticky);
    CHECK(outcome.torn == 0);
    CHECK(outcome.unsaid == 0);
    CHECK(outcome.report.by_kind.at("EIO") ==
          5);  // open, write, fsync, rename, fsync of the directory
    CHECK(outcome.report.by_kind.at("CRASH") == 5);
    CHECK(outcome.report.by_kind.at("EINTR") >= 4);  // a rename is not interrupted
    CHECK(outcome.report.by_kind.at("SHORT") >= 1);
    CHECK(outcome.report.by_kind.at("TORN") == 1);
    CHECK(outcome.report.by_operation.at("rename") == 3);
  }
}

TEST_CASE("a careless save is caught, through C++ streams too") {
  const Outcome outcome = SaveUnderFaults(true, false);
  CHECK(outcome.torn > 0);
  CHECK(outcome.unsaid > 0);
}

TEST_CASE("SQLite keeps its promise whichever of its operations fails") {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() / "db");
  const std::string database = dir / "db/rows.db";
  FsMatrix matrix;
  matrix.command.argv = {ETL_VICTIM, "copy", database, "400"};
  matrix.path = dir / "db";
  matrix.kinds = {"EIO", "ENOSPC", "SHORT", "CRASH", "TORN"};
  matrix.step = 97;  // Of some 700 operations for each kind.
  matrix.before = [&] {
    for (const char* end : {"", "-journal"}) std::filesystem::remove(database + end);
  };
  const auto rows = [&] {
    const Finished all = RunProcess({.argv = {ETL_VICTIM, "copy", database, "400"}});
    CHECK_MESSAGE(all.exit_code == 0, all.err);
    std::string expected;
    for (int id = 1; id <= 400; ++id) {
      expected +=
          "{\"id\":" + std::to_string(id) + ",\"text\":\"row " + std::to_string(id) + "\"}\n";
    }
    return RunProcess(
        {.argv = {ETL_VERIFY_ROWS, "--expected", dir.Write("expected.ndjson", expected), "--actual",
                  database, "--table", "rows", "--key", "id"}});
  };
  std::size_t completed = 0;
  matrix.after = [&](const FsFault& fault, const Finished&) {
    CAPTURE(Describe(fault));
    const Finished verdict = rows();
    completed += verdict.exit_code == 0;
    CHECK_MESSAGE(verdict.exit_code == 0, verdict.out, verdict.err);
  };
  const FsMatrixReport report = RunFsMatrix(matrix);
  CHECK(report.faults >= 30);
  CHECK(completed == report.faults);
  CHECK(report.by_operation.at("pwrite") > 0);
  MESSAGE(report.faults << " faults");
}

TEST_CASE("paths outside are left alone, and a command that is not seen is told on") {
  const TempDir dir;
  FsMatrix matrix;
  matrix.command.argv = {ETL_VICTIM, "save", dir / "state", "x"};
  matrix.path = dir / "elsewhere";
  CHECK_THROWS_AS(RunFsMatrix(matrix), std::runtime_error);
  CHECK(ReadFile(dir / "state") == "x");
}
