// `etl verify --repair`: what differs is written again, and nothing else.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "bench.h"

using namespace etl::test;

namespace {

Lines Rows(const Bench& b) { return b.Sql("SELECT * FROM t ORDER BY id, name"); }

}  // namespace

TEST_CASE("missing and changed rows are written again; then nothing differs") {
  for (const char* mode : {"upsert", "replace"}) {
    CAPTURE(mode);
    const Bench b(CsvToSqlite("mode = \"" + std::string(mode) + "\"\nkeys = \"id\"\n"));
    b.dir.Write("in.csv", Csv(2000));
    b.Run();
    const Lines before = Rows(b);
    b.Sql("CREATE TABLE touched(id); CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO touched VALUES (new.id); END;"
          "DELETE FROM t WHERE id % 400 = 1; UPDATE t SET name = 'x' WHERE id % 400 = 2;"
          "CREATE TRIGGER u AFTER UPDATE ON t BEGIN INSERT INTO touched VALUES (new.id); END");
    const Finished f = b.Verify({"--repair", "--report", b.dir / "report.ndjson"});
    CHECK_MESSAGE(f.exit_code == 0, f.out << f.err);
    CHECK(f.out == "p: sink[0] (sqlite) holds what the source gives\n"
                   "  2,000 rows expected, 1,995 there: 5 missing, 5 changed, 0 extra\n"
                   "  repaired: 10 rows written again\n"
                   "  then 2,000 rows expected, 2,000 there: 0 missing, 0 changed, 0 extra\n");
    CHECK(b.Report().size() == 10);
    CHECK(Rows(b) == before);
    CHECK(b.Sql("SELECT id FROM touched ORDER BY id") == Lines{"1", "2", "401", "402", "801", "802", "1201", "1202", "1601", "1602"});
    CHECK(b.Verify().exit_code == 0);
  }
}

TEST_CASE("rows that the source does not give are named and left alone") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(10));
  b.Run();
  b.Sql("DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (77, 'mine', 1)");
  const Finished f = b.Verify({"--repair", "--report", b.dir / "report.ndjson"});
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "  repaired: 1 row written again\n  then 10 rows expected, 11 there: 0 missing, 0 changed, 1 extra\n  extra       {\"id\":77}\n"));
  CHECK(b.Report() == Lines{"{\"difference\":\"extra\",\"key\":{\"id\":77},\"remains\":true}", "{\"difference\":\"extra\",\"key\":{\"id\":77}}", "{\"difference\":\"missing\",\"key\":{\"id\":3}}"});
  CHECK(b.Sql("SELECT name FROM t WHERE id = 77") == Lines{"mine"});
  CHECK(b.Verify({"--repair", "--ignore-extra"}).exit_code == 0);
}

TEST_CASE("a sink that only inserts gets the missing rows, each as often as it is missing") {
  const Bench b(CsvToSqlite(""));
  b.dir.Write("in.csv", "id,name,price\n1,a,1.5\n1,a,1.5\n1,a,1.5\n2,b,2.5\n");
  b.Run();
  const Lines before = Rows(b);
  b.Sql("DELETE FROM t WHERE rowid IN (1, 2)");
  CHECK(b.Verify({"--repair"}).exit_code == 0);
  CHECK(Rows(b) == before);
}

TEST_CASE("a sink that only inserts does not change rows; that is said") {
  const Bench b(CsvToSqlite("mode = \"insert\"\nkeys = \"id\"\n"));
  b.dir.Write("in.csv", Csv(5));
  b.Run();
  b.Sql("UPDATE t SET name = 'x' WHERE id = 2; DELETE FROM t WHERE id = 4");
  const Finished f = b.Verify({"--repair"});
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "  repaired: 1 row written again\n"));
  CHECK(Has(f.out, "  not repaired: the sink replaces no rows, so that those which are changed stay so\n  changed     {\"id\":2} in name\n"));
  CHECK(b.Sql("SELECT name FROM t ORDER BY id") == Lines{"n1", "x", "n3", "n4", "n5"});
}

TEST_CASE("a repair does not empty a table that a run would") {
  const Bench b(CsvToSqlite("mode = \"upsert\"\nkeys = \"id\"\ntruncate = true\n"));
  b.dir.Write("in.csv", Csv(100));
  b.Run();
  b.Sql("DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (500, 'kept', 0)");
  CHECK(b.Verify({"--repair", "--ignore-extra"}).exit_code == 0);
  CHECK(b.Sql("SELECT count(*) FROM t") == Lines{"101"});
}

TEST_CASE("rows that the sink refuses again remain, and the next run is what it would have been") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", "id,name,price\n1,a,1.5\n,b,1\n3,d,1\n");
  b.Run(3);
  b.Sql("DELETE FROM t WHERE id = 3");
  const std::string rejects = ReadFile(b.dir / ".etl/p/rejects.ndjson");
  const Finished f = b.Verify({"--repair"});
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "  repaired: 1 row written again, 1 refused\n"));
  CHECK(Has(f.err, "refused 1 row: the key column \"id\" is null"));
  CHECK(ReadFile(b.dir / ".etl/p/rejects.ndjson") == rejects);
  CHECK(b.Sql("SELECT id FROM t ORDER BY id") == Lines{"1", "3"});
  b.dir.Write("in.csv", "id,name,price\n1,a,1.5\n3,d,1\n4,e,1\n");
  b.Run();
  CHECK(b.Sql("SELECT id FROM t ORDER BY id") == Lines{"1", "3", "4"});
}

TEST_CASE("a sample is repaired within the sample") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(5000));
  b.Run();
  b.Sql("UPDATE t SET name = 'x'");
  CHECK(b.Verify({"--repair", "--sample", "20%"}).exit_code == 0);
  const int left = std::stoi(b.Sql("SELECT count(*) FROM t WHERE name = 'x'")[0]);
  CHECK(left > 3700);
  CHECK(left < 4300);
}

TEST_CASE("with nothing to write a repair writes nothing") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(10));
  b.Run();
  const Finished f = b.Verify({"--repair"});
  CHECK(f.exit_code == 0);
  CHECK_FALSE(Has(f.out, "repaired"));
}

TEST_CASE("an interrupted pass is ended by a run, not by a repair") {
  const Bench b("[pipeline]\nname = \"p\"\n[source]\ntype = \"csv\"\npath = \"in.csv\"\n[[sink]]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\nmode = \"upsert\"\nkeys = \"id\"\n");
  b.dir.Write("in.csv", Csv(10) + ",null key,1\n");
  const Finished run = b.Etl("run", {"--no-progress"});
  REQUIRE_MESSAGE(run.exit_code == 11, run.err);
  const Finished f = b.Verify({"--repair"});
  CHECK(f.exit_code == 7);
  CHECK(Has(f.err, "the last pass was interrupted"));
  CHECK(b.Verify().exit_code == 10);
}

TEST_CASE("a repair that a signal ends is taken up by the next one") {
  const Bench b(CsvToSqlite("mode = \"upsert\"\nkeys = \"id\"\nbatch = {rows = 1000}\n"));
  b.dir.Write("in.csv", Csv(200'000));
  b.Run();
  b.Sql("DELETE FROM t");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Process process(b.Make("verify", {"--repair"}), null, null, null);
  ::close(null);
  while (b.Sql("SELECT count(*) FROM t")[0] == "0" && !process.WaitUntil(std::chrono::steady_clock::now())) {
  }
  if (process.Signal(SIGINT)) {
    const int code = process.Join().exit_code;
    CHECK((code == 130 || code == 0));   // 0: it was at its end
  }
  CHECK(b.Verify({"--repair"}).exit_code == 0);
  CHECK(b.Sql("SELECT count(*), count(DISTINCT id) FROM t") == Lines{"200000|200000"});
}
