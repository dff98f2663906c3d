// The boundary does not move: old and new plugins live in today's host, and no field has changed its place.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
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
const std::vector<Header> kHeaders{{"0.9", kAbi + "/0.9", "-DOLD"}, {"1.0", kAbi + "/1.0", "-DTODAY"}, {"today", kToday, "-DTODAY"}, {"next", kToday, "-DETL_ABI_NEXT"}};

struct Language {
  const char* name;
  std::vector<std::string> gcc, clang;
};
const std::vector<Language> kLanguages{{"C11", {"gcc", "-std=c11"}, {"clang", "-std=c11"}},
                                       {"C++17", {"g++", "-x", "c++", "-std=c++17"}, {"clang++", "-x", "c++", "-std=c++17"}}};

/// The fixture by one compiler against one header.
void Build(std::vector<std::string> argv, const Header& header, const std::string& source, const std::string& file) {
  argv.insert(argv.begin() + 1, {"-Wall", "-Wextra", "-Werror"});
  argv.insert(argv.end(), {"-O1", "-fPIC", "-shared", "-fvisibility=hidden", header.define,
                           "-I" + header.include, kAbi + "/" + source, "-Wl,-z,now,-z,relro", "-o", file});
  Compile(argv);
}

std::string EvenNumbers() {
  std::string expected;
  for (int id = 0; id < 47; id += 2) expected += std::to_string(id) + "\n";
  return expected;
}

/// A plugin in a host, apart from etl: what the host says that it used of the later version.
std::string RunIn(const std::string& host, const std::string& plugin, const etl::test::TempDir& dir) {
  const std::string out = dir / "out";
  std::filesystem::remove(out);
  Command run;
  run.argv = {host, plugin, out};
  const auto done = RunProcess(run);
  INFO(done.err);
  CHECK(done.exit_code == 0);
  CHECK(Slurp(out) == EvenNumbers());
  return done.out;
}

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
        Build(argv, header, "fixture.c", file);
        std::ofstream(dir.path() / "p.toml") << "[source]\ntype = \"fixture_numbers\"\nrows = 47\n[[transform]]\ntype = \"fixture_even\"\n"
                                                "[sink]\ntype = \"fixture_collect\"\npath = \"out\"\n";
        Command run;
        run.argv = {ETL_BUILD_DIR "/bin/etl", "run", "--plugin-dir", dir.path().string(), "--allow-unsafe-plugins",
                    (dir.path() / "p.toml").string()};
        run.env = {"XDG_CACHE_HOME=" + (dir.path() / "cache").string()};
        const auto done = RunProcess(run);
        INFO(done.err);
        CHECK(done.exit_code == 0);
        const std::string out = Slurp(dir.path() / "out");
        CHECK(out == EvenNumbers());
      }
    }
  }
}

TEST_CASE("plugins of an older, the same and a newer release run in today's host and in a newer one, under sanitizers") {
  for (const Header& header : kHeaders) {
    for (const Language& language : kLanguages) {
      for (const std::vector<std::string>& compiler : {language.gcc, language.clang}) {
        CAPTURE(header.name);
        CAPTURE(compiler[0]);
        const etl::test::TempDir dir;
        const std::string file = dir / "fixture.so";
        // With the sanitizer of the hosts, which then also sees what is read behind the plugin's tables.
        std::vector<std::string> argv = compiler;
        if (*ETL_GCC_SANITIZE && compiler[0].starts_with("g")) argv.push_back(ETL_GCC_SANITIZE);
        Build(argv, header, "fixture.c", file);
        const bool newer = header.define == "-DETL_ABI_NEXT";
        CHECK(RunIn(ETL_HOST_TODAY, file, dir) == "spans=0\n");
        CHECK(RunIn(ETL_HOST_NEXT, file, dir) ==
              (newer ? "spans=5 fingerprint=of a later release example=of a later release\n" : "spans=0\n"));
      }
    }
  }
}

TEST_CASE("plugins written with the SDK, against today's header and a newer one, run in both hosts") {
  for (const Header& header : {kHeaders[2], kHeaders[3]}) {
    for (const char* compiler : {"g++", "clang++"}) {
      CAPTURE(header.name);
      CAPTURE(compiler);
      const etl::test::TempDir dir;
      const std::string file = dir / "fixture.so";
      // The SDK comes with its header and names the fields of its own version; the later header has one more.
      Build({compiler, "-std=c++17", "-Wno-missing-field-initializers"}, header, "sdk_fixture.cpp", file);
      CHECK(RunIn(ETL_HOST_TODAY, file, dir) == "spans=0\n");
      CHECK(RunIn(ETL_HOST_NEXT, file, dir) == "spans=0\n");
    }
  }
}

TEST_CASE("the list of fields is whole: without gaps, and to the end of each table") {
  std::map<std::string, unsigned long> ends;
  std::istringstream golden(Slurp(kAbi + "/layout-1.0.txt"));
  std::string field;
  for (unsigned long offset = 0, size = 0; golden >> field >> offset >> size;) {
    const std::string table = field.substr(0, field.find('.'));
    CAPTURE(field);
    CHECK(offset == ends[table]);
    ends[table] = offset + size;
  }
  CHECK(ends.size() == 16);
  const etl::test::TempDir dir;
  std::string source = "#include <etl/plugin.h>\n";
  for (const auto& [table, end] : ends)
    source += "_Static_assert(sizeof(" + std::string(table.starts_with("Arrow") ? "struct " : "") + table + ") == " + std::to_string(end) + ", \"\");\n";
  Compile({"gcc", "-std=c11", "-fsyntax-only", "-I" + kToday, dir.Write("sizes.c", source)});
}
