// `etl plugin new`: what it writes builds against the package, passes its checks and runs its
// example.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "program.h"

using namespace etl::test;

TEST_CASE("a new plugin is written once, and builds") {
  for (const char* kind : {"source", "transform", "sink"}) {
    INFO(kind);
    const TempDir folder;
    const std::string cwd = folder.path().string();
    const Finished made = Etl({"plugin", "new", "acme.word_count", std::string("--") + kind}, cwd);
    REQUIRE(made.exit_code == 0);
    CHECK(made.out.find("./word_count: a ") == 0);
    CHECK(Etl({"plugin", "new", "acme.word_count", std::string("--") + kind}, cwd).exit_code == 2);
    const std::string code = ReadFile(folder / "word_count/word_count.cpp");
    CHECK(code.find("class WordCount : public etl::") != std::string::npos);
    for (const auto& entry : std::filesystem::directory_iterator(folder / "word_count")) {
      if (entry.is_regular_file())
        CHECK(ReadFile(entry.path().string()).find("emplate") == std::string::npos);
    }
    CHECK((std::filesystem::status(folder / "word_count/ci.sh").permissions() &
           std::filesystem::perms::owner_exec) != std::filesystem::perms::none);
    Command build;
    build.argv = {"sh", "-c",
                  "cmake -B build -S . -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH=" ETL_BUILD_DIR
                  " -DETL=" ETL_PROGRAM
                  " && cmake --build build && ctest --test-dir build --output-on-failure"};
    build.cwd = folder / "word_count";
    build.env = {std::string("CXX=") + ETL_CXX, "CXXFLAGS=-Wall -Wextra -Wpedantic -Werror"};
    build.time_limit = std::chrono::minutes(5);
    const Finished built = RunProcess(build);
    INFO(built.out, built.err);
    CHECK(built.exit_code == 0);
  }
}
