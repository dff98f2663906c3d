// Runs a pipeline: readers, transform workers, writers, state, rejects; and what a viewer may see of it meanwhile.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../config/config.h"
#include "../error.h"

namespace etl::host {

/// Where log lines of the host and the plugins go.  Called from any thread; text is redacted and without control
/// characters already.  level: ETL_TRACE .. ETL_ERROR.  stage: "", "source", "sink[0]" ...
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Log(int level, const std::string& stage, const std::string& message) = 0;
};

struct StageStatus {
  std::string key, type;             ///< "sink[0]", "sqlite"
  Kind kind = Kind::kSource;
  int workers = 0;
  std::int64_t rows_in = 0, rows_out = 0, bytes = 0;   ///< source: rows_out; sink: rows_in are those settled
  std::int64_t batches = 0;
  double busy = 0;                   ///< 0..1 of its workers' time since the last Status(), of the whole run in the result
  std::int64_t queue_bytes = 0, queue_limit = 0;       ///< of the queue before it; a source has none
  std::int64_t retries = 0, rejects = 0, in_flight = 0;
  std::map<std::string, double> metrics;               ///< what the plugin counted and gauged
  std::vector<std::pair<std::string, std::string>> identity;   ///< what the plugin says that it is, as a transform's fingerprint of its model
};

struct RejectReason {
  std::string stage, reason;
  std::int64_t count = 0;
};

struct RunStatus {
  std::string pipeline, phase;       ///< "starting", "running", "draining", "ended"
  std::int64_t generation = 0;
  bool resumed = false;
  std::int64_t elapsed_ns = 0;
  std::vector<StageStatus> stages;   ///< source, transforms, sinks
  int limiter = -1;                  ///< index into stages: the one that the others wait for; -1 unknown
  std::int64_t splits_planned = 0, splits_done = 0;
  bool planned_all = false;
  double fraction = -1;              ///< done, 0..1 by the plan's estimates; -1 unknown
  std::int64_t eta_ns = -1;
  std::int64_t memory_used = 0, memory_limit = 0;
  std::int64_t rows_read = 0, rows_delivered = 0, rows_filtered = 0, rows_rejected = 0;
  std::int64_t rows_read_before = 0; ///< of the same pass, in the runs that this one resumes
  std::string last_error;            ///< of a retry under way
};

struct RunResult {
  Exit exit = Exit::kOk;
  std::string message;               ///< why it ended, one sentence; empty when all is well
  RunStatus status;                  ///< totals
  std::vector<RejectReason> reasons; ///< the commonest, at most three
  std::vector<std::pair<std::string, std::int64_t>> limited;  ///< stage and for how many ns it limited
  std::string rejects_file;          ///< when it holds rows
  std::vector<std::string> next;     ///< commands that resume, replay or look, ready to paste
};

struct RunOptions {
  std::string state_dir;             ///< overrides; empty: ETL_STATE_DIR, else .etl/NAME beside the file
  LogSink* log = nullptr;
  int log_level = 2;                 ///< ETL_INFO
};

/// One run or replay, on one thread; the others from any.
class Run {
 public:
  /// The config must outlive the run.
  Run(const PipelineConfig& config, RunOptions options);
  ~Run();
  /// Never throws.
  RunResult Execute();
  /// `etl rejects replay` instead: gives rejected rows back to the stage that refused them.  Rows that are delivered leave
  /// the file; after a Stop() the others stay in it.  Never throws.
  RunResult Replay();
  RunStatus Status() const;
  /// Drain and save; the exit code will be 128 + signal.  Safe from any thread (not from a signal handler).
  void Stop(int signal);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// `etl check`: what the components that are ETL_LOCAL find on this machine.  `connect`: reaches every system, and checks the schemas along the chain.
/// Every problem found.
std::vector<Problem> CheckStages(const PipelineConfig& config, const RunOptions& options, bool connect);

/// `etl plan`.
struct PlannedSplit {
  std::string id;
  std::int64_t rows = -1, bytes = -1;
  std::string standing;              ///< "to do", "done", "resumes at …"
};
struct PlanReport {
  std::string schema;                ///< of the source, as text
  std::vector<std::string> schemas;  ///< after each transform
  std::vector<PlannedSplit> splits;
  bool truncated = false;            ///< only the first `most` were asked for
  std::int64_t rows = -1;            ///< estimated in all
  std::string standing;              ///< "nothing has run yet", "run 3 was interrupted: …"
  std::vector<std::pair<std::string, std::string>> foreseen;   ///< what the source says that reading will cost
};
/// `write`: where to save the source's plan; empty: nowhere.
PlanReport PlanPipeline(const PipelineConfig& config, const RunOptions& options, std::size_t most, const std::string& write);

/// `etl preview`: the first n rows through the transforms, one JSON object a line for each sink that `when` lets it to.
/// Writes nothing but to `emit`.
void PreviewPipeline(const PipelineConfig& config, const RunOptions& options, std::int64_t n,
                     const std::function<void(const std::string& line)>& emit);

/// Host version, as etl_host.version and `etl --version`.
const char* Version();

}  // namespace etl::host
