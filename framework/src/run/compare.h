// `etl verify`: is what the sink has written what the source gives?
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../config/config.h"
#include "compare_table.h"
#include "run.h"

namespace etl::host {

class Engine;

struct VerifyOptions {
  std::string stage;                        ///< "sink[1]"; empty: the only sink that can be verified
  double sample = 1;                        ///< of the keys, 0 to 1
  bool repair = false;
  bool ignore_extra = false;                ///< rows that the source does not give are nobody's business
  /// Called now and then, on the thread of Execute(): what is going on, and how many rows so far.
  std::function<void(const std::string& doing, std::int64_t rows)> progress;
  /// Each difference found, in no certain order.  After a repair those that remain come with `remains`.
  std::function<void(const Difference&, bool remains)> found;
};

/// One comparison.
struct VerifyRound {
  std::int64_t expected = 0, stored = 0;    ///< rows; of the sample
  std::int64_t missing = 0, changed = 0, extra = 0, unreadable = 0;
  std::int64_t repeated = 0;                ///< keys of several rows, of which the sink keeps one: no difference
  std::vector<Difference> first;            ///< some of them, by kind and key
  bool extra_ignored = false;
  std::int64_t differences() const { return missing + changed + unreadable + (extra_ignored ? 0 : extra); }
};

struct VerifyReport {
  std::string pipeline, stage, type;
  double sample = 1;
  std::vector<std::string> keys;            ///< empty: rows are told apart by all they hold
  std::vector<std::string> unseen;          ///< columns that the sink does not write, and so are not compared
  VerifyRound round;
  bool repaired = false;                    ///< rows were written again
  std::int64_t written = 0, refused = 0;    ///< by the repair
  std::string unrepaired;                   ///< why some were not even tried; empty: all were
  VerifyRound after;                        ///< what is there after the repair
  bool equal() const { return (repaired ? after : round).differences() == 0; }
};

/// One verification.  Memory does not grow with the number of rows, unless most of them differ.
class Verifier {
 public:
  static constexpr std::size_t kFirst = 1000;      ///< most of VerifyRound::first
  static constexpr std::size_t kMostKeys = 1 << 20;  ///< that a repair holds in memory
  Verifier(PipelineConfig config, RunOptions run, VerifyOptions options);
  /// Throws Error.  Without `repair` nothing is written.
  VerifyReport Execute();
  /// Any thread: ends Execute() with Error(kInterrupted or kTerminated).
  void Stop(int signal);

 private:
  friend struct VerifyRun;
  class Under;
  PipelineConfig config_;         // with the sink to verify as its only one
  const RunOptions run_;
  const VerifyOptions options_;
  std::mutex mutex_;              // over those below
  Engine* engine_ = nullptr;      // that is at work
  std::function<void()> interrupt_;   // ends what the reader is at
  int signal_ = 0;
};

}  // namespace etl::host
