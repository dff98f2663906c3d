// The plugin passes the checks that are made for everybody's, with a real server behind it.
#include <cstdlib>
#include <sstream>

#include "lab.h"

using namespace etl::test;

TEST_CASE("the source passes every check that needs no crash of the server") {
  for (const std::string& name : kStores) {
    CAPTURE(name);
    const Store store(name);
    store.Rows(2000, "intDiv(number, 3)");
    for (const std::string more : {"page_bytes = \"64KiB\"", "time_column = \"ts\"\nmax_rows_per_request = 100"}) {
      const Pull pull(store.Options() + "table = \"t\"\n" + more);
      Command command = pull.Make();
      command.argv = {ETL_BUILD_DIR "/bin/etl", "plugin", "check", ETL_BUILD_DIR "/lib/etl/plugins/1/clickhouse.so", "--options", pull.dir / "p.toml", "--allow-unsafe-plugins"};
      command.time_limit = std::chrono::minutes(4);
      const Finished done = RunProcess(command);
      std::istringstream lines(done.out);
      int checks = 0;
      for (std::string line; std::getline(lines, line);) {
        checks += std::atoi(line.c_str()) > 0;
        CHECK_MESSAGE((line.find("  FAIL  ") == std::string::npos || std::atoi(line.c_str()) == 10), line);   // 10: who owns the build
      }
      CHECK_MESSAGE(checks == 44, done.err);
    }
  }
}
