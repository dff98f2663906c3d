// Work among readers: the slowest part does not decide the total.
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>

#include "lab.h"

using namespace etl::test;

TEST_CASE("four parts of which one holds half of the rows take little more than a quarter of the work each") {
  const Store store("ch18");
  store.Run("CREATE TABLE t (ts DateTime, id UInt32, country String) ENGINE = MergeTree ORDER BY (ts, id)");
  store.Run("INSERT INTO t SELECT toDateTime(1709251200 + number), toUInt32(number), multiIf(number % 8 < 4, 'de', number % 8 < 6, 'at', number % 8 < 7, 'ch', 'li') FROM (SELECT number FROM system.numbers LIMIT 80000)");
  constexpr double kRequest = 0.05;
  std::atomic<int> requests{0};
  const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
    if (!asked.rows) return false;
    ++requests;
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(kRequest);
    answer = forward(asked.body);
    std::this_thread::sleep_until(until);   // a store that takes so long for each
    return true;
  });
  const Pull pull(store.Options(gate.url()) + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = 200\nshard_by = \"country\"\nreaders = 4\n");
  const auto began = std::chrono::steady_clock::now();
  const Finished f = pull.Run();
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(pull.Numbers() == UpTo(80'000));
  const double work = 400 * kRequest;   // of the ideal
  MESSAGE(requests.load() << " requests for 400, " << took << " s for " << work / 4 << " s, " << took / (work / 4));
  CHECK(requests <= 440);
  CHECK(took <= 1.15 * work / 4 + 0.6);   // and the start and the end of a program
}
