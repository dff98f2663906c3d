// Pipelines into the real servers, and what an independent client then finds there.
#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <utility>
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

/// One of the servers of tools/dev/servers, with a database of this program's own.
struct Target {
  std::string name, host, user, password;
  int port = 0;
  std::string database = "sink_" + std::to_string(::getpid());

  bool mariadb() const { return name == "mariadb"; }
  std::string Url(int other_port = 0) const {
    return "mysql://" + user + "@" + host + ":" + std::to_string(other_port ? other_port : port) + "/" + database;
  }
  Command Client(const std::string& sql, const std::string& in) const {
    Command c;
    c.argv = {"mariadb", "--no-defaults", "--skip-ssl", "-N", "-B", "-u" + user, "-h" + host, "-P" + std::to_string(port),
              "--default-character-set=utf8mb4"};
    if (!in.empty()) c.argv.push_back(in);
    c.argv.insert(c.argv.end(), {"-e", sql});
    c.env = {"MYSQL_PWD=" + password};
    return c;
  }
  /// Each row as the client writes it: with tabs between, NULL for NULL.
  Lines Sql(const std::string& sql) const {
    const Finished f = RunProcess(Client(sql, database));
    REQUIRE_MESSAGE(f.exit_code == 0, name << ": " << sql << ": " << f.err);
    return SplitLines(f.out);
  }
  std::string One(const std::string& sql) const {
    const Lines lines = Sql(sql);
    REQUIRE(lines.size() == 1);
    return lines[0];
  }
};

inline const std::vector<Target>& Targets() {
  struct Made : std::vector<Target> {
    ~Made() {
      for (const Target& t : *this) RunProcess(t.Client("DROP DATABASE " + t.database, ""));
    }
  };
  static const Made targets = [] {
    Command c;
    c.argv = {ETL_SOURCE_DIR "/tools/dev/servers", "env"};
#ifdef ETL_SERVERS_DIR
    c.env = {"ETL_SERVERS=" ETL_SERVERS_DIR};
#endif
    const Finished f = RunProcess(c);
    std::map<std::string, std::string> env;
    for (const std::string& line : SplitLines(f.out)) env[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
    Made all;
    for (const auto& named : {std::pair<std::string, std::string>{"mysql", "MYSQL_"}, {"mariadb", "MARIADB_"}}) {
      const std::string &name = named.first, &prefix = named.second;   // a lambda of REQUIRE's takes no structured binding
      REQUIRE_MESSAGE(env.count(prefix + "PORT"), name << " does not run: tools/dev/servers up");
      Target t{name, env[prefix + "HOST"], env[prefix + "USER"], env[prefix + "PASSWORD"], std::stoi(env[prefix + "PORT"])};
      const Finished made = RunProcess(t.Client("CREATE DATABASE IF NOT EXISTS " + t.database + " CHARACTER SET utf8mb4", ""));
      REQUIRE_MESSAGE(made.exit_code == 0, made.err);
      all.push_back(t);
    }
    return all;
  }();
  return targets;
}

/// A pipeline from NDJSON, or from a table of the same server, to a server; in a folder of its own.
class Load {
 public:
  /// `columns`: as the source declares them; `options`: lines of the sink; `table`: read this instead of a file.
  Load(const Target& target, const std::string& columns, const std::string& options, int port = 0, const std::string& table = "") {
    const std::string server = "type = \"mysql\"\nurl = \"" + target.Url(port) + "\"\npassword = \"${env:ETL_TEST_PASSWORD}\"\n";
    dir_.Write("p.toml", "[pipeline]\nname = \"p\"\non_reject = \"file\"\nretry = {initial = \"10ms\", max = \"200ms\"}\n[source]\n" +
                             (table.empty() ? "type = \"ndjson\"\npath = \"in.ndjson\"\ncolumns = {" + columns + "}\n"
                                            : server + "table = \"" + table + "\"\nchunk_rows = 4000\npage_bytes = \"64KiB\"\n") +
                             "[[sink]]\n" + server + options);
    password_ = target.password;
  }
  Load& Rows(const std::string& lines) {
    dir_.Write("in.ndjson", lines);
    return *this;
  }
  Command Etl(std::vector<std::string> arguments) const {
    const char* other = std::getenv("ETL_BINARY");
    const char* plugins = std::getenv("ETL_TEST_PLUGIN_DIR");
    Command c;
    c.argv = {other ? other : ETL_BUILD_DIR "/bin/etl"};
    c.argv.insert(c.argv.end(), arguments.begin(), arguments.end());
    if (plugins) c.argv.insert(c.argv.end(), {"--plugin-dir", plugins});
    c.env = {"ETL_STATE_DIR", "ETL_TEST_PASSWORD=" + password_};
    return c;
  }
  Command Command_(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"run", dir_ / "p.toml", "--no-progress"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Etl(arguments);
  }
  Finished Run(const std::vector<std::string>& more = {}) const { return RunProcess(Command_(more)); }
  /// Runs it; all rows must be delivered.
  void All() const {
    const Finished f = Run();
    CHECK_MESSAGE(f.exit_code == 0, f.err);
  }
  /// Runs it; "code reason" of each rejected row, by the row's number in the file.
  std::map<int, std::string> Rejects() const {
    const Finished f = Run();
    CHECK_MESSAGE(f.exit_code == 3, f.err);
    return Recorded();
  }
  std::map<int, std::string> Recorded() const {
    std::map<int, std::string> out;
    for (const std::string& line : SplitLines(ReadFile(dir_ / ".etl/p/rejects.ndjson"))) {
      const auto value = [&line](const std::string& key) {
        const auto at = line.find("\"" + key + "\":");
        if (at == std::string::npos) return std::string();
        std::string text = line.substr(at + key.size() + 3);
        if (text[0] == '"') return text.substr(1, text.find("\",") - 1);
        return text.substr(0, text.find_first_of(",}"));
      };
      if (!value("reason").empty()) out[std::stoi(value("source_row"))] = value("code") + " " + value("reason");
    }
    return out;
  }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
  std::string password_;
};

}  // namespace etl::test
