#include "run_process.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <stdexcept>

#include "temp_dir.h"

using etl::test::Finished;
using etl::test::RunProcess;
using etl::test::TempDir;

TEST_CASE("a process gives back its exit code and what it said on both outputs") {
  const Finished finished = RunProcess({.argv = {"sh", "-c", "echo out; echo err >&2; exit 7"}});
  CHECK(finished.exit_code == 7);
  CHECK(finished.signal == 0);
  CHECK(finished.out == "out\n");
  CHECK(finished.err == "err\n");
}

TEST_CASE("a process reads the input it is given, however much it is") {
  const std::string input(3'000'000, 'x');
  CHECK(RunProcess({.argv = {"cat"}, .input = input}).out == input);
}

TEST_CASE("a process that does not read its input does not end the test") {
  CHECK(RunProcess({.argv = {"true"}, .input = std::string(1'000'000, 'x')}).exit_code == 0);
}

TEST_CASE("a process sees the changed environment and the directory") {
  const TempDir dir;
  ::setenv("ETL_SUPPORT_GONE", "here", 1);
  const Finished finished = RunProcess(
      {.argv = {"sh", "-c", "pwd; echo \"$ETL_SUPPORT_NEW ${ETL_SUPPORT_GONE-gone} ${HOME-none}\""},
       .env = {"ETL_SUPPORT_NEW=new one", "ETL_SUPPORT_GONE", "HOME=/h"},
       .cwd = dir.path().string()});
  CHECK(finished.out == dir.path().string() + "\nnew one gone /h\n");
}

TEST_CASE("a process that a signal ends says which") {
  const Finished finished = RunProcess({.argv = {"sh", "-c", "kill -SEGV $$"}});
  CHECK(finished.exit_code == -1);
  CHECK(finished.signal == SIGSEGV);
  CHECK(Describe(finished).starts_with("signal 11"));
}

TEST_CASE("the time limit ends a process with its children") {
  const Finished finished =
      RunProcess({.argv = {"sh", "-c", "echo begun; cat /dev/zero >/dev/null & wait"},
                  .time_limit = std::chrono::milliseconds(100)});
  CHECK(finished.timed_out);
  CHECK(finished.signal == SIGKILL);
  CHECK(finished.out == "begun\n");
}

TEST_CASE("a child left behind with the output open does not hold the test up") {
  const Finished finished =
      RunProcess({.argv = {"sh", "-c", "exec 3>/dev/null; cat /dev/zero >&3 & echo done"}});
  CHECK(finished.exit_code == 0);
  CHECK(finished.out == "done\n");
}

TEST_CASE("a program that does not exist is an error of the test, not an exit code") {
  CHECK_THROWS_WITH_AS(RunProcess({.argv = {"/nowhere/program"}}),
                       "cannot start /nowhere/program: No such file or directory",
                       std::runtime_error);
}
