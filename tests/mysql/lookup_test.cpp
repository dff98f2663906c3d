// The lookup against both real servers, through the command.
#include <doctest/doctest.h>

#include "lab.h"

using etl::test::Job;
using etl::test::Lab;

namespace {

using Lines = std::vector<std::string>;
const char* const kServers[] = {"mysql", "mariadb"};

std::string Through(const Lab& lab, const std::string& options) {
  return "[source]\ntype = \"ndjson\"\npath = \"in\"\n[[transform]]\n" + lab.Options().replace(8, 5, "mysql_lookup") + options +
         "[sink]\ntype = \"ndjson\"\npath = \"out\"\n";
}

Lines Out(const Lab& lab, const std::string& options, const std::string& rows) {
  const Job job(Through(lab, options));
  job.dir.Write("in", rows);
  const auto done = job.Run();
  INFO(done.err);
  CHECK(done.exit_code == 0);
  return job.Lines("out");
}

}  // namespace

TEST_CASE("columns are added by key, as the server compares") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (k varchar(10) character set latin1 collate latin1_swedish_ci primary key, n bigint unsigned, f float, at datetime(3), d "
            "decimal(50,20)); INSERT INTO t VALUES ('M\xC3\x9CLL', 18446744073709551615, 0.1, '2024-02-29 12:00:00.5', "
            "'123456789012345678901234567890.00000000000000000001'), ('it''s \\\\', 2, null, null, null)");
    CHECK(Out(lab, "table = \"t\"\non = {name = \"k\"}\ncolumns = {number = \"n\", f = \"f\", at = \"at\", d = \"d\"}\n",
              "{\"name\":\"m\xC3\xBCll\"}\n{\"name\":\"it's \\\\\"}\n{\"name\":\"nobody\"}\n{\"name\":null}\n{\"name\":\"\xF0\x9F\x98\x80\"}\n") ==
          Lines{R"({"name":"it's \\","number":2,"f":null,"at":null,"d":null})",
                R"({"name":"müll","number":18446744073709551615,"f":0.1,"at":"2024-02-29T12:00:00.500000","d":123456789012345678901234567890.00000000000000000001})",
                R"({"name":"nobody","number":null,"f":null,"at":null,"d":null})", R"({"name":"😀","number":null,"f":null,"at":null,"d":null})",
                R"({"name":null,"number":null,"f":null,"at":null,"d":null})"});
  }
}

TEST_CASE("only ids still to insert pass, and only what is held differently") {
  for (const char* server : kServers) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id int unsigned, part int, v varchar(10) collate utf8mb4_bin, primary key (id, part)); INSERT INTO t SELECT n, 1, 'old' FROM (" +
            Lab::Numbers(20000) + ") x WHERE n % 2 = 0; INSERT INTO t VALUES (1, 1, null)");
    std::string rows;
    for (int id = 1; id <= 20000; ++id) rows += "{\"id\":" + std::to_string(id) + ",\"p\":1,\"v\":\"" + (id % 4 == 0 ? "new" : "old") + "\"}\n";
    rows += "{\"id\":-1,\"p\":1,\"v\":null}\n{\"id\":99999999999,\"p\":1,\"v\":\"old\"}\n";
    const std::string on = "table = \"t\"\non = {id = \"id\", p = \"part\"}\n";
    CHECK(Out(lab, on + "only_missing = true\nbatch_keys = 777\n", rows).size() == 9999 + 2);
    const Lines changed = Out(lab, on + "only_changed = [\"v\"]\n", rows);
    CHECK(changed.size() == 10000 + 5000 + 2);   // the odd ones, those divided by 4, those that cannot be there
    const auto wrong = Job(Through(lab, "table = \"t\"\non = {x = \"id\"}\n"));
    wrong.dir.Write("in", rows);
    CHECK(wrong.Run().err.find("the rows have no column \"x\"") != std::string::npos);
  }
}
