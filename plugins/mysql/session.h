// SPDX-License-Identifier: Apache-2.0
/// A connection to a server.
#pragma once
#include <etl/error.h>
#include <mysql.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fault.h"
#include "server.h"

namespace etl::mysql {

/// A row of a result as the server's text; null where SQL's NULL is.
using TextRow = std::vector<std::optional<std::string>>;

/// One connection.  One thread, but for Cut().
class Session {
 public:
  /// Connects, verified as `server` says, with UTF-8, UTC and no time limits of the server's.  Throws Retry, Fatal or ConfigError.
  /// `few`: as of Throw.
  Session(const Server& server, Side side, int* few);
  ~Session();
  Session(const Session&) = delete;

  MYSQL* get() const { return mysql_.get(); }
  bool mariadb() const { return mariadb_; }
  unsigned long version() const { return version_; }   ///< 101119 for 10.11.19, 90704 for 9.7.4
  const std::string& database() const { return database_; }

  /// A statement without result.  Throws as Fail.
  void Run(const std::string& sql, const char* doing = "the server refused a statement");
  /// A small result as a whole.
  std::vector<TextRow> Rows(const std::string& sql, const char* doing = "the server refused a query");
  /// First column of the first row; nothing when there is no row, or it is NULL.
  std::optional<std::string> Value(const std::string& sql, const char* doing = "the server refused a query");
  /// Text as an SQL literal, quotes included, right in both modes of backslashes.
  std::string Literal(std::string_view text) const;
  /// Throws what the last error means.
  [[noreturn]] void Fail(const std::string& doing) const;
  unsigned error() const { return mysql_errno(mysql_.get()); }
  bool lost() const { return lost_ || LosesConnection(error()); }

  /// Any thread: what blocks on the server fails soon, and every call after it throws Cancelled.
  void Cut() noexcept;
  bool cut() const { return cut_; }
  /// What is under way is not wanted any more: the connection is lost, and nothing more is read from it.
  void Abandon();

 private:
  struct Close {
    void operator()(MYSQL* m) const { mysql_close(m); }
  };
  void Secure(const Server& server, const Address& address);
  std::unique_ptr<MYSQL, Close> mysql_;
  Side side_;
  int* few_;
  std::string database_;
  bool mariadb_ = false, lost_ = false;
  unsigned long version_ = 0;
  int socket_ = -1;
  std::atomic<bool> cut_{false};
};

/// Bytes as an SQL literal of type VARBINARY.
std::string HexLiteral(std::string_view bytes);
/// What tells one server from another.
std::string ServerId(Session& session);
/// Names of columns are compared without regard to case, as the server does.
bool SameName(std::string_view a, std::string_view b);
/// A name as an identifier.  Throws ConfigError(option) for what no server has as a name.
std::string Quote(std::string_view name, const char* option = "table");

/// The connection of a component, made when first used and again after it was lost; Interrupt from any thread.
class Link {
 public:
  Link(const Server& server, Side side) : server_(server), side_(side) {}
  /// The living session; connects if there is none.  `fresh` runs on each new one.
  Session& Get(const std::function<void(Session&)>& fresh = {});
  Session* current() const { return session_.get(); }
  void Adopt(std::unique_ptr<Session> session);
  void Abandon() { session_->Abandon(); }
  void Drop();
  /// Errors in a row, over all sessions, that are tried a few times only; its user sets it to 0 after a success.
  int& few() { return few_; }
  /// Any thread.  From then on Get throws Cancelled.
  void Interrupt() noexcept;

 private:
  const Server& server_;
  Side side_;
  int few_ = 0;
  std::mutex mutex_;    // over session_ against Interrupt
  std::unique_ptr<Session> session_;
  std::atomic<bool> interrupted_{false};
};

}  // namespace etl::mysql
