// Reading splits.
#include <fmt/format.h>

#include <algorithm>

#include "engine.h"

namespace etl::host {

void SourceSide::Reject(const etl_reject& r) {
  if (!engine_.RejectRow(engine_.source, r, nullptr, -1)) lost_ = true;
}

void Engine::ReadSplit(Worker& worker, SourceSide& side, SplitTracker& split) {
  const etl_source& table = *source.config->component->table.source;
  const SplitState from = split.Saved();
  const etl_split s{sizeof s, 0, {from.id.data(), from.id.size()}, {from.state.data(), from.state.size()}, from.rows, from.bytes};
  side.split = &split;
  Call(side, "open", [&](etl_error* e) {
    const Busy busy(source.counters);
    return table.open(worker.self(), &s, {from.position.data(), from.position.size()}, e);
  });
  std::int64_t expected = 0;
  for (;;) {
    if (split.NearlyFull()) {
      RequestFlush();
      RequestHeld();
    } else if (run.MemoryShort(expected)) {
      RequestHeld();
    }
    ++readers_waiting_;
    const bool go = split.WaitForRoom([this] { return run.stop_reading.load(); }) && run.WaitForMemory(expected);
    --readers_waiting_;
    if (!go) return;
    ArrowArray array{};
    etl_str position{nullptr, 0};
    const etl_status status = Call(side, "next", [&](etl_error* e) {
      const Busy busy(source.counters);
      return table.next(worker.self(), &array, &position, e);
    });
    const bool lost = side.TakeLost();
    if (status == ETL_END) {
      if (!lost) split.End();
      return;
    }
    std::shared_ptr<SharedArray> owned = Adopt(source, &array);
    expected = owned->bytes();
    source.counters.rows_out.fetch_add(owned->rows());
    source.counters.bytes.fetch_add(owned->bytes());
    source.counters.batches.fetch_add(1);
    Flow flow = split.Begin(std::move(owned), std::string(position.ptr ? position.ptr : "", position.len));
    if (lost) {
      flow.Lose();
      return;
    }
    const std::uint64_t seq = flow.origins()[0]->seq;
    if (flow.rows() == 0) {   // moves the position only; nobody downstream wants it
      const bool in_order = std::none_of(segments.begin(), segments.end(), [](const auto& g) { return g->holds; });
      flow.Settle();   // before those behind it are let through: their position counts it
      PassOn(segments.size(), {}, &split, seq, in_order);
      continue;
    }
    std::vector<Flow> one;
    one.push_back(std::move(flow));
    PassOn(0, std::move(one), &split, seq, true);
  }
}

void Engine::ReadLoop() {
  try {
    SourceSide side(*this);
    Worker worker(*source.head, side);
    while (!run.stop_reading) {
      bool unsaved = false;
      SplitTracker* split = splits->Next(unsaved, [this] { return !run.Wait(50'000'000, run.stop_reading) && !run.stop_reading; });
      if (!split) break;
      // A sink that commits positions must not commit one of a split that the state does not know.
      if (unsaved && !sinks.empty() && sinks[0]->transactional) SaveNow();
      ReadSplit(worker, side, *split);
    }
  } catch (const Stopped&) {
    // what was read is delivered by the others
  } catch (const Error& e) {
    Fail(e);
  } catch (const std::exception& e) {
    Fail(Error(Exit::kInternal, std::string("a reader ended: ") + e.what()));
  }
  ThreadEnded(0);
}

}  // namespace etl::host
