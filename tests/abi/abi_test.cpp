// The boundary does not move: old and new plugins live in today's host, and no field has changed its place.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

using etl::test::Command;
using etl::test::RunProcess;

namespace {

const std::string kAbi = ETL_ABI_DIR, kToday = ETL_SOURCE_DIR "/framework/include";

std::string Slurp(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Compile(std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  const auto done = RunProcess(command);
  INFO(done.err);
  REQUIRE(done.exit_code == 0);
}

struct Header {
  const char* name;
  std::string include, define;
};
const std::vector<Header> kHeaders{{"0.9", kAbi + "/0.9", "-DOLD"}, {"1.0", kToday, "-DTODAY"}, {"next", kToday, "-DETL_ABI_NEXT"}};

struct Language {
  const char* name;
  std::vector<std::string> gcc, clang;
};
const std::vector<Language> kLanguages{{"C11", {"gcc", "-std=c11"}, {"clang", "-std=c11"}},
                                       {"C++17", {"g++", "-x", "c++", "-std=c++17"}, {"clang++", "-x", "c++", "-std=c++17"}}};

}  // namespace

TEST_CASE("released headers are never edited") {
  Command sums;
  sums.argv = {"sha256sum", "-c", "--strict", "SHA256SUMS"};
  sums.cwd = kAbi;
  CHECK(RunProcess(sums).exit_code == 0);
}

TEST_CASE("the header has no padding and no warnings, in C11 and C++17, by gcc and clang") {
  for (const Header& header : kHeaders) {
    for (const Language& language : kLanguages) {
      for (std::vector<std::string> argv : {language.gcc, language.clang}) {
        CAPTURE(header.name);
        CAPTURE(argv[0]);
        for (const char* flag : {"-Wall", "-Wextra", "-Wpedantic", "-Wpadded", "-Werror", "-fsyntax-only"}) argv.push_back(flag);
        argv.insert(argv.end(), {header.define, "-I" + header.include, kAbi + "/header_only.c"});
        Compile(argv);
      }
    }
  }
}

TEST_CASE("every field lies where the first release put it; later ones are only appended") {
  const etl::test::TempDir dir;
  const std::string golden = Slurp(kAbi + "/layout-1.0.txt");
  for (const char* define : {"-DTODAY", "-DETL_ABI_NEXT"}) {
    const std::string program = (dir.path() / "layout").string();
    Compile({"gcc", "-std=c11", define, "-I" + kToday, kAbi + "/layout.c", "-o", program});
    Command run;
    run.argv = {program};
    CHECK(RunProcess(run).out == golden);
  }
}

TEST_CASE("plugins of an older, the same and a newer release run in today's host, in C and C++, by gcc and clang") {
  for (const Header& header : kHeaders) {
    for (const Language& language : kLanguages) {
      for (std::vector<std::string> argv : {language.gcc, language.clang}) {
        CAPTURE(header.name);
        CAPTURE(argv[0]);
        const etl::test::TempDir dir;
        const std::string file = (dir.path() / "fixture.so").string();
        argv.insert(argv.end(), {"-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", header.define,
                                 "-I" + header.include, kAbi + "/fixture.c", "-Wl,-z,now,-z,relro", "-o", file});
        Compile(argv);
        std::ofstream(dir.path() / "p.toml") << "[source]\ntype = \"fixture_numbers\"\nrows = 47\n[[transform]]\ntype = \"fixture_even\"\n"
                                                "[sink]\ntype = \"fixture_collect\"\npath = \"out\"\n";
        Command run;
        run.argv = {ETL_BUILD_DIR "/bin/etl", "run", "--plugin-dir", dir.path().string(), "--allow-unsafe-plugins",
                    (dir.path() / "p.toml").string()};
        run.env = {"XDG_CACHE_HOME=" + (dir.path() / "cache").string()};
        const auto done = RunProcess(run);
        INFO(done.err);
        CHECK(done.exit_code == 0);
        std::string expected;
        for (int id = 0; id < 47; id += 2) expected += std::to_string(id) + "\n";
        const std::string out = Slurp(dir.path() / "out");
        CHECK(out == expected);
      }
    }
  }
}
