// Writing to a sink, and settling what it has taken.
#include <etl/sdk.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine.h"

namespace etl::host {
namespace {

/// A batch of no rows, to carry marks.
std::shared_ptr<SharedArray> NoRows(const ArrowSchema& schema) {
  ArrowArray array;
  Batch(ImportSchema(schema)).Finish(&array);
  return SharedArray::Own(array, 0);
}

}  // namespace

etl_status SinkHeadSide::Keep(std::string_view note) {
  if (!engine_.keeps_state()) return ETL_OK;   // etl tune, etl verify --repair: there is no next run that would be told
  try {
    {
      const std::lock_guard lock(engine_.save_mutex);
      engine_.worker_states["kept:" + stage.key] = std::string(note);
    }
    engine_.SaveNow();
    return ETL_OK;
  } catch (const Error& e) {
    engine_.Fail(e);
    return ETL_FATAL;
  }
}

Writer::Writer(Engine& engine, SinkStage& sink, int number)
    : HostSide(engine.run, *sink.config, sink.counters, engine.run.abort),
      engine_(engine),
      sink_(sink),
      state_key_(fmt::format("{}/{}", sink.config->key, number)) {
  worker_ = std::make_unique<Worker>(*sink.head, *this);
  std::string state;
  {
    const std::lock_guard lock(engine.save_mutex);
    const auto saved = engine.worker_states.find(state_key_);
    if (saved != engine.worker_states.end()) state = saved->second;
  }
  Call(*this, "open", [&](etl_error* e) {
    return sink.config->component->table.sink->open(worker_->self(), sink.in.get(), {state.data(), state.size()}, e);
  });
  if (!sink.filter) return;
  filter_side_ = std::make_unique<TransformSide>(engine, *sink.filter);
  filter_ = std::make_unique<Worker>(*sink.filter->head, *filter_side_);
  Call(*filter_side_, "open", [&](etl_error* e) {
    return filter_->table().transform->open(filter_->self(), sink.filter->in.get(), e);
  });
}

Writer::~Writer() { worker_.reset(); }

Writer::Pending* Writer::FindRow(std::uint64_t row) {
  auto at = pending_.upper_bound(row);
  if (at == pending_.begin()) return nullptr;
  Pending& p = std::prev(at)->second;
  return row < p.first_row + static_cast<std::uint64_t>(p.rows) ? &p : nullptr;
}

void Writer::Reject(const etl_reject& r) {
  const std::lock_guard lock(mutex_);
  Pending* p = FindRow(r.row);
  if (!p) {
    run.Log(ETL_ERROR, stage.key, fmt::format("row {} was rejected, but is not under way", r.row));
    return;
  }
  ++p->rejected;
  if (!engine_.RejectRow(sink_, r, &p->flow, static_cast<std::int64_t>(r.row - p->first_row))) p->flow.Lose();
}

void Writer::Again(std::uint64_t row) {
  if (sink_.transactional) {   // it would commit the position of rows that come later
    return engine_.Fail(Error(Exit::kInternal, fmt::format("{} ({}): asked for a row again, which a sink that commits positions cannot; report it to the plugin's author",
                                                           stage.key, stage.type)));
  }
  const std::lock_guard lock(mutex_);
  again_.push_back(row);
}

etl_status Writer::Durable() {
  if (engine_.reject_stop()) return ETL_CANCELLED;
  try {
    engine_.SyncRejects();
    return ETL_OK;
  } catch (const Error& e) {
    engine_.Fail(e);
    return ETL_FATAL;
  }
}

void Writer::Count(const Pending& p) { counters.rows_in.fetch_add(p.rows - p.rejected); }

std::optional<Writer::Pending> Writer::TakePending(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  for (auto at = pending_.begin(); at != pending_.end(); ++at) {
    if (at->second.id != id) continue;
    Pending taken = std::move(at->second);
    pending_.erase(at);
    pending_bytes_ -= taken.flow.array->bytes();
    counters.in_flight.fetch_sub(1);
    return taken;
  }
  return std::nullopt;
}

void Writer::Settled(std::uint64_t batch) {
  settles_itself_ = true;
  settled_since_flush_ = true;
  Settle(batch);
}

void Writer::Settle(std::uint64_t batch) {
  if (auto p = TakePending(batch)) {
    Count(*p);
    p->flow.Settle();
  }
}

void Writer::WriteOne(Flow flow, unsigned attempt, std::int64_t since) {
  std::vector<std::string> texts;
  std::vector<std::uint64_t> seqs;
  if (sink_.transactional) {
    std::vector<SplitTracker*> touched;
    for (const OriginRef& o : flow.origins()) {
      if (std::find(touched.begin(), touched.end(), o->split) == touched.end()) touched.push_back(o->split);
    }
    flow.Deliver();
    for (SplitTracker* t : touched) {
      std::string position;
      std::uint64_t seq = 0;
      if (!t->TakeMark(position, seq)) continue;
      texts.push_back(t->id());
      texts.push_back(std::move(position));
      seqs.push_back(seq);
    }
  }
  std::vector<etl_mark> marks;
  for (std::size_t i = 0; i < seqs.size(); ++i) {
    marks.push_back({{texts[2 * i].data(), texts[2 * i].size()}, {texts[2 * i + 1].data(), texts[2 * i + 1].size()}, seqs[i]});
  }

  const std::uint64_t id = next_id_++, first = next_row_;
  const std::shared_ptr<SharedArray> shared = flow.array;
  const std::int64_t rows = shared->rows();
  next_row_ += static_cast<std::uint64_t>(std::max<std::int64_t>(rows, 1));
  counters.batches.fetch_add(1);
  counters.bytes.fetch_add(shared->bytes());
  {
    const std::lock_guard lock(mutex_);
    pending_.try_emplace(first, Pending{id, first, std::move(flow), rows, 0});
    pending_bytes_ += shared->bytes();
    again_.clear();
  }
  counters.in_flight.fetch_add(1);
  const etl_status status = Call(*this, "write", [&](etl_error* e) {
    const Busy busy(counters);
    ArrowArray array;
    Share(shared, &array);
    etl_batch batch{sizeof batch, more_ ? std::uint32_t{ETL_MORE} : 0, id, first, &array, marks.data(), marks.size()};
    const etl_status s = worker_->table().sink->write(worker_->self(), &batch, e);
    if (array.release) array.release(&array);
    return s;
  });

  std::vector<std::int64_t> again;
  Flow rest;
  {
    const std::lock_guard lock(mutex_);
    for (const std::uint64_t row : again_) again.push_back(static_cast<std::int64_t>(row - first));
    again_.clear();
    Pending* p = FindRow(first);
    if (!again.empty() && p && p->id == id) {
      std::sort(again.begin(), again.end());
      ArrowArray part;
      Take(*sink_.in, shared->array(), again, &part);
      auto trace = std::make_shared<Trace>();
      for (const std::int64_t row : again) {
        trace->row.push_back(static_cast<std::uint32_t>(p->flow.trace ? p->flow.trace->row[static_cast<std::size_t>(row)] : row));
        if (p->flow.trace && !p->flow.trace->origin.empty()) trace->origin.push_back(p->flow.trace->origin[static_cast<std::size_t>(row)]);
      }
      rest = Flow(SharedArray::Own(part, ArrayBytes(*sink_.in, part)), p->flow.origins(), trace);
      p->rejected += static_cast<std::int64_t>(again.size());   // counted when they come through
    }
  }
  if (status != ETL_PENDING) Settle(id);
  if (again.empty()) return;
  if (since == 0) since = run.Now();
  const std::int64_t wait = run.Backoff(attempt, since, 0);
  if (wait < 0) {
    throw Error(Exit::kRetriesUsedUp, fmt::format("{} ({}): {} rows kept failing for now; gave up after {} tries", stage.key,
                                                  stage.type, again.size(), attempt));
  }
  counters.retries.fetch_add(1);
  if (run.Wait(wait, cancel)) throw Stopped();
  WriteOne(std::move(rest), attempt + 1, since);
}

void Writer::WriteFlow(Flow flow) {
  const bool more = flow.more && sink_.transactional;
  more_ = more;
  if (!filter_) return WriteOne(std::move(flow), 1, 0);
  std::vector<Flow> passed = filter_side_->Apply(*filter_, std::move(flow));
  for (Flow& f : passed) {
    more_ = more || (&f != &passed.back() && sink_.transactional);
    if (f.rows() > 0 || sink_.transactional) WriteOne(std::move(f), 1, 0);
    else f.Settle();
  }
  more_ = more;
}

/// Positions of batches that were filtered away whole have no rows to travel with.
void Writer::WriteMarks() {
  if (!sink_.transactional) return;
  std::vector<etl_mark> marks;
  std::vector<std::unique_ptr<std::string>> texts;
  const auto keep = [&texts](const std::string& s) -> etl_str {
    texts.push_back(std::make_unique<std::string>(s));
    return {texts.back()->data(), texts.back()->size()};
  };
  engine_.splits->TakeMarks([&](const std::string& split, const std::string& position, std::uint64_t seq) {
    marks.push_back({keep(split), keep(position), seq});
  });
  if (marks.empty()) return;
  const std::shared_ptr<SharedArray> none = NoRows(*sink_.in);
  const std::uint64_t id = next_id_++, first = next_row_++;
  Call(*this, "write", [&](etl_error* e) {
    ArrowArray array;
    Share(none, &array);
    etl_batch batch{sizeof batch, 0, id, first, &array, marks.data(), marks.size()};
    const etl_status s = worker_->table().sink->write(worker_->self(), &batch, e);
    if (array.release) array.release(&array);
    return s;
  });
}

void Writer::Flush() {
  WriteMarks();
  if (!worker_->table().sink->flush) return;
  etl_str state{nullptr, 0};
  Call(*this, "flush", [&](etl_error* e) {
    const Busy busy(counters);
    return worker_->table().sink->flush(worker_->self(), &state, e);
  });
  const std::lock_guard save(engine_.save_mutex);
  if (state.len) engine_.worker_states[state_key_].assign(state.ptr, static_cast<std::size_t>(state.len));
  std::map<std::uint64_t, Pending> safe;
  {
    const std::lock_guard lock(mutex_);
    safe.swap(pending_);
    pending_bytes_ = 0;
  }
  for (auto& [row, p] : safe) {
    counters.in_flight.fetch_sub(1);
    Count(p);
    p.flow.Settle();
  }
}

/// Rows that a sink has taken over stay in memory until it says that they are safe, in case it rejects some.
bool Writer::HoldsMuch() {
  const std::lock_guard lock(mutex_);
  const std::int64_t part = settles_itself_ ? 2 : 8;   // such a sink has limits of its own
  return pending_bytes_ > std::max<std::int64_t>(run.config.memory_limit / part, 4 << 20);
}

void Writer::Loop() {
  bool written = false;
  for (;;) {
    const auto until = wake_at() && !more_ ? std::chrono::steady_clock::time_point(std::chrono::nanoseconds(wake_at()))
                                 : std::chrono::steady_clock::time_point::max();
    if (std::optional<Flow> flow = sink_.queue.Pop(until)) {
      WriteFlow(std::move(*flow));
      written = true;
    }
    if (run.abort) throw Stopped();
    if (more_) continue;
    if (wake_at() && run.Now() >= wake_at()) {
      set_wake_at(0);
      if (worker_->table().sink->tick) {
        Call(*this, "tick", [&](etl_error* e) {
          const Busy busy(counters);
          return worker_->table().sink->tick(worker_->self(), e);
        });
      }
    }
    // Where batches are settled as they come, a flush would only empty what is in flight.
    const bool due = flush_due.exchange(false) && (written || sink_.transactional) && !settled_since_flush_.exchange(false);
    if (due || HoldsMuch()) {
      Flush();
      written = false;
    }
    if (sink_.queue.done()) {
      Flush();
      return;
    }
  }
}

void Engine::WriteLoop(SinkStage& sink, int number) {
  std::unique_ptr<Writer> writer;
  const auto leave = [&] {
    const std::lock_guard lock(sink.mutex);
    sink.writers.erase(std::remove(sink.writers.begin(), sink.writers.end(), writer.get()), sink.writers.end());
  };
  try {
    writer = std::make_unique<Writer>(*this, sink, number);
    {
      const std::lock_guard lock(sink.mutex);
      sink.writers.push_back(writer.get());
    }
    writer->Loop();
  } catch (const Stopped&) {
    sink.queue.Abort();
  } catch (const Error& e) {
    Fail(e);
    sink.queue.Abort();
  } catch (const std::exception& e) {
    Fail(Error(Exit::kInternal, std::string("a writer ended: ") + e.what()));
    sink.queue.Abort();
  }
  leave();
  writer.reset();
  --sink.running;
  ThreadEnded(segments.size() + 1);
}

}  // namespace etl::host
