// Shows a run while it goes on, and keeps its latest status for who asks.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "console.h"
#include "run/run.h"

namespace etl::cli {

enum class ProgressMode {
  kLive,   ///< a view redrawn in place, five times a second
  kLines,  ///< a plain line every ten seconds
  kNone
};

/// The only caller of Run::Status(), whose `busy` is that since the call before.
class Progress {
 public:
  Progress(Console& console, ProgressMode mode, bool colour = false)
      : console_(console), mode_(mode), colour_(colour) {}
  ~Progress() { Stop(); }

  /// Looks at the run from a thread of its own until Stop().
  void Start(std::function<host::RunStatus()> status);
  /// Ends the thread and takes the view away.
  void Stop();

  /// One look.  Called by the thread; by tests too.
  void Step(host::RunStatus status);
  /// Any thread; `busy` is that of the last seconds.
  host::RunStatus Latest() const;

 private:
  Console& console_;
  const ProgressMode mode_;
  const bool colour_;
  std::deque<host::RunStatus> recent_;  ///< of the last seconds
  std::int64_t next_line_ns_ = 0;
  host::RunStatus line_before_;

  mutable std::mutex mutex_;  ///< over latest_, stop_
  std::condition_variable wake_;
  host::RunStatus latest_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace etl::cli
