// `etl plugin check` as the plugins' own tests run it.
#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <sstream>
#include <string>

#include "run_process.h"

namespace etl::test {

/// Each of its checks passes for a plugin of this build.  `command`: whose environment and folder are taken; `options`: a pipeline file
/// that makes none of them be left out.
inline void MustConform(Command command, const std::string& plugin, const std::string& options) {
  const char* const plugins = std::getenv("ETL_TEST_PLUGIN_DIR");
  command.argv = {ETL_BUILD_DIR "/bin/etl", "plugin", "check", (plugins ? plugins : ETL_BUILD_DIR "/lib/etl/plugins/1") + ("/" + plugin + ".so"), "--options", options,
                  "--allow-unsafe-plugins"};
  command.time_limit = std::chrono::minutes(4);
  const Finished done = RunProcess(command);
  std::istringstream lines(done.out);
  int checks = 0;
  for (std::string line; std::getline(lines, line);) {
    checks += std::atoi(line.c_str()) > 0;
    CHECK_MESSAGE((line.find("  FAIL  ") == std::string::npos || std::atoi(line.c_str()) == 10), line);   // 10: who owns the build
    CHECK_MESSAGE(line.find("--options") == std::string::npos, line);
  }
  CHECK_MESSAGE(checks == 44, done.err);
}

}  // namespace etl::test
