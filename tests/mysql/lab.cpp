#include "lab.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace etl::test {
namespace {

std::string Setting(const std::string& env, const std::string& name) {
  std::istringstream lines(env);
  for (std::string line; std::getline(lines, line);) {
    const auto equal = line.find('=');
    if (equal != std::string::npos && line.substr(0, equal).ends_with("_" + name)) return line.substr(equal + 1);
  }
  throw std::runtime_error("the server's file says no " + name);
}

}  // namespace

Lab::Lab(const std::string& name) : name_(name), home_(std::string(ETL_SERVERS_DIR) + "/" + name), mysql_(mysql_init(nullptr)) {
  static int number = 0;
  database_ = "lab_" + std::to_string(::getpid()) + "_" + std::to_string(++number);
  const std::string env = ReadFile(home_ + "/env");
  port_ = static_cast<std::uint16_t>(std::stoi(Setting(env, "PORT")));
  mysql_options(mysql_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const my_bool off = 0;
  mysql_options(mysql_.get(), MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &off);
  if (!mysql_real_connect(mysql_.get(), "localhost", "root", "", nullptr, 0, Setting(env, "SOCKET").c_str(), CLIENT_MULTI_STATEMENTS)) {
    throw std::runtime_error(name + ": " + mysql_error(mysql_.get()));
  }
  Run("CREATE DATABASE " + database_ + " CHARACTER SET utf8mb4; USE " + database_ + "; SET time_zone = '+00:00'; SET SESSION sql_mode = ''");
}

Lab::~Lab() { mysql_query(mysql_.get(), ("DROP DATABASE " + database_).c_str()); }

std::string Lab::ca() const { return home_ + (mariadb() ? "/tls/ca.pem" : "/root-data/tls/ca.pem"); }

std::string Lab::Options(std::uint16_t port) const {
  return "type = \"mysql\"\nurl = \"mysql://etl@127.0.0.1:" + std::to_string(port ? port : port_) + "/" + database_ +
         "\"\npassword = \"${env:LAB_PASSWORD}\"\n";
}

void Lab::Run(const std::string& sql) {
  int more = mysql_real_query(mysql_.get(), sql.data(), sql.size());
  while (more == 0) {
    if (MYSQL_RES* result = mysql_store_result(mysql_.get())) mysql_free_result(result);
    more = mysql_next_result(mysql_.get());
  }
  if (mysql_errno(mysql_.get())) throw std::runtime_error(name_ + ": " + mysql_error(mysql_.get()) + " in: " + sql.substr(0, 300));
}

std::vector<std::string> Lab::Query(const std::string& sql) {
  if (mysql_real_query(mysql_.get(), sql.data(), sql.size())) throw std::runtime_error(name_ + ": " + mysql_error(mysql_.get()) + " in: " + sql);
  std::vector<std::string> rows;
  MYSQL_RES* result = mysql_store_result(mysql_.get());
  if (!result) return rows;
  while (MYSQL_ROW row = mysql_fetch_row(result)) {
    const unsigned long* sizes = mysql_fetch_lengths(result);
    std::string line;
    for (unsigned i = 0; i < mysql_num_fields(result); ++i) line += (i ? "|" : "") + (row[i] ? std::string(row[i], sizes[i]) : "NULL");
    rows.push_back(line);
  }
  mysql_free_result(result);
  return rows;
}

std::string Lab::Value(const std::string& sql) {
  const auto rows = Query(sql);
  return rows.empty() ? "no row" : rows[0];
}

std::string Lab::Numbers(int count) {
  const std::string digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 "
                             "UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
  std::string sum = "1", from;
  std::int64_t unit = 1;
  for (int i = 0; unit < count; ++i, unit *= 10) {
    sum += " + d" + std::to_string(i) + ".d * " + std::to_string(unit);
    from += (i ? ", " : " FROM ") + digits + " d" + std::to_string(i);
  }
  return "SELECT " + sum + " AS n" + from + (count == unit ? "" : " HAVING n <= " + std::to_string(count));
}

Command Job::Make(const std::vector<std::string>& more, const char* verb) const {
  Command c;
  c.argv = {ETL_BUILD_DIR "/bin/etl", verb, dir / "p.toml", "--allow-unsafe-plugins", "--state-dir", dir / "state"};
  if (std::string(verb) == "run") c.argv.insert(c.argv.begin() + 1, "-q");
  c.argv.insert(c.argv.end(), more.begin(), more.end());
  c.env = {"LAB_PASSWORD=etl", std::string("ETL_PLUGIN_PATH=") + ETL_BUILD_DIR + "/lib/etl/plugins/1"};
  c.cwd = dir.path().string();
  return c;
}

std::vector<std::string> Job::Lines(const std::string& file) const {
  std::vector<std::string> lines;
  std::ifstream in(dir / file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace etl::test
