// `etl tune`: which options of a sink are fastest for this pipeline's own rows, tried out on a scratch target.
#pragma once
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "../config/config.h"
#include "run.h"

namespace etl::host {

class Engine;

struct TuneOptions {
  std::int64_t rows = 100'000;
  std::int64_t time_ns = 600'000'000'000;   ///< for all measurements together
  std::string stage;                        ///< "sink[1]"; empty: the only sink that can be tuned
  /// Called before each measurement, on the thread of Execute().
  std::function<void(int done, int all)> progress;
};

/// One choice of values, and how fast it was.
struct TuneCase {
  enum class What { kFixed, kAutomatic, kFile } what = What::kFixed;   ///< kAutomatic: the defaults; kFile: as the pipeline file has it
  std::vector<std::string> values;          ///< of TuneReport::options, as in --set; of a fixed one
  int writers = 1;
  double rows_per_second = 0;               ///< median
  int measurements = 0;                     ///< 0: there was no time for it
  bool final = false;                       ///< measured anew, against the other fastest ones; the figures are from there
  std::int64_t rejected = 0;                ///< rows that the target refused, in one measurement
};

struct TuneReport {
  std::string pipeline, stage, type;
  std::int64_t rows = 0, bytes = 0;         ///< that were written each time
  std::vector<std::string> options;
  std::vector<TuneCase> cases;              ///< with one writer
  std::vector<TuneCase> writers;            ///< the best of them with more writers; its own figure is the first
  bool time_up = false;
  /// Indexes into `cases`; -1: there is none.
  int best = -1, automatic = -1, file = -1;
  int best_writers = -1;                    ///< index into `writers`
  /// The best values, as TOML: what --write puts into the file.
  std::vector<std::pair<std::string, std::string>> advice;
};

/// One experiment.  The table, topic or file that the pipeline names is never touched.
class Tuner {
 public:
  /// The pipeline file with these `--set`s beside the user's own.
  using Load = std::function<PipelineConfig(const std::vector<std::string>& sets)>;
  Tuner(Load load, RunOptions run, TuneOptions options);
  /// Throws Error; the scratch target is removed in any case.
  TuneReport Execute();
  /// Any thread: ends the measurement under way, and Execute() with Error(kInterrupted or kTerminated).
  void Stop(int signal);

 private:
  class Under;
  friend struct TuneRun;
  const Load load_;
  const RunOptions run_;
  const TuneOptions options_;
  std::mutex mutex_;              // over the two below
  Engine* engine_ = nullptr;      // that is at work
  int signal_ = 0;
};

}  // namespace etl::host
