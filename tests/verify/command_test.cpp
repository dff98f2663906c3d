// `etl verify` as a user calls it: what it finds, what it says, and that it changes nothing.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <set>

#include "bench.h"

using namespace etl::test;

TEST_CASE("after a run nothing differs") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(1000));
  b.Run();
  const Finished f = b.Verify({"--report", b.dir / "report.ndjson"});
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(f.out == "p: sink[0] (sqlite) holds what the source gives\n  1,000 rows expected, 1,000 there: 0 missing, 0 changed, 0 extra\n");
  CHECK(b.Report() == Lines{});
}

TEST_CASE("what is missing, changed and extra is named with its key and columns, and stays as it is") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(100));
  b.Run();
  b.Sql("DELETE FROM t WHERE id = 7; UPDATE t SET name = 'other', price = NULL WHERE id = 8; INSERT INTO t VALUES (900, 'new', 1)");
  const Lines before = b.Sql("SELECT * FROM t ORDER BY id");
  const Finished f = b.Verify({"--report", b.dir / "report.ndjson"});
  CHECK_MESSAGE(f.exit_code == 10, f.err);
  CHECK(f.out == "p: sink[0] (sqlite) differs from what the source gives\n"
                 "  100 rows expected, 100 there: 1 missing, 1 changed, 1 extra\n"
                 "  missing     {\"id\":7}\n"
                 "  changed     {\"id\":8} in name, price\n"
                 "  extra       {\"id\":900}\n");
  CHECK(b.Report() == Lines{"{\"difference\":\"changed\",\"key\":{\"id\":8},\"columns\":[\"name\",\"price\"]}", "{\"difference\":\"extra\",\"key\":{\"id\":900}}",
                            "{\"difference\":\"missing\",\"key\":{\"id\":7}}"});
  CHECK(b.Sql("SELECT * FROM t ORDER BY id") == before);
  const Finished ignoring = b.Verify({"--ignore-extra"});
  CHECK(ignoring.exit_code == 10);
  CHECK_FALSE(Has(ignoring.out, "900"));
  b.Sql("INSERT INTO t VALUES (7, 'n7', 7.5); UPDATE t SET name = 'n8', price = 8.5 WHERE id = 8");
  CHECK(b.Verify().exit_code == 10);
  CHECK(b.Verify({"--ignore-extra"}).exit_code == 0);
}

TEST_CASE("every mutation by hand is found, and nothing else") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(5000));
  b.Run();
  std::set<int> ids;
  while (ids.size() < 60) ids.insert(static_cast<int>(random() % 5000) + 1);
  Lines expected;
  std::string sql;
  int n = 0;
  for (const int id : ids) {
    const std::string i = std::to_string(id), where = " WHERE id = " + i + ";";
    const auto changed = [&](const std::string& set, const char* columns) {
      sql += "UPDATE t SET " + set + where;
      expected.push_back("{\"difference\":\"changed\",\"key\":{\"id\":" + i + "},\"columns\":[" + columns + "]}");
    };
    switch (n++ % 7) {
      case 0:
        sql += "DELETE FROM t" + where;
        expected.push_back("{\"difference\":\"missing\",\"key\":{\"id\":" + i + "}}");
        break;
      case 1: changed("name = name || ' '", "\"name\""); break;
      case 2: changed("name = upper(name)", "\"name\""); break;
      case 3: changed("name = ''", "\"name\""); break;
      case 4: changed("price = NULL", "\"price\""); break;
      case 5: changed("price = price + 1e-9, name = price", "\"name\",\"price\""); break;
      default:
        sql += "INSERT INTO t VALUES (" + std::to_string(-id) + ", 'n" + i + "', " + i + ".5);";
        expected.push_back("{\"difference\":\"extra\",\"key\":{\"id\":" + std::to_string(-id) + "}}");
    }
  }
  b.Sql(sql);
  const Finished f = b.Verify({"--report", b.dir / "report.ndjson"});
  CHECK(f.exit_code == 10);
  std::sort(expected.begin(), expected.end());
  CHECK(b.Report() == expected);
  CHECK(Has(f.out, "and 40 more; " + (b.dir / "report.ndjson") + " names them all"));
  CHECK(Has(b.Verify().out, "and 40 more; --report FILE names them all"));
}

TEST_CASE("two rows that have changed places are both changed") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(10));
  b.Run();
  b.Sql("UPDATE t SET name = CASE id WHEN 3 THEN 'n4' ELSE 'n3' END WHERE id IN (3, 4)");
  const Finished f = b.Verify();
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "  changed     {\"id\":3} in name\n  changed     {\"id\":4} in name\n"));
}

TEST_CASE("rows without a key are told apart by all they hold, and counted") {
  const Bench b(CsvToSqlite(""));
  b.dir.Write("in.csv", "id,name,price\n1,a,1.5\n1,a,1.5\n2,b,2.5\n");
  b.Run();
  CHECK(b.Verify().exit_code == 0);
  b.Sql("DELETE FROM t WHERE rowid = 1; INSERT INTO t VALUES (2, 'b', 2.5)");
  const Finished f = b.Verify();
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "  missing     {\"id\":1,\"name\":\"a\",\"price\":1.5}\n  extra       {\"id\":2,\"name\":\"b\",\"price\":2.5}\n"));
}

TEST_CASE("values of every type that a file can hold are equal to what SQLite makes of them") {
  const Bench b("[source]\ntype = \"ndjson\"\npath = \"in.ndjson\"\ncolumns = {id = \"int64\", d = \"decimal(20, 4)\", f = \"float32\", g = \"float64\", t = \"timestamp_local\", "
                "z = \"timestamp\", day = \"date\", clock = \"time\", yes = \"bool\", bytes = \"binary\", u = \"uint64\", j = \"json\", s = \"utf8\"}\n"
                "[sink]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\nkeys = \"id\"\n");
  b.dir.Write("in.ndjson",
              "{\"id\":1,\"d\":1.50,\"f\":0.1,\"g\":0.1,\"t\":\"2024-02-29T13:05:09.25\",\"z\":\"2024-02-29T13:05:09.250001Z\",\"day\":\"2024-02-29\",\"clock\":\"13:05:09\","
              "\"yes\":true,\"bytes\":\"AP8=\",\"u\":5,\"j\":{\"b\":1,\"a\":[1.0,null]},\"s\":\"ä\\n\"}\n"
              "{\"id\":-2,\"d\":-0.0001,\"f\":1e30,\"g\":-0.0,\"t\":\"0001-01-01T00:00:00\",\"z\":\"1970-01-01T00:00:00Z\",\"day\":\"0001-01-01\",\"clock\":\"00:00:00\","
              "\"yes\":false,\"bytes\":\"\",\"u\":9223372036854775807,\"j\":\"x\",\"s\":\"\"}\n"
              "{\"id\":3}\n");
  b.Run();
  const Finished f = b.Verify();
  CHECK_MESSAGE(f.exit_code == 0, f.out << f.err);
  int changed = 0;
  for (const char* set : {"d = '1.5001'", "f = f + 1e-6", "g = 0.10000000000000002", "t = '2024-02-29T13:05:09.250001'", "z = '2024-02-29T13:05:09.250002Z'", "day = '2024-03-01'",
                          "clock = '13:05:10'", "yes = 0", "bytes = x'00FE'", "u = 6", "j = '{\"b\":1,\"a\":[1,0]}'", "s = 'ä'", "s = NULL"}) {
    CAPTURE(set);
    b.Sql("SAVEPOINT s; CREATE TABLE kept AS SELECT * FROM t; UPDATE t SET " + std::string(set) + " WHERE id = 1; RELEASE s");
    const Finished g = b.Verify();
    CHECK(g.exit_code == 10);
    CHECK(Has(g.out, "  changed     {\"id\":1} in " + std::string(set, std::strchr(set, ' '))));
    b.Sql("DELETE FROM t; INSERT INTO t SELECT * FROM kept; DROP TABLE kept");
    ++changed;
  }
  CHECK(changed == 13);
  CHECK(b.Verify().exit_code == 0);
}

TEST_CASE("only what reaches the sink is expected: after the transforms, and where `when` lets it") {
  const Bench b(CsvToSqlite("mode = \"upsert\"\nkeys = \"id\"\nwhen = \"id > 10\"\n",
                            "[[transform]]\ntype = \"sql\"\nquery = \"SELECT id, upper(name) AS name FROM batch WHERE id % 2 = 0\"\n"));
  b.dir.Write("in.csv", Csv(100));
  b.Run();
  const Finished f = b.Verify();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(Has(f.out, "45 rows expected, 45 there"));
}

TEST_CASE("renamed columns, keys of several columns, and columns that are not written") {
  const Bench b(CsvToSqlite("mode = \"upsert\"\nkeys = [\"b\", \"a\"]\ncolumns = {a = \"id\", b = \"name\"}\n"));
  b.dir.Write("in.csv", Csv(50));
  b.Run();
  CHECK(b.Verify().exit_code == 0);
  b.Sql("DELETE FROM t WHERE a = 5");
  const Finished f = b.Verify();
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "not compared, because the sink does not write them: price\n"));
  CHECK(Has(f.out, "  missing     {\"id\":5,\"name\":\"n5\"}\n"));
}

TEST_CASE("a key that comes several times is no difference where the sink keeps one of its rows") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", "id,name,price\n1,a,1.5\n1,b,1.5\n2,c,2.5\n");
  b.Run();
  const Finished f = b.Verify();
  CHECK_MESSAGE(f.exit_code == 0, f.out);
  CHECK(Has(f.out, "1 key comes several times from the source, and the sink keeps one row of each"));
  b.Sql("UPDATE t SET name = 'x' WHERE id = 1");
  CHECK(b.Verify().exit_code == 10);
}

TEST_CASE("rows that the source cannot read are not expected; rows that the sink refused are missing") {
  const Bench b(CsvToSqlite("mode = \"upsert\"\nkeys = \"id\"\n", "columns = {id = \"int64\"}\n"));
  b.dir.Write("in.csv", "id,name,price\n1,a,1.5\nx,b,1.5\n,c,2.5\n3,d,1\n");
  b.Run(3);
  const Finished f = b.Verify();
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "3 rows expected, 2 there: 1 missing"));
  CHECK(Has(f.out, "  missing     {\"id\":null}\n"));
  CHECK(Has(f.err, "rejects 1 row, which is therefore not expected"));
}

TEST_CASE("a value that is there and cannot be read is a difference") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(5));
  b.Run();
  b.Sql("UPDATE t SET name = x'ff' WHERE id = 3");
  const Finished f = b.Verify({"--report", b.dir / "report.ndjson"});
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "1 missing, 0 changed, 0 extra, 1 that cannot be read"));
  CHECK(Has(b.Report()[1], "{\"difference\":\"unreadable\",\"where\":\"t where rowid = 3\",\"reason\":\"column \\\"name\\\" holds a blob"));
}

TEST_CASE("a sample compares its part of the keys, the same part each time") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(20000));
  b.Run();
  const Finished equal = b.Verify({"--sample", "10%"});
  CHECK(equal.exit_code == 0);
  CHECK(Has(equal.out, "holds what the source gives, in a sample of 10 % of the keys"));
  b.Sql("UPDATE t SET name = 'x'");
  const Finished f = b.Verify({"--sample", "10%", "--report", b.dir / "a"});
  CHECK(f.exit_code == 10);
  const Lines found = b.Report("a");
  CHECK(found.size() > 1700);
  CHECK(found.size() < 2300);
  CHECK(b.Verify({"--sample", "0.1", "--report", b.dir / "b"}).exit_code == 10);
  CHECK(b.Report("b") == found);
}

TEST_CASE("tables larger than the temporary files' portions are told apart all the same") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(300'000));
  b.Run();
  b.Sql("UPDATE t SET price = price + 1");
  const Finished f = b.Verify({"--report", b.dir / "report.ndjson"});
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "0 missing, 300,000 changed, 0 extra"));
  CHECK(b.Report().size() == 300'000);
}

TEST_CASE("what cannot be verified is refused before anything is read") {
  const auto refused = [](const std::string& toml, const Lines& more, const std::string& why, int code = 2) {
    const Bench b(toml);
    b.dir.Write("in.csv", Csv(3));
    const Finished f = b.Verify(more);
    CHECK(f.exit_code == code);
    CHECK_MESSAGE(Has(f.err, why), f.err);
    CHECK(f.out == "");
  };
  const std::string source = "[source]\ntype = \"csv\"\npath = \"in.csv\"\n";
  refused(source + "[sink]\ntype = \"ndjson\"\npath = \"out\"\n", {}, "sink[0] (ndjson) cannot be verified: its plugin does not read back what it has written");
  refused(source + "[[sink]]\ntype = \"sqlite\"\npath = \"a\"\ntable = \"t\"\n[[sink]]\ntype = \"sqlite\"\npath = \"b\"\ntable = \"t\"\n", {},
          "say which with --stage, as in --stage sink[0]");
  refused(CsvToSqlite(), {"--stage", "sink[3]"}, "the pipeline has no sink[3]");
  for (const char* part : {"0", "101%", "-1%", "x", "", "%", "nan"}) refused(CsvToSqlite(), {"--sample", part}, "--sample of etl verify is a part of the keys such as 1% or 0.01");
  refused(CsvToSqlite("mode = \"delete\"\nkeys = \"id\"\n"), {}, "leaves nothing behind that could be compared", 5);
  refused(CsvToSqlite(), {"--report", "/nowhere/report"}, "cannot write /nowhere/report");
}

TEST_CASE("a table or database that is not there is said, and not made") {
  const Bench b(CsvToSqlite());
  b.dir.Write("in.csv", Csv(3));
  const Finished f = b.Verify();
  CHECK(f.exit_code == 5);
  CHECK(Has(f.err, "cannot open "));
  CHECK_FALSE(std::filesystem::exists(b.dir / "out.db"));
  b.Sql("CREATE TABLE other(x)");
  const Finished g = b.Verify();
  CHECK(g.exit_code == 5);
  CHECK(Has(g.err, "has no table \"t\""));
  CHECK(b.Sql("SELECT name FROM sqlite_schema") == Lines{"other"});
}

TEST_CASE("one of several sinks is verified by its name") {
  const Bench b("[pipeline]\nname = \"p\"\n[source]\ntype = \"csv\"\npath = \"in.csv\"\n[[sink]]\ntype = \"ndjson\"\npath = \"out.ndjson\"\n"
                "[[sink]]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\n");
  b.dir.Write("in.csv", Csv(10));
  b.Run();
  const std::string written = ReadFile(b.dir / "out.ndjson");
  CHECK(Has(b.Verify().out, "p: sink[1] (sqlite) holds what the source gives"));
  CHECK(b.Verify({"--stage", "sink[0]"}).exit_code == 2);
  CHECK(ReadFile(b.dir / "out.ndjson") == written);
}

TEST_CASE("a signal ends a verification, with nothing changed") {
  const Bench b("[source]\ntype = \"generate\"\nrows = 4000000000000000000\n[sink]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\n");
  b.Sql("CREATE TABLE t(id INTEGER)");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Process process(b.Make("verify"), null, null, null);
  ::close(null);
  // In the midst of it: half a second of work, which starting alone does not take.
  const auto ticks = [&] {
    const std::string stat = ReadFile("/proc/" + std::to_string(process.pid()) + "/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    long user = 0;
    fields >> user;
    return user;
  };
  while (ticks() < 50 && !process.WaitUntil(std::chrono::steady_clock::now())) {
  }
  REQUIRE(process.Signal(SIGINT));
  CHECK(process.Join().exit_code == 130);
  CHECK(b.Sql("SELECT count(*) FROM t") == Lines{"0"});
}

TEST_CASE("a source that can be read only once is no source to verify with") {
  const Bench b("[pipeline]\nname = \"p\"\n[source]\ntype = \"csv\"\npath = \"-\"\n[sink]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\n");
  Command run = b.Make("run");
  run.input = Csv(10);
  REQUIRE(RunProcess(run).exit_code == 0);
  b.Sql("DELETE FROM t WHERE id = 3");
  Command verify = b.Make("verify");
  verify.input = Csv(10);
  const Finished f = RunProcess(verify);
  CHECK(f.exit_code == 4);
  CHECK_MESSAGE(Has(f.err, "when it was read again: what can be read only once, or is being changed, cannot be verified"), f.err);
}
