// The plugin passes the checks that are made for everybody's, with a real server behind it.
#include <doctest/doctest.h>

#include "conformance.h"
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
    etl::test::MustConform(job.Make(), "mysql", job.dir / "p.toml");
  }
}
