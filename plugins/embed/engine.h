// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "schedule.h"

namespace etl::embed {

/// What the model did so far.
struct Figures {
  std::int64_t texts = 0, tokens = 0, padded = 0;
  double busy_seconds = 0;    ///< of calls, in units of all that run at once
};

/// Threads that take texts through the model.  One thread calls; Interrupt() any.
class Engine {
 public:
  /// What is 0 in `wanted` is found by measuring with the first texts.
  Engine(std::shared_ptr<const Model> model, Setting wanted, std::size_t window);
  ~Engine();

  /// Into the window; when that is full, on to the model.
  void Add(TextPtr text);
  /// The window to the model as it is.
  void Start();
  /// The same where the window holds few texts and the model has nothing to do: most rows have their vectors from elsewhere.
  void StartFew();
  bool window_empty() const { return window_.empty(); }
  /// Full, and as much before the model as there should be: take what is done before more is added.
  bool full() const;
  /// So little before the model that it will soon have nothing to do.
  bool hungry() const;
  bool working() const;
  /// What has its vector by now; waits up to `wait` for something.  Throws what a call to the model threw, and Cancelled after Interrupt().
  std::vector<TextPtr> Done(std::chrono::nanoseconds wait);
  void Interrupt() noexcept;

  Figures figures() const;
  /// Empty until it is settled.
  std::optional<Setting> setting() const;

 private:
  void Loop();
  void Queue(std::vector<TextPtr> texts, std::size_t tokens);
  void Measure();
  double Speed(const Setting& s, std::vector<TextPtr> texts);
  void Use(const Setting& s);

  std::shared_ptr<const Model> model_;
  Setting wanted_;
  const std::size_t most_;                 // texts of a window
  std::vector<TextPtr> window_;
  bool settled_ = false;

  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  Setting now_;
  std::shared_ptr<const Session> session_;
  std::deque<Work> queue_;
  std::vector<TextPtr> finished_;
  Figures figures_;
  int running_ = 0;
  bool stop_ = false, interrupted_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace etl::embed
