// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

namespace etl::mysql {
namespace {

unsigned Seconds(std::chrono::nanoseconds d) {
  return static_cast<unsigned>(std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(d).count()));
}

}  // namespace

/// Plain on this machine unless asked otherwise; verified everywhere else unless refused in writing.
void Session::Secure(const Server& server, const Address& address) {
  MYSQL* m = mysql_.get();
  const Tls tls = server.tls.value_or(Tls());
  const bool use = server.tls ? tls.mode == "verify" : !address.local();
  const my_bool on = 1, off = 0;
  if (!use) {
    mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &off);
    mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &off);
    return;
  }
  mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &on);
  mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
  mysql_options(m, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
  mysql_ssl_set(m, tls.key.empty() ? nullptr : tls.key.c_str(), tls.cert.empty() ? nullptr : tls.cert.c_str(),
                tls.ca.empty() ? "/etc/ssl/certs/ca-certificates.crt" : tls.ca.c_str(), nullptr, nullptr);
}

Session::Session(const Server& server, Side side, int* few) : mysql_(mysql_init(nullptr)), side_(side), few_(few) {
  if (!mysql_) throw std::bad_alloc();
  MYSQL* m = mysql_.get();
  const Address address = ParseUrl(server.url);
  database_ = address.database;
  const unsigned connect = Seconds(server.connect_timeout), read = Seconds(server.read_timeout), no_file = 0;
  const my_bool no_reconnect = 0;
  const auto packet = static_cast<unsigned long>(server.packet_limit);
  mysql_options(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
  mysql_options(m, MYSQL_OPT_READ_TIMEOUT, &read);
  mysql_options(m, MYSQL_OPT_WRITE_TIMEOUT, &read);
  mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &no_file);   // a server could ask for any file in answer to any statement
  mysql_options(m, MYSQL_OPT_RECONNECT, &no_reconnect);
  mysql_options(m, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
  mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_options4(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "etl");
  Secure(server, address);
  const char* socket = address.socket.empty() ? nullptr : address.socket.c_str();
  // A host name "localhost" means the socket to the library; here it means TCP, unless a socket is named.
  const std::string host = socket ? "localhost" : address.host == "localhost" ? "127.0.0.1" : address.host;
  if (!mysql_real_connect(m, host.c_str(), address.user.c_str(),
                          (server.password.empty() ? address.password : server.password).c_str(), address.database.c_str(),
                          socket ? 0 : address.port, socket, CLIENT_MULTI_RESULTS | CLIENT_REMEMBER_OPTIONS)) {
    const std::string where = socket ? address.socket : address.host + ":" + std::to_string(address.port);
    Fail("cannot log in to the database \"" + address.database + "\" at " + where + " as \"" + address.user + "\"");
  }
  socket_ = static_cast<int>(mysql_get_socket(m));
  const int yes = 1, idle = 30;
  if (!socket) {
    setsockopt(socket_, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    setsockopt(socket_, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  }
  mariadb_ = mariadb_connection(m) != 0;
  version_ = mysql_get_server_version(m);
  const std::string limits = mariadb_ ? "max_statement_time = 0" : "max_execution_time = 0";
  Run("SET time_zone = '+00:00', net_write_timeout = 3600, net_read_timeout = 3600, wait_timeout = 28800, " + limits);
}

Session::~Session() = default;

void Session::Fail(const std::string& doing) const {
  if (cut_) throw Cancelled();
  Throw(mysql_errno(mysql_.get()), mysql_error(mysql_.get()), doing, side_, few_);
}

void Session::Run(const std::string& sql, const char* doing) {
  if (mysql_real_query(mysql_.get(), sql.data(), sql.size())) Fail(doing);
  do {
    if (MYSQL_RES* result = mysql_store_result(mysql_.get())) mysql_free_result(result);
  } while (mysql_next_result(mysql_.get()) == 0);
  if (mysql_errno(mysql_.get())) Fail(doing);
}

std::vector<TextRow> Session::Rows(const std::string& sql, const char* doing) {
  if (mysql_real_query(mysql_.get(), sql.data(), sql.size())) Fail(doing);
  const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> result(mysql_store_result(mysql_.get()), mysql_free_result);
  if (!result) Fail(doing);
  std::vector<TextRow> rows;
  while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* sizes = mysql_fetch_lengths(result.get());
    TextRow& out = rows.emplace_back();
    for (unsigned i = 0; i < mysql_num_fields(result.get()); ++i) {
      if (row[i]) out.emplace_back(std::string(row[i], sizes[i]));
      else out.emplace_back();
    }
  }
  return rows;
}

std::optional<std::string> Session::Value(const std::string& sql, const char* doing) {
  const auto rows = Rows(sql, doing);
  if (rows.empty() || rows[0].empty()) return std::nullopt;
  return rows[0][0];
}

std::string Session::Literal(std::string_view text) const {
  std::string out(text.size() * 2 + 3, '\'');
  const unsigned long n = mysql_real_escape_string(mysql_.get(), out.data() + 1, text.data(), text.size());
  out.resize(n + 2);
  out[n + 1] = '\'';
  return out;
}

void Session::Cut() noexcept {
  cut_ = true;
  ::shutdown(socket_, SHUT_RDWR);
}

void Session::Abandon() {
  lost_ = true;
  ::shutdown(socket_, SHUT_RDWR);
}

std::string HexLiteral(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = "X'";
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out + "'";
}

std::string ServerId(Session& s) {
  return s.Value(s.mariadb() ? "SELECT CONCAT(@@hostname, ':', @@datadir)" : "SELECT @@server_uuid").value_or("");
}

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string Quote(std::string_view name, const char* option) {
  if (name.empty() || name.size() > 256 || name.find('\0') != std::string_view::npos || name.back() == ' ') {
    throw ConfigError(option, "\"" + std::string(name) + "\" cannot be a name in the database");
  }
  std::string out = "`";
  for (const char c : name) out += c == '`' ? "``" : std::string(1, c);
  return out + "`";
}

Session& Link::Get(const std::function<void(Session&)>& fresh) {
  if (interrupted_) throw Cancelled();
  if (session_ && !session_->lost()) return *session_;
  Drop();
  auto made = std::make_unique<Session>(server_, side_, &few_);
  if (fresh) fresh(*made);
  const std::lock_guard lock(mutex_);
  session_ = std::move(made);
  return *session_;
}

void Link::Adopt(std::unique_ptr<Session> session) {
  const std::lock_guard lock(mutex_);
  session_ = std::move(session);
}

void Link::Drop() {
  const std::lock_guard lock(mutex_);
  session_.reset();
}

void Link::Interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  if (session_) session_->Cut();
}

}  // namespace etl::mysql
