#include "lineage.h"

#include <cassert>

namespace etl::host {

Flow::Flow(std::shared_ptr<SharedArray> a, std::vector<OriginRef> origins, std::shared_ptr<const Trace> t)
    : array(std::move(a)), trace(std::move(t)), origins_(std::move(origins)) {
  for (const OriginRef& o : origins_) {
    o->unsettled.fetch_add(1, std::memory_order_relaxed);
    o->undelivered.fetch_add(1, std::memory_order_relaxed);
  }
}

void Flow::Deliver() {
  if (delivered_) return;
  delivered_ = true;
  for (const OriginRef& o : origins_) {
    if (o->undelivered.fetch_sub(1, std::memory_order_acq_rel) == 1) o->split->OriginDelivered();
  }
}

void Flow::Settle() {
  Deliver();
  const std::vector<OriginRef> origins = std::move(origins_);
  origins_.clear();
  for (const OriginRef& o : origins) {
    if (o->unsettled.fetch_sub(1, std::memory_order_acq_rel) == 1) o->split->OriginSettled();
  }
  array.reset();
}

void Flow::Lose() {
  for (const OriginRef& o : origins_) o->lost.store(true, std::memory_order_release);
  origins_.clear();
}

std::pair<OriginRef, std::int64_t> Flow::Source(std::int64_t i) const {
  if (origins_.empty()) return {nullptr, -1};
  if (!trace) return {origins_[0], i};
  const auto at = static_cast<std::size_t>(i);
  return {origins_[trace->origin.empty() ? 0 : trace->origin[at]], trace->row[at]};
}

Flow SplitTracker::Begin(std::shared_ptr<SharedArray> array, std::string position) {
  auto origin = std::make_shared<Origin>();
  origin->split = this;
  origin->rows = array->rows();
  origin->position = std::move(position);
  Flow flow(std::move(array), {origin}, nullptr);   // counted before it is seen: an open batch that nothing counts is a settled one
  const std::lock_guard lock(mutex_);
  origin->seq = next_++;
  open_.push_back(std::move(origin));
  return flow;
}

bool SplitTracker::WaitForRoom(const std::function<bool()>& stop) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return open_.size() < window_ || stop(); });
  return open_.size() < window_;
}

bool SplitTracker::NearlyFull() const {
  const std::lock_guard lock(mutex_);
  return open_.size() * 2 >= window_;
}

void SplitTracker::Nudge() {
  const std::lock_guard lock(mutex_);
  room_.notify_all();
}

void SplitTracker::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
}

void SplitTracker::OriginSettled() {
  const std::lock_guard lock(mutex_);
  while (!open_.empty()) {
    const OriginRef& first = open_.front();
    if (first->lost.load(std::memory_order_acquire) || first->unsettled.load(std::memory_order_acquire) != 0) break;
    assert(first->seq == state_.seq && "the watermark moves batch by batch");
    state_.position = std::move(first->position);
    state_.seq = first->seq + 1;
    state_.rows_read += first->rows;
    open_.pop_front();
  }
  room_.notify_all();
}

void SplitTracker::OriginDelivered() {
  const std::lock_guard lock(mutex_);
  for (const OriginRef& o : open_) {
    if (o->seq < delivered_) continue;
    if (o->lost.load(std::memory_order_acquire) || o->undelivered.load(std::memory_order_acquire) != 0) break;
    delivered_ = o->seq + 1;
    delivered_position_ = o->position;
  }
}

bool SplitTracker::TakeMark(std::string& position, std::uint64_t& seq) {
  const std::lock_guard lock(mutex_);
  if (delivered_ <= mark_taken_ || delivered_ <= first_) return false;
  mark_taken_ = seq = delivered_;
  position = delivered_position_;
  return true;
}

SplitState SplitTracker::Saved() const {
  const std::lock_guard lock(mutex_);
  SplitState s = state_;
  s.done = ended_ && open_.empty();
  return s;
}

bool SplitTracker::Settled() const {
  const std::lock_guard lock(mutex_);
  return open_.empty();
}

}  // namespace etl::host
