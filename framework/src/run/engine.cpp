#include "engine.h"

#include <etl/json.h>
#include <fmt/format.h>

#include <algorithm>

namespace etl::host {
namespace {

constexpr std::int64_t kSaveEvery = 1'000'000'000;       // ns
constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

Engine::Engine(const PipelineConfig& config, RunOptions options)
    : run(config, options_), config_(config), options_(std::move(options)) {
  began_ = run.Now();
}
Engine::~Engine() = default;

std::vector<Stage*> Engine::AllStages() const {
  std::vector<Stage*> all;
  if (source.config) all.push_back(const_cast<Stage*>(&source));
  for (const auto& t : transforms) all.push_back(t.get());
  for (const auto& s : sinks) all.push_back(s.get());
  return all;
}

// ---- faults ----

void Engine::Fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) {
      // What follows a failure says little: a few lines of it do.
      if (++after_failure_ <= 5) run.Log(ETL_ERROR, "", std::string("after that: ") + error.what());
      if (after_failure_ == 6) run.Log(ETL_ERROR, "", "after that: more failures, which are not shown");
    } else {
      failure_ = error;
    }
    changed_.notify_all();
  }
  run.stop_reading = true;
  run.WakeAll();
  if (splits) splits->NudgeAll();
  if (source.head) source.head->Interrupt();
}

void Engine::InterruptAll() {
  for (Stage* s : AllStages()) {
    if (s->head) s->head->Interrupt();
  }
}

void Engine::Stop(int signal) {
  {
    const std::lock_guard lock(mutex_);
    if (signal_) return;
    signal_ = signal;
    stopped_at_ = run.Now();
    if (phase_ == "starting") run.abort = true;   // nothing is under way yet
    else phase_ = "draining";
    changed_.notify_all();
  }
  run.stop_reading = true;
  run.WakeAll();
  if (run.abort) return;
  if (splits) splits->NudgeAll();
  if (source.head) source.head->Interrupt();
}

void Engine::RequestHeld() {
  for (const auto& s : segments) {
    if (!s->holds) continue;
    s->flush_due = s->threads;
    for (int i = 0; i < s->threads; ++i) s->queue.Wake();
  }
}

void Engine::RequestFlush() {
  for (const auto& sink : sinks) {
    const std::lock_guard lock(sink->mutex);
    for (Writer* w : sink->writers) w->flush_due = true;
    sink->queue.Wake();
  }
}

// ---- threads ----

void Engine::ThreadEnded(std::size_t stage) {
  const auto close = [this](std::size_t next) {
    if (next < segments.size()) segments[next]->queue.Close();
    else if (next == segments.size()) {
      for (const auto& s : sinks) s->queue.Close();
    }
  };
  if (stage == 0) {
    if (--readers_running_ == 0) close(0);
  } else if (stage <= segments.size()) {
    if (--segments[stage - 1]->running == 0) close(stage);
  }
  const std::lock_guard lock(mutex_);
  --threads_running_;
  changed_.notify_all();
}

void Engine::StartThreads() {
  readers_running_ = source.workers;
  for (const auto& s : segments) s->running = s->threads;
  for (const auto& s : sinks) s->running = s->workers;
  int all = source.workers;
  for (const auto& s : segments) all += s->threads;
  for (const auto& s : sinks) all += s->workers;
  threads_running_ = all;
  for (const auto& s : sinks) {
    for (int i = 0; i < s->workers; ++i) threads_.emplace_back([this, &sink = *s, i] { WriteLoop(sink, i); });
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    for (int t = 0; t < segments[i]->threads; ++t) threads_.emplace_back([this, i] { TransformLoop(i); });
  }
  for (int i = 0; i < source.workers; ++i) threads_.emplace_back([this] { ReadLoop(); });
}

void Engine::SaveNow() {
  const std::lock_guard saving(store_mutex_);
  State state;
  {
    const std::lock_guard lock(save_mutex);
    state = state_;
    state.worker_states.clear();
    state.kept.clear();
    for (const auto& [key, value] : worker_states) {
      if (key.rfind("kept:", 0) == 0) state.kept[key.substr(5)] = value;
      else state.worker_states[key] = value;
    }
    if (splits) splits->Save(state);
  }
  const auto total = [&](const char* key, std::int64_t now) { state.totals[key] += now; };   // to those of earlier runs
  std::int64_t delivered = 0;
  for (const auto& s : sinks) delivered += s->counters.rows_in.load();
  std::int64_t& read = state.totals["rows_read"] = 0;   // below the watermarks: rows read again do not count twice
  for (const auto& [id, split] : state.splits) read += split.rows_read;
  total("rows_delivered", delivered);
  total("rows_filtered", filtered.load());
  total("rows_rejected", rejects_->added());
  rejects_->Sync();   // before any position that passes them
  store_->Save(state);
  if (splits) splits->Saved(state);
}

void Engine::Watch() {
  std::int64_t next_save = run.Now() + kSaveEvery;
  bool draining = false, aborted = false;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const std::int64_t wait = std::max<std::int64_t>(next_save - run.Now(), 0);
      changed_.wait_for(lock, std::chrono::nanoseconds(wait),
                        [&] { return threads_running_ == 0 || (signal_ != 0) != draining; });
      if (threads_running_ == 0) return;
      draining = signal_ != 0;
      if (draining && !aborted && run.Now() - stopped_at_ > config_.grace_ns / 10 * 8) {
        aborted = true;
        run.abort = true;
        next_save = 0;
      }
    }
    if (aborted) {
      run.WakeAll();
      for (const auto& s : segments) s->queue.Abort();
      for (const auto& s : sinks) s->queue.Abort();
      InterruptAll();
    }
    if (run.Now() < next_save) continue;
    next_save = run.Now() + (draining ? kSecond / 10 : kSaveEvery);
    RequestFlush();
    if (readers_waiting_ > 0) RequestHeld();
    AccountLimiter();
    try {
      SaveNow();
      if (!run.stop_reading) splits->PlanAhead(50'000'000);
    } catch (const Stopped&) {
      continue;
    } catch (const Error& e) {
      Fail(e);
      run.abort = e.exit() == Exit::kState;   // a sink must not run ahead of what can be saved
      run.WakeAll();
      if (run.abort) {
        for (const auto& s : segments) s->queue.Abort();
        for (const auto& s : sinks) s->queue.Abort();
        InterruptAll();
        return;
      }
    }
    CheckRejectRate(false);
  }
}

void Engine::Join() {
  for (std::thread& t : threads_) t.join();
  threads_.clear();
}

std::uint32_t Engine::Outcome() const {
  const std::lock_guard lock(mutex_);
  if (failure_) return ETL_FAILED;
  if (!splits || !splits->AllSettled()) return signal_ ? ETL_INTERRUPTED : ETL_FAILED;
  return ETL_COMPLETE;
}

/// Of this pass, also by runs of it that were interrupted.
bool Engine::AnyRejected() const {
  const auto before = state_.totals.find("rows_rejected");
  const std::lock_guard lock(mutex_);
  return rejected_ > 0 || (before != state_.totals.end() && before->second > 0);
}

void Engine::EndSinks(std::uint32_t outcome) {
  for (const auto& sink : sinks) {
    const etl_sink& table = *sink->config->component->table.sink;
    if (!sink->begun || !table.end) continue;
    try {
      Call(*sink->side, "end", [&](etl_error* e) { return table.end(sink->head->self(), outcome, AnyRejected() ? ETL_REJECTS : 0, e); });
      const std::lock_guard lock(save_mutex);
      worker_states.erase("kept:" + sink->config->key);
    } catch (const Stopped&) {
      run.Log(ETL_WARN, sink->config->key, "gave up ending; the next run ends it");
    } catch (const Error& e) {
      Fail(e);
    }
  }
}

RunResult Engine::Execute() {
  RunResult result;
  try {
    SetUp();
    {
      const std::lock_guard lock(mutex_);
      if (!signal_) phase_ = "running";
      limiter_at_ = run.Now();
    }
    StartThreads();
    Watch();
  } catch (const Stopped&) {
    // stopped while starting
  } catch (const Error& e) {
    Fail(e);
  } catch (const std::exception& e) {
    Fail(Error(Exit::kInternal, e.what()));
  }
  Join();
  CheckRejectRate(true);
  try {
    if (store_ && splits) SaveNow();   // what was delivered stands, whatever end() says
    EndSinks(Outcome());
    if (store_ && splits) {
      {
        const std::lock_guard lock(mutex_);
        state_.complete = !failure_ && splits->AllSettled();
      }
      if (!failure_ && !signal_ && !state_.complete) {
        Fail(Error(Exit::kInternal, "the run ended, but not every batch was settled; run again to resume"));
      }
      SaveNow();
    }
  } catch (const Stopped&) {
    // the grace period is over
  } catch (const Error& e) {
    Fail(e);
  }
  Finish(result);
  return result;
}

void Engine::Finish(RunResult& result) {
  AccountLimiter();
  result.status = Status();
  result.status.phase = "ended";
  const std::vector<Stage*> all = AllStages();
  for (std::size_t i = 0; i < result.status.stages.size() && i < all.size(); ++i) {
    result.status.stages[i].busy = static_cast<double>(all[i]->counters.busy_ns.load()) /
                                   (static_cast<double>(std::max<std::int64_t>(result.status.elapsed_ns, 1)) * all[i]->workers);
  }
  const std::lock_guard lock(mutex_);
  phase_ = "ended";
  std::vector<RejectReason> reasons;
  for (const auto& [key, count] : reasons_) reasons.push_back({key.first, key.second, count});
  std::stable_sort(reasons.begin(), reasons.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  if (reasons.size() > 3) reasons.resize(3);
  result.reasons = std::move(reasons);
  for (const auto& [stage, ns] : limited_ns_) result.limited.emplace_back(all[static_cast<std::size_t>(stage)]->config->key, ns);
  std::sort(result.limited.begin(), result.limited.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  const auto before = state_.totals.find("rows_rejected");
  const std::int64_t rejected = (rejects_ ? rejects_->added() : 0) + (before == state_.totals.end() ? 0 : before->second);
  if (rejects_ && rejected > 0) result.rejects_file = store_->rejects_file();   // of the whole pass

  if (failure_) {
    result.exit = failure_->exit();
    result.message = run.CleanLines(failure_->what());
  } else if (!state_.complete && signal_) {
    result.exit = StopExit();
    result.message = run.abort ? "stopped by a signal; not all that was read was delivered within the time of grace, and a run that goes on reads it again"
                               : "stopped by a signal; what was read is delivered, and the state is saved";
  } else if (!result.rejects_file.empty()) {
    result.exit = Exit::kRejected;
    result.message = fmt::format("finished, but {} {} rejected", rejected, rejected == 1 ? "row was" : "rows were");
  }
  if (store_ && !state_.complete && state_.generation > 0 && result.exit != Exit::kConfig && result.exit != Exit::kState) {
    result.next.push_back("etl run " + config_.file);
  }
  if (!result.rejects_file.empty()) {
    result.next.push_back("etl rejects list " + config_.file);
    result.next.push_back("etl rejects replay " + config_.file);
  }
}

// ---- Run ----

struct Run::Impl : Engine {
  using Engine::Engine;
};
Run::Run(const PipelineConfig& config, RunOptions options) : impl_(std::make_unique<Impl>(config, std::move(options))) {}
Run::~Run() = default;
std::vector<Problem> CheckStages(const PipelineConfig& config, const RunOptions& options, bool connect) {
  return Engine(config, options).Check(connect);
}
PlanReport PlanPipeline(const PipelineConfig& config, const RunOptions& options, std::size_t most, const std::string& write) {
  return Engine(config, options).Plan(most, write);
}
void PreviewPipeline(const PipelineConfig& config, const RunOptions& options, std::int64_t n,
                     const std::function<void(const std::string& line)>& emit) {
  Engine(config, options).Preview(n, emit);
}

RunResult Run::Execute() { return impl_->Execute(); }
RunResult Run::Replay() { return impl_->Replay(); }
RunStatus Run::Status() const { return impl_->Status(); }
void Run::Stop(int signal) { impl_->Stop(signal); }

}  // namespace etl::host
