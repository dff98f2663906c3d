#include "engine.h"

#include <etl/json.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <random>

#include "../config/across.h"
#include "../data/json_read.h"

namespace etl::host {
namespace {

constexpr std::size_t kWindow = 4096;                    // batches that a reader may be ahead of the watermark
constexpr std::int64_t kSaveEvery = 1'000'000'000;       // ns
constexpr std::int64_t kSecond = 1'000'000'000;

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  gmtime_r(&now, &t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                     t.tm_min, t.tm_sec);
}

/// Gives an array's bytes back to the budget when its last share goes.
struct Charged {
  ArrowArray inner;
  RunContext* run;
  std::int64_t bytes;
};
void ReleaseCharged(ArrowArray* a) {
  auto* c = static_cast<Charged*>(a->private_data);
  if (c->inner.release) c->inner.release(&c->inner);
  c->run->Charge(-c->bytes);
  delete c;
  a->release = nullptr;
}

int Cores() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

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

// ---- rejects ----

bool Engine::RejectRow(Stage& stage, const etl_reject& r, const Flow* flow, std::int64_t row) {
  const auto text = [](etl_str s) { return s.ptr ? std::string(s.ptr, static_cast<std::size_t>(s.len)) : std::string(); };
  RejectRecord record;
  record.at = UtcNow();
  record.pipeline = config_.name;
  record.run = state_.key;
  record.stage = stage.config->key;
  record.type = stage.config->type;
  record.reason = run.redactor.Clean(text(r.reason));
  record.code = r.code;
  record.raw = text(r.raw);
  record.where = text(r.where);
  if (flow) {
    const auto [origin, source_row] = flow->Source(row);
    if (origin) {
      record.split = origin->split->id();
      record.seq = origin->seq;
      record.source_row = source_row;
    }
  }
  const std::string place = !record.where.empty() ? " at " + record.where
                            : record.split.empty() ? ""
                                                   : fmt::format(" (split {}, batch {}, row {})", record.split, record.seq, record.source_row);
  stage.counters.rejects.fetch_add(1);
  std::int64_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = ++rejected_;
    if (reasons_.size() < 1000) ++reasons_[{record.stage, record.reason.substr(0, 200)}];
  }
  if (mode_ == Mode::kTune) return true;
  if (mode_ == Mode::kLook) {
    run.Log(ETL_WARN, record.stage, fmt::format("a row{} would be rejected: {}", place, record.reason));
    return true;
  }
  std::string stop;
  if (mode_ == Mode::kReplay) {
    // what is refused again stays among the rejects
  } else if (config_.on_reject == OnReject::kStop) {
    stop = fmt::format("{} ({}) rejected a row{}: {}; mend the row, or let rejects go to a file with on_reject = \"file\"",
                       record.stage, record.type, place, record.reason);
  } else if (config_.max_reject_count >= 0 && count > config_.max_reject_count) {
    stop = fmt::format("more than {} rows were rejected (max_rejects.count); the last one by {} ({}){}: {}",
                       config_.max_reject_count, record.stage, record.type, place, record.reason);
  }
  if (!stop.empty()) {
    reject_stop_ = true;
    Fail(Error(Exit::kRejectStop, stop));
    return false;
  }
  if (flow) {
    try {
      JsonWriter(*stage.in, JsonOptions::Exact()).Row(flow->array->array(), row, record.row);
      rejects_->Add(record, stage.in_json);
      return true;
    } catch (const std::exception& e) {
      // A row that JSON cannot say (invalid UTF-8) is kept with what can be said of it.
      record.row.clear();
      record.raw = fmt::format("the row could not be written as JSON: {}", e.what());
    }
  }
  rejects_->Add(record, "");
  return true;
}

void Engine::CheckRejectRate(bool at_end) {
  if (config_.max_reject_rate < 0) return;
  const std::int64_t read = source.counters.rows_out.load();
  std::int64_t rejected = 0;
  {
    const std::lock_guard lock(mutex_);
    rejected = rejected_;
  }
  if (rejected == 0 || (!at_end && read < 10'000)) return;
  const double rate = static_cast<double>(rejected) / static_cast<double>(std::max<std::int64_t>(read, rejected));
  if (rate <= config_.max_reject_rate) return;
  Fail(Error(Exit::kRejectStop, fmt::format("{} of {} rows were rejected ({:.4f}, max_rejects.rate is {}); see 'etl rejects list'",
                                            rejected, read, rate, config_.max_reject_rate)));
}

void Engine::SyncRejects() {
  if (rejects_) rejects_->Sync();
}

// ---- data ----

std::shared_ptr<SharedArray> Engine::Adopt(Stage& stage, ArrowArray* array) {
  const ArrowSchema& said = stage.raw ? *stage.raw : *stage.out;
  ArrowArray taken = *array;
  array->release = nullptr;
  if (auto wrong = CheckArray(said, taken, false)) {
    if (taken.release) taken.release(&taken);
    throw Error(Exit::kInternal, fmt::format("{} ({}) gave a broken batch: {}; report it to the plugin's author",
                                             stage.config->key, stage.config->type, *wrong));
  }
  if (stage.raw) {
    ArrowArray plain{};
    MakePlain(said, taken, &plain);
    taken = plain;
  }
  const std::int64_t bytes = ArrayBytes(*stage.out, taken);
  run.Charge(bytes);
  ArrowArray charged = taken;
  charged.private_data = new Charged{taken, &run, bytes};
  charged.release = ReleaseCharged;
  return SharedArray::Own(charged, bytes);
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

// ---- setting up ----

void Engine::MakeSource() {
  source.config = &config_.source;
  source.side = std::make_unique<HostSide>(run, config_.source, source.counters, run.stop_reading);
  source.head = std::make_unique<Head>(*source.side, config_.source);
  source.workers = !source.has(ETL_PARALLEL) ? 1 : config_.source.workers > 0 ? config_.source.workers : std::min(Cores(), 4);
}

namespace {

/// Which schema flows after a producer: plain ones, unless everybody behind takes encoded columns.
void SetOut(Stage& stage, SchemaHandle said, bool encoded_taken) {
  if (auto wrong = CheckSchema(*said)) {
    throw Error(Exit::kInternal, fmt::format("{} ({}) described a broken schema: {}; report it to the plugin's author",
                                             stage.config->key, stage.config->type, *wrong));
  }
  if (encoded_taken || IsPlain(*said)) {
    stage.out = std::move(said);
  } else {
    stage.out = PlainSchema(*said);
    stage.raw = std::move(said);
  }
}

bool AllTakeEncoded(const std::vector<StageConfig>& transforms, std::size_t from, const std::vector<StageConfig>& sinks) {
  const auto takes = [](const StageConfig& s) { return (s.component->table.flags & ETL_ENCODED) != 0 && s.when.empty(); };
  return std::all_of(transforms.begin() + static_cast<std::ptrdiff_t>(from), transforms.end(), takes) &&
         std::all_of(sinks.begin(), sinks.end(), takes);
}

void DescribeTransform(Stage& stage, const ArrowSchema& in, bool encoded_taken) {
  stage.in = CopySchema(in);
  stage.in_json = SchemaToJson(*stage.in);
  ArrowSchema out{};
  Call(*stage.side, "describe", [&](etl_error* e) {
    return stage.config->component->table.transform->describe(stage.head->self(), stage.in.get(), &out, e);
  });
  SetOut(stage, SchemaHandle(out), encoded_taken);
}

}  // namespace

void Engine::MakeTransforms() {
  ArrowSchema described{};
  Call(*source.side, "describe", [&](etl_error* e) {
    return config_.source.component->table.source->describe(source.head->self(), &described, e);
  });
  SetOut(source, SchemaHandle(described), AllTakeEncoded(config_.transforms, 0, config_.sinks));
  const ArrowSchema* schema = source.out.get();
  for (std::size_t i = 0; i < config_.transforms.size(); ++i) {
    const StageConfig& c = config_.transforms[i];
    auto stage = std::make_unique<Stage>();
    stage->config = &c;
    stage->side = std::make_unique<HostSide>(run, c, stage->counters, run.abort);
    stage->head = std::make_unique<Head>(*stage->side, c);
    DescribeTransform(*stage, *schema, AllTakeEncoded(config_.transforms, i + 1, config_.sinks));
    stage->workers = !stage->has(ETL_PARALLEL) ? 1 : c.workers > 0 ? c.workers : config_.workers > 0 ? config_.workers : Cores();
    schema = stage->out.get();
    transforms.push_back(std::move(stage));
  }
}

void Engine::MakeSinks() {
  const ArrowSchema& schema = transforms.empty() ? *source.out : *transforms.back()->out;
  const std::int64_t queue = std::clamp<std::int64_t>(config_.memory_limit / 16, 64 << 10, 4 << 20);
  for (const StageConfig& c : config_.sinks) {
    auto stage = std::make_unique<SinkStage>(queue);
    stage->config = &c;
    stage->side = std::make_unique<SinkHeadSide>(*this, c, stage->counters);
    stage->head = std::make_unique<Head>(*stage->side, c);
    stage->in = CopySchema(schema);
    stage->in_json = SchemaToJson(schema);
    stage->ordered = stage->has(ETL_ORDERED);
    stage->workers = !stage->has(ETL_PARALLEL) || stage->ordered ? 1 : std::max(1, c.workers);
    if (!c.when.empty()) {
      stage->filter_config = std::make_unique<StageConfig>(MakeFilter(c, *config_.filter));
      auto filter = std::make_unique<Stage>();
      filter->config = stage->filter_config.get();
      filter->side = std::make_unique<HostSide>(run, *filter->config, filter->counters, run.abort);
      filter->head = std::make_unique<Head>(*filter->side, *filter->config);
      DescribeTransform(*filter, schema, false);
      stage->filter = std::move(filter);
    }
    sinks.push_back(std::move(stage));
  }
}

void Engine::MakeSegments() {
  const std::int64_t queue = std::clamp<std::int64_t>(config_.memory_limit / 16, 64 << 10, 4 << 20);
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    const bool holds = transforms[i]->has(ETL_HOLDS);
    if (segments.empty() || holds) {
      segments.push_back(std::make_unique<Segment>(i, i, queue));
      segments.back()->holds = holds;
      segments.back()->threads = transforms[i]->workers;
    }
    segments.back()->last = i + 1;
    segments.back()->threads = std::min(segments.back()->threads, transforms[i]->workers);
  }
  for (const auto& s : segments) {
    for (std::size_t t = s->first; t < s->last; ++t) transforms[t]->workers = s->threads;
  }
}

Identity Engine::IdentityNow() const {
  Identity identity;
  const auto add = [&identity](const Stage& stage) {
    const StageConfig& c = *stage.config;
    identity.emplace_back(c.key + ".type", "\"" + c.type + "\"");
    for (const auto& [key, value] : c.identity) identity.emplace_back(c.key + "." + key, value);
    const std::string lines = stage.head->Identity();
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = std::min(lines.find('\n', at), lines.size());
      const std::string line = lines.substr(at, end - at);
      const std::size_t equals = line.find('=');
      if (equals != std::string::npos) identity.emplace_back(c.key + ": " + line.substr(0, equals), line.substr(equals + 1));
      at = end + 1;
    }
  };
  add(source);
  identity.emplace_back("source: schema", SchemaText(*source.out));
  for (const auto& t : transforms) add(*t);
  for (const auto& s : sinks) {
    add(*s);
    if (!s->config->when.empty()) identity.emplace_back(s->config->key + ".when", s->config->when);
  }
  return identity;
}

void Engine::LoadState() {
  state_ = store_->Load();
  const Identity now = IdentityNow();
  const bool interrupted = state_.generation > 0 && !state_.complete;
  if (interrupted || (state_.generation > 0 && !state_.plan_state.empty())) {
    // No identity: it was accepted as it is (etl state accept).
    const std::vector<std::string> lines = state_.identity.empty() ? std::vector<std::string>() : Differences(state_.identity, now);
    if (!lines.empty()) {
      std::string all;
      for (const std::string& l : lines) all += "\n  " + l;
      throw Error(Exit::kState,
                  fmt::format("the state in {} belongs to another pipeline than this file now declares:{}\n"
                              "go on with it all the same: etl state accept {}; start anew: etl state reset {}",
                              store_->folder(), all, config_.file, config_.file));
    }
  }
  resumed_ = interrupted;
  if (!interrupted) {
    ++state_.generation;
    state_.complete = false;
    state_.splits.clear();
    state_.plan_begun = state_.planned_all = false;
    state_.worker_states.clear();
    state_.totals.clear();
    std::random_device random;
    state_.key = fmt::format("{}/{}/{:08x}{:08x}", config_.name, state_.generation, random(), random());
  }
  state_.identity = now;
  state_.schema = SchemaText(*source.out);
  worker_states = state_.worker_states;
  for (const auto& [key, note] : state_.kept) worker_states["kept:" + key] = note;
  if (resumed_) run.Log(ETL_INFO, "", fmt::format("goes on with pass {}, which was interrupted", state_.generation));
  store_->Save(state_);
}

void Engine::BeginSinks(std::uint32_t flags) {
  const auto identify = [&](const std::string& s) -> etl_str { return {s.data(), s.size()}; };
  for (const auto& sink : sinks) {
    const etl_sink& table = *sink->config->component->table.sink;
    const std::string kept = worker_states.count("kept:" + sink->config->key) ? worker_states["kept:" + sink->config->key] : "";
    const etl_run r{sizeof r, flags, identify(config_.name),
                    identify(state_.key), identify(kept), sink->in.get()};
    sink->begun = true;   // end() also after a begin() that failed half-way
    if (table.begin) {
      Call(*sink->side, "begin", [&](etl_error* e) {
        const etl_status s = table.begin(sink->head->self(), &r, e);
        return s == ETL_UNSUPPORTED ? ETL_OK : s;
      });
    }
    if (!table.positions || sinks.size() > 1 || mode_ != Mode::kRun) continue;
    if (std::any_of(segments.begin(), segments.end(), [](const auto& g) { return g->holds; })) {
      // Rows of a batch that is not all there yet would be committed ahead of its position.
      run.Log(ETL_WARN, sink->config->key, "is not exactly once here: a transform holds rows back; after an interruption rows may come twice");
      continue;
    }
    marks_.clear();
    const etl_status s = Call(*sink->side, "read positions", [&](etl_error* e) {
      marks_.clear();
      const etl_status status = table.positions(
          sink->head->self(), &marks_,
          [](void* context, const etl_mark* m) noexcept {
            SplitState split;
            split.id.assign(m->split.ptr, static_cast<std::size_t>(m->split.len));
            split.position.assign(m->position.ptr ? m->position.ptr : "", static_cast<std::size_t>(m->position.len));
            split.seq = m->seq;
            (*static_cast<std::map<std::string, SplitState>*>(context))[split.id] = split;
          },
          e);
      return status == ETL_UNSUPPORTED ? ETL_END : status;
    });
    sink->transactional = s == ETL_OK;
    if (sink->transactional) {
      sink->workers = 1;
      sink->ordered = true;   // rows that overtake their position would be committed without it
    }
  }
}

void Engine::SetUp() {
  store_ = std::make_unique<StateStore>(StateFolder(config_, options_.state_dir));
  rejects_ = std::make_unique<RejectsWriter>(store_->rejects_file());
  MakeSource();
  MakeTransforms();
  MakeSinks();
  MakeSegments();
  LoadState();
  BeginSinks(resumed_ ? ETL_RESUMED : 0);
  splits = std::make_unique<Splits>(*source.head, kWindow);
  const bool transactional = !sinks.empty() && sinks[0]->transactional;
  splits->Start(state_, !resumed_, transactional ? &marks_ : nullptr);
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

void Engine::EndSinks(std::uint32_t outcome) {
  for (const auto& sink : sinks) {
    const etl_sink& table = *sink->config->component->table.sink;
    if (!sink->begun || !table.end) continue;
    try {
      Call(*sink->side, "end", [&](etl_error* e) { return table.end(sink->head->self(), outcome, 0, e); });
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
    result.message = "stopped by a signal; what was read is delivered, and the state is saved";
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

// ---- Run ----

struct Run::Impl : Engine {
  using Engine::Engine;
};
Run::Run(const PipelineConfig& config, RunOptions options) : impl_(std::make_unique<Impl>(config, std::move(options))) {}
Run::~Run() = default;
std::vector<Problem> CheckConnect(const PipelineConfig& config, const RunOptions& options) {
  return Engine(config, options).Check();
}
PlanReport PlanPipeline(const PipelineConfig& config, const RunOptions& options, std::size_t most) {
  return Engine(config, options).Plan(most);
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
