// `etl verify` from MySQL and MariaDB to MySQL and MariaDB, against real servers.
#include <algorithm>
#include <random>
#include <set>
#include <sstream>

#include "fault_proxy.h"
#include "lab.h"

using namespace etl::test;

namespace {

using Lines = std::vector<std::string>;

constexpr const char* kServers[] = {"mysql", "mariadb"};

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string TableToTable(const Lab& lab, const std::string& sink) {
  return "[pipeline]\nname = \"p\"\non_reject = \"file\"\n[source]\n" + lab.Options() + "table = \"a\"\n[[sink]]\n" + lab.Options() + "table = \"b\"\n" + sink;
}

Lines Report(const Job& job) {
  std::istringstream in(ReadFile(job.dir / "report.ndjson"));
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

TEST_CASE("a table is equal to its copy, and every mutation of the copy is found and repaired") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50), price DECIMAL(12,2), at DATETIME(3)) CHARACTER SET utf8mb4;\n"
            "INSERT INTO a SELECT n, CONCAT('n', n), n / 4, TIMESTAMPADD(SECOND, n, '2024-01-01') FROM (" + Lab::Numbers(20'000) + ") x;\n"
            "CREATE TABLE b LIKE a;\nCREATE TABLE kept LIKE a");
    const Job job(TableToTable(lab, "mode = \"upsert\"\nkeys = \"id\"\n"));
    REQUIRE(job.Run().exit_code == 0);
    lab.Run("INSERT INTO kept SELECT * FROM b");
    const Finished equal = job.Run({}, "verify");
    CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
    CHECK(Has(equal.out, "p: sink[0] (mysql) holds what the source gives\n  20,000 rows expected, 20,000 there: 0 missing, 0 changed, 0 extra\n"));
    std::set<int> ids;
    while (ids.size() < 40) ids.insert(static_cast<int>(random() % 20'000) + 1);
    Lines expected;
    std::string sql;
    int n = 0;
    for (const int id : ids) {
      const std::string i = std::to_string(id), where = " WHERE id = " + i + ";\n";
      const auto changed = [&](const std::string& column, const std::string& value) {
        sql += "UPDATE b SET " + column + " = " + value + where;
        expected.push_back("{\"difference\":\"changed\",\"key\":{\"id\":" + i + "},\"columns\":[\"" + column + "\"]}");
      };
      switch (n++ % 6) {
        case 0:
          sql += "DELETE FROM b" + where;
          expected.push_back("{\"difference\":\"missing\",\"key\":{\"id\":" + i + "}}");
          break;
        case 1: changed("name", "CONCAT(name, ' ')"); break;
        case 2: changed("name", "UPPER(name)"); break;   // equal by the column's collation
        case 3: changed("price", "price + 0.01"); break;
        case 4: changed("at", "TIMESTAMPADD(MICROSECOND, 1000, at)"); break;
        default: changed("at", "NULL");
      }
    }
    lab.Run(sql);
    const Finished f = job.Run({"--report", job.dir / "report.ndjson"}, "verify");
    CHECK(f.exit_code == 10);
    std::sort(expected.begin(), expected.end());
    CHECK(Report(job) == expected);
    const Finished repaired = job.Run({"--repair"}, "verify");
    CHECK_MESSAGE(repaired.exit_code == 0, repaired.out << repaired.err);
    CHECK(Has(repaired.out, "repaired: 40 rows written again"));
    CHECK(lab.Value("SELECT COUNT(*) FROM b JOIN kept USING (id) WHERE BINARY b.name <=> BINARY kept.name AND b.price <=> kept.price AND b.at <=> kept.at") == "20000");
    lab.Run("INSERT INTO b (id) VALUES (90000)");
    const Finished extra = job.Run({"--repair"}, "verify");
    CHECK(extra.exit_code == 10);
    CHECK(Has(extra.out, "  extra       {\"id\":90000}\n"));
    CHECK(job.Run({"--ignore-extra"}, "verify").exit_code == 0);
    CHECK(lab.Value("SELECT COUNT(*) FROM b") == "20001");
  }
}

TEST_CASE("columns of all types are equal to their copies, and a change in each is named") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    const std::vector<std::pair<const char*, std::pair<const char*, const char*>>> columns = {
        {"TINYINT", {"-128", "127"}}, {"BIGINT UNSIGNED", {"18446744073709551615", "18446744073709551614"}}, {"DECIMAL(30,10)", {"12345678901234567890.0123456789", "12345678901234567890.0123456780"}},
        {"FLOAT", {"0.1", "0.2"}}, {"DOUBLE", {"0.1", "0.30000000000000004"}}, {"DATE", {"'2024-02-29'", "'2024-02-28'"}}, {"DATETIME(6)", {"'2024-02-29 13:05:09.000001'", "'2024-02-29 13:05:09.000002'"}},
        {"TIMESTAMP NULL", {"'2024-02-29 13:05:09'", "'2024-02-29 13:05:10'"}}, {"TIME(3)", {"'-838:59:58.5'", "'-838:59:58.501'"}}, {"YEAR", {"1999", "2000"}}, {"BIT(1)", {"b'1'", "b'0'"}},
        {"BIT(12)", {"b'101010101010'", "b'101010101011'"}}, {"CHAR(5)", {"'ab'", "'aB'"}}, {"VARCHAR(20) CHARACTER SET latin1", {"'\xc3\xa4'", "'a'"}}, {"TEXT", {"'x\\ny'", "'x\\n'"}},
        {"ENUM('a','b')", {"'a'", "'b'"}}, {"SET('a','b')", {"'a,b'", "''"}}, {"VARBINARY(10)", {"x'00ff'", "x'00'"}}, {"JSON", {"'{\"b\": 1.5, \"a\": [1, null]}'", "'{\"b\": 1.5, \"a\": [1, 0]}'"}}};
    std::string create = "id INT NOT NULL PRIMARY KEY", values = "1", nulls = "2";
    for (std::size_t i = 0; i < columns.size(); ++i) {
      create += ", c" + std::to_string(i) + " " + columns[i].first;
      values += std::string(", ") + columns[i].second.first;
      nulls += ", NULL";
    }
    lab.Run("CREATE TABLE a (" + create + ") CHARACTER SET utf8mb4;\nCREATE TABLE b LIKE a;\nINSERT INTO a VALUES (" + values + "), (" + nulls + ")");
    const Job job(TableToTable(lab, "mode = \"replace\"\n"));
    REQUIRE(job.Run().exit_code == 0);
    const Finished equal = job.Run({}, "verify");
    CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      CAPTURE(columns[i].first);
      const std::string column = "c" + std::to_string(i);
      lab.Run("UPDATE b SET " + column + " = " + columns[i].second.second + " WHERE id = 1");
      const Finished f = job.Run({}, "verify");
      CHECK(f.exit_code == 10);
      CHECK(Has(f.out, "  changed     {\"id\":1} in " + column + "\n"));
      lab.Run("UPDATE b SET " + column + " = " + columns[i].second.first + " WHERE id = 1;\nUPDATE b SET " + column + " = " + columns[i].second.first + " WHERE id = 2");
      CHECK(Has(job.Run({}, "verify").out, "  changed     {\"id\":2} in " + column + "\n"));
      lab.Run("UPDATE b SET " + column + " = NULL WHERE id = 2");
    }
    CHECK(job.Run({}, "verify").exit_code == 0);
  }
}

TEST_CASE("a copy in other types is equal where it says the same") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE a (id INT NOT NULL PRIMARY KEY, n INT, d DECIMAL(6,2), at DATETIME, day DATE);\nINSERT INTO a VALUES (1, 5, 1.50, '2024-01-01 10:00:00', '2024-01-01');\n"
            "CREATE TABLE b (ID BIGINT UNSIGNED NOT NULL PRIMARY KEY, N VARCHAR(20), d DECIMAL(20,8), at DATETIME(6), day DATETIME, more INT DEFAULT 3)");
    const Job job(TableToTable(lab, "mode = \"upsert\"\nkeys = \"id\"\n"));
    REQUIRE(job.Run().exit_code == 0);
    const Finished f = job.Run({}, "verify");
    CHECK_MESSAGE(f.exit_code == 0, f.out << f.err);
  }
}

TEST_CASE("MySQL's types are equal to what SQLite makes of them") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE a (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, i TINYINT, d DECIMAL(30,10), f FLOAT, g DOUBLE, day DATE, at DATETIME(6), ts TIMESTAMP NULL, clock TIME(3), y YEAR, "
            "flag BIT(1), bits BIT(12), c CHAR(5), t TEXT, e ENUM('a','b'), s SET('a','b'), bin VARBINARY(10), j JSON) CHARACTER SET utf8mb4;\n"
            "INSERT INTO a VALUES (1, -128, 12345678901234567890.0123456789, 0.1, 0.1, '2024-02-29', '2024-02-29 13:05:09.000001', '2024-02-29 13:05:09', '-838:59:58.5', 1999, b'1', "
            "b'101010101010', 'ab', 'x\\ny', 'a', 'a,b', x'00ff', '{\"b\": 1.5, \"a\": [1, null]}'), (9223372036854775807, 0, 0, 1e30, -0.0, '1000-01-01', '9999-12-31 23:59:59.999999', "
            "'1970-01-02 00:00:00', '00:00:00', 2155, b'0', b'0', '', '', 'b', '', '', '[]'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
    const Job job("[pipeline]\nname = \"p\"\n[source]\n" + lab.Options() + "table = \"a\"\n[sink]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\nkeys = \"id\"\n");
    const Finished run = job.Run();
    REQUIRE_MESSAGE(run.exit_code == 0, run.err);
    const Finished f = job.Run({}, "verify");
    CHECK_MESSAGE(f.exit_code == 0, f.out << f.err);
    CHECK(Has(f.out, "3 rows expected, 3 there"));
  }
}

TEST_CASE("a table without a key, a missing table, and mode delete") {
  Lab lab("mariadb");
  lab.Run("CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1), (1), (2)");
  const Job job(TableToTable(lab, "create = true\n"));
  const Finished none = job.Run({}, "verify");
  CHECK(none.exit_code == 5);
  CHECK(Has(none.err, "has no table \"b\""));
  CHECK(lab.Value("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()") == "1");
  REQUIRE(job.Run().exit_code == 0);
  CHECK(job.Run({}, "verify").exit_code == 0);
  lab.Run("DELETE FROM b WHERE n = 1 LIMIT 1");
  const Finished f = job.Run({}, "verify");
  CHECK(f.exit_code == 10);
  CHECK(Has(f.out, "  missing     {\"n\":1}\n"));
  CHECK(job.Run({"--repair"}, "verify").exit_code == 0);
  CHECK(lab.Value("SELECT COUNT(*) FROM b WHERE n = 1") == "2");
  const Job removes(TableToTable(lab, "mode = \"delete\"\nkeys = \"n\"\n"));
  CHECK(removes.Run({}, "verify").exit_code == 5);
}

TEST_CASE("zero dates are compared as they stand there") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("SET SESSION sql_mode = '';\nCREATE TABLE a (id INT NOT NULL PRIMARY KEY, day DATE);\nCREATE TABLE b LIKE a;\nINSERT INTO a VALUES (1, NULL), (2, '2024-01-01')");
    const Job job(TableToTable(lab, "mode = \"upsert\"\nkeys = \"id\"\n"));
    REQUIRE(job.Run().exit_code == 0);
    CHECK(job.Run({}, "verify").exit_code == 0);
    lab.Run("UPDATE b SET day = '0000-00-00' WHERE id = 1");
    const Finished f = job.Run({}, "verify");
    CHECK(f.exit_code == 10);
    CHECK(Has(f.out, "  changed     {\"id\":1} in day\n"));
  }
}

TEST_CASE("a repair of an exactly-once sink leaves its positions alone") {
  for (const char* name : kServers) {
    CAPTURE(name);
    Lab lab(name);
    lab.Run("CREATE TABLE a (id INT NOT NULL PRIMARY KEY, v INT);\nCREATE TABLE b LIKE a;\nINSERT INTO a SELECT n, n FROM (" + Lab::Numbers(1000) + ") x");
    const Job job(TableToTable(lab, "mode = \"upsert\"\nkeys = \"id\"\nexactly_once = true\n"));
    REQUIRE(job.Run().exit_code == 0);
    const Lines before = lab.Query("SELECT HEX(split), seq, HEX(pos) FROM _etl_checkpoint ORDER BY 1");
    lab.Run("DELETE FROM b WHERE id IN (1, 500); UPDATE b SET v = 0 WHERE id = 1000");
    const Finished f = job.Run({"--repair"}, "verify");
    CHECK_MESSAGE(f.exit_code == 0, f.out << f.err);
    CHECK(lab.Value("SELECT COUNT(*) FROM b WHERE id = v") == "1000");
    CHECK(lab.Query("SELECT HEX(split), seq, HEX(pos) FROM _etl_checkpoint ORDER BY 1") == before);
    CHECK(job.Run().exit_code == 0);
  }
}

TEST_CASE("lost connections on both sides hide and invent nothing") {
  for (const char* name : kServers) {
    Lab lab(name);
    lab.Run("CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY, v VARCHAR(100));\nCREATE TABLE b LIKE a;\n"
            "INSERT INTO a SELECT n, REPEAT('x', 90) FROM (" + Lab::Numbers(20'000) + ") x;\nINSERT INTO b SELECT * FROM a;\nANALYZE TABLE a;\nANALYZE TABLE b");
    for (const char* fault : {"2- down cut_after 300000", "2- down reset_after 150000", "* down slice 1000"}) {
      CAPTURE(name);
      CAPTURE(fault);
      FaultProxy proxy("127.0.0.1", lab.port(), fault);
      const Job job("[pipeline]\nname = \"p\"\nretry = {initial = \"1ms\", max = \"10ms\"}\n[source]\n" + lab.Options(proxy.port()) + "table = \"a\"\nchunk_rows = 5000\n[sink]\n" +
                    lab.Options(proxy.port()) + "table = \"b\"\nmode = \"upsert\"\nkeys = \"id\"\n");
      const Finished f = job.Run({}, "verify");
      CHECK_MESSAGE(f.exit_code == 0, f.out << f.err);
      CHECK(Has(f.out, "20,000 rows expected, 20,000 there"));
      lab.Run("UPDATE b SET v = 'y' WHERE id = 12345");
      const Finished g = job.Run({}, "verify");
      CHECK(g.exit_code == 10);
      CHECK(Has(g.out, "0 missing, 1 changed, 0 extra\n  changed     {\"id\":12345} in v\n"));
      lab.Run("UPDATE b SET v = REPEAT('x', 90) WHERE id = 12345");
    }
  }
}
