// What `etl verify` has the engine do: read all rows without writing them, and write some of them again.
#include <fmt/format.h>

#include "engine.h"
#include "plain_batch.h"

namespace etl::host {

void Engine::Pass(const std::function<void(const ArrowSchema&)>& begin, const std::function<void(const ArrowArray&)>& take, bool tell) {
  mode_ = Mode::kTune;
  run.comparing = true;
  MakeSource();
  MakeTransforms();
  MakeSinks();
  SinkStage& sink = *sinks[0];
  begin(*PlainSchema(*sink.in));
  std::unique_ptr<TransformSide> side;
  std::unique_ptr<Worker> filter;
  if (sink.filter) {
    side = std::make_unique<TransformSide>(*this, *sink.filter);
    filter = std::make_unique<Worker>(*sink.filter->head, *side);
    Call(*side, "open", [&](etl_error* e) { return filter->table().transform->open(filter->self(), sink.filter->in.get(), e); });
  }
  const auto give = [&](Flow& flow) {
    if (flow.rows() > 0) take(*PlainBatch(*sink.in, flow.array));
    flow.Settle();   // or its split would remember it
  };
  Look([&](Flow flow) {
    if (!filter) give(flow);
    else for (Flow& f : side->Apply(*filter, std::move(flow))) give(f);
    return true;
  });
  for (const auto& [where, count] : reasons_) {
    if (tell) run.Log(ETL_WARN, where.first, fmt::format("rejects {} {}, which is therefore not expected: {}", count, count == 1 ? "row" : "rows", where.second));
  }
}

Engine::Trial Engine::Rewrite(const std::function<std::vector<std::int64_t>(const ArrowSchema&, const ArrowArray&)>& choose) {
  constexpr std::int64_t kFlushBytes = 32 << 20;
  mode_ = Mode::kTune;
  run.comparing = true;
  store_ = std::make_unique<StateStore>(StateFolder(config_, options_.state_dir));
  state_ = store_->Load();
  rejects_ = std::make_unique<RejectsWriter>(store_->rejects_file());
  MakeSource();
  MakeTransforms();
  MakeSinks();
  worker_states = state_.worker_states;
  SinkStage& sink = *sinks[0];
  const SchemaHandle plain = PlainSchema(*sink.in);
  const auto end = [&](std::uint32_t outcome) {
    EndSinks(outcome);
    const std::lock_guard lock(mutex_);
    if (failure_) throw Error(*failure_);
  };
  try {
    BeginSinks(ETL_REPLAY);
    {
      const std::lock_guard lock(mutex_);
      if (signal_) throw Stopped();
      phase_ = "running";
    }
    Writer writer(*this, sink, 0);
    std::int64_t unflushed = 0;
    Look([&](Flow flow) {
      std::vector<std::int64_t> rows;
      if (flow.rows() > 0) rows = choose(*plain, *PlainBatch(*sink.in, flow.array));
      const std::shared_ptr<SharedArray> array = flow.array;
      flow.Settle();
      if (rows.empty()) return true;
      ArrowArray part{};
      Take(*sink.in, array->array(), rows, &part);
      auto owned = SharedArray::Own(part, ArrayBytes(*sink.in, part));
      unflushed += owned->bytes();
      writer.WriteFlow(Flow(std::move(owned), {}, nullptr));
      if (unflushed > kFlushBytes) writer.Flush();
      if (unflushed > kFlushBytes) unflushed = 0;
      return true;
    });
    writer.Flush();
  } catch (const Stopped&) {
    end(ETL_INTERRUPTED);
    throw;
  } catch (const Error& e) {
    Fail(e);
    end(ETL_FAILED);
  }
  end(ETL_COMPLETE);
  for (const auto& [where, count] : reasons_) {
    if (where.first == sink.config->key) run.Log(ETL_WARN, where.first, fmt::format("refused {} {}: {}", count, count == 1 ? "row" : "rows", where.second));
  }
  return {sink.counters.rows_in.load(), sink.counters.rejects.load(), 0};
}

}  // namespace etl::host
