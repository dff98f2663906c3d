// The etl program as these tests start it, and what its targets must hold afterwards.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kill_loop.h"
#include "row_gen.h"
#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

/// With ETL_FULL in the environment the tests take minutes instead of seconds.
bool Full();

/// Under a sanitizer a run takes many times as long, so there are fewer of them.
#ifdef ETL_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// The program with the plugins of this build, and the probe's.  ETL_BINARY names another program.
Command Etl(std::vector<std::string> arguments);

/// A folder with a pipeline p.toml named "p", and its state in .etl/p.
class Pipeline {
 public:
  explicit Pipeline(const std::string& toml);

  const TempDir& dir() const { return dir_; }
  std::string file(const std::string& name) const { return dir_ / name; }
  std::string state_folder() const { return dir_ / ".etl/p"; }
  void Rewrite(const std::string& toml) const;

  /// etl run p.toml, and what else is to be said.
  Command Run(const std::vector<std::string>& more = {}) const;
  /// etl state show, of a copy: the state itself stays as it was left.  The test fails where it
  /// does not end with 0.
  std::string ShowState() const;
  /// Forgets state and rejects, and the target: the file, and what SQLite has beside it.
  void StartOver(const std::string& target) const;

 private:
  TempDir dir_;
};

/// verify_rows by key "id"; empty when all is there once and as it was, else what it said.
std::string Wrong(const std::string& expected, const std::string& actual,
                  const std::vector<std::string>& more = {});

/// How many rows the table has, of a copy: the database itself stays as the killed program left it.
std::int64_t RowsIn(const std::string& database, const std::string& table);

}  // namespace etl::test
