// A real server, and pipelines that use it.
#pragma once
#include <doctest/doctest.h>
#include <mysql.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

/// One of the servers that the build has started ("mysql", "mariadb"), with an empty database for this object alone.  Its
/// connection has nothing in common with the plugin's code but the client library.
class Lab {
 public:
  explicit Lab(const std::string& name);
  ~Lab();
  Lab(const Lab&) = delete;

  const std::string& name() const { return name_; }
  const std::string& database() const { return database_; }
  std::uint16_t port() const { return port_; }
  bool mariadb() const { return name_ == "mariadb"; }
  /// The authority that the server's certificate is signed by.
  std::string ca() const;
  /// The options url and password; `port` of a proxy, if given.
  std::string Options(std::uint16_t port = 0) const;
  /// Statements, each ended by ";" at a line's end.
  void Run(const std::string& sql);
  /// A query's rows: columns parted by "|", NULL as "NULL".
  std::vector<std::string> Query(const std::string& sql);
  std::string Value(const std::string& sql);
  /// So many rows of a value from 1 on, in a table `digits` of its own: `INSERT INTO t SELECT f(n) FROM (` + Numbers(k) + `) x`.
  static std::string Numbers(int count);

 private:
  struct Close {
    void operator()(MYSQL* m) const { mysql_close(m); }
  };
  std::string name_, database_, home_;
  std::uint16_t port_ = 0;
  std::unique_ptr<MYSQL, Close> mysql_;
};

/// etl run, with the plugins of this build.
struct Job {
  TempDir dir;
  explicit Job(const std::string& toml) { Rewrite(toml); }
  void Rewrite(const std::string& toml) const { dir.Write("p.toml", toml); }
  Command Make(const std::vector<std::string>& more = {}, const char* verb = "run") const;
  Finished Run(const std::vector<std::string>& more = {}, const char* verb = "run") const { return RunProcess(Make(more, verb)); }
  /// The lines of a file of the folder, sorted.
  std::vector<std::string> Lines(const std::string& file) const;
};

}  // namespace etl::test

template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string text = std::to_string(lines.size()) + " lines:";
    for (std::size_t i = 0; i < lines.size() && i < 20; ++i) text += "\n    " + lines[i];
    return text.c_str();
  }
};
