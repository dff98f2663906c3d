// What a run tells about itself while it goes on.
#include <etl/json.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine.h"

namespace etl::host {

void Engine::AccountLimiter() {
  const std::lock_guard lock(limiter_mutex_);
  const std::vector<Stage*> all = AllStages();
  const std::int64_t now = run.Now(), interval = now - limiter_at_;
  busy_before_.resize(all.size());
  busy_now_.assign(all.size(), 0);
  int most = -1;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int64_t busy = all[i]->counters.busy_ns.load();
    busy_now_[i] = interval > 0 ? static_cast<double>(busy - busy_before_[i]) / (static_cast<double>(interval) * all[i]->workers) : 0;
    busy_before_[i] = busy;
    if (most < 0 || busy_now_[i] > busy_now_[static_cast<std::size_t>(most)]) most = static_cast<int>(i);
  }
  limiter_at_ = now;
  limiter_ = most >= 0 && busy_now_[static_cast<std::size_t>(most)] > 0.05 ? most : -1;
  if (limiter_ >= 0) limited_ns_[limiter_] += interval;
}

/// The main thread while the others work: saves, asks for flushes, ends a drain that takes too long.
RunStatus Engine::Status() const {
  RunStatus status;
  status.pipeline = config_.name;
  status.elapsed_ns = run.Now() - began_;
  status.memory_used = run.memory.load();
  status.memory_limit = config_.memory_limit;
  status.last_error = run.redactor.Clean(run.last_error());
  {
    const std::lock_guard lock(mutex_);
    status.phase = phase_;
    status.rows_rejected = rejected_;
    if (phase_ == "starting") return status;
  }
  status.generation = state_.generation;
  status.resumed = resumed_;
  const auto before = state_.totals.find("rows_read");
  status.rows_read_before = before == state_.totals.end() ? 0 : before->second;
  status.rows_read = source.counters.rows_out.load();
  status.rows_filtered = filtered.load();
  std::vector<double> busy;
  {
    const std::lock_guard lock(limiter_mutex_);
    busy = busy_now_;
    status.limiter = limiter_;
  }
  std::size_t number = 0;
  for (Stage* stage : AllStages()) {
    StageStatus s;
    s.key = stage->config->key;
    s.type = stage->config->type;
    s.kind = stage->config->component->kind;
    s.workers = stage->workers;
    s.rows_in = stage->counters.rows_in.load();
    s.rows_out = stage->counters.rows_out.load();
    s.bytes = stage->counters.bytes.load();
    s.batches = stage->counters.batches.load();
    s.retries = stage->counters.retries.load();
    s.rejects = stage->counters.rejects.load();
    s.in_flight = stage->counters.in_flight.load();
    s.busy = number < busy.size() ? busy[number] : 0;
    {
      const std::lock_guard lock(stage->counters.mutex);
      s.metrics = stage->counters.metrics;
    }
    for (const auto& [name, value] : state_.identity) {
      if (name != "source: schema" && name.rfind(s.key + ": ", 0) == 0) s.identity.emplace_back(name.substr(s.key.size() + 2), run.redactor.Clean(value));
    }
    ++number;
    status.stages.push_back(std::move(s));
  }
  for (const auto& g : segments) {
    status.stages[1 + g->first].queue_bytes = g->queue.bytes();
    status.stages[1 + g->first].queue_limit = g->queue.limit();
  }
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    StageStatus& s = status.stages[1 + transforms.size() + i];
    s.queue_bytes = sinks[i]->queue.bytes();
    s.queue_limit = sinks[i]->queue.limit();
    status.rows_delivered += s.rows_in;
  }
  if (splits) {
    const Splits::Progress p = splits->progress();
    status.splits_planned = p.planned;
    status.splits_done = p.done;
    status.planned_all = p.planned_all;
    if (p.planned_all && p.estimated && p.rows_estimated > 0) {
      status.fraction = std::min(1.0, static_cast<double>(p.rows_read) / static_cast<double>(p.rows_estimated));
      const std::int64_t left = p.rows_estimated - p.rows_read;
      if (status.rows_read > 0 && left >= 0) {
        status.eta_ns = static_cast<std::int64_t>(static_cast<double>(status.elapsed_ns) * static_cast<double>(left) /
                                                  static_cast<double>(status.rows_read));
      }
    }
  }
  return status;
}

}  // namespace etl::host
