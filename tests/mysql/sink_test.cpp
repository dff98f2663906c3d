// The sink `mysql` against the real servers: types, modes, rejects, the three ways.
#include <algorithm>

#include "sink_lab.h"

using namespace etl::test;

namespace {

/// The ways that a server has.
Lines Ways(const Target& t) { return t.mariadb() ? Lines{"prepared", "text", "bulk"} : Lines{"prepared", "text"}; }

std::string Into(const std::string& table, const std::string& more = "") { return "table = \"" + table + "\"\n" + more + "\n"; }

}  // namespace

TEST_CASE("a created table has the types that hold the rows exactly") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql("DROP TABLE IF EXISTS made");
    Load load(t,
              "k = \"utf8\", b = \"bool\", i1 = \"int8\", u1 = \"uint8\", i2 = \"int16\", u2 = \"uint16\", i4 = \"int32\", u4 = \"uint32\", i8 = \"int64\", "
              "u8 = \"uint64\", f = \"float32\", g = \"float64\", d = \"decimal(30,10)\", w = \"decimal(60,0)\", s = \"utf8\", j = \"json\", z = \"binary\", day = \"date\", "
              "t = \"time\", at = \"timestamp\", local = \"timestamp_local\"",
              Into("made", "create = true\nkeys = [\"k\"]"));
    load.Rows(
        R"({"k":"a","b":true,"i1":-128,"u1":255,"i2":-32768,"u2":65535,"i4":-2147483648,"u4":4294967295,"i8":-9223372036854775808,"u8":18446744073709551615,"f":1.1754943508222875e-38,"g":4.9e-324,"d":"-12345678901234567890.0123456789","w":"123456789012345678901234567890123456789012345678901234567890","s":"a'\\\"\u0000\n€😀","j":{"a":[1,2.5,null]},"z":"AP8n","day":"0001-01-01","t":"13:05:09.250001","at":"2024-02-29T13:05:09.000001Z","local":"1000-01-01T00:00:00.5"})"
        "\n"
        R"({"k":"A","b":false,"i1":127,"u1":0,"i2":32767,"u2":0,"i4":2147483647,"u4":0,"i8":9223372036854775807,"u8":0,"f":-3.4028234663852886e38,"g":1.7976931348623157e308,"d":"0.0000000001","w":"-1","s":"","j":"text","z":"","day":"9999-12-31","t":"00:00:00","at":"2038-01-19T03:14:07.999999Z","local":"9999-12-31T23:59:59.999999"})"
        "\n"
        R"({"k":"n"})"
        "\n");
    load.All();
    const std::string types = t.One("SELECT GROUP_CONCAT(CONCAT(column_name, ' ', data_type, IF(column_type LIKE '%unsigned%', ' unsigned', '')) ORDER BY ordinal_position) "
                                    "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'made'");
    CHECK(types == "k varchar,b bit,i1 tinyint,u1 tinyint unsigned,i2 smallint,u2 smallint unsigned,i4 int,u4 int unsigned,i8 bigint,u8 bigint unsigned,"
                   "f float,g double,d decimal,w decimal,s longtext,j " + std::string(t.mariadb() ? "longtext" : "json") +
                       ",z longblob,day date,t time,at timestamp,local datetime");
    const auto row = [&](const std::string& k, const std::string& columns) { return t.One("SET time_zone = '+00:00'; SELECT " + columns + " FROM made WHERE k = '" + k + "'"); };
    const std::string plain = "b+0, i1, u1, i2, u2, i4, u4, i8, u8";
    CHECK(row("a", plain) == "1\t-128\t255\t-32768\t65535\t-2147483648\t4294967295\t-9223372036854775808\t18446744073709551615");
    CHECK(row("A", plain) == "0\t127\t0\t32767\t0\t2147483647\t0\t9223372036854775807\t0");
    CHECK(row("n", plain + ", f, g, d, w, s, j, z, day, t, at, local") ==
          "NULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL");
    CHECK(row("a", "d, w, HEX(s), HEX(z), day, t, at, local, f = 1.1754943508222875e-38, g = 4.9e-324") ==
          "-12345678901234567890.0123456789\t123456789012345678901234567890123456789012345678901234567890\t61275C22000AE282ACF09F9880\t00FF27\t"
          "0001-01-01\t13:05:09.250001\t2024-02-29 13:05:09.000001\t1000-01-01 00:00:00.500000\t1\t1");
    CHECK(row("A", "d, w, HEX(s), HEX(z), day, t, at, local, f = -3.4028234663852886e38, g = 1.7976931348623157e308") ==
          "0.0000000001\t-1\t\t\t9999-12-31\t00:00:00.000000\t2038-01-19 03:14:07.999999\t9999-12-31 23:59:59.999999\t1\t1");
    CHECK(row("a", "JSON_EXTRACT(j, '$.a[1]'), JSON_LENGTH(j, '$.a')") == "2.5\t3");
    CHECK(row("A", "j") == "\"text\"");
  }
}

TEST_CASE("all ways write the same bytes") {
  for (const Target& t : Targets()) {
    for (const std::string& way : Ways(t)) {
      CAPTURE(t.name);
      CAPTURE(way);
      t.Sql("DROP TABLE IF EXISTS same; CREATE TABLE same (id INT PRIMARY KEY, s TEXT, z BLOB, g DOUBLE, n BIGINT, u BIGINT UNSIGNED, b BIT(12))");
      std::string rows;
      for (int i = 0; i < 1000; ++i) {
        rows += "{\"id\":" + std::to_string((i * 7) % 1000) + ",\"s\":\"'\\\\\\\"\\u0000\\u001a\\r\\n%_ü" + std::to_string(i) + "\",\"z\":\"AP8nIlwK\",\"g\":-1.5e-7,\"n\":" +
                (i % 3 ? std::to_string(-i) : "null") + ",\"u\":18446744073709551615,\"b\":\"C/8=\"}\n";
      }
      Load(t, "id = \"int32\", s = \"utf8\", z = \"binary\", g = \"float64\", n = \"int64\", u = \"uint64\", b = \"binary\"",
           Into("same", "way = \"" + way + "\"\nrows_per_statement = 300\n")).Rows(rows).All();
      CHECK(t.One("SELECT COUNT(*), SUM(z = x'00FF27225C0A'), SUM(g = -1.5e-7), SUM(u = 18446744073709551615), SUM(b + 0 = 0xBFF), SUM(n IS NULL), SUM(n) FROM same") ==
            "1000\t1000\t1000\t1000\t1000\t334\t-332667");
      CHECK(t.One("SELECT HEX(s) FROM same WHERE id = 7") == "275C22001A0D0A255FC3BC31");
    }
  }
}

TEST_CASE("each mode does to rows that are there what it says") {
  const std::map<std::string, std::pair<std::string, Lines>> modes{
      {"insert", {"", {"1\told\t1", "2\told\t1", "3\tnew\t9"}}},        // the others are rejected
      {"ignore", {"", {"1\told\t1", "2\told\t1", "3\tnew\t9"}}},
      {"upsert", {"keys = [\"id\"]", {"1\tnew\t9", "2\told\t1", "3\tnew\t9"}}},
      {"replace", {"", {"1\tnew\t9", "2\told\t1", "3\tnew\t9"}}},
      {"update", {"keys = [\"id\"]", {"1\tnew\t9", "2\told\t1"}}},
      {"delete", {"keys = [\"id\"]", {"2\told\t1"}}},
  };
  for (const Target& t : Targets()) {
    for (const auto& each : modes) {
      const std::string& mode = each.first;   // what CAPTURE takes is no structured binding
      const auto& expected = each.second;
      for (const std::string& way : Ways(t)) {
        if (way == "bulk" && (mode == "update" || mode == "delete")) continue;
        CAPTURE(t.name);
        CAPTURE(mode);
        CAPTURE(way);
        t.Sql("DROP TABLE IF EXISTS modes; CREATE TABLE modes (id INT PRIMARY KEY, s TEXT, n INT); INSERT INTO modes VALUES (1, 'old', 1), (2, 'old', 1)");
        Load load(t, "id = \"int64\", s = \"utf8\", n = \"int64\"", Into("modes", "mode = \"" + mode + "\"\nway = \"" + way + "\"\n" + expected.first));
        load.Rows("{\"id\":3,\"s\":\"new\",\"n\":9}\n{\"id\":1,\"s\":\"new\",\"n\":9}\n");
        if (mode == "insert") {
          CHECK(load.Rejects() == std::map<int, std::string>{{1, t.mariadb() ? "1062 Duplicate entry '1' for key 'PRIMARY'" : "1062 Duplicate entry '1' for key 'modes.PRIMARY'"}});
        } else if (mode == "update") {
          CHECK(load.Rejects() == std::map<int, std::string>{{0, "0 no row of the table has this key"}});
        } else {
          load.All();
        }
        CHECK(t.Sql("SELECT * FROM modes ORDER BY id") == expected.second);
      }
    }
  }
}

TEST_CASE("an update that changes nothing is no reject") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql("DROP TABLE IF EXISTS same; CREATE TABLE same (id INT PRIMARY KEY, n INT); INSERT INTO same VALUES (1, 5)");
    Load(t, "id = \"int64\", n = \"int64\"", Into("same", "mode = \"update\"\nkeys = [\"id\"]")).Rows("{\"id\":1,\"n\":5}\n").All();
  }
}

TEST_CASE("rows that do not fit a column are rejected before they are sent, in the server's words") {
  const std::map<int, std::string> expected{
      {1, "1264 Out of range value for column 'n' at row 1"},      {2, "1264 Out of range value for column 'n' at row 1"},
      {3, "1406 Data too long for column 's' at row 1"},           {4, "1048 Column 'm' cannot be null"},
      {5, "1265 Data truncated for column 'd' at row 1"},          {6, "1264 Out of range value for column 'd' at row 1"},
      {7, "1265 Data truncated for column 'e' at row 1"},          {8, "1265 Data truncated for column 'e' at row 1"},
      {9, "1366 Incorrect string value: '\\\\xFFx' for column 'c' at row 1"}, {10, "1265 Data truncated for column 'at' at row 1"},
      {11, "1264 Out of range value for column 'y' at row 1"},     {12, "1406 Data too long for column 'z' at row 1"},
      {13, "1406 Data too long for column 'b' at row 1"},          {14, "1265 Data truncated for column 'st' at row 1"},
  };
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql("DROP TABLE IF EXISTS narrow; CREATE TABLE narrow (id INT PRIMARY KEY, n TINYINT UNSIGNED, s VARCHAR(3), m INT NOT NULL, d DECIMAL(5,2), e ENUM('a','b','2x'), "
          "c VARCHAR(10) CHARACTER SET utf8mb4, at DATETIME(3), y YEAR, z VARBINARY(2), b BIT(9), st SET('x','y'))");
    Load load(t,
              "id = \"int64\", n = \"int64\", s = \"utf8\", m = \"int64\", d = \"decimal(12,4)\", e = \"utf8\", c = \"binary\", at = \"timestamp_local\", y = \"int64\", "
              "z = \"binary\", b = \"binary\", st = \"utf8\"",
              Into("narrow"));
    load.Rows("{\"id\":0,\"n\":255,\"s\":\"äöü\",\"m\":0,\"d\":\"-999.9900\",\"e\":\"A\",\"c\":\"w7w=\",\"at\":\"2024-01-01T00:00:00.123\",\"y\":2155,\"z\":\"AAE=\",\"b\":\"Af8=\",\"st\":\"x,y\"}\n"
              "{\"id\":1,\"m\":0,\"n\":256}\n{\"id\":2,\"m\":0,\"n\":-1}\n{\"id\":3,\"m\":0,\"s\":\"äöüß\"}\n{\"id\":4}\n{\"id\":5,\"m\":0,\"d\":\"1.001\"}\n{\"id\":6,\"m\":0,\"d\":\"1000\"}\n"
              "{\"id\":7,\"m\":0,\"e\":\"c\"}\n{\"id\":8,\"m\":0,\"e\":\"2\"}\n{\"id\":9,\"m\":0,\"c\":\"/3g=\"}\n{\"id\":10,\"m\":0,\"at\":\"2024-01-01T00:00:00.1234\"}\n"
              "{\"id\":11,\"m\":0,\"y\":99}\n{\"id\":12,\"m\":0,\"z\":\"AAEC\"}\n{\"id\":13,\"m\":0,\"b\":\"AgA=\"}\n{\"id\":14,\"m\":0,\"st\":\"x,1\"}\n{\"id\":15,\"m\":0}\n");
    CHECK(load.Rejects() == expected);
    CHECK(t.Sql("SELECT id, n, s, m, d, e, HEX(c), at, y, HEX(z), b + 0, st FROM narrow ORDER BY id") ==
          Lines{"0\t255\täöü\t0\t-999.99\ta\tC3BC\t2024-01-01 00:00:00.123\t2155\t0001\t511\tx,y", "15\tNULL\tNULL\t0\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL"});
  }
}

TEST_CASE("rows that only the server can refuse are found among the others and rejected alone, in every way") {
  for (const Target& t : Targets()) {
    for (const std::string& way : Ways(t)) {
      CAPTURE(t.name);
      CAPTURE(way);
      t.Sql("DROP TABLE IF EXISTS child, parent; CREATE TABLE parent (id INT PRIMARY KEY); INSERT INTO parent VALUES (1); "
            "CREATE TABLE child (id INT PRIMARY KEY, p INT, n INT CHECK (n <> 13), u INT UNIQUE, d DECIMAL(5,2), day DATE, FOREIGN KEY (p) REFERENCES parent(id))");
      std::string rows;
      std::map<int, unsigned> bad;
      for (int i = 0; i < 3000; ++i) {
        const int kind = i % 100 == 50 ? i / 100 % 5 : -1;
        if (kind >= 0) bad[i] = std::vector<unsigned>{1452, t.mariadb() ? 4025u : 3819u, 1062, 1265, 1292}[static_cast<std::size_t>(kind)];
        rows += "{\"id\":" + std::to_string(i) + ",\"p\":" + (kind == 0 ? "2" : "1") + ",\"n\":" + (kind == 1 ? "13" : "1") + ",\"u\":" + std::to_string(kind == 2 ? i - 1 : i) +
                ",\"d\":\"" + (kind == 3 ? "1.239e0" : "1.5") + "\",\"day\":\"" + (kind == 4 ? "2023-02-29" : "2024-02-29") + "\"}\n";
      }
      Load load(t, "id = \"int64\", p = \"int64\", n = \"int64\", u = \"int64\", d = \"utf8\", day = \"utf8\"", Into("child", "way = \"" + way + "\""));
      std::map<int, unsigned> found;
      for (const auto& [row, reason] : load.Rows(rows).Rejects()) found[row] = static_cast<unsigned>(std::stoi(reason));
      CHECK(found == bad);
      CHECK(t.One("SELECT COUNT(*), SUM(id), SUM(d = 1.5), SUM(day = '2024-02-29') FROM child") == "2970\t4453500\t2970\t2970");
    }
  }
}

TEST_CASE("what can never be written is refused before the first row") {
  const auto refusal = [](const Target& t, const std::string& columns, const std::string& options) {
    const Finished f = Load(t, columns, options).Rows("{\"id\":1}\n").Run();
    CHECK_MESSAGE((f.exit_code == 5 || f.exit_code == 2), f.err);
    return f.err;
  };
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql("DROP TABLE IF EXISTS strict, stiff; CREATE TABLE strict (id INT PRIMARY KEY, at DATE, n INT NOT NULL, g INT AS (n + 1) VIRTUAL); "
          "CREATE TABLE stiff (id INT PRIMARY KEY) ENGINE=MyISAM");
    const std::string id = "id = \"int64\"";
    CHECK(refusal(t, id, Into("nowhere")).find("no table \"nowhere\"") != std::string::npos);
    CHECK(refusal(t, id, Into("strict")).find("column \"n\" of \"strict\" has no default") != std::string::npos);
    CHECK(refusal(t, id + ", x = \"int64\"", Into("strict")).find("no column \"x\"") != std::string::npos);
    CHECK(refusal(t, id + ", n = \"int64\", g = \"int64\"", Into("strict")).find("is generated") != std::string::npos);
    CHECK(refusal(t, id + ", n = \"int64\", at = \"int64\"", Into("strict")).find("cannot become that") != std::string::npos);
    CHECK(refusal(t, id + ", n = \"int64\"", Into("strict", "mode = \"upsert\"")).find("needs keys") != std::string::npos);
    CHECK(refusal(t, id + ", n = \"int64\"", Into("strict", "mode = \"upsert\"\nkeys = [\"n\"]")).find("unique index over just n") != std::string::npos);
    CHECK(refusal(t, id, Into("stiff", "exactly_once = true")).find("engine MyISAM, which has no transactions") != std::string::npos);
    if (!t.mariadb()) CHECK(refusal(t, id, Into("stiff", "way = \"bulk\"")).find("bulk arrays are MariaDB's") != std::string::npos);
  }
}

TEST_CASE("a table whose engine cannot undo is written row by row, and poison leaves nothing behind") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql("DROP TABLE IF EXISTS stiff; CREATE TABLE stiff (id INT PRIMARY KEY) ENGINE=MyISAM; INSERT INTO stiff VALUES (2)");
    const auto rejects = Load(t, "id = \"int64\"", Into("stiff")).Rows("{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n").Rejects();
    CHECK(rejects.size() == 1);
    CHECK(rejects.count(1) == 1);
    CHECK(t.Sql("SELECT id FROM stiff ORDER BY id") == Lines{"1", "2", "3"});
  }
}

TEST_CASE("an id of 0 stays 0, and a row without id is given one") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    t.Sql("DROP TABLE IF EXISTS counted; CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, s TEXT)");
    Load(t, "id = \"int64\", s = \"utf8\"", Into("counted")).Rows("{\"id\":0,\"s\":\"a\"}\n{\"id\":7,\"s\":\"b\"}\n{\"s\":\"c\"}\n").All();
    const Lines rows = t.Sql("SELECT id, s FROM counted ORDER BY s");
    REQUIRE(rows.size() == 3);
    CHECK(rows[0] == "0\ta");
    CHECK(rows[1] == "7\tb");
  }
}

TEST_CASE("names with quotes, dots, spaces and question marks are names") {
  for (const Target& t : Targets()) {
    for (const std::string& way : Ways(t)) {
      CAPTURE(t.name);
      CAPTURE(way);
      t.Sql("DROP TABLE IF EXISTS `a``b. ?c`; CREATE TABLE `a``b. ?c` (`k?` INT PRIMARY KEY, `v.``\"?` INT)");
      const std::string map = "columns = {\"k?\" = \"id\", \"v.`\\\"?\" = \"v\"}\nway = \"" + way + "\"\n";
      Load(t, "id = \"int64\", v = \"int64\"", "table = \"a`b. ?c\"\n" + map).Rows("{\"id\":1,\"v\":2}\n{\"id\":3,\"v\":4}\n").All();
      CHECK(t.Sql("SELECT * FROM `a``b. ?c` ORDER BY 1") == Lines{"1\t2", "3\t4"});
      if (way == "bulk") continue;
      Load(t, "id = \"int64\", v = \"int64\"", "table = \"a`b. ?c\"\nmode = \"update\"\nkeys = [\"k?\"]\n" + map).Rows("{\"id\":1,\"v\":7}\n").All();
      CHECK(t.Sql("SELECT * FROM `a``b. ?c` ORDER BY 1") == Lines{"1\t7", "3\t4"});
    }
  }
}

TEST_CASE("values as large as a statement may be, and larger ones, by size") {
  for (const Target& t : Targets()) {
    CAPTURE(t.name);
    const long packet = std::stol(t.One("SELECT @@max_allowed_packet"));
    t.Sql("DROP TABLE IF EXISTS large; CREATE TABLE large (id INT PRIMARY KEY, s LONGTEXT)");
    std::string rows;
    for (int i = 0; i < 4; ++i) rows += "{\"id\":" + std::to_string(i) + ",\"s\":\"" + std::string(i == 2 ? packet : 9'000'000, 'x') + "\"}\n";
    Load load(t, "id = \"int64\", s = \"utf8\"", Into("large"));
    const Finished f = load.Rows(rows).Run({"--set", "source.max_row_bytes=128MiB"});
    CHECK_MESSAGE(f.exit_code == 3, f.err);
    const auto rejects = load.Recorded();
    REQUIRE(rejects.size() == 1);
    CHECK(rejects.begin()->second.rfind("1153 Got a packet bigger than 'max_allowed_packet' bytes", 0) == 0);
    CHECK(t.Sql("SELECT id, LENGTH(s) FROM large ORDER BY id") == Lines{"0\t9000000", "1\t9000000", "3\t9000000"});
  }
}
