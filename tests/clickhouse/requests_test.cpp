// How many requests the strategies make, without a server.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "manifest.h"
#include "rows.h"
#include "run_process.h"

using namespace etl::clickhouse;
using namespace etl::test;

namespace {

constexpr std::int64_t kLimit = 5000, kSlice = 120;

struct Shape {
  const char* name;
  Seconds seconds;
  std::int64_t from, to;
};

std::vector<Shape> Shapes() {
  std::vector<Shape> out;
  out.push_back({"skewed", Skewed(20'000'000), kBegin, kBegin + 172'800});
  out.push_back({"flat", Flat(20'000'000, 10), kBegin, kBegin + 10 * 86400});
  out.push_back({"hot hour", HotHour(20'000'000, 10), kBegin, kBegin + 10 * 86400});
  out.push_back({"empty year", EmptyYear(20'000'000), kBegin, kBegin + 365 * 86400});
  return out;
}

std::int64_t Python(const Shape& shape) {
  Command c;
  c.argv = {"python3", ETL_SOURCE_DIR "/tests/clickhouse/article.py", std::to_string(kLimit), std::to_string(kSlice), std::to_string(shape.from), std::to_string(shape.to)};
  for (const auto& s : shape.seconds) c.input += std::to_string(s.time) + " " + std::to_string(s.rows) + "\n";
  const Finished f = RunProcess(c);
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  return std::atoll(f.out.c_str());
}

}  // namespace

TEST_CASE("each strategy makes almost the ideal number of requests, over four shapes of 20 million rows") {
  for (const Shape& shape : Shapes()) {
    CAPTURE(shape.name);
    const std::int64_t rows = Sum(shape.seconds), ideal = (rows + kLimit - 1) / kLimit, best = BestOfSeconds(shape.seconds, kLimit);
    std::int64_t first[2], second[2];
    for (const bool unique : {true, false}) {
      Rates rates(static_cast<double>(kLimit) / kSlice);
      CountedStore store = StoreOf(shape.seconds, unique);
      const Tally tally = SimulateWalk(store, shape.from, shape.to, kLimit, kSlice, rates);
      CHECK(tally.rows == rows);
      Rates again(static_cast<double>(kLimit) / kSlice);
      again.Load(rates.Save());
      CountedStore same = StoreOf(shape.seconds, unique);
      const Tally night = SimulateWalk(same, shape.from, shape.to, kLimit, kSlice, again);
      CHECK(night.rows == rows);
      first[unique] = tally.requests;
      second[unique] = night.requests;
    }
    Packer packer(shape.from, kLimit);
    for (const auto& s : shape.seconds) packer.Second(s.time, s.rows);
    const std::int64_t packed = Packer::Requests(packer.Finish(shape.to), kLimit);
    Article::Statistics statistics;
    CountedStore store = StoreOf(shape.seconds, false);
    const Tally article = SimulateArticle(store, shape.from, shape.to, kLimit, kSlice, statistics);
    CHECK(article.rows == rows);
    const std::int64_t python = Python(shape);
    std::printf("%-10s rows %lld ideal %lld | unique %lld, second night %lld | best of seconds %lld, slices %lld, second night %lld, manifest %lld | article %lld (Python %lld)\n",
                shape.name, static_cast<long long>(rows), static_cast<long long>(ideal), static_cast<long long>(first[1]), static_cast<long long>(second[1]),
                static_cast<long long>(best), static_cast<long long>(first[0]), static_cast<long long>(second[0]), static_cast<long long>(packed),
                static_cast<long long>(article.requests), static_cast<long long>(python));
    CHECK(first[1] <= ideal * 102 / 100);
    CHECK(first[0] <= best * 110 / 100);
    CHECK(packed <= best * 105 / 100);
    for (const bool unique : {true, false}) CHECK(second[unique] <= first[unique] + first[unique] / 1000);   // a year's three dense hours say nothing of other weeks
    CHECK(article.deepest <= 10 * kLimit);
    CHECK(std::abs(article.requests - python) <= python * 5 / 100);
  }
}

TEST_CASE("two years of 100 million rows, a request a second") {
  // Weekdays and weekends, day and night, in a stream of seconds that is never held as a whole.
  const auto years = [](bool unique) {
    const std::int64_t span = 730 * 86400;
    return CountedStore([at = std::int64_t{0}, uneven = Uneven(), span](CountedStore::Second& out) mutable {
      while (at < span) {
        const std::int64_t s = at++;
        const double hour = static_cast<double>(s % 86400) / 3600;
        const double day = 0.03 + std::pow(std::max(0.0, std::sin((hour - 6) / 24 * 2 * M_PI)), 1.5);
        const double week = (s / 86400 + 5) % 7 < 2 ? 0.4 : 1;
        const std::int64_t n = uneven(day * week * 6.21);
        if (!n) continue;
        out = {kBegin + s, n};
        return true;
      }
      return false;
    }, unique);
  };
  const std::int64_t from = kBegin, to = kBegin + 730 * 86400;
  const auto say = [](const char* name, std::int64_t requests, std::int64_t rows) {
    std::printf("two years, %s: %lld rows, %lld requests, %.1f h\n", name, static_cast<long long>(rows), static_cast<long long>(requests), static_cast<double>(requests) / 3600);
  };
  std::int64_t rows = 0;
  for (const bool unique : {true, false}) {
    Rates rates(static_cast<double>(kLimit) / kSlice);
    CountedStore store = years(unique);
    const Tally t = SimulateWalk(store, from, to, kLimit, kSlice, rates);
    say(unique ? "auto, order unique" : "auto, by seconds", t.requests, t.rows);
    rows = t.rows;
    CHECK(t.requests <= (t.rows / kLimit + 1) * (unique ? 102 : 110) / 100);
  }
  CHECK(rows > 95'000'000);
  CHECK(rows < 105'000'000);
  Article::Statistics statistics;
  CountedStore store = years(false);
  const Tally article = SimulateArticle(store, from, to, kLimit, kSlice, statistics);
  say("article", article.requests, article.rows);
  CHECK(article.rows == rows);
  Packer packer(from, kLimit);
  std::int64_t fixed = 0;
  {
    CountedStore counted = years(false);
    for (std::int64_t t = from; t < to; t += kSlice) {
      const std::int64_t n = counted.Count(t, t + kSlice);
      fixed += n / kLimit + 1;
      counted.Forget(t + kSlice);
    }
    CountedStore once = years(false);
    for (std::int64_t t = from; t < to; ++t) {
      const std::int64_t n = once.Count(t, t + 1);
      if (n) packer.Second(t, n);
      once.Forget(t + 1);
    }
  }
  say("manifest", Packer::Requests(packer.Finish(to), kLimit), packer.rows());
  say("fixed slices of two minutes", fixed, rows);
  CHECK(packer.rows() == rows);
}
