// SPDX-License-Identifier: Apache-2.0
/// How large requests are, and how many fly at once: fixed, or found by trying while rows are written.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace etl::elasticsearch {

struct PaceOptions {
  std::size_t rows = 0, bytes = 0, concurrency = 0;   ///< 0 = found by trying
};

/// Throughput decides: one knob is turned at a time, and turned back unless more got through.  Overload shrinks at once.
/// Any thread.
class Pace {
 public:
  explicit Pace(PaceOptions options);
  std::size_t bytes() const;           ///< of a body
  std::size_t rows() const;            ///< of a body
  std::size_t concurrency() const;
  /// A request of so many bytes was answered; `now` in ns.
  void Delivered(std::size_t bytes, std::size_t rows, std::int64_t elapsed, std::int64_t now);
  /// The cluster said that it was too much.
  void Overload(std::int64_t now);
  /// No body may be larger than this.
  void Cap(std::size_t bytes);
  std::size_t cap() const;

 private:
  void Turn(double rate);
  void Apply(int knob, bool up);

  mutable std::mutex mutex_;           // over all below
  PaceOptions fixed_;
  std::size_t bytes_, concurrency_, cap_;
  // the window under way
  std::int64_t began_ = 0, overloaded_at_ = 0;
  std::size_t window_bytes_ = 0, window_requests_ = 0;
  std::int64_t slowest_ = 0;
  // the climb
  double best_ = 0;
  bool trying_ = false;
  int knob_ = 0;                       // 0: concurrency, 1: bytes
  bool up_ = true;
  std::size_t bytes_before_ = 0, concurrency_before_ = 0;
  int rest_ = 0;                       // windows to wait before the next try
};

}  // namespace etl::elasticsearch
