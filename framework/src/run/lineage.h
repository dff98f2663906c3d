// Which source batch a row belongs to, and when a source batch is settled: what positions may be saved rests on this.
//
// A source batch (Origin) is settled when each part made of it is: every Flow that carries rows of it holds one part, and
// gives it up by Settle().  A Flow that is dropped without Settle() loses its parts: their origins never count as settled,
// so no fault on the way can let a position pass rows that did not arrive.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <condition_variable>
#include <string>
#include <vector>

#include "../data/batch.h"
#include "../state/store.h"

namespace etl::host {

class SplitTracker;

/// One batch as the source gave it.
struct Origin {
  SplitTracker* split = nullptr;
  std::uint64_t seq = 0;
  std::int64_t rows = 0;
  std::string position;                    ///< after it
  std::atomic<std::int32_t> unsettled{0};  ///< parts not yet settled
  std::atomic<std::int32_t> undelivered{0};  ///< parts not yet given to a transactional sink
  std::atomic<bool> lost{false};
};
using OriginRef = std::shared_ptr<Origin>;

/// Where each row of a Flow comes from; null pointers stand for "row i is row i of origin 0".
struct Trace {
  std::vector<std::uint32_t> row;      ///< row in its origin
  std::vector<std::uint32_t> origin;   ///< index into Flow::origins; empty = all 0
};

/// Rows on their way, and the parts of source batches that they stand for.  Moves; not copied.
class Flow {
 public:
  Flow() = default;
  /// Adds a part to each origin.
  Flow(std::shared_ptr<SharedArray> array, std::vector<OriginRef> origins, std::shared_ptr<const Trace> trace);
  Flow(Flow&& other) noexcept = default;
  Flow& operator=(Flow&& other) noexcept {
    Lose();
    array = std::move(other.array);
    trace = std::move(other.trace);
    origins_ = std::move(other.origins_);
    delivered_ = other.delivered_;
    more = other.more;
    return *this;
  }
  ~Flow() { Lose(); }

  /// The same rows for another consumer.
  Flow Again() const {
    Flow again(array, origins_, trace);
    again.more = more;
    return again;
  }
  /// Each row is delivered, filtered on purpose, or among the rejects.
  void Settle();
  /// Given to a transactional sink: what it commits next includes these rows.
  void Deliver();
  /// Its rows will not arrive in this run.
  void Lose();

  const std::vector<OriginRef>& origins() const { return origins_; }
  std::int64_t rows() const { return array ? array->rows() : 0; }
  /// Origin and row in it of row i.
  std::pair<OriginRef, std::int64_t> Source(std::int64_t i) const;

  std::shared_ptr<SharedArray> array;
  std::shared_ptr<const Trace> trace;
  bool more = false;   ///< the rest of what the source gave as one batch comes next

 private:
  std::vector<OriginRef> origins_;
  bool delivered_ = false;
};

/// One split of this run: which of its batches are settled, and the low watermark below which all are.  Thread-safe.
class SplitTracker {
 public:
  /// `window`: how many batches a reader may be ahead of the watermark.
  SplitTracker(SplitState start, std::size_t window) : state_(std::move(start)), window_(window), next_(state_.seq), delivered_(state_.seq) {}

  const std::string& id() const { return state_.id; }
  /// A new batch, with one part held by the returned Flow.
  Flow Begin(std::shared_ptr<SharedArray> array, std::string position);
  /// Waits until the reader is less than a window ahead; false when `stop` says so (Nudge() makes it look again).
  bool WaitForRoom(const std::function<bool()>& stop);
  bool NearlyFull() const;
  void Nudge();
  /// The reader said END.
  void End();

  /// As it may be saved: position and counts at the watermark; done when ended and all is settled.
  SplitState Saved() const;
  bool Settled() const;   ///< every batch begun is settled
  /// The newest position whose batches, and all before them, are given to the transactional sink; false when it was taken
  /// before.
  bool TakeMark(std::string& position, std::uint64_t& seq);
  std::uint64_t first_seq() const { return first_; }

 private:
  friend class Flow;
  void OriginSettled();
  void OriginDelivered();

  mutable std::mutex mutex_;
  std::condition_variable room_;
  SplitState state_;                    // at the watermark
  const std::size_t window_;
  std::uint64_t next_;                  // seq of the next batch
  const std::uint64_t first_ = state_.seq;
  std::deque<OriginRef> open_;          // from the watermark on, in order
  std::uint64_t delivered_;             // batches below it are given to the transactional sink
  std::uint64_t mark_taken_ = 0;
  std::string delivered_position_;
  bool ended_ = false;
};

}  // namespace etl::host
