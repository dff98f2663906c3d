#include "run_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace etl::test {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void Throw(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct Fd {
  int value = -1;
  Fd() = default;
  explicit Fd(int fd) : value(fd) {}
  Fd(Fd&& other) noexcept : value(std::exchange(other.value, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(value, other.value);
    return *this;
  }
  ~Fd() { Close(); }
  void Close() {
    if (value >= 0) ::close(std::exchange(value, -1));
  }
};

/// Holds back SIGPIPE in this thread: a program may end without reading its input, which is no
/// fault of the test.
class NoBrokenPipeSignal {
 public:
  NoBrokenPipeSignal() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoBrokenPipeSignal() {
    const timespec at_once{0, 0};
    while (::sigtimedwait(&pipe_, nullptr, &at_once) == SIGPIPE) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipeSignal(const NoBrokenPipeSignal&) = delete;
  NoBrokenPipeSignal& operator=(const NoBrokenPipeSignal&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
};

struct Pipe {
  Fd read, write;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) Throw("pipe");
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
};

std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

std::vector<std::string> Environment(const std::vector<std::string>& changes) {
  std::vector<std::string> result;
  const auto changed = [&](std::string_view name) {
    for (const auto& change : changes) {
      if (NameOf(change) == name) return true;
    }
    return false;
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!changed(NameOf(*entry))) result.emplace_back(*entry);
  }
  for (const auto& change : changes) {
    if (change.find('=') != std::string::npos) result.push_back(change);
  }
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

int Milliseconds(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left <= 0 ? 0 : static_cast<int>(std::min<long long>(left, 1'000'000));
}

bool ReadSome(int fd, std::string& into) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(fd, buffer.data(), buffer.size());
  if (count > 0) into.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

void SetNonBlocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

std::string Describe(const Ending& ending) {
  if (ending.signal == 0) return "exit code " + std::to_string(ending.exit_code);
  return "signal " + std::to_string(ending.signal) + " (" + ::strsignal(ending.signal) + ")";
}

Process::Process(const Command& command, int in, int out, int err) {
  if (command.argv.empty()) throw std::runtime_error("a command needs at least the program's name");
  auto arguments = command.argv;
  auto environment = Environment(command.env);
  const auto argv = Pointers(arguments);
  const auto envp = Pointers(environment);
  Pipe trouble;
  sigset_t none;
  ::sigemptyset(&none);
  started_ = Clock::now();
  pid_ = ::fork();
  if (pid_ < 0) Throw("fork");
  if (pid_ == 0) {
    // Only calls that are safe after a fork of a program with threads.
    ::setpgid(0, 0);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const bool ready = ::dup2(in, 0) >= 0 && ::dup2(out, 1) >= 0 && ::dup2(err, 2) >= 0 &&
                       (command.cwd.empty() || ::chdir(command.cwd.c_str()) == 0);
    if (ready) ::execvpe(argv[0], argv.data(), envp.data());
    const int error = errno;
    if (::write(trouble.write.value, &error, sizeof error) < 0) ::_exit(126);
    ::_exit(127);
  }
  ::setpgid(pid_, pid_);
  trouble.write.Close();
  int error = 0;
  ssize_t count;
  do {
    count = ::read(trouble.read.value, &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    ::waitpid(pid_, nullptr, 0);
    throw std::system_error(error, std::generic_category(), "cannot start " + command.argv[0]);
  }
  // By its number: the header of Debian 12 declares the function without C linkage.
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) {
    const int reason = errno;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    throw std::system_error(reason, std::generic_category(), "pidfd_open");
  }
}

Process::~Process() {
  SignalGroup(SIGKILL);
  if (!joined_) Join();
  ::close(pidfd_);
}

bool Process::WaitUntil(Clock::time_point deadline) {
  while (!joined_) {
    pollfd ended{pidfd_, POLLIN, 0};
    const auto left = std::max(deadline - Clock::now(), Clock::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec span{seconds.count(), static_cast<long>((left - seconds).count())};
    const int ready = ::ppoll(&ended, 1, &span, nullptr);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) Throw("poll");
    if (Clock::now() >= deadline) return false;
  }
  return true;
}

bool Process::WaitUntilStopped(Clock::time_point deadline) {
  while (!joined_ && Clock::now() < deadline) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT) !=
        0)
      Throw("waitid");
    if (info.si_pid == pid_) return info.si_code == CLD_STOPPED;
    ::sched_yield();
  }
  return false;
}

bool Process::Signal(int signal) {
  if (WaitUntil(Clock::now())) return false;
  return ::kill(pid_, signal) == 0;
}

void Process::SignalGroup(int signal) {
  // The group outlives its reaped leader only while members are left, and its number is not given
  // away till then.
  if (::kill(-pid_, signal) != 0 && errno != ESRCH && errno != EPERM) Throw("kill");
}

Ending Process::Join() {
  if (joined_) return ending_;
  WaitUntil(Clock::time_point::max());
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) Throw("waitpid");
  }
  joined_ = true;
  ending_.took = Clock::now() - started_;
  if (WIFEXITED(status)) ending_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending_.signal = WTERMSIG(status);
  return ending_;
}

Finished RunProcess(const Command& command) {
  const NoBrokenPipeSignal held_back;
  Pipe in, out, err;
  Process process(command, in.read.value, out.write.value, err.write.value);
  in.read.Close();
  out.write.Close();
  err.write.Close();
  SetNonBlocking(in.write.value);
  SetNonBlocking(out.read.value);
  SetNonBlocking(err.read.value);
  if (command.input.empty()) in.write.Close();

  Finished finished;
  std::size_t written = 0;
  const auto deadline = process.started() + command.time_limit;
  bool ended = false;
  while (!ended) {
    pollfd wait[] = {{process.descriptor(), POLLIN, 0},
                     {out.read.value, POLLIN, 0},
                     {err.read.value, POLLIN, 0},
                     {in.write.value, POLLOUT, 0}};
    const int ready = ::poll(wait, 4, Milliseconds(deadline));
    if (ready < 0 && errno != EINTR) Throw("poll");
    if (ready == 0 && Clock::now() >= deadline && !finished.timed_out) {
      finished.timed_out = true;
      process.SignalGroup(SIGKILL);
      process.WaitUntil(Clock::time_point::max());
    }
    if (ready <= 0) continue;
    ended = wait[0].revents != 0;
    if (wait[1].revents != 0 && !ReadSome(out.read.value, finished.out)) out.read.Close();
    if (wait[2].revents != 0 && !ReadSome(err.read.value, finished.err)) err.read.Close();
    if (wait[3].revents != 0) {
      const ssize_t count =
          ::write(in.write.value, command.input.data() + written, command.input.size() - written);
      if (count > 0) written += static_cast<std::size_t>(count);
      const bool broken = count < 0 && errno != EAGAIN && errno != EINTR;
      if (broken || written == command.input.size()) in.write.Close();
    }
  }
  for (auto [fd, text] :
       {std::pair{out.read.value, &finished.out}, std::pair{err.read.value, &finished.err}}) {
    for (std::size_t before = text->size() + 1; fd >= 0 && before != text->size();) {
      before = text->size();
      ReadSome(fd, *text);
    }
  }
  static_cast<Ending&>(finished) = process.Join();
  return finished;
}

}  // namespace etl::test
