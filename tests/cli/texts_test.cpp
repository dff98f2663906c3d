#include <doctest/doctest.h>

#include "json.h"
#include "metrics.h"
#include "sample.h"
#include "summary.h"
#include "text.h"

using namespace etl::cli;

TEST_CASE("figures are written for people") {
  CHECK(Count(0) == "0");
  CHECK(Count(999) == "999");
  CHECK(Count(412310) == "412,310");
  CHECK(Count(-1234567) == "-1,234,567");
  CHECK(Amount(0) == "0 B");
  CHECK(Amount(999) == "999 B");
  CHECK(Amount(3'100'000) == "3.1 MB");
  CHECK(Amount(999'999) == "1.0 MB");
  CHECK(Amount(150'000'000'000) == "150 GB");
  CHECK(Mebibytes(512 << 20) == "512 MiB");
  CHECK(Clock(761'000'000'000) == "00:12:41");
  CHECK(Clock(-1) == "00:00:00");
  CHECK(Span(421'000'000) == "0.42 s");
  CHECK(Span(12'345'000'000) == "12.3 s");
  CHECK(Span(59'970'000'000) == "1 min 00 s");
  CHECK(Span(187'000'000'000) == "3 min 07 s");
  CHECK(Span(7'500'000'000'000) == "2 h 05 min");
  CHECK(Percent(0.004) == "0.4 %");
  CHECK(Percent(0.97) == "97 %");
  CHECK(Plural(1, "row", "rows") == "1 row");
  CHECK(Plural(2000, "row", "rows") == "2,000 rows");
}

TEST_CASE("a block shows how full a queue is") {
  CHECK(Block(0) == " ");
  CHECK(Block(0.01) == "▁");
  CHECK(Block(0.5) == "▄");
  CHECK(Block(1) == "█");
  CHECK(Block(7) == "█");
}

TEST_CASE("text is cut by the cells it takes, not by its bytes") {
  CHECK(Width("naïve") == 5);
  CHECK(Width("数据") == 4);
  CHECK(Width("e\xCC\x81") == 1);
  CHECK(Fit("abcdef", 6) == "abcdef");
  CHECK(Fit("abcdef", 4) == "abc…");
  CHECK(Fit("数据库", 4) == "数…");
  CHECK(Fit("abc", 0) == "");
  CHECK(Width("\xFF\xFE") == 2);
  CHECK(Right("7", 3) == "  7");
  CHECK(Left("数", 3) == "数 ");
}

TEST_CASE("the summary says what was moved, what limited, why rows were rejected and what to do") {
  const auto lines = Summary(etl::test::Ended());
  const std::vector<std::string> wanted = {
      "articles: complete, with rejected rows in 12 min 41 s",
      "  read 412,310, delivered 409,600, filtered 5, rejected 3; 541 rows/s",
      "  mysql          412,310 rows read, 2.4 GB, 12 % busy",
      "  embed          412,000 rows in, 411,902 out, 2.3 GB, 97 % busy, cache_hits 51000",
      "  elasticsearch  409,600 rows written, 4.0 GB, 30 % busy, 1 retry, 3 rejected",
      "  limited by embed for 11 min 40 s, sink[0] for 12.3 s",
      "  rejected 3 rows at sink[0]: mapper_parsing_exception: price",
      "  rejects are in .etl/articles/rejects.ndjson",
      "  next: etl rejects replay articles.toml",
  };
  REQUIRE(lines.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(lines[i] == wanted[i]);
}

TEST_CASE("the summary of a run that failed says why") {
  etl::host::RunResult r;
  r.exit = etl::host::Exit::kSink;
  r.message = "sink[0] (sqlite): disk full";
  r.status.pipeline = "p";
  r.status.elapsed_ns = 500'000'000;
  r.next = {"etl run p.toml"};
  CHECK(Summary(r) == std::vector<std::string>{"p: stopped (exit 5) in 0.50 s",
                                               "  read 0, delivered 0, filtered 0, rejected 0",
                                               "  sink[0] (sqlite): disk full",
                                               "  next: etl run p.toml"});
  r.exit = etl::host::Exit::kInterrupted;
  r.status.resumed = true;
  CHECK(Summary(r)[0] == "p: interrupted, state saved in 0.50 s, resumed");
}

TEST_CASE("the report keeps its keys in order, and what is unknown is null") {
  auto r = etl::test::Ended();
  r.status.stages.clear();
  r.status.limiter = -1;
  r.status.fraction = -1;
  r.status.eta_ns = -1;
  const std::string text = Text(ToJson(r));
  CHECK(
      text.find(
          R"({"exit":3,"message":"","status":{"pipeline":"articles","phase":"ended","generation":2,"resumed":false,"elapsed_s":761)") ==
      0);
  CHECK(text.find(R"("fraction":null,"eta_s":null)") != std::string::npos);
  CHECK(text.find(R"("limiter":null)") != std::string::npos);
  CHECK(
      text.find(
          R"("reasons":[{"stage":"sink[0]","reason":"mapper_parsing_exception: price","rows":3}])") !=
      std::string::npos);
}

TEST_CASE("metrics have a line for each stage, with labels escaped") {
  auto s = etl::test::Middle();
  s.pipeline = "a\"b\\c\nd";
  const std::string text = Prometheus(s);
  CHECK(text.find("# TYPE etl_rows_read_total "
                  "counter\netl_rows_read_total{pipeline=\"a\\\"b\\\\c\\nd\"} 412310\n") !=
        std::string::npos);
  CHECK(text.find("stage=\"sink[0]\",type=\"elasticsearch\"} 0.304\n") != std::string::npos);
  CHECK(text.find("etl_stage_limiting{pipeline=\"a\\\"b\\\\c\\nd\",stage=\"transform[0]\",type="
                  "\"embed\"} 1\n") != std::string::npos);
  CHECK(text.find("type=\"embed\",name=\"cache_hits\"} 51000\n") != std::string::npos);
  CHECK(text.back() == '\n');
}
