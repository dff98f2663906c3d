// Our own plugins pass the checks that are made for everybody's.
#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <string>

#include "run_process.h"
#include "temp_dir.h"

using etl::test::Command;
using etl::test::RunProcess;
using etl::test::TempDir;

namespace {

struct Own {
  const char* library;
  const char* pipeline;  ///< that uses all its components
};

const Own kOwn[] = {
    {"csv", "[source]\ntype = \"csv\"\npath = \"in.csv\"\n[[sink]]\ntype = \"csv\"\npath = \"out.csv\"\n"},
    {"ndjson", "[source]\ntype = \"ndjson\"\npath = \"in.ndjson\"\n[[sink]]\ntype = \"ndjson\"\npath = \"out.ndjson\"\n"},
    {"generate", "[source]\ntype = \"generate\"\n[[sink]]\ntype = \"discard\"\n"},
    {"sql", "[source]\ntype = \"generate\"\n[[transform]]\ntype = \"sql\"\nquery = \"SELECT *, length(name) AS width FROM batch WHERE "
            "id % 3 = 0\"\n[[sink]]\ntype = \"discard\"\n"},
    {"sqlite", "[source]\ntype = \"sqlite\"\npath = \"in.db\"\ntable = \"t\"\n[[transform]]\ntype = \"sqlite_lookup\"\npath = \"in.db\"\n"
               "table = \"t\"\non = {id = \"id\"}\ncolumns = {known = \"score\"}\n[[sink]]\ntype = \"sqlite\"\npath = \"out.db\"\n"
               "table = \"t\"\n"},
    {"deb822", "[source]\ntype = \"deb822\"\npath = \"status\"\n[[sink]]\ntype = \"discard\"\n"},
};

/// The input files that the pipelines name.
void WriteInput(const TempDir& dir) {
  std::ostringstream csv, ndjson, status;
  csv << "id,name,score\n";
  for (int i = 1; i <= 500; ++i) {
    csv << i << ",\"row, number " << i << "\"," << i << ".5\n";
    ndjson << "{\"id\":" << i << ",\"name\":\"row " << i << "\",\"score\":" << i << ".25}\n";
    status << "Package: p" << i << "\nVersion: 1." << i << "\nArchitecture: all\nDescription: number " << i << "\n and more\n\n";
  }
  dir.Write("in.csv", csv.str());
  dir.Write("in.ndjson", ndjson.str());
  dir.Write("status", status.str());
  const std::string fill = dir.Write("fill.toml", "[source]\ntype = \"csv\"\npath = \"in.csv\"\n[[sink]]\ntype = \"sqlite\"\npath = \"in.db\"\n"
                                                  "table = \"t\"\n");
  Command command;
  command.argv = {ETL_PROGRAM, "run", fill, "--allow-unsafe-plugins"};
  const auto filled = RunProcess(command);
  INFO(filled.err);
  REQUIRE(filled.exit_code == 0);
}

}  // namespace

TEST_CASE("each of our plugins passes every check, with options that make it work") {
  const TempDir dir;
  WriteInput(dir);
  for (const Own& own : kOwn) {
    const std::string library = std::string(ETL_PLUGINS) + "/" + own.library + ".so";
    CAPTURE(library);
    REQUIRE(std::filesystem::exists(library));
    Command command;
    command.argv = {ETL_PROGRAM, "plugin", "check", library, "--options", dir.Write(std::string(own.library) + ".toml", own.pipeline),
                    "--allow-unsafe-plugins"};
    command.time_limit = std::chrono::minutes(5);
    const auto done = RunProcess(command);
    std::istringstream lines(done.out);
    int checks = 0;
    for (std::string line; std::getline(lines, line);) {
      const int number = std::atoi(line.c_str());
      checks += number > 0;
      const bool failed = line.find("  FAIL  ") != std::string::npos && number != 10;
      CHECK_MESSAGE(!failed, line);
      const bool not_run = line.find("--options") != std::string::npos;  // "give options that work with --options"
      CHECK_MESSAGE(!not_run, line);
    }
    CHECK_MESSAGE(checks == 44, done.err);
  }
}
