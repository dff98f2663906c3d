// The splits of a pass: planned lazily, given to readers, remembered for the state.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "instance.h"
#include "lineage.h"

namespace etl::host {

/// Thread-safe.  Plans on the source's head, one call at a time.
class Splits {
 public:
  Splits(const Head& head, std::size_t window) : head_(head), window_(window) {}

  /// Begins a new pass, or goes on with a saved one.  `marks`: positions that a transactional sink committed; when given,
  /// they alone say where each split stands.
  void Start(const State& state, bool fresh, const std::map<std::string, SplitState>* marks);
  /// A split that nobody reads yet; null when there is none left.  Throws what Call throws.  `unsaved`: no saved state knows it
  /// yet.  `wait` is called when the source may have one later: false gives up; without it nobody waits, and the source divides nothing.
  SplitTracker* Next(bool& unsaved, const std::function<bool()>& wait = {});
  /// Plans on for a while, so that progress has a denominator; does nothing while a reader plans.
  void PlanAhead(std::int64_t ns);

  /// Fills splits, plan_state, planned_all.
  void Save(State& state) const;
  void Saved(const State& saved);               ///< it is on disk; tells the source
  bool AllSettled() const;                      ///< all planned, all read, all settled
  void NudgeAll() const;
  /// Calls `each` for every split that has a new mark for the transactional sink.
  void TakeMarks(const std::function<void(const std::string& split, const std::string& position, std::uint64_t seq)>& each);

  struct Progress {
    std::int64_t planned = 0, done = 0, rows_estimated = 0, rows_read = 0;
    bool planned_all = false, estimated = true;
  };
  Progress progress() const;

 private:
  SplitTracker* Add(SplitState split);
  enum class Planned { kOne, kLater, kAll };
  Planned PlanOne(bool wanted);   // with plan_mutex_

  const Head& head_;
  const std::size_t window_;
  std::mutex plan_mutex_;              // over calls to the source's head
  mutable std::mutex mutex_;           // over all below
  std::map<std::string, std::unique_ptr<SplitTracker>> trackers_;
  std::map<std::string, SplitState> done_;        // finished in earlier runs of the pass
  std::map<std::string, SplitState> marks_;
  bool by_marks_ = false;
  std::deque<SplitTracker*> waiting_;
  std::set<std::string> saved_;                   // splits that a saved state knows
  std::string plan_state_;
  bool plan_begun_ = false, planned_all_ = false;
};

}  // namespace etl::host
