#include "signals.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

using etl::cli::SignalWatch;

namespace {

/// A process of its own with a SignalWatch; what it says comes through a pipe.
struct Child {
  explicit Child(const std::function<void(SignalWatch&, int out)>& work) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    in = ends[0];
    pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      SignalWatch watch;
      work(watch, ends[1]);
      Say(ends[1], 'r');
      for (;;) ::pause();
    }
    ::close(ends[1]);
  }
  ~Child() { ::close(in); }
  static void Say(int out, char what) {
    if (::write(out, &what, 1) != 1) std::abort();
  }
  char Hear() const {
    char c = 0;
    return ::read(in, &c, 1) == 1 ? c : '\0';
  }
  int Exit() const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int in = -1;
  pid_t pid = -1;
};

void Attach(SignalWatch& watch, int out, std::int64_t grace_ns) {
  watch.Attach([out](int s) { Child::Say(out, s == SIGINT ? 'i' : 't'); }, grace_ns,
               [out](const char*) { Child::Say(out, 'l'); });
}

}  // namespace

TEST_CASE("the first signal asks to stop, the second one leaves at once") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const Child child([](SignalWatch& w, int out) { Attach(w, out, 3'600'000'000'000); });
    CHECK(child.Hear() == 'r');
    ::kill(child.pid, signal);
    CHECK(child.Hear() == (signal == SIGINT ? 'i' : 't'));
    ::kill(child.pid, signal);
    CHECK(child.Hear() == 'l');
    CHECK(child.Exit() == (signal == SIGINT ? 130 : 143));
  }
}

TEST_CASE("the end of the grace period leaves") {
  const Child child([](SignalWatch& w, int out) { Attach(w, out, 1'000'000); });
  CHECK(child.Hear() == 'r');
  ::kill(child.pid, SIGTERM);
  CHECK(child.Hear() == 't');
  CHECK(child.Hear() == 'l');
  CHECK(child.Exit() == 143);
}

TEST_CASE("where nothing runs the first signal leaves") {
  const Child child([](SignalWatch& w, int out) {
    Attach(w, out, 3'600'000'000'000);
    w.Detach();
  });
  CHECK(child.Hear() == 'r');
  ::kill(child.pid, SIGINT);
  CHECK(child.Hear() == 'l');
  CHECK(child.Exit() == 130);
}

TEST_CASE("what the caller ignores stays ignored") {
  ::signal(SIGHUP, SIG_IGN);
  const Child child([](SignalWatch& w, int out) { Attach(w, out, 3'600'000'000'000); });
  ::signal(SIGHUP, SIG_DFL);
  CHECK(child.Hear() == 'r');
  ::kill(child.pid, SIGHUP);
  ::kill(child.pid, SIGINT);
  CHECK(child.Hear() == 'i');
  ::kill(child.pid, SIGINT);
  CHECK(child.Exit() == 130);
}
