// The program `etl`, as a user calls it.
#pragma once
#include <string>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

inline Command EtlCommand(std::vector<std::string> args, const std::string& folder) {
  static const TempDir cache;  // what scans say, for all tests of this program
  Command command;
  command.argv = {ETL_PROGRAM};
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  command.cwd = folder;
  command.env = {"XDG_CACHE_HOME=" + cache.path().string(),
                 "XDG_DATA_HOME=" + cache.path().string(), "ETL_STATE_DIR", "ETL_PLUGIN_PATH",
                 "TERM=dumb"};
  return command;
}

inline Finished Etl(std::vector<std::string> args, const std::string& folder) {
  return RunProcess(EtlCommand(std::move(args), folder));
}

}  // namespace etl::test
