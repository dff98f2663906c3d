// A proxy in front of a real server that answers one of the client's commands with an error of its own.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace etl::test {

/// What happens to which command.
struct Injected {
  unsigned code = 0;         ///< 0: nothing happens
  int nth = 1;               ///< the n-th command since Arm, of all connections; 0: the next login
  std::string text;          ///< if given, only commands whose text holds it are counted
  int also = 0;              ///< and the one so many after it
  bool always = false;       ///< and all after it that are counted
  bool done = false;         ///< the server has done it before; only its answer is another
  bool silent = false;       ///< no answer: the connection ends
  bool closes = false;       ///< the connection ends after the answer
  std::string message = "injected";
};

/// A command that the client sent and that has an answer.
struct Sent {
  int connection = 0;        ///< from 1 since the proxy began
  unsigned char kind = 0;    ///< COM_QUERY 3, COM_STMT_PREPARE 22, COM_STMT_EXECUTE 23, COM_STMT_BULK_EXECUTE 250, ...
  std::string text;          ///< of a statement that is executed: what was prepared
  bool hit = false;
};

/// Listens on loopback from construction to destruction, in one thread.  Unencrypted connections only.
/// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
class ErrorProxy {
 public:
  explicit ErrorProxy(std::uint16_t server_port);
  ~ErrorProxy();
  ErrorProxy(const ErrorProxy&) = delete;
  ErrorProxy& operator=(const ErrorProxy&) = delete;

  std::uint16_t port() const;
  /// Forgets what was sent, and counts anew.
  void Arm(Injected injected);
  std::vector<Sent> sent() const;
  /// How many commands, or logins, have met the error.
  int hits() const;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace etl::test
