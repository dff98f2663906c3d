// Runs foreign code in a child process, so that what it does ends there.
#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace etl::host {

struct ChildEnd {
  enum How { kReturned, kThrew, kExited, kSignalled, kTimedOut, kTooMuchMemory, kTooMuchOutput } how = kReturned;
  int code = 0;        ///< exit code or signal
  std::string output;  ///< what `body` returned (or wrote before it was cut off), or what it threw

  /// How it ended when not by returning: "was killed by signal 11 (Segmentation fault)".
  std::string Text() const;
};

struct ChildLimits {
  std::chrono::milliseconds time{10'000};
  bool quiet = true;               ///< standard input and output are /dev/null
  std::size_t memory = 4ull << 30; ///< resident bytes
};

/// Forks, runs `body` and hands back the text it returns.  The child has its own process group, which is killed whole when
/// the time is up, the memory is used up or the child has ended; it leaves no core file, fills no disk, and its signal
/// handlers are the default ones.  `body` may
/// not rely on other threads of this process: call this before they start, or let it use no lock that one may hold.
/// Throws std::system_error where no process can be made.
ChildEnd RunInChild(const ChildLimits& limits, const std::function<std::string()>& body);

}  // namespace etl::host
