#include "view.h"

#include <doctest/doctest.h>

#include "sample.h"
#include "text.h"

using namespace etl::cli;
using etl::test::Earlier;
using etl::test::Middle;

TEST_CASE("the live view shows each stage, the limiter and what is left") {
  const auto lines = LiveView(Earlier(), Middle(), {110, false});
  const std::vector<std::string> wanted = {
      "articles  mysql → embed → elasticsearch                                   00:12:41  "
      "limiter: embed (97 % busy)",
      "  mysql          412,310 rows         541/s   3.1 MB/s  busy  12 %           4 readers, 40 "
      "of ~99 splits",
      "  embed          411,902 rows         540/s   3.1 MB/s  busy  97 %  queue █  cache_hits "
      "51000",
      "  elasticsearch  409,600 rows         538/s   5.2 MB/s  busy  30 %  queue ▁  2 writers, 2 "
      "in flight, 1 retry,…",
      "  41 %  ETA 00:18:00  memory 120 MiB of 512 MiB  rejected 3",
  };
  REQUIRE(lines.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(lines[i] == wanted[i]);
}

TEST_CASE("no line of the live view is wider than the terminal") {
  auto now = Middle();
  now.pipeline = "数据管道数据管道数据管道";
  now.last_error = "connection refused by a server with a very long name indeed, and more";
  for (std::size_t width = 0; width < 130; ++width) {
    for (const auto& line : LiveView(Earlier(), now, {width, false})) CHECK(Width(line) <= width);
  }
}

TEST_CASE("a retry under way is shown below, and colour marks the limiter") {
  auto now = Middle();
  now.last_error = "429 from es1";
  CHECK(LiveView(Earlier(), now, {80, false}).back() == "  retrying: 429 from es1");
  const auto lines = LiveView(Earlier(), now, {80, true});
  CHECK(lines[2].rfind("\x1b[33m  embed", 0) == 0);
  CHECK(lines[1].find('\x1b') == std::string::npos);
}

TEST_CASE("before anything is known the view is quiet") {
  etl::host::RunStatus s;
  s.pipeline = "p";
  s.phase = "starting";
  CHECK(LiveView(s, s, {40, false}) ==
        std::vector<std::string>{"p                     00:00:00  starting",
                                 "  memory 0 MiB of 0 MiB"});
  CHECK(ProgressLine(s, s) ==
        "00:00:00 starting: read 0 rows (0/s, 0 B/s), delivered 0, filtered 0, rejected 0");
}

TEST_CASE("the plain line has the same figures") {
  CHECK(ProgressLine(Earlier(), Middle()) ==
        "00:12:41 running: read 412,310 rows (541/s, 3.1 MB/s), delivered 409,600, filtered 5, "
        "rejected 3, "
        "limiter embed (97 % busy), 41 %  ETA 00:18:00");
}

TEST_CASE("stages of one type are told apart") {
  auto s = Middle();
  s.stages[1].type = "elasticsearch";
  CHECK(StageLabel(s.stages, 1) == "elasticsearch transform[0]");
  CHECK(StageLabel(s.stages, 0) == "mysql");
  s.stages.push_back(s.stages[2]);
  s.stages[3].type = "ndjson";
  CHECK(Chain(s.stages) == "mysql → elasticsearch → elasticsearch, ndjson");
}
