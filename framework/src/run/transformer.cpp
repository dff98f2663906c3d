// Taking batches through transforms.
#include <fmt/format.h>

#include <algorithm>

#include "engine.h"

namespace etl::host {

TransformSide::Held* TransformSide::Find(std::uint64_t row) {
  auto at = held_.upper_bound(row);
  if (at == held_.begin()) return nullptr;
  --at;
  if (row >= at->first + static_cast<std::uint64_t>(at->second.flow.rows())) return nullptr;
  return &at->second;
}

etl_status TransformSide::Emit(ArrowArray* array, const std::uint64_t* origin) {
  std::shared_ptr<SharedArray> owned;
  try {
    owned = engine_.Adopt(stage_, array);
  } catch (const Error& e) {
    fault_ = e;
    return ETL_FATAL;
  }
  const auto misuse = [&](const std::string& what) {
    fault_.emplace(Exit::kInternal, fmt::format("{} ({}): {}; report it to the plugin's author", stage.key, stage.type, what));
    return ETL_FATAL;
  };
  counters.rows_out.fetch_add(owned->rows());
  if (!origin) {
    if (!current_ || owned->rows() != current_->flow.rows()) {
      return misuse(fmt::format("emitted {} rows without origins where {} came in", owned->rows(),
                                current_ ? current_->flow.rows() : 0));
    }
    current_->all_seen = true;
    return Out({std::move(owned), current_->flow.origins(), current_->flow.trace});
  }

  std::vector<OriginRef> origins;
  auto trace = std::make_shared<Trace>();
  trace->row.reserve(static_cast<std::size_t>(owned->rows()));
  Held* held = nullptr;
  std::uint64_t first = 0;
  for (std::int64_t i = 0; i < owned->rows(); ++i) {
    const std::uint64_t row = origin[i];
    if (!held || row < first || row >= first + static_cast<std::uint64_t>(held->flow.rows())) {
      held = Find(row);
      if (!held) return misuse(fmt::format("emitted a row with origin {}, which it does not hold", row));
      auto at = held_.upper_bound(row);
      first = std::prev(at)->first;
      for (const OriginRef& o : held->flow.origins()) {
        if (std::find(origins.begin(), origins.end(), o) == origins.end()) origins.push_back(o);
      }
    }
    held->seen[row - first] = true;
    if (held->flow.origins().empty()) {
      trace->row.push_back(0);
      continue;
    }
    const auto [from, source_row] = held->flow.Source(static_cast<std::int64_t>(row - first));
    const auto index = static_cast<std::uint32_t>(std::find(origins.begin(), origins.end(), from) - origins.begin());
    trace->row.push_back(static_cast<std::uint32_t>(source_row));
    if (index && trace->origin.empty()) trace->origin.assign(trace->row.size() - 1, 0);
    if (index || !trace->origin.empty()) trace->origin.push_back(index);
  }
  return Out({std::move(owned), std::move(origins), std::move(trace)});
}

etl_status TransformSide::Out(Flow flow) {
  out_bytes_ += flow.array->bytes();
  out_.push_back(std::move(flow));
  if (!pass_on || out_bytes_ <= QueueBytes(run.config)) return ETL_OK;
  const auto begin = std::chrono::steady_clock::now();
  try {
    pass_on(TakeOut());
    counters.busy_ns.fetch_sub((std::chrono::steady_clock::now() - begin).count());   // as Busy counts the whole call
    return ETL_OK;
  } catch (...) {   // not through the plugin
    passing_fault_ = std::current_exception();
    return ETL_CANCELLED;
  }
}

void TransformSide::Finished(std::uint64_t batch) {
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (at->second.id != batch) continue;
    if (&at->second == current_) {
      current_finished_ = true;   // settled when apply returns, like any other
      return;
    }
    CountFiltered(at->second);
    at->second.flow.Settle();
    held_.erase(at);
    return;
  }
}

void TransformSide::Reject(const etl_reject& r) {
  Held* held = Find(r.row);
  if (!held) {
    run.Log(ETL_ERROR, stage.key, fmt::format("row {} was rejected, but is not held", r.row));
    return;
  }
  const auto first = std::prev(held_.upper_bound(r.row))->first;
  const auto row = static_cast<std::int64_t>(r.row - first);
  if (!held->rejected.insert(row).second) return;
  if (!engine_.RejectRow(stage_, r, &held->flow, row)) held->flow.Lose();
}

void TransformSide::CountFiltered(const Held& in) {
  if (in.all_seen) return;
  const auto out = std::count(in.seen.begin(), in.seen.end(), true);
  engine_.filtered.fetch_add(in.flow.rows() - out - static_cast<std::int64_t>(in.rejected.size()));
}

void TransformSide::Rethrow() {
  if (passing_fault_) std::rethrow_exception(std::exchange(passing_fault_, nullptr));
  if (fault_) throw Error(*fault_);
}

std::vector<Flow> TransformSide::Apply(Worker& worker, Flow in) {
  const std::uint64_t id = next_id_++, first = next_row_;
  const std::int64_t rows = in.rows();
  next_row_ += static_cast<std::uint64_t>(rows);
  counters.rows_in.fetch_add(rows);
  counters.batches.fetch_add(1);
  Held& held = held_.try_emplace(first, Held{id, std::move(in), {}, {}, false}).first->second;
  current_ = &held;
  current_finished_ = !holds_;
  held.seen.assign(static_cast<std::size_t>(rows), false);
  Call(*this, "apply", [&](etl_error* e) {
    const Busy busy(counters);
    TakeOut();
    ArrowArray array;
    Share(held.flow.array, &array);
    etl_batch batch{sizeof batch, 0, id, first, &array, nullptr, 0};
    const etl_status status = worker.table().transform->apply(worker.self(), &batch, e);
    if (array.release) array.release(&array);
    Rethrow();   // what the host found wrong says more than what the plugin makes of it
    return status;
  });
  current_ = nullptr;
  if (current_finished_) {
    CountFiltered(held);
    held.flow.Settle();
    held_.erase(first);
  }
  return TakeOut();
}

std::vector<Flow> TransformSide::Tick(Worker& worker) {
  set_wake_at(0);
  if (worker.table().transform->tick) {
    Call(*this, "tick", [&](etl_error* e) {
      const Busy busy(counters);
      const etl_status status = worker.table().transform->tick(worker.self(), e);
      Rethrow();
      return status;
    });
  }
  return TakeOut();
}

std::vector<Flow> TransformSide::Flush(Worker& worker, bool last) {
  if (worker.table().transform->flush) {
    Call(*this, "flush", [&](etl_error* e) {
      const Busy busy(counters);
      const etl_status status = worker.table().transform->flush(worker.self(), e);
      Rethrow();
      return status;
    });
  }
  if (last && !held_.empty() && !engine_.reject_stop()) {
    run.Log(ETL_WARN, stage.key, fmt::format("{} batches were not finished by flush", held_.size()));
  }
  return TakeOut();
}

std::vector<std::unique_ptr<Worker>> Engine::OpenTransforms(std::size_t first, std::size_t last,
                                                            std::vector<std::unique_ptr<TransformSide>>& sides) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t t = first; t < last; ++t) {
    Stage& stage = *transforms[t];
    sides.push_back(std::make_unique<TransformSide>(*this, stage));
    workers.push_back(std::make_unique<Worker>(*stage.head, *sides.back()));
    Call(*sides.back(), "open", [&](etl_error* e) {
      return stage.config->component->table.transform->open(workers.back()->self(), stage.in.get(), e);
    });
  }
  return workers;
}

void Engine::TransformLoop(std::size_t number) {
  Segment& segment = *segments[number];
  std::vector<std::unique_ptr<TransformSide>> sides;
  std::vector<std::unique_ptr<Worker>> workers;
  const bool in_order = !std::any_of(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(number) + 1,
                                     [](const auto& s) { return s->holds; });
  // Rows through the transforms from `at` on.
  const std::function<void(Flow, std::size_t, std::vector<Flow>&)> through = [&](Flow flow, std::size_t at, std::vector<Flow>& out) {
    if (at == sides.size()) {
      out.push_back(std::move(flow));
      return;
    }
    for (Flow& f : sides[at]->Apply(*workers[at], std::move(flow))) through(std::move(f), at + 1, out);
  };
  const auto on_from = [&](std::vector<Flow> flows, std::size_t at, std::vector<Flow>& out) {
    for (Flow& f : flows) through(std::move(f), at, out);
  };
  try {
    workers = OpenTransforms(segment.first, segment.last, sides);
    if (segment.holds) {
      sides[0]->pass_on = [&](std::vector<Flow> flows) {
        std::vector<Flow> out;
        on_from(std::move(flows), 1, out);
        PassOn(number + 1, std::move(out), nullptr, 0, false);
      };
    }
    for (;;) {
      std::vector<Flow> out;
      const std::int64_t wake = sides[0]->wake_at();
      const auto until = wake ? std::chrono::steady_clock::time_point(std::chrono::nanoseconds(wake))
                              : std::chrono::steady_clock::time_point::max();
      std::optional<Flow> flow = segment.queue.Pop(until);
      if (flow) {
        const OriginRef origin = flow->origins().empty() ? nullptr : flow->origins()[0];
        through(std::move(*flow), 0, out);
        PassOn(number + 1, std::move(out), origin ? origin->split : nullptr, origin ? origin->seq : 0, in_order);
        out.clear();
        if (segment.flush_due.load() == 0) continue;
      }
      if (segment.holds && segment.flush_due.load() > 0 && segment.flush_due.fetch_sub(1) > 0) {
        on_from(sides[0]->Flush(*workers[0], false), 1, out);
        PassOn(number + 1, std::move(out), nullptr, 0, false);
        out.clear();
      }
      if (wake && run.Now() >= wake) {
        on_from(sides[0]->Tick(*workers[0]), 1, out);
        PassOn(number + 1, std::move(out), nullptr, 0, false);
      }
      if (segment.queue.done()) break;
    }
    if (segment.holds && !run.abort) {
      std::vector<Flow> out;
      on_from(sides[0]->Flush(*workers[0]), 1, out);
      PassOn(number + 1, std::move(out), nullptr, 0, false);
    }
  } catch (const Stopped&) {
    segment.queue.Abort();
  } catch (const Error& e) {
    Fail(e);
    segment.queue.Abort();
  } catch (const std::exception& e) {
    Fail(Error(Exit::kInternal, std::string("a transform's thread ended: ") + e.what()));
    segment.queue.Abort();
  }
  workers.clear();
  sides.clear();
  ThreadEnded(number + 1);
}

void Reorder::Put(SplitTracker* split, std::uint64_t seq, std::vector<Flow> flows, const std::function<void(Flow)>& push) {
  const std::lock_guard lock(mutex_);
  Line& line = lines_.try_emplace(split, Line{split->first_seq(), {}}).first->second;
  if (seq != line.next) {
    line.early.emplace(seq, std::move(flows));
    return;
  }
  for (;;) {
    for (Flow& f : flows) push(std::move(f));
    ++line.next;
    const auto early = line.early.find(line.next);
    if (early == line.early.end()) return;
    flows = std::move(early->second);
    line.early.erase(early);
  }
}

void Engine::PassOn(std::size_t next, std::vector<Flow> flows, SplitTracker* split, std::uint64_t seq, bool in_order) {
  if (next < segments.size()) {
    for (Flow& f : flows) {
      const std::int64_t bytes = f.array->bytes();
      segments[next]->queue.Push(std::move(f), bytes);
    }
    return;
  }
  for (Flow& f : flows) f.more = &f != &flows.back();
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    SinkStage& sink = *sinks[i];
    std::vector<Flow> mine;
    if (i + 1 == sinks.size()) {
      mine = std::move(flows);
    } else {
      for (const Flow& f : flows) mine.push_back(f.Again());
    }
    const auto push = [&sink](Flow f) {
      const std::int64_t bytes = f.array->bytes();
      sink.queue.Push(std::move(f), bytes);
    };
    if (sink.ordered && in_order && split && !segments.empty()) {
      sink.reorder.Put(split, seq, std::move(mine), push);
    } else {
      for (Flow& f : mine) push(std::move(f));
    }
  }
}

}  // namespace etl::host
