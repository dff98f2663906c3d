// Starting programs from tests: run one to its end, or hold one that is to be signalled.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace etl::test {

struct Command {
  std::vector<std::string> argv{};  ///< argv[0] is looked up in PATH when it has no slash
  std::vector<std::string>
      env{};            ///< "NAME=value", over the environment of the test; "NAME" takes it away
  std::string cwd{};    ///< empty: that of the test
  std::string input{};  ///< what the program reads on its standard input
  std::chrono::milliseconds time_limit = std::chrono::seconds(60);
};

/// How a program ended.
struct Ending {
  int exit_code = -1;  ///< -1 when a signal ended it
  int signal = 0;      ///< 0 when it ended by itself
  std::chrono::nanoseconds took{0};
};

/// "exit code 3" or "signal 9 (Killed)".
std::string Describe(const Ending& ending);

/// A started program, in a process group of its own.  When the object goes, what is left of the
/// group is killed. Not for use by several threads at once.
class Process {
 public:
  /// Starts it on the given descriptors, which stay the caller's; throws std::runtime_error when it
  /// cannot be started.
  Process(const Command& command, int in, int out, int err);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  /// Becomes readable when the program has ended; for poll.
  int descriptor() const { return pidfd_; }
  std::chrono::steady_clock::time_point started() const { return started_; }

  /// Waits until the program has ended or the time has come; true when it has ended.
  bool WaitUntil(std::chrono::steady_clock::time_point deadline);
  /// Waits until SIGSTOP has taken effect; false when the program ended instead or the time came.
  bool WaitUntilStopped(std::chrono::steady_clock::time_point deadline);
  /// Signals the program alone, not its children; false when it had ended already.
  bool Signal(int signal);
  /// Signals the whole group.
  void SignalGroup(int signal);
  /// How it ended; waits for it.
  Ending Join();

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
  bool joined_ = false;
  Ending ending_;
  std::chrono::steady_clock::time_point started_;
};

struct Finished : Ending {
  bool timed_out = false;  ///< the time limit passed and the group was killed
  std::string out;
  std::string err;
};

/// Runs a program to its end, through pipes, and returns all that it said.
Finished RunProcess(const Command& command);

}  // namespace etl::test
