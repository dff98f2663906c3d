// A monotonic clock that moves only when a test turns its crank.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace etl::test {

/// Stands at zero until Advance.  Any thread may call anything.  Code under test waits on it as it
/// would on the real clock; the test first sees with AwaitWaiters that it does wait, then turns the
/// crank.
class FakeClock {
 public:
  using Duration = std::chrono::nanoseconds;

  FakeClock() = default;
  FakeClock(const FakeClock&) = delete;
  FakeClock& operator=(const FakeClock&) = delete;

  Duration Now() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }

  /// Moves time on by `step` (never back) and wakes those whose time has come.
  void Advance(Duration step) {
    const std::lock_guard lock(mutex_);
    if (step > Duration::zero()) now_ += step;
    changed_.notify_all();
  }

  /// Blocks until the clock shows `when` or Interrupt is called; true when the time came.
  bool WaitUntil(Duration when) {
    std::unique_lock lock(mutex_);
    const auto interrupts = interrupts_;
    ++waiters_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return now_ >= when || interrupts_ != interrupts; });
    --waiters_;
    changed_.notify_all();
    return now_ >= when;
  }

  bool WaitFor(Duration span) { return WaitUntil(Now() + span); }

  /// Wakes all who wait now, before their time.
  void Interrupt() {
    const std::lock_guard lock(mutex_);
    ++interrupts_;
    changed_.notify_all();
  }

  /// Blocks until exactly `count` threads wait on this clock; false when that did not happen within
  /// `limit` of real time.
  bool AwaitWaiters(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return waiters_ == count; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Duration now_{0};
  std::size_t waiters_ = 0;
  std::size_t interrupts_ = 0;
};

}  // namespace etl::test
