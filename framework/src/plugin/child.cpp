#include "child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <system_error>

namespace etl::host {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kReturnedCode = 0, kThrewCode = 119;

void PrepareChild(bool quiet, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (int signal = 1; signal < SIGRTMIN; ++signal) ::signal(signal, SIG_DFL);
  sigset_t all;
  sigemptyset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  if (!quiet) return;
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
  if (null > 2) ::close(null);
}

[[noreturn]] void RunChild(int out, const std::function<std::string()>& body) {
  std::string text;
  int code = kReturnedCode;
  try {
    text = body();
  } catch (const std::exception& error) {
    text = error.what();
    code = kThrewCode;
  }
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t n = ::write(out, text.data() + sent, text.size() - sent);
    if (n < 0 && errno != EINTR) ::_exit(kThrewCode);
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
  ::close(out);
  ::_exit(code);
}

/// Appends what there is; false at the end of the pipe.
bool Drain(int pipe, std::string& output) {
  char block[65536];
  for (;;) {
    const ssize_t n = ::read(pipe, block, sizeof block);
    if (n > 0) output.append(block, static_cast<std::size_t>(n));
    if (n == 0) return false;
    if (n < 0 && errno != EINTR) return errno == EAGAIN;
  }
}

bool HasEnded(pid_t child) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

/// Reads until the child ends; false when its time was up first.
bool Await(pid_t child, int pipe, Clock::time_point deadline, std::string& output) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  pollfd fds[] = {{pipe, POLLIN, 0}, {pidfd, POLLIN, 0}};
  bool ended = false;
  for (;;) {
    ended = HasEnded(child);
    if (fds[0].fd >= 0 && !Drain(pipe, output)) fds[0].fd = -1;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (ended || left <= 0) break;
    const auto slice = pidfd >= 0 ? left + 1 : std::min<std::int64_t>(left + 1, 10);  // old kernels have no pidfd
    ::poll(fds, 2, static_cast<int>(std::min<std::int64_t>(slice, 1'000'000)));
  }
  if (pidfd >= 0) ::close(pidfd);
  return ended;
}

}  // namespace

std::string ChildEnd::Text() const {
  switch (how) {
    case kReturned: return "returned";
    case kExited: return fmt::format("ended the process with exit code {}", code);
    case kSignalled: return fmt::format("was killed by signal {} ({})", code, ::strsignal(code));
    case kTimedOut: return "did not end in time";
  }
  return {};
}

ChildEnd RunInChild(const ChildLimits& limits, const std::function<std::string()>& body) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "making a pipe");
  std::fflush(nullptr);  // or the child would print again what still waits here
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) {
    const int reason = errno;
    ::close(pipe[0]);
    ::close(pipe[1]);
    throw std::system_error(reason, std::generic_category(), "starting a child process");
  }
  if (child == 0) {
    ::close(pipe[0]);
    PrepareChild(limits.quiet, parent);
    RunChild(pipe[1], body);
  }
  ::close(pipe[1]);
  ::setpgid(child, child);  // in both, so that it is true whoever runs first
  ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  ChildEnd end;
  const bool ended = Await(child, pipe[0], Clock::now() + limits.time, end.output);
  ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::close(pipe[0]);
  if (!ended)
    end.how = ChildEnd::kTimedOut;
  else if (WIFSIGNALED(status))
    end.how = ChildEnd::kSignalled, end.code = WTERMSIG(status);
  else if (WEXITSTATUS(status) == kThrewCode)
    throw std::runtime_error(end.output);
  else if (WEXITSTATUS(status) != kReturnedCode)
    end.how = ChildEnd::kExited, end.code = WEXITSTATUS(status);
  return end;
}

}  // namespace etl::host
