// A pipeline into an SQLite table, in a folder of its own.
#pragma once
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

using Lines = std::vector<std::string>;

inline Lines SplitLines(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Bench {
  TempDir dir;

  explicit Bench(const std::string& toml) { dir.Write("p.toml", toml); }

  Command Make(const std::string& verb, const Lines& more = {}) const {
    Command c;
    c.argv = {ETL_PROGRAM, verb, dir / "p.toml", "--log-level", "warn"};
    c.argv.insert(c.argv.end(), more.begin(), more.end());
    c.env = {"ETL_STATE_DIR", "ETL_PLUGIN_PATH", "XDG_CACHE_HOME=" + dir.path().string(), "TERM=dumb"};
    return c;
  }
  Finished Etl(const std::string& verb, const Lines& more = {}) const { return RunProcess(Make(verb, more)); }
  /// All rows must be delivered.
  void Run(int exit_code = 0) const {
    const Finished f = Etl("run", {"--no-progress"});
    REQUIRE_MESSAGE(f.exit_code == exit_code, f.err);
  }
  Finished Verify(const Lines& more = {}) const { return Etl("verify", more); }

  /// Rows of a statement on out.db: columns parted by "|".
  Lines Sql(const std::string& sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((dir / "out.db").c_str(), &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, 10'000);
    Lines rows;
    char* error = nullptr;
    sqlite3_exec(
        db, sql.c_str(),
        [](void* to, int n, char** values, char**) {
          std::string row;
          for (int i = 0; i < n; ++i) row += (i ? "|" : "") + std::string(values[i] ? values[i] : "NULL");
          static_cast<Lines*>(to)->push_back(row);
          return 0;
        },
        &rows, &error);
    const std::string what = error ? error : "";
    sqlite3_free(error);
    sqlite3_close(db);
    REQUIRE_MESSAGE(what.empty(), sql << ": " << what);
    return rows;
  }
  /// Lines of the report, sorted.
  Lines Report(const std::string& name = "report.ndjson") const {
    Lines lines = SplitLines(ReadFile(dir / name));
    std::sort(lines.begin(), lines.end());
    return lines;
  }
};

/// "id,name,price\n1,n1,1.5\n" ...
inline std::string Csv(int rows) {
  std::string text = "id,name,price\n";
  for (int i = 1; i <= rows; ++i) text += std::to_string(i) + ",n" + std::to_string(i) + "," + std::to_string(i) + ".5\n";
  return text;
}

/// csv to SQLite, upserted by id unless `sink` says otherwise.
inline std::string CsvToSqlite(const std::string& sink = "mode = \"upsert\"\nkeys = \"id\"\n", const std::string& between = "") {
  return "[pipeline]\nname = \"p\"\non_reject = \"file\"\n[source]\ntype = \"csv\"\npath = \"in.csv\"\n" + between +
         "[[sink]]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\n" + sink;
}

inline bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace etl::test

template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string text = std::to_string(lines.size()) + " lines:";
    for (std::size_t i = 0; i < lines.size() && i < 30; ++i) text += "\n    " + lines[i];
    return text.c_str();
  }
};
