// Which batches are settled, seen while others begin.
#include "run/lineage.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace etl::host;

TEST_CASE("no position passes a batch that has only just begun") {
  constexpr std::uint64_t kBatches = 200'000;
  SplitState start;
  start.id = "s";
  SplitTracker tracker(start, 8);
  const auto rows = std::make_shared<SharedArray>();
  std::atomic<std::uint64_t> begun{0}, settled{0}, ahead{0};
  std::vector<Flow> flows(8);   // a ring: the reader is never further ahead
  std::thread reader([&] {
    for (std::uint64_t i = 0; i < kBatches; ++i) {
      while (i >= settled + flows.size()) std::this_thread::yield();
      flows[i % flows.size()] = tracker.Begin(rows, "p");
      begun = i + 1;
    }
  });
  for (std::uint64_t i = 0; i < kBatches; ++i) {
    while (begun <= i) std::this_thread::yield();
    flows[i % flows.size()].Settle();
    ahead += tracker.Saved().seq > i + 1;
    settled = i + 1;
  }
  reader.join();
  CHECK(ahead == 0);
  CHECK(tracker.Saved().seq == kBatches);
}
