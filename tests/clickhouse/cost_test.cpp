// What a pull from a store of few rows a request costs the store: requests, and rows walked for each row delivered.
#include <cstdlib>
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
