#include "program.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

namespace etl::test {
namespace fs = std::filesystem;

bool Full() {
  const char* full = std::getenv("ETL_FULL");
  return full != nullptr && *full != '\0' && *full != '0';
}

Command Etl(std::vector<std::string> arguments) {
  const char* other = std::getenv("ETL_BINARY");
  Command command;
  command.argv = {other != nullptr ? other : ETL_BUILD_DIR "/bin/etl"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.argv.insert(command.argv.end(), {"--plugin-dir", ETL_BUILD_DIR "/tests/plugins"});
  command.env = {"ETL_STATE_DIR"};
  command.time_limit = std::chrono::seconds(120);
  return command;
}

Pipeline::Pipeline(const std::string& toml) { Rewrite(toml); }

void Pipeline::Rewrite(const std::string& toml) const {
  dir_.Write("p.toml", "[pipeline]\nname = \"p\"\n" + toml);
}

Command Pipeline::Run(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {"run", file("p.toml"), "--no-progress"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Etl(arguments);
}

std::string Pipeline::ShowState() const {
  const TempDir aside;
  if (fs::exists(file(".etl"))) fs::copy(file(".etl"), aside.path(), fs::copy_options::recursive);
  const Finished shown =
      RunProcess(Etl({"state", "show", file("p.toml"), "--state-dir", aside.path()}));
  REQUIRE_MESSAGE(shown.exit_code == 0, "etl state show: " << Describe(shown) << ": " << shown.err);
  return shown.out;
}

void Pipeline::StartOver(const std::string& target) const {
  fs::remove_all(file(".etl"));
  for (const char* end : {"", "-wal", "-shm", "-journal"}) fs::remove(file(target) + end);
}

std::string Wrong(const std::string& expected, const std::string& actual,
                  const std::vector<std::string>& more) {
  Command command;
  command.argv = {ETL_VERIFY_ROWS, "--expected", expected, "--actual", actual, "--key", "id"};
  command.argv.insert(command.argv.end(), more.begin(), more.end());
  const Finished verified = RunProcess(command);
  return verified.exit_code == 0 ? "" : Describe(verified) + ": " + verified.out + verified.err;
}

std::int64_t RowsIn(const std::string& database, const std::string& table) {
  const TempDir aside;
  const std::string copy = aside / "copy.db";
  for (const char* end : {"", "-wal"}) {
    if (fs::exists(database + end)) fs::copy_file(database + end, copy + end);
  }
  if (!fs::exists(copy)) return 0;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open(copy.c_str(), &raw);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(raw, &sqlite3_close);
  REQUIRE(opened == SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  const std::string sql = "SELECT count(*) FROM \"" + table + "\"";
  if (sqlite3_prepare_v2(raw, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
    return 0;  // not made yet
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> done(statement,
                                                                        &sqlite3_finalize);
  REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
  return sqlite3_column_int64(statement, 0);
}

}  // namespace etl::test
