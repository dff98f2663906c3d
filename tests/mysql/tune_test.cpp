// `etl tune` against the real servers: what it shows, what it writes, and that the user's own table is left alone.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "lab.h"

using namespace etl::test;

namespace {

constexpr const char* kServers[] = {"mysql", "mariadb"};

std::string Sink(const Lab& lab) {
  // Comments and blanks that --write must keep.
  return "[source]\ntype = \"csv\"   # rows\npath = \"in.csv\"\ncolumns = {n = \"int64\"}\n\n[sink]\n" + lab.Options() +
         "table    = \"ints\"   # the target\n\n# the end\n";
}

void Rows(const Job& job, int count) {
  std::string rows = "n\n";
  for (int i = 1; i <= count; ++i) rows += std::to_string(i) + "\n";
  job.dir.Write("in.csv", rows);
}

std::vector<std::string> Tables(Lab& lab) {
  std::vector<std::string> names = lab.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("tune shows each choice, leaves the user's table alone and no copy behind") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE ints (n BIGINT NOT NULL PRIMARY KEY, more INT DEFAULT 5); INSERT INTO ints VALUES (3, 4)");
    const Job job(Sink(lab));
    Rows(job, 1000);
    const std::string before = ReadFile(job.dir / "p.toml");
    const Finished f = job.Run({"--rows", "200", "--report", job.dir / "plot.svg"}, "tune");
    REQUIRE_MESSAGE(f.exit_code == 0, f.err);
    CHECK(f.out.find("200 rows") != std::string::npos);
    for (const char* rows : {"  1 ", "  10 ", "  50 ", "  100 ", "  200 ", "  500 ", "  1000 ", "  5000 ", "  10000 "}) CHECK(f.out.find(rows) != std::string::npos);
    for (const char* word : {"prepared", "text", "automatic", "best", "writers", "rows_per_statement = "}) CHECK(f.out.find(word) != std::string::npos);
    CHECK((f.out.find("bulk") != std::string::npos) == lab.mariadb());
    CHECK(f.out.find("refused") == std::string::npos);
    CHECK(f.out.find("not measured") == std::string::npos);
    const std::string plot = ReadFile(job.dir / "plot.svg");
    CHECK(plot.rfind("<svg", 0) == 0);
    CHECK(plot.find("polyline") != std::string::npos);
    CHECK(ReadFile(job.dir / "p.toml") == before);
    CHECK(lab.Query("SELECT * FROM ints") == std::vector<std::string>{"3|4"});
    CHECK(Tables(lab) == std::vector<std::string>{"ints"});
  }
}

TEST_CASE("tune --write changes the lines of the best values and no other") {
  Lab lab("mariadb");
  lab.Run("CREATE TABLE ints (n BIGINT NOT NULL)");
  std::string toml = Sink(lab);
  const std::string table = "table    = \"ints\"   # the target\n";
  toml.insert(toml.find(table), "way = 'text'   # for now\n");
  const Job job(toml);
  Rows(job, 500);
  const Finished f = job.Run({"--write"}, "tune");
  REQUIRE_MESSAGE(f.exit_code == 0, f.err);
  const std::string after = ReadFile(job.dir / "p.toml");
  const auto best = [&](const std::string& key) {
    const auto at = f.out.find("\n  " + key + " = ", f.out.find("\nbest\n"));
    return at == std::string::npos ? "" : f.out.substr(at + key.size() + 6, f.out.find('\n', at + 1) - at - key.size() - 6);
  };
  std::string expected = toml;
  expected.replace(expected.find("'text'"), 6, best("way"));
  std::string lines = "rows_per_statement = " + best("rows_per_statement") + "\n";
  if (!best("writers").empty()) lines += "writers            = " + best("writers") + "\n";
  expected.insert(expected.find(table) + table.size(), lines);
  CHECK(after == expected);
  CHECK(job.Run({}, "check").exit_code == 0);
  // Once more: now all of them are there, and no line is added.
  REQUIRE(job.Run({"--write", "--rows", "100"}, "tune").exit_code == 0);
  const std::string again = ReadFile(job.dir / "p.toml");
  CHECK(std::count(again.begin(), again.end(), '\n') <= std::count(after.begin(), after.end(), '\n') + 1);   // writers may have come
  CHECK(again.find("# the target") != std::string::npos);
}

TEST_CASE("a tune that fails leaves no copy and no change") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE ints (other INT)");
    const Job job(Sink(lab));
    Rows(job, 10);
    const Finished f = job.Run({"--write"}, "tune");
    CHECK(f.exit_code == 5);
    CHECK(f.err.find("has no column \"n\"") != std::string::npos);
    CHECK(Tables(lab) == std::vector<std::string>{"ints"});
    CHECK(ReadFile(job.dir / "p.toml") == Sink(lab));
  }
}

TEST_CASE("a signal ends tune; the copy is gone") {
  Lab lab("mariadb");
  lab.Run("CREATE TABLE ints (n BIGINT NOT NULL)");
  const Job job(Sink(lab));
  Rows(job, 400'000);
  Command command = job.Make({"--rows", "400000"}, "tune");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Process process(command, null, null, null);
  ::close(null);
  const auto now = [] { return std::chrono::steady_clock::now(); };
  while (Tables(lab).size() == 1 && !process.WaitUntil(now())) {
  }
  REQUIRE(process.Signal(SIGINT));
  CHECK(process.Join().exit_code == 130);
  CHECK(Tables(lab) == std::vector<std::string>{"ints"});
}

TEST_CASE("a table that tune did not make is not taken for its copy; one that an earlier tune left is") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE ints (n BIGINT NOT NULL); CREATE TABLE _etl_tune_p (mine INT)");
    const Job job(Sink(lab));
    Rows(job, 10);
    const Finished f = job.Run({}, "tune");
    CHECK(f.exit_code == 5);
    CHECK(f.err.find("that etl tune did not make") != std::string::npos);
    CHECK(Tables(lab) == std::vector<std::string>{"_etl_tune_p", "ints"});
    lab.Run("ALTER TABLE _etl_tune_p COMMENT = 'scratch copy of etl tune'");
    CHECK(job.Run({}, "tune").exit_code == 0);
    CHECK(Tables(lab) == std::vector<std::string>{"ints"});
  }
}

TEST_CASE("exactly_once, truncate and create touch nothing while tune goes on") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE ints (n BIGINT NOT NULL); INSERT INTO ints VALUES (1)");
    const std::string toml = Sink(lab);
    Job job(toml.substr(0, toml.find("\n# the end")) + "truncate = true\nexactly_once = true\n");
    Rows(job, 50);
    const Finished f = job.Run({}, "tune");
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK(f.out.find("writers") == std::string::npos);   // one connection
    CHECK(lab.Query("SELECT * FROM ints") == std::vector<std::string>{"1"});
    CHECK(Tables(lab) == std::vector<std::string>{"ints"});
    lab.Run("DROP TABLE ints");
    job.Rewrite(toml.substr(0, toml.find("\n# the end")) + "create = true\nkeys = \"n\"\n");
    CHECK(job.Run({}, "tune").exit_code == 0);
    CHECK(Tables(lab).empty());
  }
}

TEST_CASE("what cannot be tuned is said") {
  Lab lab("mariadb");
  lab.Run("CREATE TABLE ints (n BIGINT NOT NULL)");
  const std::string toml = Sink(lab);
  Job job(toml.substr(0, toml.find("\n# the end")) + "mode = \"update\"\nkeys = \"n\"\n");
  Rows(job, 5);
  CHECK(job.Run({}, "tune").err.find("the copy that is measured has none") != std::string::npos);
  CHECK(job.Run({"--time", "soon"}, "tune").exit_code == 2);
  job.Rewrite(toml);
  CHECK(job.Run({"--stage", "sink[3]"}, "tune").err.find("has no sink[3]") != std::string::npos);
  Rows(job, 0);
  CHECK(job.Run({}, "tune").err.find("nothing to measure with") != std::string::npos);
  job.Rewrite(toml.substr(0, toml.find("[sink]")) + "[sink]\ntype = \"discard\"\n");
  CHECK(job.Run({}, "tune").err.find("offers nothing to tune") != std::string::npos);
}
