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
#include <optional>
#include <system_error>

namespace etl::host {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kReturnedCode = 0, kThrewCode = 119;
constexpr std::size_t kMostOutput = 16 << 20;
constexpr rlim_t kLargestFile = rlim_t{1} << 30;
constexpr std::int64_t kLookMs = 20;  ///< how often the child's memory is looked at

void PrepareChild(bool quiet, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const rlimit file{kLargestFile, kLargestFile};
  ::setrlimit(RLIMIT_FSIZE, &file);
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
  } catch (...) {  // it must not unwind any further: that would be a second copy of the caller
    text = "an exception of a foreign type";
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
  while (output.size() <= kMostOutput) {
    const ssize_t n = ::read(pipe, block, sizeof block);
    if (n > 0) output.append(block, static_cast<std::size_t>(n));
    if (n == 0) return false;
    if (n < 0 && errno != EINTR) return errno == EAGAIN;
  }
  return true;
}

bool HasEnded(pid_t child) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

/// Resident bytes; 0 where they cannot be read, as when it has just ended.
std::size_t MemoryOf(pid_t child) {
  const int fd = ::open(fmt::format("/proc/{}/statm", child).c_str(), O_RDONLY | O_CLOEXEC);
  char text[128] = {};
  const ssize_t n = fd < 0 ? 0 : ::read(fd, text, sizeof text - 1);
  if (fd >= 0) ::close(fd);
  unsigned long all = 0, resident = 0;
  if (n <= 0 || std::sscanf(text, "%lu %lu", &all, &resident) != 2) return 0;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Reads until the child ends or reaches a limit: kReturned stands for any end of its own.
ChildEnd::How Await(pid_t child, int pipe, const ChildLimits& limits, std::string& output) {
  const auto deadline = Clock::now() + limits.time;
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  const std::int64_t slice = pidfd >= 0 ? kLookMs : kLookMs / 2;  // old kernels have no pidfd
  pollfd fds[] = {{pipe, POLLIN, 0}, {pidfd, POLLIN, 0}};
  std::optional<ChildEnd::How> how;
  while (!how) {
    const bool ended = HasEnded(child);
    if (fds[0].fd >= 0 && !Drain(pipe, output)) fds[0].fd = -1;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (output.size() > kMostOutput)
      how = ChildEnd::kTooMuchOutput;
    else if (ended)
      how = ChildEnd::kReturned;
    else if (MemoryOf(child) > limits.memory)
      how = ChildEnd::kTooMuchMemory;
    else if (left <= 0)
      how = ChildEnd::kTimedOut;
    else
      ::poll(fds, 2, static_cast<int>(std::min<std::int64_t>(left + 1, slice)));
  }
  if (pidfd >= 0) ::close(pidfd);
  return *how;
}

}  // namespace

std::string ChildEnd::Text() const {
  switch (how) {
    case kReturned: return "returned";
    case kThrew: return "ended with \"" + output + "\"";
    case kExited: return fmt::format("ended the process with exit code {}", code);
    case kSignalled: return fmt::format("was killed by signal {} ({})", code, ::strsignal(code));
    case kTimedOut: return "did not end in time";
    case kTooMuchMemory: return "took more memory than it may have";
    case kTooMuchOutput: return "wrote without end where its answer goes";
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
  end.how = Await(child, pipe[0], limits, end.output);
  ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::close(pipe[0]);
  if (end.how != ChildEnd::kReturned) return end;
  if (WIFSIGNALED(status))
    end.how = ChildEnd::kSignalled, end.code = WTERMSIG(status);
  else if (WEXITSTATUS(status) == kThrewCode)
    end.how = ChildEnd::kThrew;
  else if (WEXITSTATUS(status) != kReturnedCode)
    end.how = ChildEnd::kExited, end.code = WEXITSTATUS(status);
  return end;
}

}  // namespace etl::host
