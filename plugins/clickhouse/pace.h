// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/sdk.h>

#include <condition_variable>
#include <mutex>

namespace etl::clickhouse {

/// A budget of requests that all readers share: so many a second, and so many at a time.  Any thread.
class Pace {
 public:
  /// 0: no limit.
  void Set(double per_second, std::int64_t at_a_time) {
    per_second_ = per_second;
    at_a_time_ = at_a_time;
  }
  /// One request's share; given back when it goes.
  class Turn {
   public:
    Turn(Pace& pace, const Host& host) : pace_(pace) { pace_.Wait(host); }
    ~Turn() { pace_.Leave(); }
    Turn(const Turn&) = delete;

   private:
    Pace& pace_;
  };

 private:
  void Wait(const Host& host) {
    std::chrono::nanoseconds at{0};
    {
      std::unique_lock lock(mutex_);
      while (at_a_time_ > 0 && running_ >= at_a_time_) {
        if (host.Cancelled()) throw Cancelled();
        left_.wait_for(lock, std::chrono::milliseconds(50));
      }
      if (per_second_ > 0) {
        const auto now = host.Now();
        at = std::max(next_, now);
        next_ = at + std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / per_second_));
      }
      ++running_;
    }
    try {
      if (const auto now = host.Now(); at > now) host.Wait(at - now);
    } catch (...) {
      Leave();
      throw;
    }
  }
  void Leave() {
    const std::lock_guard lock(mutex_);
    --running_;
    left_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable left_;
  double per_second_ = 0;
  std::int64_t at_a_time_ = 0, running_ = 0;
  std::chrono::nanoseconds next_{0};
};

}  // namespace etl::clickhouse
