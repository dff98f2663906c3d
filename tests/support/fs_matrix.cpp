#include "fs_matrix.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "temp_dir.h"

namespace etl::test {
namespace {

/// What the processes of one run reported: the first fault that was met, and the most operations of
/// one process.
struct Counted {
  bool hit = false;
  std::string operation;
  std::size_t operations = 0;
};

Counted ReadCounts(const std::string& file) {
  Counted counted;
  if (!std::filesystem::exists(file)) return counted;
  std::istringstream lines(ReadFile(file));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    std::size_t number = 0;
    words >> word >> number >> std::ws;
    if (word == "hit" && !counted.hit) {
      counted.hit = true;
      std::getline(words, counted.operation);
    }
    if (word == "ops") counted.operations = std::max(counted.operations, number);
  }
  return counted;
}

std::string InFront(const char* name, const std::string& addition) {
  const char* set = std::getenv(name);
  return std::string(name) + "=" + addition +
         (set != nullptr && *set != '\0' ? std::string(":") + set : "");
}

class Matrix {
 public:
  explicit Matrix(const FsMatrix& matrix) : matrix_(matrix) {}

  FsMatrixReport Run() {
    for (const std::string& kind : matrix_.kinds) RunKind(kind);
    return report_;
  }

 private:
  void RunKind(const std::string& kind) {
    for (std::size_t n = 1;; n += matrix_.step) {
      FsFault fault{kind, n, matrix_.sticky, {}};
      if (n > matrix_.most)
        throw std::runtime_error("still operations to fail after " + Describe(fault));
      const std::string counts = temp_ / "counts";
      std::filesystem::remove(counts);
      if (matrix_.before) matrix_.before();
      Command command = matrix_.command;
      for (auto& entry : FaultFsEnvironment(fault, matrix_.path, counts))
        command.env.push_back(std::move(entry));
      const Finished finished = RunProcess(command);
      const Counted counted = ReadCounts(counts);
      fault.operation = counted.operation;
      if (finished.timed_out)
        throw std::runtime_error("with " + Describe(fault) + " the command hung: " + finished.err);
      if (!counted.hit) {
        if (n == 1 && counted.operations == 0) {
          throw std::runtime_error("no operation of kind " + kind + " was seen on " + matrix_.path +
                                   ": " + finished.err);
        }
        if (matrix_.after_clean) matrix_.after_clean(finished);
        return;
      }
      ++report_.faults;
      ++report_.by_kind[kind];
      ++report_.by_operation[fault.operation.substr(0, fault.operation.find(' '))];
      if (matrix_.after) matrix_.after(fault, finished);
    }
  }

  const FsMatrix& matrix_;
  TempDir temp_;
  FsMatrixReport report_;
};

}  // namespace

std::string Describe(const FsFault& fault) {
  return fault.kind + " at operation " + std::to_string(fault.n) +
         (fault.sticky ? " and all later" : "") +
         (fault.operation.empty() ? "" : " (" + fault.operation + ")");
}

std::vector<std::string> FaultFsEnvironment(const FsFault& fault, const std::string& path,
                                            const std::string& count_file) {
  return {InFront("LD_PRELOAD", ETL_FAULTFS_LIBRARY),
          // The sanitizer wants to be the first library; it works as the second.
          InFront("ASAN_OPTIONS", "verify_asan_link_order=0"), "FAULTFS_PATH=" + path,
          "FAULTFS_N=" + std::to_string(fault.n), "FAULTFS_KIND=" + fault.kind,
          std::string("FAULTFS_STICKY=") + (fault.sticky ? "1" : "0"),
          "FAULTFS_COUNT=" + count_file};
}

FsMatrixReport RunFsMatrix(const FsMatrix& matrix) { return Matrix(matrix).Run(); }

}  // namespace etl::test
