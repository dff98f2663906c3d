// The strategies' plain classes: every row once, whatever the seconds hold.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "fault.h"
#include "ledger.h"
#include "manifest.h"
#include "native.h"
#include "rows.h"
#include "sql.h"
#include "table.h"

using namespace etl::clickhouse;
using namespace etl::test;

namespace {

std::uint64_t Seed() {
  const char* given = std::getenv("ETL_TEST_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("seed %llu (ETL_TEST_SEED=%llu repeats it)\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed));
  return seed;
}

Seconds Random(std::mt19937_64& random, std::int64_t span) {
  Seconds out;
  const int shape = static_cast<int>(random() % 4);
  for (std::int64_t s = 0; s < span; ++s) {
    std::int64_t n = shape == 0 ? static_cast<std::int64_t>(random() % 4) : shape == 1 ? (random() % 50 == 0 ? 30 : 0) : shape == 2 ? (s % 7 == 0) : static_cast<std::int64_t>(random() % 40);
    if (random() % 97 == 0) n += static_cast<std::int64_t>(random() % 300);
    if (n) out.push_back({kBegin + s, n});
  }
  return out;
}

}  // namespace

TEST_CASE("walks, articles and manifests give every row once, in random seconds with random limits, also across restarts") {
  std::mt19937_64 random(Seed());
  for (int round = 0; round < 300; ++round) {
    const std::int64_t span = 1 + static_cast<std::int64_t>(random() % 2000), limit = 1 + static_cast<std::int64_t>(random() % 60);
    const Seconds seconds = Random(random, span);
    CAPTURE(round);
    CAPTURE(limit);
    for (const bool unique : {true, false}) {
      CountedStore store = StoreOf(seconds, unique);
      Rates rates(1);
      Cursor cursor{Cursor::At::kTime, kBegin, {}, 0};
      Reach reach(kWindow, 30);
      std::int64_t rows = 0, requests = 0;
      const bool ordered = random() % 2;
      for (;;) {
        Walk walk(Cursor::Load(cursor.Save()), ordered, 1, !unique);   // as after a restart behind each page
        if (walk.Done(kBegin + span)) break;
        const Ask ask = walk.Next(reach.Next(rates, walk.cursor(), limit, kBegin + span), limit);
        const Got got = store.Answer(ask);
        rows += walk.Take(ask, got, &rates);
        reach.Took(ask, got);
        cursor = walk.cursor();
        REQUIRE(++requests < 1'000'000);
      }
      CHECK(rows == Sum(seconds));
    }
    Article::Statistics statistics;
    CountedStore store = StoreOf(seconds, false);
    CHECK(SimulateArticle(store, kBegin, kBegin + span, limit, 30, statistics).rows == Sum(seconds));
    Packer packer(kBegin, limit);
    for (const auto& s : seconds) packer.Second(s.time, s.rows);
    const auto slices = packer.Finish(kBegin + span);
    std::int64_t at = kBegin, rows = 0;
    for (const Slice& s : slices) {
      CHECK(s.from == at);
      CHECK((s.rows <= limit || s.to - s.from == 1));
      at = s.to;
      rows += s.rows;
    }
    CHECK(at == kBegin + span);
    CHECK(rows == Sum(seconds));
  }
}

TEST_CASE("halves that idle readers take cover a piece once") {
  std::mt19937_64 random(Seed());
  for (int round = 0; round < 500; ++round) {
    Ledger ledger;
    const std::int64_t span = 2 + static_cast<std::int64_t>(random() % 5000);
    ledger.Put({"p0", "", 0, span, 0, 0});
    std::vector<std::string> open = {"p0"};
    std::map<std::string, std::int64_t> at = {{"p0", 0}};
    Intervals read;
    int id = 1;
    while (!open.empty()) {
      if (random() % 3 == 0) {
        const auto half = ledger.Take([](const std::string&, std::int64_t a, std::int64_t b) { return static_cast<double>(b - a); }, 3, "p" + std::to_string(id));
        if (half) {
          ++id;
          open.push_back(half->id);
          at[half->id] = half->from;
          CHECK(half->from < half->to);
        }
        continue;
      }
      const std::size_t i = random() % open.size();
      const std::string name = open[i];
      const std::int64_t to = ledger.Claim(name, at[name] + 1 + static_cast<std::int64_t>(random() % 400));
      const std::int64_t done = random() % 2 ? to : at[name] + (to - at[name] + 1) / 2;   // full pages come less far
      CHECK(Subtract({{at[name], done}}, read) == Intervals{{at[name], done}});
      Add(read, {at[name], done});
      at[name] = done;
      ledger.Advance(name, done);
      if (done >= ledger.End(name)) {
        ledger.Close(name);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    CHECK(read == Intervals{{0, span}});
  }
}

TEST_CASE("intervals merge, and what is missing is what is left") {
  Intervals done;
  Add(done, {10, 20});
  Add(done, {30, 40});
  Add(done, {20, 25});
  CHECK(done == Intervals{{10, 25}, {30, 40}});
  CHECK(Subtract({{0, 50}}, done) == Intervals{{0, 10}, {25, 30}, {40, 50}});
  CHECK(LoadIntervals(SaveIntervals(done)) == done);
  CHECK(Subtract({{12, 20}}, done).empty());
}

TEST_CASE("what a run reads is what is missing, and the overlap before each end of what was read") {
  const Intervals done = {{0, 90}, {100, 110}, {300, 400}};
  CHECK(Missing({0, 500}, {}, 50) == Intervals{{0, 500}});
  CHECK(Missing({0, 500}, done, 0) == Intervals{{90, 100}, {110, 300}, {400, 500}});
  CHECK(Missing({0, 500}, done, 5) == Intervals{{85, 100}, {105, 300}, {395, 500}});
  CHECK(Missing({0, 500}, done, 50) == Intervals{{40, 300}, {350, 500}});   // the one in the middle is shorter
  CHECK(Missing({0, 500}, done, 1000) == Intervals{{0, 500}});
  CHECK(Missing({20, 95}, done, 10) == Intervals{{80, 95}});
  CHECK(Missing({0, 90}, done, 0).empty());
  CHECK(Missing({7, 7}, {}, 3).empty());
}

TEST_CASE("days are asked for whole, never one of them twice, in almost the ideal number of requests") {
  constexpr std::int64_t kDay = 86400;
  CHECK(AlignUp(1, kDay) == kDay);
  CHECK(AlignUp(kDay, kDay) == kDay);
  CHECK(AlignUp(-1, kDay) == 0);
  CHECK(AlignDown(-1, kDay) == -kDay);
  std::mt19937_64 random(Seed());
  for (int round = 0; round < 100; ++round) {
    Seconds days;
    const std::int64_t limit = 20 + static_cast<std::int64_t>(random() % 100), span = 200 + static_cast<std::int64_t>(random() % 800), mean = 1 + static_cast<std::int64_t>(random() % 200);
    for (std::int64_t d = 0; d < span; ++d) {
      const std::int64_t n = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * mean)) + (random() % 50 ? 0 : 10 * limit);
      if (n) days.push_back({kBegin + d * kDay, n});
    }
    CAPTURE(round);
    CAPTURE(limit);
    CAPTURE(mean);
    CountedStore store = StoreOf(days, false);
    Rates rates(static_cast<double>(limit) / 120);
    Walk walk({Cursor::At::kTime, kBegin, {}, 0}, true, kDay, true);
    Reach reach(kWindow, 120, kDay);
    std::int64_t rows = 0, requests = 0, cut = 0;
    while (!walk.Done(kBegin + span * kDay)) {
      const Ask ask = walk.Next(reach.Next(rates, walk.cursor(), limit, kBegin + span * kDay), limit);
      const Got got = store.Answer(ask);
      rows += walk.Take(ask, got, &rates);
      reach.Took(ask, got);
      cut += ask.to % kDay || walk.cursor().time % kDay;
      ++requests;
    }
    CHECK(cut == 0);
    CHECK(rows == Sum(days));
    std::int64_t best = 0;   // a full page is followed by one more
    for (const auto& s : days) best += s.rows >= limit ? s.rows / limit + 1 : 0;
    CHECK(requests <= (best + BestOfSeconds(days, limit)) * 115 / 100 + 10);
    CountedStore again = StoreOf(days, false);
    Article::Statistics statistics;
    const Tally article = SimulateArticle(again, kBegin, kBegin + span * kDay, limit, 120, statistics, kDay);
    CHECK(article.rows == Sum(days));
    CHECK(article.requests <= span * 3 + Sum(days) / limit);
  }
  Ledger ledger(kDay);
  ledger.Put({"p0", "", 0, 10 * kDay, 0, 0});
  ledger.Claim("p0", 7 * kDay + 1);
  const auto half = ledger.Take([](const std::string&, std::int64_t a, std::int64_t b) { return static_cast<double>(b - a); }, 3, "p1");
  REQUIRE(half);
  CHECK(half->from == 9 * kDay);
  CHECK(!ledger.Take([](const std::string&, std::int64_t a, std::int64_t b) { return static_cast<double>(b - a); }, 3, "p2"));
}

TEST_CASE("a manifest survives its file, and others are refused by name") {
  Manifest m{"events", "ts", "country", 5000, kBegin, kBegin + 7200, {{"d\"e", {{kBegin, kBegin + 60, 12}, {kBegin + 60, kBegin + 7200, 5000}}}, {"*", {{kBegin, kBegin + 7200, 0}}}}};
  const Manifest back = FromJson(ToJson(m));
  CHECK(back.table == "events");
  CHECK(back.shards.at("d\"e")[1].rows == 5000);
  CHECK(back.shards.at("*")[0].to == kBegin + 7200);
  CHECK_THROWS_WITH_AS(FromJson("{}"), "the file is no manifest of slices: it does not say etl_manifest = 1; make it with 'etl plan PIPELINE --write FILE'", etl::ConfigError);
  std::string gap = ToJson(m);
  gap.replace(gap.find("00:01:00\", \"to\": \"2024-03-01 02"), 8, "00:02:00");
  CHECK_THROWS_AS(FromJson(gap), etl::ConfigError);
}

TEST_CASE("values are bound, or quoted for a server that cannot") {
  Statement s;
  s += "a = ";
  s.Bind("String", "x' OR 1");
  CHECK(s.text == "a = {etl0:String}");
  CHECK(s.parameters[0].second == "x' OR 1");
  Statement old;
  old.binds = false;
  old.Bind("String", "x' OR \\1");
  old += " ";
  old.Bind("UInt32", "17");
  old += " ";
  old.Bind("UInt32", "17) OR (1");
  CHECK(old.text == "'x\\' OR \\\\1' 17 '17) OR (1'");
  CHECK(Inline("a = {x:UInt8} AND b = '{x:UInt8}'", {{"x", "5"}}) == "a = CAST('5' AS UInt8) AND b = '{x:UInt8}'");
  CHECK_THROWS_AS(Inline("{y:UInt8}", {{"x", "5"}}), etl::ConfigError);
  CHECK(Quote("a`b") == "`a\\`b`");
}

TEST_CASE("types that cannot be carried are refused with the reason, others are understood") {
  const TypeOptions options;
  CHECK_THROWS_AS(Understand("AggregateFunction(sum, UInt8)", options), etl::Fatal);
  CHECK_THROWS_AS(Understand("Whatever", options), etl::Fatal);
  CHECK(Understand("LowCardinality(Nullable(String))", options).cast == "Nullable(String)");
  CHECK(Understand("Array(LowCardinality(String))", options).cast == "Array(String)");
  CHECK(Understand("Map(String, UInt8)", options).type.arrow.format == "+m");
  CHECK(Understand("JSON(max_dynamic_paths = 5)", options).cast == "JSON");
  CHECK(Understand("Decimal(76, 5)", options).type.arrow.format == "d:76,5,256");
  CHECK(Understand("DateTime64(4, 'Asia/Shanghai')", options).type.arrow.format == "tsu:Asia/Shanghai");
  CHECK(Understand("Enum8('a, b' = 1, 'c\\'d' = -2)", options).type.names[0].second == "c'd");
}

TEST_CASE("a block is read whole or not at all, wherever it is cut") {
  constexpr char kBlock[] = "\x02\x03\x02id\x06UInt16\x01\x00\x02\x00\x03\x00\x01s\x06String\x01" "a\x00\x02" "bc";
  const std::string block(kBlock, sizeof kBlock - 1);
  const std::vector<ReadColumn> columns = {{"id", Understand("UInt16", {}).type}, {"s", Understand("String", {}).type}};
  for (std::size_t cut = 0; cut <= block.size(); ++cut) {
    bool given = false;
    Input in([&](std::string& buffer) {
      if (given) return false;
      buffer += block.substr(0, cut);
      given = true;
      return cut > 0;
    });
    Page page;
    if (cut == 0) {
      CHECK(!ReadBlock(in, columns, {}, page));
    } else if (cut < block.size()) {
      CHECK_THROWS_AS(ReadBlock(in, columns, {}, page), etl::Retry);
    } else {
      CHECK(ReadBlock(in, columns, {}, page));
      CHECK(page.rows == 3);
      CHECK(page.columns[1].Value(columns[1].type, 2) == "bc");
      CHECK(!ReadBlock(in, columns, {}, page));
    }
  }
}

TEST_CASE("an error where a block should begin is told as what it is") {
  const std::vector<ReadColumn> columns(67, {"id", Understand("UInt16", {}).type});   // 67 is the letter C
  for (const std::string text : {"Code: 241. DB::Exception: Memory limit exceeded", "\r\n__exception__\r\nabcdef\r\nCode: 241. DB::Exception: x"}) {
    bool given = false;
    Input in([&](std::string& buffer) { return given ? false : (buffer += text, given = true); });
    Page page;
    CHECK_THROWS_AS(ReadBlock(in, columns, {}, page), TooMuch);
    CHECK(page.rows == 0);
  }
  CHECK(MeaningOf(202) == Means::kPassing);
  CHECK(MeaningOf(159) == Means::kSmaller);
  CHECK(MeaningOf(160) == Means::kSmaller);
  CHECK(MeaningOf(60) == Means::kUser);
  CHECK(MeaningOf(49) == Means::kLasting);
}

TEST_CASE("times are those of the calendar") {
  CHECK(TimeText(0) == "1970-01-01 00:00:00");
  CHECK(TimeText(-1) == "1969-12-31 23:59:59");
  CHECK(TimeText(1'709'164'800) == "2024-02-29 00:00:00");
  for (const std::int64_t t : {std::int64_t{-5'000'000'000}, std::int64_t{0}, std::int64_t{1'709'164'801}, std::int64_t{7'000'000'000}}) CHECK(ParseTime(TimeText(t), "from") == t);
  CHECK(ParseTime("2024-03-01", "from") == kBegin);
  CHECK(ParseTime("2024-03-01T00:00:00Z", "from") == kBegin);
  CHECK_THROWS_AS(ParseTime("yesterday", "from"), etl::ConfigError);
}

TEST_CASE("what was learned of the minutes survives, and says how far to reach") {
  Rates rates(10);
  for (int day = 0; day < 3; ++day) {
    rates.Learn(kBegin + day * 86400, kBegin + day * 86400 + 43200, 43200 * 20);
    rates.Learn(kBegin + day * 86400 + 43200, kBegin + (day + 1) * 86400, 0);
  }
  Rates again(10);
  again.Load(rates.Save());
  CHECK(rates.Save().size() < 4000);
  CHECK(again.At(kBegin + 600) == doctest::Approx(20).epsilon(0.05));
  CHECK(again.At(kBegin + 50000) == doctest::Approx(0));
  CHECK(again.Reach(kBegin, 1000, 86400) - kBegin == doctest::Approx(50).epsilon(0.1));
  again.Load("garbage");
  CHECK(again.At(kBegin + 600) == doctest::Approx(20).epsilon(0.05));
}
