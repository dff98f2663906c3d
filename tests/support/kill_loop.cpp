#include "kill_loop.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <system_error>

#include "temp_dir.h"

namespace etl::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

class File {
 public:
  explicit File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot open " + path);
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string Tail(const std::string& text) {
  constexpr std::size_t kShown = 4000;
  return text.size() <= kShown ? text : "…" + text.substr(text.size() - kShown);
}

std::vector<KillPhase> DrawPhases(std::size_t kills, std::mt19937_64& random) {
  std::vector<KillPhase> phases(kills, KillPhase::kMiddle);
  const std::size_t starts = (kills * 3 + 5) / 10;
  const std::size_t ends = std::min(kills - starts, (kills + 5) / 10);
  std::fill_n(phases.begin(), starts, KillPhase::kStart);
  std::fill_n(phases.rbegin(), ends, KillPhase::kEnd);
  std::shuffle(phases.begin(), phases.end(), random);
  return phases;
}

class Loop {
 public:
  explicit Loop(const KillPlan& plan) : plan_(plan) {
    std::random_device fresh;
    report_.seed = plan.seed != 0 ? plan.seed : (std::uint64_t{fresh()} << 32 | fresh());
    random_.seed(report_.seed);
    if (!plan.quiet)
      std::printf("kill loop: seed %llu\n", static_cast<unsigned long long>(report_.seed));
    input_ = temp_.Write("input", plan.command.input);
  }

  KillReport Run() {
    RunClean();
    const auto phases = DrawPhases(plan_.kills, random_);
    const std::size_t most = plan_.max_runs != 0 ? plan_.max_runs : plan_.kills * 10 + 100;
    while (report_.landed < plan_.kills) {
      if (report_.runs >= most) Fail("too many runs ended before they could be killed");
      RunAndKill(phases[report_.landed]);
    }
    RunClean();
    if (!plan_.quiet) Print();
    return report_;
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw std::runtime_error("kill loop, seed " + std::to_string(report_.seed) + ", run " +
                             std::to_string(report_.runs) + ", " + std::to_string(report_.landed) +
                             " kills landed: " + what +
                             "\nstdout: " + Tail(ReadFile(temp_ / "out")) +
                             "\nstderr: " + Tail(ReadFile(temp_ / "err")));
  }

  void Print() const {
    std::printf(
        "kill loop: %zu kills landed (start %zu, middle %zu, end %zu) in %zu runs, %zu passes of "
        "%.3f s\n",
        report_.landed, report_.in_phase[0], report_.in_phase[1], report_.in_phase[2], report_.runs,
        report_.passes, std::chrono::duration<double>(report_.whole).count());
  }

  template <typename Body>
  void Start(Body body) {
    ++report_.runs;
    const File in(input_, O_RDONLY);
    const File out(temp_ / "out", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    const File err(temp_ / "err", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    Process process(plan_.command, in.fd(), out.fd(), err.fd());
    body(process);
  }

  void RunClean() {
    Start([&](Process& process) { EndPass(process); });
  }

  void EndPass(Process& process) {
    if (!process.WaitUntil(process.started() + plan_.command.time_limit))
      Fail("the time limit passed");
    const Ending ending = process.Join();
    if (ending.signal != 0 || !plan_.clean_codes.contains(ending.exit_code)) {
      Fail("a run that was left alone ended with " + Describe(ending));
    }
    // Only a run that started from nothing measures a whole one; the latest counts, as the
    // machine's load changes.
    if (whole_next_) report_.whole = ending.took;
    whole_next_ = true;
    ++report_.passes;
    if (plan_.after_pass) plan_.after_pass();
  }

  nanoseconds Draw(KillPhase phase) {
    const double left = plan_.left ? std::clamp(plan_.left(), 0.0, 1.0) : 1.0;
    const double whole = static_cast<double>(report_.whole.count());
    const double start = whole * plan_.start_share;
    const double work = (whole - start) * left;
    const auto between = [&](double low, double high) {
      return nanoseconds(std::llround(std::uniform_real_distribution<double>(low, high)(random_)));
    };
    if (phase == KillPhase::kStart) return between(0, start);
    if (phase == KillPhase::kMiddle) return between(start, start + work * 0.9);
    return between(start + work * 0.9, start + work);
  }

  void RunAndKill(KillPhase phase) {
    Kill kill;
    kill.kind = plan_.kinds.at(report_.landed % plan_.kinds.size());
    kill.phase = phase;
    const nanoseconds delay = Draw(phase);
    Start([&](Process& process) {
      process.WaitUntil(process.started() + delay);
      kill.after = Clock::now() - process.started();
      if (!Strike(process, kill)) return EndPass(process);
      whole_next_ = false;
      kill.number = ++report_.landed;
      ++report_.in_phase[static_cast<std::size_t>(phase)];
    });
    if (kill.number != 0 && plan_.after_kill) plan_.after_kill(kill);
  }

  /// True when the kill met a running program.
  bool Strike(Process& process, Kill& kill) {
    if (kill.kind == KillKind::kTerminate) return Terminate(process, kill);
    if (kill.kind == KillKind::kStopThenKill) {
      if (!process.Signal(SIGSTOP)) return false;
      if (!process.WaitUntilStopped(Clock::now() + plan_.grace)) return false;
    }
    if (!process.Signal(SIGKILL)) return false;
    kill.ending = process.Join();
    return kill.ending.signal == SIGKILL;
  }

  bool Terminate(Process& process, Kill& kill) {
    if (!process.Signal(SIGTERM)) return false;
    if (!process.WaitUntil(Clock::now() + plan_.grace))
      Fail("SIGTERM did not end it within the grace time");
    kill.ending = process.Join();
    if (kill.ending.signal == SIGTERM) return true;
    if (kill.ending.signal != 0 || !plan_.terminated_codes.contains(kill.ending.exit_code)) {
      Fail("after SIGTERM it ended with " + Describe(kill.ending));
    }
    return !plan_.clean_codes.contains(kill.ending.exit_code);
  }

  const KillPlan& plan_;
  TempDir temp_;
  std::string input_;
  std::mt19937_64 random_;
  KillReport report_;
  bool whole_next_ = true;
};

}  // namespace

KillReport RunKillLoop(const KillPlan& plan) { return Loop(plan).Run(); }

}  // namespace etl::test
