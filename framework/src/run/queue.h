// A queue between threads that is bounded in bytes.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

namespace etl::host {

/// Push waits while the queue holds `limit` bytes or more; an item larger than the limit passes alone.  Thread-safe.
template <class T>
class ByteQueue {
 public:
  explicit ByteQueue(std::int64_t limit) : limit_(limit) {}

  /// False when the queue was aborted: the item is dropped.
  bool Push(T item, std::int64_t bytes) {
    std::unique_lock lock(mutex_);
    ++pushers_waiting_;
    not_full_.wait(lock, [this] { return bytes_ < limit_ || aborted_; });
    --pushers_waiting_;
    if (aborted_) return false;
    bytes_ += bytes + kItem;
    items_.push_back({std::move(item), bytes + kItem});
    if (poppers_waiting_) not_empty_.notify_one();
    return true;
  }

  /// The next item.  Nothing: at `until`, when Wake() was called, or when the queue is closed and empty (then done()).
  std::optional<T> Pop(std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max()) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return !items_.empty() || closed_ || aborted_ || woken_; };
    if (!ready()) {
      ++poppers_waiting_;
      if (until == std::chrono::steady_clock::time_point::max()) not_empty_.wait(lock, ready);
      else not_empty_.wait_until(lock, until, ready);
      --poppers_waiting_;
    }
    woken_ = false;
    if (items_.empty() || aborted_) return std::nullopt;
    T item = std::move(items_.front().item);
    bytes_ -= items_.front().bytes;
    items_.pop_front();
    if (pushers_waiting_) not_full_.notify_one();
    return item;
  }

  /// Makes one waiting Pop return without an item.
  void Wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    not_empty_.notify_all();
  }
  /// No more will be pushed.
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    not_empty_.notify_all();
  }
  /// Drops what is in it; Push says false from now on.
  void Abort() {
    std::deque<Entry> dropped;
    const std::lock_guard lock(mutex_);
    aborted_ = true;
    dropped.swap(items_);
    bytes_ = 0;
    not_empty_.notify_all();
    not_full_.notify_all();
  }
  bool done() const {
    const std::lock_guard lock(mutex_);
    return aborted_ || (closed_ && items_.empty());
  }
  std::int64_t bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }
  std::int64_t limit() const { return limit_; }

 private:
  static constexpr std::int64_t kItem = 256;  // what an item costs besides its bytes: no endless queue of empty batches
  struct Entry {
    T item;
    std::int64_t bytes;
  };
  const std::int64_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_, not_full_;
  std::deque<Entry> items_;
  std::int64_t bytes_ = 0;
  int pushers_waiting_ = 0, poppers_waiting_ = 0;
  bool closed_ = false, aborted_ = false, woken_ = false;
};

}  // namespace etl::host
