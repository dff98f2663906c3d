// The run itself: stages, threads, queues, saving.
//
//   readers --> segment 0 --> ... --> segment n --> one queue for each sink --> writers
//
// A segment is a run of transforms that a pool of threads takes batches through one after the other; one that holds rows
// (ETL_HOLDS) begins a segment of its own.  Everything between is a ByteQueue, so a slow stage slows the ones before it.
#pragma once
#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "../data/batch.h"
#include "../state/rejects.h"
#include "../state/store.h"
#include "instance.h"
#include "lineage.h"
#include "queue.h"
#include "splits.h"

namespace etl::host {

class Engine;

/// A stage's head and what its threads share.
struct Stage {
  const StageConfig* config = nullptr;
  StageCounters counters;
  std::unique_ptr<HostSide> side;
  std::unique_ptr<Head> head;
  SchemaHandle in, out;          ///< in: of a transform and sink; out: of a source and transform, plain where it must be
  SchemaHandle raw;              ///< out as the plugin says it, where that is not plain; else empty
  int workers = 1;
  std::string in_json;           ///< SchemaToJson(in), for rejects
  bool has(std::uint32_t flag) const { return (config->component->table.flags & flag) != 0; }
};

/// A run of transforms that one pool of threads serves.
struct Segment {
  Segment(std::size_t f, std::size_t l, std::int64_t limit) : first(f), last(l), queue(limit) {}
  std::size_t first, last;       ///< transforms [first, last)
  bool holds = false;
  int threads = 1;
  ByteQueue<Flow> queue;
  std::atomic<int> running{0};
  std::atomic<int> flush_due{0};  ///< of a holding one: how many of its threads are to hand on what they hold
};

/// Puts the batches of a split back in order in front of a sink that wants them so.
class Reorder {
 public:
  /// Hands over what came of batch `seq` of a split; `push` gets flows in order, one call at a time.
  void Put(SplitTracker* split, std::uint64_t seq, std::vector<Flow> flows, const std::function<void(Flow)>& push);

 private:
  std::mutex mutex_;
  struct Line {
    std::uint64_t next;
    std::map<std::uint64_t, std::vector<Flow>> early;
  };
  std::map<SplitTracker*, Line> lines_;
};

class Writer;
class TransformSide;
class SourceSide;

/// Most bytes of a queue between two stages.
std::int64_t QueueBytes(const PipelineConfig& config);

struct SinkStage : Stage {
  explicit SinkStage(std::int64_t limit) : queue(limit) {}
  ByteQueue<Flow> queue;
  bool ordered = false, transactional = false;
  std::unique_ptr<StageConfig> filter_config;   // outlives filter, which refers to it
  std::unique_ptr<Stage> filter;           ///< `when`
  Reorder reorder;
  std::mutex mutex;                        ///< over writers
  std::vector<Writer*> writers;            ///< while they run
  std::atomic<int> running{0};
  bool begun = false;
};

class Engine {
 public:
  Engine(const PipelineConfig& config, RunOptions options);
  ~Engine();

  RunResult Execute();
  RunResult Replay();
  std::vector<Problem> Check(bool connect);
  PlanReport Plan(std::size_t most, const std::string& write);
  void Foresee(PlanReport& report, const std::string& write);
  std::string Standing(const State& state) const;
  void Preview(std::int64_t n, const std::function<void(const std::string& line)>& emit);
  /// `etl tune`: rows as they would reach sink number `sink`, about n of them or so many bytes, whichever is less.  They
  /// live no longer than the engine.  Sinks are made, and nothing is written.
  std::vector<std::shared_ptr<SharedArray>> Collect(std::size_t sink, std::int64_t n, std::int64_t bytes);
  /// `etl tune`: writes rows with the pipeline's only sink, for about `longest` at most; the rest is left out.
  struct Trial {
    std::int64_t rows = 0, rejected = 0, elapsed_ns = 0;
  };
  Trial Write(const ArrowSchema& schema, const std::vector<std::shared_ptr<SharedArray>>& rows, std::int64_t longest_ns);
  /// `etl verify`: all rows as they would reach the only sink.  `begin` is given their schema, `take` each batch; both plain.
  /// Nothing is written.  `tell`: logs how many rows are rejected on the way.
  void Pass(const std::function<void(const ArrowSchema&)>& begin, const std::function<void(const ArrowArray&)>& take, bool tell);
  /// `etl verify --repair`: writes the rows of each batch that `choose` names.  Throws Stopped when stopped.
  Trial Rewrite(const std::function<std::vector<std::int64_t>(const ArrowSchema&, const ArrowArray&)>& choose);
  RunStatus Status() const;
  void Stop(int signal);

  // ---- for the stages ----
  RunContext run;
  /// The first failure ends the run: readers stop, what was read is delivered where it can be.
  void Fail(const Error& error);
  /// A rejected row by the pipeline's policy: recorded, or false: the run stops and the row must count as lost.
  bool RejectRow(Stage& stage, const etl_reject& reject, const Flow* flow, std::int64_t row);
  bool reject_stop() const { return reject_stop_.load(); }
  void SyncRejects();
  /// An array as a plugin gave it: checked, made plain, charged to the budget.  Throws Error(kInternal).
  std::shared_ptr<SharedArray> Adopt(Stage& stage, ArrowArray* array);
  void RequestFlush();
  /// Readers wait for rows that transforms may hold: these hand them on.
  void RequestHeld();

  std::mutex save_mutex;                    ///< what is settled by a flush, and the state it gave, change together
  std::map<std::string, std::string> worker_states;
  std::unique_ptr<Splits> splits;
  Stage source;
  std::vector<std::unique_ptr<Stage>> transforms;
  std::vector<std::unique_ptr<SinkStage>> sinks;
  std::vector<std::unique_ptr<Segment>> segments;
  std::atomic<std::int64_t> filtered{0};

  /// Hands rows on from segment `next`'s queue, or to the sinks.
  void PassOn(std::size_t next, std::vector<Flow> flows, SplitTracker* split, std::uint64_t seq, bool in_order);
  void SaveNow();
  bool keeps_state() const { return mode_ == Mode::kRun || mode_ == Mode::kReplay; }

 private:
  friend class SinkHeadSide;
  void SetUp();
  void MakeSource();
  void MakeTransforms();
  void MakeSinks();
  void MakeSegments();
  void Look(const std::function<bool(Flow)>& take);   ///< rows after the transforms, until `take` says that it has enough
  void LoadState();
  void BeginSinks(std::uint32_t flags);
  void StartThreads();
  void Watch();
  void Join();
  void EndSinks(std::uint32_t outcome);
  std::uint32_t Outcome() const;
  bool AnyRejected() const;
  std::vector<std::unique_ptr<Worker>> OpenTransforms(std::size_t first, std::size_t last,
                                                      std::vector<std::unique_ptr<TransformSide>>& sides);
  void Finish(RunResult& result);
  Exit StopExit() const { return signal_ == 2 ? Exit::kInterrupted : Exit::kTerminated; }
  void CheckRejectRate(bool at_end);
  void AccountLimiter();
  Identity IdentityNow() const;
  void InterruptAll();

  void ReadLoop();
  void ReadSplit(Worker& worker, SourceSide& side, SplitTracker& split);
  void TransformLoop(std::size_t segment);
  void WriteLoop(SinkStage& sink, int number);
  void ThreadEnded(std::size_t segment);    ///< of readers: 0; of segment i: i + 1

  const PipelineConfig& config_;
  RunOptions options_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<RejectsWriter> rejects_;
  std::mutex store_mutex_;
  State state_;                             ///< what is constant during the run, and the totals before it
  std::map<std::string, SplitState> marks_;
  bool resumed_ = false;

  mutable std::mutex mutex_;                ///< over all below
  std::condition_variable changed_;
  std::optional<Error> failure_;
  int after_failure_ = 0;
  std::map<std::pair<std::string, std::string>, std::int64_t> reasons_;
  std::int64_t rejected_ = 0;
  int signal_ = 0;
  std::int64_t stopped_at_ = 0;
  std::string phase_ = "starting";
  std::atomic<bool> reject_stop_{false};
  enum class Mode { kRun, kReplay, kLook, kTune } mode_ = Mode::kRun;   ///< kLook: nothing is written, rejects are logged; kTune: they are counted
  std::atomic<int> readers_running_{0}, threads_running_{0}, readers_waiting_{0};
  std::vector<std::thread> threads_;
  std::int64_t began_ = 0;

  // Who limits: the busiest stage of the last interval.
  mutable std::mutex limiter_mutex_;
  std::vector<std::int64_t> busy_before_;
  std::vector<double> busy_now_;
  std::int64_t limiter_at_ = 0;
  int limiter_ = -1;
  std::map<int, std::int64_t> limited_ns_;
  std::vector<Stage*> AllStages() const;
};

/// Times a call to a plugin for the stage's "busy".
class Busy {
 public:
  explicit Busy(StageCounters& c) : counters_(c), begin_(std::chrono::steady_clock::now()) {}
  ~Busy() {
    counters_.busy_ns.fetch_add((std::chrono::steady_clock::now() - begin_).count(), std::memory_order_relaxed);
  }

 private:
  StageCounters& counters_;
  std::chrono::steady_clock::time_point begin_;
};

/// The head of a sink may note things that the next run needs if this one is killed.
class SinkHeadSide : public HostSide {
 public:
  SinkHeadSide(Engine& engine, const StageConfig& stage, StageCounters& counters)
      : HostSide(engine.run, stage, counters, engine.run.abort), engine_(engine) {}
  etl_status Keep(std::string_view note) override;

 private:
  Engine& engine_;
};

/// A source's worker: its rejects have no batch.
class SourceSide : public HostSide {
 public:
  SourceSide(Engine& engine)
      : HostSide(engine.run, *engine.source.config, engine.source.counters, engine.run.stop_reading), engine_(engine) {}
  void Reject(const etl_reject& reject) override;
  /// Whether a row was lost in the call just made: its batch must not count.
  bool TakeLost() { return std::exchange(lost_, false); }
  SplitTracker* split = nullptr;

 private:
  Engine& engine_;
  bool lost_ = false;
};

/// A transform's worker: where its output goes, and which inputs it holds.
class TransformSide : public HostSide {
 public:
  TransformSide(Engine& engine, Stage& stage)
      : HostSide(engine.run, *stage.config, stage.counters, engine.run.abort), engine_(engine), stage_(stage), holds_(stage.has(ETL_HOLDS)) {}
  etl_status Emit(ArrowArray* array, const std::uint64_t* origin) override;
  void Finished(std::uint64_t batch) override;
  void Reject(const etl_reject& reject) override;

  /// Takes rows in, calls apply, and returns what was emitted.  The input is settled, or held.
  std::vector<Flow> Apply(Worker& worker, Flow in);
  std::vector<Flow> Tick(Worker& worker);
  std::vector<Flow> Flush(Worker& worker, bool last = true);
  /// Takes on what one call emits while it still runs, where it is more than a queue holds.  Without it all is returned at its end.
  std::function<void(std::vector<Flow>)> pass_on;

 private:
  struct Held {
    std::uint64_t id;
    Flow flow;
    std::set<std::int64_t> rejected;
    std::vector<bool> seen;   // rows that came out
    bool all_seen = false;
  };
  Held* Find(std::uint64_t row);
  std::vector<Flow> TakeOut() {
    out_bytes_ = 0;
    return std::exchange(out_, {});
  }
  etl_status Out(Flow flow);
  void CountFiltered(const Held& in);
  void Rethrow();
  Engine& engine_;
  Stage& stage_;
  const bool holds_;
  std::map<std::uint64_t, Held> held_;   ///< by first row
  std::vector<Flow> out_;
  std::int64_t out_bytes_ = 0;
  std::exception_ptr passing_fault_;
  bool current_finished_ = false;
  Held* current_ = nullptr;
  std::uint64_t current_first_ = 0;
  std::uint64_t next_id_ = 1, next_row_ = 0;
  std::optional<Error> fault_;
};

/// A sink's worker: writes, flushes, and settles.
class Writer : public HostSide {
 public:
  Writer(Engine& engine, SinkStage& sink, int number);
  ~Writer() override;
  void Loop();
  void WriteFlow(Flow flow);
  void Flush();
  void Reject(const etl_reject& reject) override;
  void Again(std::uint64_t row) override;
  etl_status Durable() override;
  void Settled(std::uint64_t batch) override;
  std::atomic<bool> flush_due{false};

 private:
  struct Pending {
    std::uint64_t id, first_row;
    Flow flow;
    std::int64_t rows, rejected = 0;
  };
  void WriteOne(Flow flow, unsigned attempt, std::int64_t since);
  void WriteMarks();
  void Settle(std::uint64_t batch);
  void Count(const Pending& p);
  std::optional<Pending> TakePending(std::uint64_t id);
  Pending* FindRow(std::uint64_t row);   // with mutex_

  Engine& engine_;
  SinkStage& sink_;
  const std::string state_key_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<TransformSide> filter_side_;
  std::unique_ptr<Worker> filter_;
  bool HoldsMuch();
  std::mutex mutex_;                      // over pending_, again_, pending_bytes_
  std::map<std::uint64_t, Pending> pending_;   // by first row
  std::vector<std::uint64_t> again_;
  std::int64_t pending_bytes_ = 0;        // of the rows in pending_
  std::atomic<bool> settles_itself_{false}, settled_since_flush_{false};   // by settled()
  bool more_ = false;                     // of a transactional sink: it must not commit yet
  std::uint64_t next_id_ = 1, next_row_ = 0;
};

}  // namespace etl::host
