// The one exception type inside the host, and the exit codes of the product.
#pragma once
#include <stdexcept>
#include <string>

namespace etl::host {

enum class Exit {
  kOk = 0,
  kInternal = 1,        ///< a bug of ours
  kConfig = 2,          ///< command line or pipeline file wrong; nothing was read or written
  kRejected = 3,        ///< finished, but rows are among the rejects
  kSource = 4,          ///< a source or a transform stopped the run for good
  kSink = 5,            ///< a sink stopped the run for good
  kRetriesUsedUp = 6,   ///< run again to resume
  kState = 7,           ///< state or rejects unusable, corrupt, or of something else
  kBusy = 8,            ///< another run holds the pipeline, or this one was fenced
  kPlugin = 9,          ///< a plugin was refused
  kDifferent = 10,      ///< verification found a difference
  kRejectStop = 11,     ///< rejected rows stopped the run
  kInterrupted = 130,   ///< SIGINT, state saved
  kTerminated = 143,    ///< SIGTERM, state saved
};

/// What ends a command: one sentence that says what, where and what next.  Each layer that can adds one phrase.
class Error : public std::runtime_error {
 public:
  Error(Exit exit, const std::string& message) : std::runtime_error(message), exit_(exit) {}
  Exit exit() const { return exit_; }

 private:
  Exit exit_;
};

}  // namespace etl::host
