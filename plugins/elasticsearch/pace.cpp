// SPDX-License-Identifier: Apache-2.0
#include "pace.h"

#include <algorithm>

namespace etl::elasticsearch {
namespace {

// Between 1 and 16 MiB, and from 2 requests on, most clusters are about as fast: the climb stays there, overload may leave it.
constexpr std::size_t kLeastBytes = 128 << 10, kLeastClimbed = 1 << 20, kMostBytes = 16 << 20, kFirstBytes = 4 << 20;
constexpr std::size_t kFirstConcurrency = 3, kMostConcurrency = 16, kMostRows = 20'000;
constexpr std::int64_t kWindow = 2'000'000'000, kSlow = 5'000'000'000;   // ns
constexpr double kBetter = 1.05;

}  // namespace

Pace::Pace(PaceOptions o)
    : fixed_(o), bytes_(o.bytes ? o.bytes : kFirstBytes), concurrency_(o.concurrency ? o.concurrency : kFirstConcurrency), cap_(SIZE_MAX) {}

std::size_t Pace::bytes() const {
  const std::lock_guard lock(mutex_);
  return std::min(bytes_, cap_);
}
std::size_t Pace::rows() const { return fixed_.rows ? fixed_.rows : kMostRows; }
std::size_t Pace::concurrency() const {
  const std::lock_guard lock(mutex_);
  return concurrency_;
}
std::size_t Pace::cap() const {
  const std::lock_guard lock(mutex_);
  return cap_;
}

void Pace::Cap(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  cap_ = std::min(cap_, std::max<std::size_t>(bytes, 1));
}

void Pace::Overload(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  // What flew at the same time fails for the same reason: once is enough.
  if (now - overloaded_at_ < kWindow / 4) return;
  overloaded_at_ = now;
  if (!fixed_.concurrency && concurrency_ > 1) concurrency_ = (concurrency_ + 1) / 2;
  else if (!fixed_.bytes) bytes_ = std::max(bytes_ / 2, kLeastBytes);
  trying_ = false;
  best_ = 0;
  rest_ = 5;
  began_ = 0;
}

void Pace::Delivered(std::size_t bytes, std::size_t, std::int64_t elapsed, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (fixed_.bytes && fixed_.concurrency) return;
  if (!began_) {
    began_ = now;
    window_bytes_ = window_requests_ = 0;
    slowest_ = 0;
    return;
  }
  window_bytes_ += bytes;
  ++window_requests_;
  slowest_ = std::max(slowest_, elapsed);
  if (now - began_ < kWindow || window_requests_ < 3 * concurrency_) return;
  const double rate = static_cast<double>(window_bytes_) / static_cast<double>(now - began_);
  began_ = 0;
  Turn(rate);
}

void Pace::Apply(int knob, bool up) {
  if (knob == 0) concurrency_ = up ? concurrency_ + 1 : concurrency_ - 1;
  else bytes_ = up ? bytes_ + bytes_ / 2 : bytes_ * 2 / 3;
  concurrency_ = std::clamp(concurrency_, std::min<std::size_t>(2, concurrency_before_), kMostConcurrency);
  bytes_ = std::clamp(bytes_, std::min(kLeastClimbed, bytes_before_), kMostBytes);
}

void Pace::Turn(double rate) {
  if (slowest_ > kSlow && !fixed_.bytes && bytes_ > kLeastBytes) {
    // Answers that take so long come near the time-outs on the way.
    bytes_ = std::max(bytes_ / 2, kLeastBytes);
    trying_ = false;
    best_ = 0;
    return;
  }
  if (trying_ && rate < best_ * kBetter) {
    bytes_ = bytes_before_;
    concurrency_ = concurrency_before_;
    trying_ = false;
    // The other direction next, then the other knob.
    if (up_) up_ = false;
    else up_ = true, knob_ = 1 - knob_;
    rest_ = 1;
    return;
  }
  const bool gained = trying_;
  best_ = gained ? rate : best_ * 0.5 + rate * (best_ > 0 ? 0.5 : 1);
  trying_ = false;
  if (!gained && rest_ > 0) return --rest_, void();
  if (fixed_.bytes) knob_ = 0;
  if (fixed_.concurrency) knob_ = 1;
  bytes_before_ = bytes_;
  concurrency_before_ = concurrency_;
  Apply(knob_, up_);
  trying_ = bytes_ != bytes_before_ || concurrency_ != concurrency_before_;
  if (!trying_) up_ = !up_, rest_ = 1;
}

}  // namespace etl::elasticsearch
