// The plugin passes the checks that are made for everybody's, with a real server behind it.
#include <doctest/doctest.h>

#include <sstream>

#include "lab.h"

using etl::test::Job;
using etl::test::Lab;

TEST_CASE("source, lookup and sink pass every check that needs no crash of the server") {
  for (const char* server : {"mysql", "mariadb"}) {
    CAPTURE(server);
    Lab lab(server);
    lab.Run("CREATE TABLE t (id bigint primary key, v varchar(20)); INSERT INTO t SELECT n, CONCAT('row ', n) FROM (" + Lab::Numbers(2000) +
            ") x; CREATE TABLE known LIKE t; ANALYZE TABLE t");
    const std::string url = lab.Options().substr(lab.Options().find("url"));
    const Job job("[source]\ntype = \"mysql\"\n" + url + "table = \"t\"\nchunk_rows = 100\n[[transform]]\ntype = \"mysql_lookup\"\n" + url +
                  "table = \"known\"\non = {id = \"id\"}\ncolumns = {seen = \"v\"}\n[[sink]]\ntype = \"mysql\"\n" + url + "table = \"out\"\ncreate = true\n");
    auto command = job.Make();
    command.argv = {ETL_BUILD_DIR "/bin/etl", "plugin", "check", ETL_BUILD_DIR "/lib/etl/plugins/1/mysql.so", "--options", job.dir / "p.toml",
                    "--allow-unsafe-plugins"};
    command.time_limit = std::chrono::minutes(4);
    const auto done = RunProcess(command);
    std::istringstream lines(done.out);
    int checks = 0;
    for (std::string line; std::getline(lines, line);) {
      checks += std::atoi(line.c_str()) > 0;
      CHECK_MESSAGE((line.find("  FAIL  ") == std::string::npos || std::atoi(line.c_str()) == 10), line);   // 10: who owns the build
      CHECK_MESSAGE(line.find("--options") == std::string::npos, line);
    }
    CHECK_MESSAGE(checks == 44, done.err);
  }
}
