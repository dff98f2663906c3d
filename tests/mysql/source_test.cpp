// The source against both real servers, through the command.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "fault_proxy.h"
#include "lab.h"

using etl::test::FaultProxy;
using etl::test::Job;
using etl::test::Lab;

namespace {

using Lines = std::vector<std::string>;
const char* const kServers[] = {"mysql", "mariadb"};

std::string ToFile(const std::string& source) { return "[source]\n" + source + "[sink]\ntype = \"ndjson\"\npath = \"out\"\n"; }

/// The rows that a pipeline into the file "out" leaves there, sorted; each run begins with an empty file.
Lines Read(const Job& job, const std::vector<std::string>& more = {}) {
  const auto done = job.Run(more);
  INFO(done.err);
  REQUIRE(done.exit_code == 0);
  return job.Lines("out");
}

Lines Sorted(Lines lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("every type arrives as it is") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run(
        "CREATE TABLE every (id bigint unsigned primary key, ti tinyint, tb tinyint(1), tu tinyint unsigned, si smallint, mi mediumint "
        "unsigned, i int, iu int unsigned, bi bigint, f float, d double, dc decimal(65,30), d2 decimal(10,2), dt date, dm datetime, dm6 "
        "datetime(6), ts timestamp(6) null, t time(6), y year, b1 bit(1), b64 bit(64), j json, g geometry, e enum('a','\xC3\xA9'), s "
        "set('x','y','z'), bin binary(4), vb varbinary(20), bl blob, c char(5), vc varchar(50) character set latin1, tx text)");
    lab.Run(
        "INSERT INTO every VALUES (18446744073709551615, -128, 5, 255, -32768, 16777215, -2147483648, 4294967295, -9223372036854775808, "
        "0.1, 1e308, '12345678901234567890123456789012345.123456789012345678901234567890', -99999999.99, '9999-12-31', '1000-01-01 "
        "00:00:00', '2024-02-29 23:59:59.999999', '2038-01-19 03:14:07.000001', '-838:59:59', 2155, b'1', "
        "0xFFFFFFFFFFFFFFFF, '{\"a\": [1, 2.5, \"x\"]}', ST_GeomFromText('POINT(1 2)'), '\xC3\xA9', 'x,z', X'00FF', X'00', 'a\\0b', 'ab ', "
        "'n\xC3\xA9', '\xF0\x9F\x98\x80 \"q\" \\\\ \\n'), (9223372036854775808, 0, 0, 0, 0, 0, 0, 0, 9223372036854775807, 16777216, -1.5e-300, "
        "'-0.000000000000000000000000000001', 0, '0001-01-01', '9999-12-31 23:59:59', '1970-01-01', '1970-01-01 00:00:01', '838:59:58.5', "
        "1901, b'0', 1, 'null', null, 'a', '', X'01020304', '', '', '', '', ''), (1, null, null, null, null, null, null, null, null, null, null, "
        "null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)");
    const Job job(ToFile(lab.Options() + "table = \"every\"\n"));
    CHECK(Read(job) ==
          Lines{R"({"id":1,"ti":null,"tb":null,"tu":null,"si":null,"mi":null,"i":null,"iu":null,"bi":null,"f":null,"d":null,"dc":null,"d2":null,"dt":null,"dm":null,"dm6":null,"ts":null,"t":null,"y":null,"b1":null,"b64":null,"j":null,"g":null,"e":null,"s":null,"bin":null,"vb":null,"bl":null,"c":null,"vc":null,"tx":null})",
                R"({"id":18446744073709551615,"ti":-128,"tb":5,"tu":255,"si":-32768,"mi":16777215,"i":-2147483648,"iu":4294967295,"bi":-9223372036854775808,"f":0.1,"d":1e+308,"dc":12345678901234567890123456789012345.123456789012345678901234567890,"d2":-99999999.99,"dt":"9999-12-31","dm":"1000-01-01T00:00:00.000000","dm6":"2024-02-29T23:59:59.999999","ts":"2038-01-19T03:14:07.000001Z","t":"-838:59:59.000000","y":2155,"b1":true,"b64":"//////////8=","j":{"a": [1, 2.5, "x"]},"g":"AAAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA==","e":"é","s":"x,z","bin":"AP8AAA==","vb":"AA==","bl":"YQBi","c":"ab","vc":"né","tx":"😀 \"q\" \\ \n"})",
                R"({"id":9223372036854775808,"ti":0,"tb":0,"tu":0,"si":0,"mi":0,"i":0,"iu":0,"bi":9223372036854775807,"f":16777216,"d":-1.5e-300,"dc":-0.000000000000000000000000000001,"d2":0.00,"dt":"0001-01-01","dm":"9999-12-31T23:59:59.000000","dm6":"1970-01-01T00:00:00.000000","ts":"1970-01-01T00:00:01.000000Z","t":"838:59:58.500000","y":1901,"b1":false,"b64":"AAAAAAAAAAE=","j":null,"g":null,"e":"a","s":"","bin":"AQIDBA==","vb":"","bl":"","c":"","vc":"","tx":""})"});
  }
}

TEST_CASE("dates that no calendar has become what zero_dates says") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE zeros (id int primary key, d date not null, dt datetime(3), ts timestamp null)");
    lab.Run("INSERT INTO zeros VALUES (1, '0000-00-00', '0000-00-00', '0000-00-00'), (2, '2021-02-00', '2021-00-03 10:00:00', null), "
            "(3, '0000-12-19', '2021-02-28 11:12:13.456', '2024-01-01')");
    const std::string source = lab.Options() + "table = \"zeros\"\n";
    const std::string good = R"({"id":3,"d":"0000-12-19","dt":"2021-02-28T11:12:13.456000","ts":"2024-01-01T00:00:00.000000Z"})";
    CHECK(Read(Job(ToFile(source + "zero_dates = \"null\"\n"))) ==
          Lines{R"({"id":1,"d":null,"dt":null,"ts":null})", R"({"id":2,"d":null,"dt":null,"ts":null})", good});
    CHECK(Read(Job(ToFile(source + "zero_dates = \"epoch\"\n"))) ==
          Lines{R"({"id":1,"d":"1970-01-01","dt":"1970-01-01T00:00:00.000000","ts":"1970-01-01T00:00:00.000000Z"})",
                R"({"id":2,"d":"1970-01-01","dt":"1970-01-01T00:00:00.000000","ts":null})", good});
    CHECK(Read(Job(ToFile(source + "zero_dates = \"string\"\n"))) ==
          Lines{R"({"id":1,"d":"0000-00-00","dt":"0000-00-00 00:00:00.000","ts":"0000-00-00 00:00:00"})",
                R"({"id":2,"d":"2021-02-00","dt":"2021-00-03 10:00:00.000","ts":null})",
                R"({"id":3,"d":"0000-12-19","dt":"2021-02-28 11:12:13.456","ts":"2024-01-01 00:00:00"})"});
    CHECK(Read(Job(ToFile(source + "zero_dates = \"null\"\nzero_dates_of = {d = \"string\"}\n")))[0] == R"({"id":1,"d":"0000-00-00","dt":null,"ts":null})");
    const auto stopped = Job(ToFile(source)).Run();
    CHECK(stopped.exit_code == 11);
    CHECK(Has(stopped.err, "zeros where id = 1: column \"d\": \"0000-00-00\" is a date that no calendar has; say what becomes of such dates with zero_dates"));
    const Job kept(ToFile(source) + "[pipeline]\non_reject = \"file\"\n");
    CHECK(kept.Run().exit_code == 3);
    CHECK(kept.Lines("out") == Lines{good});
  }
}

TEST_CASE("tables of every kind of key are read whole by any number of readers") {
  struct Table {
    const char *key, *row;   ///< the primary key; and what is written of number n
    int rows;
  };
  const Table tables[] = {
      {"k bigint primary key", "n * 4611686018427 - 2305843009213693952", 20000},                        // sparse and negative
      {"k bigint unsigned primary key", "18446744073709551615 - n * 3", 20000},                          // unsigned to the end
      {"k bigint primary key", "IF(n <= 2000, n * 1000000000, 5000000000 + n)", 20000},                   // 90 % in 1 %
      {"k varchar(64) primary key", "SHA2(n, 256)", 20000},                                               // like UUIDs
      {"k varchar(40) collate utf8mb4_general_ci primary key", "CONCAT(CHAR(65 + n % 26 + 32 * (n % 2)), n, IF(n % 3, '', '  '))", 20000},
      {"k varchar(40) collate utf8mb4_unicode_ci primary key", "CONCAT(CHAR(0xC380 + n % 60 USING utf8mb4), '-', n)", 20000},
      {"k binary(8) primary key", "UNHEX(LEFT(SHA2(n, 256), 16))", 20000},
      {"k decimal(40,10) primary key", "n * 1000000000000000000.0000000001", 20000},
      {"k datetime(6) primary key", "'2000-01-01 00:00:00.000001' + INTERVAL n * 977 SECOND", 20000},
      {"k date primary key", "'1500-01-01' + INTERVAL n DAY", 20000},
      {"k time(3) primary key", "SEC_TO_TIME(n * 30 - 300000)", 20000},
      {"k int, primary key (k, v)", "IF(n % 10, 5, n % 7)", 20000},                                       // composite, 90 % under one
      {"k varchar(10), primary key (k, v)", "IF(n % 10, 'Same', CONCAT('t', n % 5))", 20000},
      {"k int", "n % 100", 3000},                                                                         // no key
  };
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    for (const Table& t : tables) {
      CAPTURE(t.key);
      CAPTURE(t.row);
      lab.Run("DROP TABLE IF EXISTS t; CREATE TABLE t (v int, " + std::string(t.key) + "); INSERT INTO t SELECT n, " + t.row + " FROM (" +
              Lab::Numbers(t.rows) + ") x; ANALYZE TABLE t");
      REQUIRE(lab.Value("SELECT COUNT(*) FROM t") == std::to_string(t.rows));
      Lines expected = Sorted(lab.Query("SELECT CONCAT('{\"v\":', v, '}') FROM t"));
      const Job job(ToFile(lab.Options() + "table = \"t\"\ncolumns = [\"v\"]\nchunk_rows = 500\nbatch_rows = 300\n"));
      for (const char* readers : {"source.readers=1", "source.readers=4", "source.readers=32"}) {
        CAPTURE(readers);
        CHECK(Read(job, {"--set", readers}) == expected);
      }
    }
  }
}

TEST_CASE("rows that come while it runs do not disturb those that are there") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id bigint primary key, v int); INSERT INTO t SELECT n * 10, n FROM (" + Lab::Numbers(30000) + ") x; ANALYZE TABLE t");
    const Lines before = Sorted(lab.Query("SELECT CONCAT('{\"id\":', id, ',\"v\":', v, '}') FROM t"));
    const Job job(ToFile(lab.Options() + "table = \"t\"\nchunk_rows = 200\n"));
    const std::string out = job.dir / "null";
    const auto command = job.Make();
    FILE* sink = std::fopen(out.c_str(), "w+");
    etl::test::Process run(command, 0, fileno(sink), fileno(sink));
    for (int i = 0; !run.WaitUntil(std::chrono::steady_clock::now()); ++i) {
      lab.Run("INSERT INTO t VALUES (" + std::to_string(300010 + i) + ", 0), (" + std::to_string(i * 10 + 5) + ", 0)");
    }
    CHECK(run.Join().exit_code == 0);
    std::fclose(sink);
    Lines got;
    for (const std::string& line : job.Lines("out")) {
      if (!Has(line, "\"v\":0}")) got.push_back(line);
    }
    CHECK(got == before);
    CHECK(std::adjacent_find(got.begin(), got.end()) == got.end());
  }
}

TEST_CASE("W1's form: ranges of so many ids, from an offset, so many of them") {
  Lab lab("mariadb");
  lab.Run("CREATE TABLE t (id int primary key); INSERT INTO t SELECT n FROM (" + Lab::Numbers(1000) + ") x");
  const std::string source = lab.Options() + "table = \"t\"\n";
  CHECK(Read(Job(ToFile(source + "windows = {size = 100, offset = 300, batches = 2}\n"))).size() == 200);
  const Lines rest = Read(Job(ToFile(source + "windows = {size = 300, offset = 250}\n")));
  CHECK(rest.size() == 750);
  CHECK(rest.front() == "{\"id\":1000}");
  CHECK(Sorted(rest)[1] == "{\"id\":251}");
}

TEST_CASE("where, columns and queries") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE `a``b c` (id int primary key, `x y` float, z varchar(10)); INSERT INTO `a``b c` VALUES (1, 0.1, 'a'), (2, 3.4028235e38, 'b'), (3, null, null)");
    const std::string table = lab.Options() + "table = \"a`b c\"\n";
    CHECK(Read(Job(ToFile(table + "columns = [\"z\", \"x y\"]\nwhere = \"z <> 'b' -- not b\"\n"))) == Lines{R"({"z":"a","x y":0.1})"});
    CHECK(Read(Job(ToFile(lab.Options() + "query = \"SELECT id + 1 AS n, `x y` FROM `a``b c` ORDER BY id;\"\n"))) ==
          Lines{R"({"n":2,"x y":0.1})", R"({"n":3,"x y":3.4028235e+38})", R"({"n":4,"x y":null})"});
    const auto wrong = [&](const std::string& options, const std::string& says) {
      const auto done = Job(ToFile(lab.Options() + options)).Run();
      INFO(done.err);
      CHECK(Has(done.err, says));
      return done.exit_code;
    };
    CHECK(wrong("table = \"nowhere\"\n", "has no table \"nowhere\", or this user may not see it") == 4);
    CHECK(wrong("table = \"a`b c\"\ncolumns = [\"q\"]\n", "Unknown column 'q'") == 4);
    CHECK(wrong("table = \"a`b c\"\nwhere = \"1) OR (\"\n", "error in your SQL syntax") == 4);
    CHECK(wrong("query = \"DELETE FROM `a``b c`\"\n", "error in your SQL syntax") == 4);
    CHECK(wrong("table = \"a`b c\"\nsplit_by = \"z\"\n", "has no unique index over just these columns") == 4);
    CHECK(lab.Value("SELECT COUNT(*) FROM `a``b c`") == "3");
  }
}

TEST_CASE("a lost connection goes on from the last row") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id bigint primary key, v varchar(100)); INSERT INTO t SELECT n, REPEAT('x', 90) FROM (" + Lab::Numbers(20000) + ") x; ANALYZE TABLE t");
    const Lines expected = Sorted(lab.Query("SELECT CONCAT('{\"id\":', id, '}') FROM t"));
    for (const char* fault : {"2- down cut_after 300000", "2- down reset_after 150000", "2- down cut_after 70000", "* down slice 1000"}) {
      CAPTURE(fault);
      FaultProxy proxy("127.0.0.1", lab.port(), fault);
      const Job job(ToFile(lab.Options(proxy.port()) + "table = \"t\"\nchunk_rows = 5000\n") +
                    "[[transform]]\ntype = \"sql\"\nquery = \"SELECT id FROM batch\"\n[pipeline]\nretry = {initial = \"1ms\", max = \"10ms\"}\n");
      CHECK(Read(job, {"--set", "source.readers=2"}) == expected);
    }
  }
}

TEST_CASE("a killed run goes on where it was, and every row is there once") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id bigint primary key, v int); INSERT INTO t SELECT n, n FROM (" + Lab::Numbers(50000) + ") x; ANALYZE TABLE t");
    const Job job("[source]\n" + lab.Options() + "table = \"t\"\nchunk_rows = 500\n[sink]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\n"
                  "batch = {rows = 500}\nkeys = \"id\"\n");
    std::mt19937 random(20261122);
    etl::test::Command count;
    count.argv = {"sqlite3", job.dir / "out.db", "SELECT COUNT(*), COUNT(DISTINCT id), SUM(id = v), SUM(id) FROM t"};
    const std::string all = "50000|50000|50000|1250025000\n";
    int killed = 0, code = -1;
    while (code < 0 && RunProcess(count).out != all) {   // a run killed behind its last commit is at its end too
      etl::test::Process run(job.Make(), 0, 1, 2);
      const auto some_time = std::chrono::milliseconds(20 + random() % 200) * (killed < 8 ? 1 : 1000);
      if (!run.WaitUntil(std::chrono::steady_clock::now() + some_time) && run.Signal(9)) ++killed;
      code = run.Join().exit_code;
    }
    CHECK(killed > 0);
    CHECK(code <= 0);
    CHECK(RunProcess(count).out == all);
  }
}

TEST_CASE("a shared snapshot is of one instant, a fuzzy read is not") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id int primary key, v int); INSERT INTO t SELECT n, 0 FROM (" + Lab::Numbers(30000) + ") x; ANALYZE TABLE t");
    const Job job(ToFile(lab.Options() + "table = \"t\"\nchunk_rows = 100\nsnapshot = \"shared\"\n"));
    FILE* sink = std::fopen((job.dir / "log").c_str(), "w+");
    etl::test::Process run(job.Make({"--set", "source.readers=4"}), 0, fileno(sink), fileno(sink));
    while (!run.WaitUntil(std::chrono::steady_clock::now())) lab.Run("UPDATE t SET v = v + 1");
    CHECK(run.Join().exit_code == 0);
    std::fclose(sink);
    std::vector<std::string> values;
    for (const std::string& line : job.Lines("out")) values.push_back(line.substr(line.find("\"v\":")));
    CHECK(values.size() == 30000);
    CHECK(std::count(values.begin(), values.end(), values[0]) == 30000);
  }
}

TEST_CASE("an incremental run reads what is new, ties and late commits included") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id int primary key, at datetime); INSERT INTO t SELECT n, '2024-01-01 10:00:00' FROM (" + Lab::Numbers(100) + ") x");
    const Job job(ToFile(lab.Options() + "table = \"t\"\ncolumns = [\"id\"]\nincremental = {column = \"at\", lag = \"10s\"}\n"));
    CHECK(Read(job).size() == 100);
    lab.Run("INSERT INTO t VALUES (101, '2024-01-01 10:00:00'), (102, '2024-01-01 09:59:55'), (103, '2024-01-01 10:00:01'), (104, '2024-01-01 09:00:00')");
    const Lines second = Read(job);
    CHECK(second.size() == 103);   // those at the mark again, the tie, the late one, the new one; not what is older than the lag
    CHECK(std::count(second.begin(), second.end(), "{\"id\":104}") == 0);
    lab.Run("INSERT INTO t VALUES (105, '2024-01-01 12:00:00')");
    CHECK(Read(job).size() == 104);
    CHECK(Read(job) == Lines{"{\"id\":105}"});
  }
}

TEST_CASE("a row over max_row_bytes is rejected by its key, and the others come") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id int primary key, v longtext); INSERT INTO t VALUES (1, 'a'), (2, REPEAT('x', 2000000)), (3, 'c')");
    const Job job(ToFile(lab.Options() + "table = \"t\"\nmax_row_bytes = \"1MiB\"\n") + "[pipeline]\non_reject = \"file\"\n");
    const auto done = job.Run();
    INFO(done.err);
    CHECK(done.exit_code == 3);
    CHECK(job.Lines("out") == Lines{R"({"id":1,"v":"a"})", R"({"id":3,"v":"c"})"});
    CHECK(Has(done.err, "the row has 2000001 bytes, more than max_row_bytes"));
  }
}

TEST_CASE("TLS is verified whenever it is used, here too") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id int primary key); INSERT INTO t VALUES (7)");
    const std::string source = lab.Options() + "table = \"t\"\n";
    CHECK(Read(Job(ToFile(source + "tls = {ca = \"" + lab.ca() + "\"}\n"))) == Lines{"{\"id\":7}"});
    const auto unknown = Job(ToFile(source + "tls = \"verify\"\n")).Run();
    INFO(unknown.err);
    CHECK(unknown.exit_code == 4);
    CHECK(Has(unknown.err, "(2026)"));
  }
}

TEST_CASE("what is wrong with the server is said, and the code tells whether to try again") {
  Lab lab("mysql");
  lab.Run("CREATE TABLE t (id int primary key)");
  const auto run = [](const std::string& source) { return Job(ToFile(source) + "[pipeline]\nretry = {max_elapsed = \"1s\"}\n").Run(); };
  const std::string at = "127.0.0.1:" + std::to_string(lab.port()), rest = "table = \"t\"\n";
  const auto denied = run("type = \"mysql\"\nurl = \"mysql://etl@" + at + "/" + lab.database() + "\"\npassword = \"wrong-canary\"\n" + rest);
  CHECK(denied.exit_code == 4);
  CHECK(Has(denied.err, "cannot log in to the database \"" + lab.database() + "\" at " + at + " as \"etl\": Access denied"));
  CHECK(!Has(denied.err + denied.out, "wrong-canary"));
  const auto nobody = run("type = \"mysql\"\nurl = \"mysql://etl@127.0.0.1:1/x\"\npassword = \"x\"\n" + rest);
  CHECK(nobody.exit_code == 6);
  const auto inside = run("type = \"mysql\"\nurl = \"mysql://etl:secret-canary@" + at + "/x\"\n" + rest);
  CHECK(inside.exit_code == 4);
  CHECK(!Has(inside.err, "secret-canary"));
  CHECK(Job(ToFile("type = \"mysql\"\nurl = \"mysql://etl:${env:LAB_PASSWORD}@" + at + "/" + lab.database() + "\"\n" + rest)).Run().exit_code == 0);
}
