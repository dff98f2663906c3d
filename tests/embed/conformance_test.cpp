// The plugin passes the checks that are made for everybody's, with a model.
#include <sstream>

#include "lab.h"

using namespace etl::test;

TEST_CASE("embed passes every check of etl plugin check") {
  const TempDir dir;
  Command command;
  command.argv = {ETL_BUILD_DIR "/bin/etl", "plugin", "check", ETL_BUILD_DIR "/lib/etl/plugins/1/embed.so", "--allow-unsafe-plugins", "--options",
                  dir.Write("p.toml", "[source]\ntype = \"generate\"\n[[transform]]\ntype = \"embed\"\nmodel = \"" + ModelFolder("tiny") + "\"\ntext = \"name\"\n[[sink]]\ntype = \"discard\"\n")};
  command.time_limit = std::chrono::minutes(5);
  const auto done = RunProcess(command);
  std::istringstream lines(done.out);
  int checks = 0, failed = 0;
  for (std::string line; std::getline(lines, line);) {
    const int number = std::atoi(line.c_str());
    checks += number > 0;
    const bool bad = line.find("  FAIL  ") != std::string::npos && number != 10;   // 10: who may write to the build's folder
    CHECK_MESSAGE(!bad, line);
    CHECK_MESSAGE(line.find("--options") == std::string::npos, line);
    failed += bad;
  }
  CHECK_MESSAGE(checks == 44, done.err);
  CHECK(failed == 0);
}
