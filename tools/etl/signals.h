// SIGINT, SIGTERM and SIGHUP of a command that runs a pipeline.
#pragma once
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace etl::cli {

/// Made before the threads of the run, so that all of them leave the signals to the one in here.
/// The first signal asks the run to stop; a second one, the first where nothing runs, and the end
/// of the grace period leave at once: what is saved stands.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// `stop` is given SIGINT or SIGTERM (which SIGHUP counts as); `leaving` hears why the process
  /// ends at once.
  void Attach(std::function<void(int)> stop, std::int64_t grace_ns,
              std::function<void(const char*)> leaving);
  /// From now on nothing needs to be stopped.
  void Detach();

 private:
  void Loop();
  [[noreturn]] void Leave(int signal, const char* why);

  int signals_ = -1, end_ = -1;  ///< a signalfd, an eventfd
  std::mutex mutex_;
  std::function<void(int)> stop_;
  std::function<void(const char*)> leaving_;
  std::int64_t grace_ns_ = 0;
  std::thread thread_;
};

}  // namespace etl::cli
