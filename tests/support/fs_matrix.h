// Runs a program over and over, each time with another of its file operations failing, until none
// is left to fail.
#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "run_process.h"

namespace etl::test {

struct FsFault {
  std::string kind;       ///< as in faultfs.c: EIO, ENOSPC, EINTR, SHORT, CRASH, TORN
  std::size_t n = 0;      ///< which operation failed, from 1
  bool sticky = false;    ///< all later ones failed as well
  std::string operation;  ///< what it was, as in "pwrite /tmp/x/state.db"
};

/// "EIO at operation 7 (pwrite /tmp/x/state.db)".
std::string Describe(const FsFault& fault);

struct FsMatrix {
  Command command;
  std::string path;  ///< operations on paths that begin so can fail; absolute
  std::vector<std::string> kinds = {"EIO", "ENOSPC", "SHORT", "CRASH"};
  bool sticky = false;
  std::size_t step =
      1;  ///< above 1: only each step-th operation, for a quick pass over a long command
  std::size_t most =
      10'000;  ///< more operations than this are taken for a command that never ends well
  std::function<void()> before;  ///< puts things back to the start of each run
  std::function<void(const FsFault&, const Finished&)>
      after;                                         ///< judges what a run left that met its fault
  std::function<void(const Finished&)> after_clean;  ///< judges the run that met none, once a kind
};

struct FsMatrixReport {
  std::size_t faults = 0;                      ///< runs that met their fault
  std::map<std::string, std::size_t> by_kind;  ///< the same by kind
  std::map<std::string, std::size_t> by_operation;
};

/// Needs libfaultfs, which is built beside this library.  Throws std::runtime_error when the
/// command meets more operations than `most`, when a run passes its time limit, or when it seems
/// not to be seen by libfaultfs at all.
FsMatrixReport RunFsMatrix(const FsMatrix& matrix);

/// The environment that lets libfaultfs into a command, for tests that choose the fault themselves.
std::vector<std::string> FaultFsEnvironment(const FsFault& fault, const std::string& path,
                                            const std::string& count_file);

}  // namespace etl::test
