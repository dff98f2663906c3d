#include "instance.h"

#include <etl/compare.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace etl::host {

namespace {

std::string_view View(etl_str s) { return {s.ptr, static_cast<std::size_t>(s.len)}; }

CallError ErrorOf(etl_status status, const etl_error& e) {
  return {status, e.code, e.retry_after_ns, std::string(e.option, strnlen(e.option, sizeof e.option)),
          std::string(e.message, strnlen(e.message, sizeof e.message))};
}

etl_error FreshError() {
  etl_error e{};
  e.size = sizeof e;
  return e;
}

}  // namespace

const char* Version() { return "1.0.0"; }

Error StageError(const PipelineConfig& config, const StageConfig& stage, const CallError& e, const std::string& doing) {
  const std::string said = e.message.empty() ? "the plugin gave no reason" : e.message;
  if (e.status == ETL_FENCED) return {Exit::kBusy, fmt::format("{} ({}): {}: {}", stage.key, stage.type, doing, said)};
  const Exit exit = stage.component->kind == Kind::kSink ? Exit::kSink : Exit::kSource;
  if (e.status == ETL_CONFIG) {
    return {doing == "create" ? Exit::kConfig : exit, config.At(stage, e.option, said).Text()};
  }
  const std::string code = e.code ? fmt::format(" (code {})", e.code) : "";
  return {exit, fmt::format("{} ({}): {}: {}{}", stage.key, stage.type, doing, said, code)};
}

// ---- RunContext ----

RunContext::RunContext(const PipelineConfig& c, const RunOptions& o) : config(c), options(o), redactor(c.secrets) {}

void RunContext::Log(int level, const std::string& stage, std::string_view message) const {
  if (options.log && level >= options.log_level) options.log->Log(level, stage, redactor.Clean(message));
}

std::string RunContext::CleanLines(std::string_view message) const {
  std::string out;
  for (;;) {
    const auto end = message.find('\n');
    out += redactor.Clean(message.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    message.remove_prefix(end + 1);
  }
}

void RunContext::WakeAll() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

bool RunContext::Wait(std::int64_t ns, const std::atomic<bool>& flag) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(ns), [&] { return flag.load(); });
}

std::int64_t RunContext::Now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::int64_t RunContext::Backoff(unsigned attempt, std::int64_t since, std::int64_t retry_after_ns) const {
  const RetryPolicy& policy = config.retry;
  const std::int64_t elapsed = Now() - since;
  if (policy.max_elapsed_ns > 0 && elapsed >= policy.max_elapsed_ns) return -1;
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::int64_t cap = policy.initial_ns;
  for (unsigned i = 1; i < attempt && cap < policy.max_ns; ++i) cap *= 2;
  cap = std::clamp<std::int64_t>(cap, 1, std::max<std::int64_t>(policy.max_ns, 1));
  std::int64_t wait = std::uniform_int_distribution<std::int64_t>(0, cap)(random);
  wait = std::max(wait, retry_after_ns);
  if (policy.max_elapsed_ns > 0) {
    if (retry_after_ns > policy.max_elapsed_ns - elapsed) return -1;
    wait = std::min(wait, policy.max_elapsed_ns - elapsed);
  }
  return wait;
}

void RunContext::Charge(std::int64_t bytes) {
  const std::int64_t now = memory.fetch_add(bytes) + bytes;
  if (bytes < 0 && now < config.memory_limit) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
}

bool RunContext::WaitForMemory(std::int64_t bytes) {
  const auto room = [&] {
    const std::int64_t used = memory.load();
    return used <= 0 || used + bytes <= config.memory_limit;
  };
  if (stop_reading.load()) return false;
  if (room()) return true;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stop_reading.load() || room(); });
  return !stop_reading.load();
}

void RunContext::SetLastError(const std::string& message) {
  const std::lock_guard lock(mutex_);
  last_error_ = message;
}
std::string RunContext::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

// ---- the host table ----

struct HostCalls {
  static HostSide& Of(const etl_host* h) { return *static_cast<HostSide*>(h->impl); }

  static void Log(const etl_host* h, std::uint32_t level, etl_str message) noexcept {
    HostSide& s = Of(h);
    s.run.Log(static_cast<int>(std::min<std::uint32_t>(level, ETL_ERROR)), s.stage.key, View(message));
  }
  static std::int32_t Cancelled(const etl_host* h) noexcept { return Of(h).cancel.load(); }
  static std::int32_t Wait(const etl_host* h, std::int64_t ns) noexcept { return Of(h).run.Wait(ns, Of(h).cancel); }
  static std::int64_t Now(const etl_host* h) noexcept { return Of(h).run.Now(); }
  static void Wake(const etl_host* h, std::int64_t at) noexcept { Of(h).wake_at_ = at; }
  static std::int64_t Backoff(const etl_host* h, std::uint32_t attempt, std::uint32_t, std::int64_t since,
                              std::int64_t retry_after) noexcept {
    HostSide& s = Of(h);
    s.counters.retries.fetch_add(1);
    return s.run.Backoff(attempt, since, retry_after);
  }
  static void Metric(const etl_host* h, std::uint32_t kind, etl_str name, double value) noexcept {
    StageCounters& c = Of(h).counters;
    const std::lock_guard lock(c.mutex);
    double& slot = c.metrics[std::string(View(name))];
    slot = kind == ETL_GAUGE ? value : slot + value;
  }
  static etl_status Reserve(const etl_host* h, std::int64_t bytes) noexcept {
    HostSide& s = Of(h);
    if (bytes > 0 && s.run.memory.load() > 0 && s.run.memory.load() + bytes > s.run.config.memory_limit) return ETL_RETRY;
    s.reserved_ += bytes;
    s.run.Charge(bytes);
    return ETL_OK;
  }
  static void Reject(const etl_host* h, const etl_reject* r) noexcept { Of(h).Reject(*r); }
  static void Again(const etl_host* h, std::uint64_t row) noexcept { Of(h).Again(row); }
  static etl_status Durable(const etl_host* h) noexcept { return Of(h).Durable(); }
  static void Settled(const etl_host* h, std::uint64_t batch) noexcept { Of(h).Settled(batch); }
  static etl_status Emit(const etl_host* h, ArrowArray* a, const std::uint64_t* origin) noexcept {
    return Of(h).Emit(a, origin);
  }
  static void Finished(const etl_host* h, std::uint64_t batch) noexcept { Of(h).Finished(batch); }
  static etl_status Keep(const etl_host* h, etl_str note) noexcept { return Of(h).Keep(View(note)); }
  static const void* Extension(const etl_host* h, const char* id) noexcept {
    static constexpr etl_comparing kComparing{sizeof kComparing, 0};
    return Of(h).run.comparing && std::string_view(id) == ETL_EXT_COMPARING ? &kComparing : nullptr;
  }
};

HostSide::HostSide(RunContext& r, const StageConfig& s, StageCounters& c, const std::atomic<bool>& stop)
    : run(r), stage(s), counters(c), cancel(stop), table_{} {
  table_.size = sizeof table_;
  table_.abi_minor = ETL_ABI_MINOR;
  table_.log_level = static_cast<std::uint16_t>(r.options.log_level);
  table_.impl = this;
  table_.name = "etl";
  table_.version = Version();
  table_.pipeline = r.config.name.c_str();
  table_.component = s.key.c_str();
  table_.memory_limit = r.config.memory_limit;
  table_.log = HostCalls::Log;
  table_.cancelled = HostCalls::Cancelled;
  table_.wait = HostCalls::Wait;
  table_.now = HostCalls::Now;
  table_.wake = HostCalls::Wake;
  table_.backoff = HostCalls::Backoff;
  table_.metric = HostCalls::Metric;
  table_.reserve = HostCalls::Reserve;
  table_.reject = HostCalls::Reject;
  table_.again = HostCalls::Again;
  table_.durable = HostCalls::Durable;
  table_.settled = HostCalls::Settled;
  table_.emit = HostCalls::Emit;
  table_.finished = HostCalls::Finished;
  table_.keep = HostCalls::Keep;
  table_.extension = HostCalls::Extension;
}

HostSide::~HostSide() {
  if (reserved_ != 0) run.Charge(-reserved_);
}

void HostSide::Reject(const etl_reject& r) {
  run.Log(ETL_ERROR, stage.key, "a row was rejected where none can be: " + std::string(View(r.reason)));
}

etl_status HostSide::Emit(ArrowArray* array, const std::uint64_t*) {
  if (array->release) array->release(array);
  run.Log(ETL_ERROR, stage.key, "emit() was called outside of apply, tick and flush");
  return ETL_FATAL;
}

// ---- heads, workers, calls ----

etl_status Call(HostSide& side, const std::string& doing, const std::function<etl_status(etl_error*)>& f) {
  std::int64_t since = 0;
  for (unsigned attempt = 1;; ++attempt) {
    etl_error e = FreshError();
    const etl_status status = f(&e);
    if (status >= 0) {
      if (attempt > 1) side.run.SetLastError("");
      return status;
    }
    const CallError error = ErrorOf(status, e);
    if (status == ETL_CANCELLED || (status == ETL_RETRY && side.cancel.load())) throw Stopped();
    if (status != ETL_RETRY) throw StageError(side.run.config, side.stage, error, doing);
    if (since == 0) since = side.run.Now();
    const std::int64_t wait = side.run.Backoff(attempt, since, error.retry_after_ns);
    const std::string text = fmt::format("{} ({}): {}: {}", side.stage.key, side.stage.type, doing, error.message);
    if (wait < 0) throw Error(Exit::kRetriesUsedUp, fmt::format("{}; gave up after {} tries", text, attempt));
    side.counters.retries.fetch_add(1);
    side.run.SetLastError(text);
    side.run.Log(ETL_WARN, side.stage.key,
                 fmt::format("{}: {}; trying again in {:.1f} s (try {})", doing, error.message,
                             static_cast<double>(wait) / 1e9, attempt + 1));
    if (side.run.Wait(wait, side.cancel)) throw Stopped();
  }
}

Head::Head(HostSide& side, const StageConfig& stage) : side_(side), stage_(stage) {
  Call(side, "create", [&](etl_error* e) { return table().create(side_.table(), stage_.values.data(), &self_, e); });
}
Head::~Head() {
  if (self_) table().destroy(self_);
}
void Head::Interrupt() const {
  if (table().interrupt) table().interrupt(self_);
}
std::string Head::Identity() const {
  if (!table().identity) return {};
  etl_str text{nullptr, 0};
  const etl_status s = Call(side_, "identify", [&](etl_error* e) {
    const etl_status status = table().identity(self_, &text, e);
    return status == ETL_UNSUPPORTED ? ETL_END : status;
  });
  return s == ETL_OK && text.len ? std::string(View(text)) : std::string();
}
void Head::Check() const {
  if (!table().check) return;
  etl_error e = FreshError();
  const etl_status s = table().check(self_, &e);
  if (s < 0 && s != ETL_UNSUPPORTED) throw StageError(side_.run.config, stage_, ErrorOf(s, e), "check");
}

Worker::Worker(const Head& head, HostSide& side) : head_(head), side_(side) {
  Call(side, "start", [&](etl_error* e) { return table().start(head_.self(), side_.table(), &self_, e); });
}
Worker::~Worker() {
  if (self_) table().stop(self_);
}

}  // namespace etl::host
