// What `etl verify` found, in words and as NDJSON.
#pragma once
#include <cstdio>
#include <memory>
#include <string>

#include "run/compare.h"

namespace etl::cli {

/// The counts, and the first twenty differences of the last comparison.  `all_in`: the file that names all; may be empty.
std::string VerifyText(const host::VerifyReport& report, const std::string& all_in);
/// A line of the report file, with its end: {"difference":"changed","key":{"id":4},"columns":["name"]}.
std::string VerifyLine(const host::Difference& difference, bool remains);

/// The report file, written line by line and there as a whole when Finish() says so.
class VerifyFile {
 public:
  /// Throws Error(kConfig) when it cannot be written.
  explicit VerifyFile(std::string file);
  ~VerifyFile();
  VerifyFile(const VerifyFile&) = delete;
  void Add(const std::string& line);
  void Finish();

 private:
  [[noreturn]] void Fail() const;
  std::string file_, temporary_;
  std::FILE* out_ = nullptr;
};

}  // namespace etl::cli
