// The conformance checks find what is wrong with each broken plugin, and nothing wrong with the others.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "plugin/conformance.h"
#include "temp_dir.h"

using namespace etl::host;
using etl::test::TempDir;

namespace {

std::string Zoo(const std::string& name) { return std::string(ETL_ZOO) + "/" + name + ".so"; }

constexpr std::size_t kMemory = 1u << 30;

std::map<int, CheckResult> Run(const std::string& path, std::set<int> only, int limit_ms = 30'000) {
  CheckOptions options;
  options.memory_limit = kMemory;
  options.only = std::move(only);
  options.time_limit = std::chrono::milliseconds(limit_ms);
  std::map<int, CheckResult> results;
  for (CheckResult& result : CheckPlugin(path, options)) results[result.number] = std::move(result);
  return results;
}

struct Broken {
  const char* name;
  int check;           ///< that must fail
  const char* detail;  ///< what it must say
};

constexpr Broken kBroken[] = {
    {"no_symbol", 3, "does not export etl_plugin_v1"},
    {"no_note", 2, "has no readable etl note"},
    {"needs_newer", 12, "needs plugin ABI 1.99"},
    {"note_disagrees", 12, "under a note of zoo.somebody_else"},
    {"small_table", 12, "a table etl_plugin of 16 bytes"},
    {"two_kinds", 12, "several kinds in component \"zoo_source\""},
    {"no_write", 12, "no write() in component \"zoo_half\""},
    {"bad_default", 12, "its default 0 is outside 1..65535"},
    {"undefined", 4, "undefined symbol: zoo_nobody_has_this"},
    {"exec_stack", 7, "has an executable stack"},
    {"not_hardened", 7, "binds lazily"},
    {"runpath", 6, "searches libraries in \"/opt/lib\""},
    {"exports_all", 3, "besides etl_plugin_v1"},
    {"exits", 11, "imports exit()"},
    {"exits", 31, "ended the process with exit code 3"},
    {"crashes_on_load", 12, "was killed by signal 4 (Illegal instruction)"},
    {"leaks_thread", 13, "being loaded leaves 1 thread(s) running"},
    {"prints_on_load", 13, "being loaded prints"},
    {"takes_signal", 13, "being loaded leaves a handler of signal 10"},
    {"reads_past_host", 18, "was killed by signal 11 (Segmentation fault)"},
    {"tells_secret", 24, "shows a secret option in a message"},
    {"leaks_memory", 25, "1000 times create and destroy leave"},
    {"throws", 30, "lets an exception out"},
    {"bad_error_past_size", 29, "write() writes behind the error that it was lent"},
    {"bad_error_no_message", 29, "write() says -2 without a message"},
    {"bad_error_no_end", 29, "write() leaves an error text without its end"},
    {"bad_error_not_utf8", 29, "write() gives an error text that is not UTF-8"},
    {"bad_error_no_option", 29, "write() blames the option \"colour\", which it does not have"},
    {"bad_batch_length", 32, "child 1 has 127 rows where 128 are needed"},
    {"bad_batch_children", 32, "1 children, but the schema says 2"},
    {"bad_batch_null_buffer", 32, "buffer 1 is a null pointer"},
    {"bad_batch_offsets", 32, "row 0 has offsets from 0 to -5"},
    {"bad_batch_utf8", 32, "row 0 is not valid UTF-8 from byte 1"},
    {"keeps_release", 33, "release() does not set release to null"},
    {"writes_input", 36, "was killed by signal 11 (Segmentation fault)"},
    {"loses_rows", 38, "opened at the position after batch 1, row 0 is not the one that follows"},
    {"trusts_position", 40, "was killed by signal 11 (Segmentation fault)"},
    {"grows_in_load", 12, "took more memory than it may have"},
    {"grows_in_write", 36, "took more than 1024 MiB of memory"},
    {"floods", 36, "wrote without end where its answer goes"},
};

constexpr Broken kHanging[] = {
    {"hangs_on_load", 4, ""},     {"hangs_in_create", 25, ""}, {"hangs_in_destroy", 25, ""}, {"hangs_in_stop", 25, ""},
    {"hangs_in_describe", 31, ""}, {"hangs_in_next", 32, ""},   {"hangs_in_apply", 35, ""},   {"hangs_in_write", 36, ""},
    {"hangs_in_flush", 36, ""},
};

}  // namespace

TEST_CASE("a plugin that keeps its contract passes every check") {
  for (const char* name : {"good", "asks_host"}) {
    const auto results = Run(Zoo(name), {});
    CHECK(results.size() == 44);
    for (const auto& one : results) {
      const CheckResult& result = one.second;
      const bool broken = result.verdict == CheckResult::kFail;
      CHECK_MESSAGE(!broken, name << ": " << result.number << " " << result.name << ": " << result.detail);
    }
    CHECK(results.at(44).verdict == CheckResult::kSkip);
  }
  const auto results = Run(Zoo("good"), {});
  const auto skipped = std::count_if(results.begin(), results.end(), [](const auto& r) { return r.second.verdict == CheckResult::kSkip; });
  CHECK(skipped == 2);  // positions of earlier releases, and the live one
}

TEST_CASE("each broken plugin fails the check that is meant for it") {
  for (const Broken& broken : kBroken) {
    const CheckResult result = Run(Zoo(broken.name), {broken.check}).at(broken.check);
    CAPTURE(std::string(broken.name));
    CHECK(result.verdict == CheckResult::kFail);
    CHECK_MESSAGE(result.detail.find(broken.detail) != std::string::npos, result.detail);
  }
}

TEST_CASE("a plugin that hangs fails the check when its time is up") {
  for (const Broken& hanging : kHanging) {
    const CheckResult result = Run(Zoo(hanging.name), {hanging.check}, 500).at(hanging.check);
    CAPTURE(std::string(hanging.name));
    CHECK(result.verdict == CheckResult::kFail);
    CHECK(result.detail == "did not end within 500 ms");
  }
}

TEST_CASE("a plugin that cannot be loaded fails, also when only a later check is asked for") {
  const auto results = Run(Zoo("two_kinds"), {25, 31});
  CHECK(results.at(25).verdict == CheckResult::kFail);
  CHECK(results.at(25).detail.find("several kinds") != std::string::npos);
  CHECK(results.at(31).verdict == CheckResult::kSkip);
}

TEST_CASE("a file that anyone can write to fails the check of owner and mode") {
  const TempDir temp;
  const std::string file = temp / "good.so";
  std::filesystem::copy_file(Zoo("good"), file);
  REQUIRE(::chmod(file.c_str(), 0666) == 0);
  const CheckResult result = Run(file, {10}).at(10);
  CHECK(result.verdict == CheckResult::kFail);
  CHECK(result.detail == "lies in " + file + ", which anyone may write to; run chmod go-w, or chown, on it");
}
