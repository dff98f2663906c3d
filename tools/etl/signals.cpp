#include "signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <system_error>

namespace etl::cli {
namespace {

using Clock = std::chrono::steady_clock;

int MillisecondsUntil(Clock::time_point deadline) {
  if (deadline == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

}  // namespace

SignalWatch::SignalWatch() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) {
    // What the caller ignores stays ignored: nohup.
    struct sigaction now {};
    if (sigaction(s, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) continue;
    sigaddset(&set, s);
  }
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  end_ = eventfd(0, EFD_CLOEXEC);
  if (signals_ < 0 || end_ < 0)
    throw std::system_error(errno, std::generic_category(), "cannot watch for signals");
  thread_ = std::thread([this] { Loop(); });
}

SignalWatch::~SignalWatch() {
  const std::uint64_t one = 1;
  if (::write(end_, &one, sizeof one) == sizeof one)
    thread_.join();
  else
    thread_.detach();
  ::close(signals_);
  ::close(end_);
}

void SignalWatch::Attach(std::function<void(int)> stop, std::int64_t grace_ns,
                         std::function<void(const char*)> leaving) {
  const std::lock_guard lock(mutex_);
  stop_ = std::move(stop);
  grace_ns_ = grace_ns;
  leaving_ = std::move(leaving);
}

void SignalWatch::Detach() {
  const std::lock_guard lock(mutex_);
  stop_ = nullptr;
}

void SignalWatch::Leave(int signal, const char* why) {
  if (leaving_) leaving_(why);
  ::_exit(128 + signal);
}

void SignalWatch::Loop() {
  Clock::time_point deadline = Clock::time_point::max();
  int first = 0;
  for (;;) {
    std::array<pollfd, 2> wait = {pollfd{signals_, POLLIN, 0}, pollfd{end_, POLLIN, 0}};
    const int ready = ::poll(wait.data(), wait.size(), MillisecondsUntil(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (wait[1].revents != 0) return;
    const std::lock_guard lock(mutex_);
    if (ready == 0 && Clock::now() >= deadline)
      Leave(first, "the grace period is over; what was saved stands, run again to resume");
    signalfd_siginfo info{};
    if ((wait[0].revents & POLLIN) == 0 || ::read(signals_, &info, sizeof info) != sizeof info)
      continue;
    const int signal = info.ssi_signo == SIGINT ? SIGINT : SIGTERM;
    if (first != 0)
      Leave(signal, "left at the second signal; what was saved stands, run again to resume");
    if (!stop_) Leave(signal, "interrupted");
    first = signal;
    deadline = Clock::now() +
               std::chrono::nanoseconds(std::min<std::int64_t>(grace_ns_, 1'000'000'000'000'000));
    stop_(signal);
  }
}

}  // namespace etl::cli
