// What a pull from a store of few rows a request costs the store: requests, and rows walked for each row delivered.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include "lab.h"
#include "rows.h"

using namespace etl::clickhouse;
using namespace etl::test;

namespace {

constexpr std::int64_t kLimit = 5000, kHot = 100'000;

/// Two quiet hours, and in their midst a second with 100,000 rows; ids that say nothing of the time, and granules of 8,192 rows.
void Make(const Store& store) {
  store.Run("DROP TABLE IF EXISTS t");
  store.Run("CREATE TABLE t (ts DateTime, id UInt64, v String) ENGINE = MergeTree ORDER BY (ts, id)");
  store.Run("INSERT INTO t SELECT toDateTime(1709251200 + if(number < 200000, intDiv(number, 28), 3600)), cityHash64(number) % 5000000, concat('v', toString(number)) FROM (SELECT number "
            "FROM system.numbers LIMIT 300000)");
  store.Run("OPTIMIZE TABLE t FINAL");
}

struct Cost {
  std::int64_t requests = 0;
  double walked = 0;   ///< for each row
};

/// Old servers say what they walked in JSON alone: there each page is asked for twice.
Cost Measure(const Store& store, const std::string& more, const std::string& from, const std::string& to, std::int64_t rows) {
  std::int64_t walked = 0, requests = 0;
  const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer&, const auto& forward) {
    if (!asked.rows) return false;
    ++requests;
    const std::string said = forward(asked.body.substr(0, asked.body.rfind(" FORMAT ")) + " FORMAT JSON").body;
    const auto at = said.rfind("\"rows_read\": ");
    REQUIRE(at != std::string::npos);
    walked += std::atoll(said.c_str() + at + 13);
    return false;
  });
  const Pull pull(store.Options(gate.url()) + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = 5000\nreaders = 1\nfrom = \"" + from + "\"\nto = \"" + to + "\"\n" + more);
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  const auto lines = pull.Lines();
  CHECK(static_cast<std::int64_t>(lines.size()) == rows);
  CHECK(std::set<std::string>(lines.begin(), lines.end()).size() == lines.size());
  return {requests, static_cast<double>(walked) / static_cast<double>(rows)};
}

}  // namespace

TEST_CASE("bursts cost almost no requests more than there must be") {
  for (const std::int64_t total : {6'000'000, 20'000'000}) {   // of the first the bursts are half
    CAPTURE(total);
    const Seconds seconds = Skewed(total);
    const std::int64_t rows = Sum(seconds), ideal = (rows + kLimit - 1) / kLimit, best = BestOfSeconds(seconds, kLimit);
    for (const bool unique : {true, false}) {
      CAPTURE(unique);
      Rates rates(static_cast<double>(kLimit) / 120);
      CountedStore store = StoreOf(seconds, unique);
      const Tally tally = SimulateWalk(store, kBegin, kBegin + 172'800, kLimit, 120, rates);
      CHECK(tally.rows == rows);
      MESSAGE(tally.requests, " requests, ideal ", ideal, ", at whole seconds ", best);
      CHECK(tally.requests <= (unique ? ideal : best) * 102 / 100);
    }
  }
}

TEST_CASE("inside of a second a page gets a bound where its values lie as others do, and before the largest alone") {
  const std::string second = "1709254800";
  const auto page = [&](double first, double last) {
    Got got;
    got.rows = kLimit;
    got.first_time = kBegin;
    got.last_time = kBegin + 3600;
    got.in_last = 1000;
    got.last = {second, std::to_string(static_cast<std::int64_t>(last))};
    got.first_within = got.least_within = first;
    got.last_within = got.most_within = last;
    return got;
  };
  Got quiet = page(1000, 5'000'000);
  quiet.in_last = 28;
  const auto at = [&](const std::string& value) { return Cursor{Cursor::At::kKey, kBegin + 3600, {second, value}, 0}; };
  const Ask ask{{Cursor::At::kTime, kBegin, {}, 0}, kBegin + 7200, kLimit};
  Inside inside;
  CHECK(inside.Below(at("50000"), kLimit).empty());
  inside.Took(ask, quiet);
  CHECK(inside.Below(at("50000"), kLimit).empty());
  inside.Took(ask, page(0, 50'000));   // 50 apart: five quarters of a page are 312,500
  CHECK(inside.Below(at("50000"), kLimit) == Key{second, "362500"});
  CHECK(inside.Below({Cursor::At::kKey, kBegin + 3600, {second}, 0}, kLimit) == Key{second, "312500"});
  CHECK(inside.Below(at("4687499"), kLimit) == Key{second, "4999999"});
  CHECK(inside.Below(at("4687500"), kLimit).empty());   // the second may end there
  Got part = page(0, 0);
  part.rows = 10;
  inside.Took({at("50000"), kBegin + 7200, kLimit, {second, "362500"}}, part);   // they are not so near to each other after all
  CHECK(inside.Below(at("362500"), kLimit).empty());
  Inside growing;
  growing.Took(ask, quiet);
  growing.Took(ask, page(3'000'000, 3'050'000));
  CHECK(growing.Below(at("3050000"), kLimit).empty());
}

TEST_CASE("with bounds inside of seconds every row comes once, whatever the values are") {
  std::mt19937_64 random(11);
  std::int64_t bounded = 0;
  for (int round = 0; round < 60; ++round) {
    const std::int64_t limit = 5 + static_cast<std::int64_t>(random() % 60), span = 200, values = 1 + static_cast<std::int64_t>(random() % 2000);
    std::vector<std::pair<std::int64_t, std::int64_t>> rows;
    for (std::int64_t s = 0; s < span; ++s) {
      for (std::int64_t n = random() % 20 == 0 ? static_cast<std::int64_t>(random() % 900) : static_cast<std::int64_t>(random() % 4); n > 0; --n) {
        rows.emplace_back(kBegin + s, static_cast<std::int64_t>(random()) % values);   // also below zero
      }
    }
    std::sort(rows.begin(), rows.end());
    Walk walk({Cursor::At::kTime, kBegin, {}, 0}, false, 1, false);
    Reach reach(kWindow, 30);
    Inside inside;
    Rates rates(1);
    std::size_t delivered = 0;
    for (int requests = 0; !walk.Done(kBegin + span); ++requests) {
      REQUIRE(requests < 100'000);
      const Cursor c = walk.cursor();
      Ask ask = walk.Next(c.at == Cursor::At::kGroup ? c.time + 1 : reach.Next(rates, c, limit, kBegin + span), limit);
      ask.below = inside.Below(c, limit);
      bounded += !ask.below.empty();
      const auto before = [&](const auto& row, const Key& key, bool equal) {   // the row stands before the key
        const auto second = std::atoll(key[0].c_str());
        if (row.first != second || key.size() == 1) return row.first < second;
        const auto value = std::atoll(key[1].c_str());
        return equal ? row.second <= value : row.second < value;
      };
      auto at = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return c.at == Cursor::At::kTime ? r.first >= c.time : !before(r, c.key, c.at == Cursor::At::kAfter); });
      const auto end = std::find_if(at, rows.end(), [&](const auto& r) {
        return r.first >= ask.to || (!ask.below.empty() && !before(r, ask.below, false)) || (c.at == Cursor::At::kGroup && !before(r, c.key, true));
      });
      at += std::min<std::ptrdiff_t>(c.offset, end - at);
      Got got;
      got.rows = std::min<std::int64_t>(limit, end - at);
      if (got.rows) {
        const auto first = *at, last = at[got.rows - 1];
        got.first_time = first.first;
        got.last_time = last.first;
        got.last = {std::to_string(last.first), std::to_string(last.second)};
        got.in_first = std::count_if(at, at + got.rows, [&](const auto& r) { return r.first == first.first; });
        got.in_last = std::count_if(at, at + got.rows, [&](const auto& r) { return r.first == last.first; });
        if (got.rows == limit) got.whole = std::find(at, at + got.rows, last) - at;
        got.first_within = static_cast<double>(at[got.rows - got.in_last].second);
        got.last_within = static_cast<double>(last.second);
        const auto [least, most] = std::minmax_element(at, at + got.rows, [](const auto& a, const auto& b) { return a.second < b.second; });
        got.least_within = static_cast<double>(least->second);
        got.most_within = static_cast<double>(most->second);
      }
      const auto took = static_cast<std::size_t>(walk.Take(ask, got, &rates));
      if (took) CHECK(static_cast<std::size_t>(at - rows.begin()) == delivered);   // from where the last page ended
      delivered += took;
      reach.Took(ask, got);
      inside.Took(ask, got);
    }
    CHECK(delivered == rows.size());
  }
  CHECK(bounded > 100);
}

TEST_CASE("a store walks at most four rows for each that it gives, also where many share a second") {
  for (const std::string& name : kStores) {
    const Store store(name);
    Make(store);
    for (const std::string strategy : {"auto", "slices"}) {
      const std::string how = "strategy = \"" + strategy + "\"";
      const Cost quiet = Measure(store, how, "2024-03-01 00:00:00", "2024-03-01 01:00:00", 3600 * 28);
      const Cost hot = Measure(store, how, "2024-03-01 00:55:00", "2024-03-01 01:05:00", kHot + 600 * 28);
      MESSAGE(name, " ", strategy, ": ", quiet.walked, " in ", quiet.requests, " requests; around a second of 100,000 ", hot.walked, " in ", hot.requests);
      CHECK(quiet.walked <= 4);
      CHECK(hot.walked <= 4);
      CHECK(quiet.requests <= 22);
      CHECK(hot.requests <= 26);
    }
  }
}

TEST_CASE("a user who may not set anything reads all the same") {
  const Store store("ch26");
  store.Rows(30'000, "intDiv(number, 3)");
  const auto walked = [&](const std::string& user) {
    std::string options = store.Options();
    options.replace(options.find("\"etl\""), 5, "\"" + user + "\"");
    const Pull pull(options + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = 1000");
    const Finished f = pull.Run();
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK(pull.Numbers() == UpTo(30'000));
    return Metric(f, "rows_walked");
  };
  const std::int64_t freely = walked("etl"), bound = walked("reader");
  CHECK(freely <= 30'000 * 4);
  CHECK(freely < bound);
}
