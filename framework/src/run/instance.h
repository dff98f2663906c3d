// Heads and workers of components as objects, and the host table that each is given.
#pragma once
#include <etl/plugin.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "../config/config.h"
#include "../error.h"
#include "run.h"

namespace etl::host {

/// What a call to a plugin came to when it was not OK.
struct CallError {
  etl_status status = ETL_OK;
  std::int64_t code = 0, retry_after_ns = 0;
  std::string option, message;
};

/// A failure of a stage that ends the run, with the exit code that it means.
Error StageError(const PipelineConfig& config, const StageConfig& stage, const CallError& e, const std::string& doing);

/// Counters of one stage; touched by many threads.
struct StageCounters {
  std::atomic<std::int64_t> rows_in{0}, rows_out{0}, bytes{0}, batches{0}, busy_ns{0}, retries{0}, rejects{0}, in_flight{0};
  std::mutex mutex;                       ///< over metrics
  std::map<std::string, double> metrics;
};

/// What all stages of a run share.
class RunContext {
 public:
  RunContext(const PipelineConfig& config, const RunOptions& options);
  const PipelineConfig& config;
  const RunOptions& options;
  Redactor redactor;
  bool comparing = false;        ///< rows are read to be compared with what the sink holds; set before any stage is made

  void Log(int level, const std::string& stage, std::string_view message) const;
  std::string CleanLines(std::string_view message) const;   ///< redacted; line breaks stay

  std::atomic<bool> stop_reading{false};   ///< sources give up; what was read is still delivered
  std::atomic<bool> abort{false};          ///< everybody gives up
  void WakeAll();                          ///< after setting one of them: ends every Wait
  /// Sleeps; true at once when `flag` is or becomes set.
  bool Wait(std::int64_t ns, const std::atomic<bool>& flag) const;
  std::int64_t Now() const;
  /// Full jitter inside the pipeline's budget; -1 when it is used up.
  /// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
  std::int64_t Backoff(unsigned attempt, std::int64_t since, std::int64_t retry_after_ns) const;

  /// Bytes of live batches and reservations.
  std::atomic<std::int64_t> memory{0};
  void Charge(std::int64_t bytes);
  /// Waits until the budget has room for `bytes` or nothing is in it; false when reading stops.
  bool WaitForMemory(std::int64_t bytes);
  bool MemoryShort(std::int64_t bytes) const { return memory.load() > 0 && memory.load() + bytes > config.memory_limit; }

  void SetLastError(const std::string& message);
  std::string last_error() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::string last_error_;
};

/// The host's side of one head or worker.  The base serves what all have; Emit and its like belong to the kind.
class HostSide {
 public:
  HostSide(RunContext& run, const StageConfig& stage, StageCounters& counters, const std::atomic<bool>& cancel);
  virtual ~HostSide();
  HostSide(const HostSide&) = delete;
  const etl_host* table() const { return &table_; }

  virtual void Reject(const etl_reject& reject);
  virtual void Again(std::uint64_t) {}
  virtual etl_status Durable() { return ETL_OK; }
  virtual void Settled(std::uint64_t) {}
  virtual etl_status Emit(ArrowArray* array, const std::uint64_t* origin);
  virtual void Finished(std::uint64_t) {}
  virtual etl_status Keep(std::string_view) { return ETL_UNSUPPORTED; }

  std::int64_t wake_at() const { return wake_at_; }   ///< 0: none asked for
  void set_wake_at(std::int64_t at) { wake_at_ = at; }

  RunContext& run;
  const StageConfig& stage;
  StageCounters& counters;
  const std::atomic<bool>& cancel;

 private:
  std::int64_t wake_at_ = 0;
  std::atomic<std::int64_t> reserved_{0};
  etl_host table_;
  friend struct HostCalls;
};

/// A head; destroyed with the object.
class Head {
 public:
  Head(HostSide& side, const StageConfig& stage);   ///< create(); throws Error
  ~Head();
  Head(const Head&) = delete;
  void* self() const { return self_; }
  const etl_component& table() const { return stage_.component->table; }
  const StageConfig& stage() const { return stage_; }
  HostSide& side() const { return side_; }
  void Interrupt() const;
  std::string Identity() const;   ///< throws Error
  void Check() const;             ///< throws Error

 private:
  HostSide& side_;
  const StageConfig& stage_;
  void* self_ = nullptr;
};

/// A worker; stopped with the object, which must end before its head.
class Worker {
 public:
  Worker(const Head& head, HostSide& side);
  ~Worker();
  Worker(const Worker&) = delete;
  void* self() const { return self_; }
  const etl_component& table() const { return head_.table(); }
  HostSide& side() const { return side_; }

 private:
  const Head& head_;
  HostSide& side_;
  void* self_ = nullptr;
};

/// Calls f(etl_error*) until it does not say RETRY, with back-off.  Returns a status >= 0.  Throws Error for the others, and
/// Error(kRetriesUsedUp) when the budget is used up; throws Stopped when the side was cancelled.
etl_status Call(HostSide& side, const std::string& doing, const std::function<etl_status(etl_error*)>& f);

/// A call gave up because the run is stopping.
struct Stopped {};

}  // namespace etl::host
