// SPDX-License-Identifier: Apache-2.0
/// HTTP/1.1 requests to one or several hosts that serve the same, by libcurl: many at a time, from one thread.
///
/// Redirects are not followed, replies are not decompressed, certificates are verified unless told otherwise, and a reply
/// that is cut short is no reply.  Credentials are in no message.
#pragma once
#include <etl/error.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace etl::http {

using std::chrono::nanoseconds;

/// Where requests go, and as whom.
struct Target {
  std::vector<std::string> hosts;      ///< "https://es1.example:9200/prefix", without credentials and last slash
  std::string authorization;           ///< value of the header of that name; empty = none
  bool verify = true;                  ///< TLS: certificate and name
  std::string ca, cert, key;           ///< files; empty = the system's authorities, no certificate of one's own
  nanoseconds connect_timeout = std::chrono::seconds(10);
  nanoseconds timeout = std::chrono::minutes(5);   ///< of a whole exchange
  std::size_t most_reply = 256 << 20;  ///< bytes of a reply's body
  std::vector<std::string> keep_headers;   ///< in lower case: what a reply keeps of its headers
};

struct Request {
  std::string method = "GET";
  std::string path;                    ///< with the query, "/articles/_bulk?refresh=true"
  std::string_view body;               ///< lent until the completion was called
  std::string type;                    ///< Content-Type
  std::string encoding;                ///< Content-Encoding; empty = as it is
  std::vector<std::string> headers{};  ///< more of them, "Name: value"
  /// Content codings that are asked for and undone, "zstd, gzip"; empty = the reply is taken as it is.
  std::string accept{};
  /// The body of a reply with status 200 is given to it as it comes and not kept.  Such an exchange has no limit of time of its
  /// own: who reads it watches that bytes come.  What Poll() gives at once is bounded; nobody who does not poll is given more.
  std::function<void(std::string_view)> take{};
};

/// What became of a request.
enum class Fault {
  kNone,          ///< a whole reply came, whatever its status
  kUnreachable,   ///< no connection: nothing was sent
  kLost,          ///< sent in part or whole, and no whole reply came: done or not, nobody knows
  kMalformed,     ///< what came is not HTTP, or goes beyond the limits: done or not, nobody knows
  kRefused,       ///< lasting: certificates do not fit, or the URL or a file of the options cannot be used; nothing was sent
};

struct Reply {
  Fault fault = Fault::kNone;
  int status = 0;                      ///< 0 unless kNone
  std::string body, type;              ///< type: Content-Type
  std::string message;                 ///< of a fault: what, and with which host
  std::optional<nanoseconds> retry_after;
  std::vector<std::pair<std::string, std::string>> headers;   ///< of the names in Target::keep_headers, in lower case
  bool sent_whole = false;             ///< the request's body went out to its last byte
  nanoseconds elapsed{0};
  std::string host;                    ///< that was asked
};

/// One thread at a time, but for Wake().
class Client {
 public:
  using Done = std::function<void(Reply&&)>;
  /// No I/O.
  explicit Client(Target target);
  /// Requests under way are dropped; their completions are not called.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Begins a request; `done` is called from a later Poll().
  void Submit(Request request, Done done);
  std::size_t flying() const;
  /// Moves data and calls completions; returns when something was done, when Wake() was called, or after `longest`.
  void Poll(nanoseconds longest);
  /// Any thread: a Poll() under way, or else the next one, returns soon.
  void Wake();
  /// Drops the requests under way; their completions are not called.
  void Drop();
  /// A request, and its reply.  `stop` is asked every now and then: true ends it by etl::Cancelled.
  Reply Call(Request request, const std::function<bool()>& stop = {});

  /// Asks these hosts from now on.
  void SetHosts(std::vector<std::string> hosts);
  const Target& target() const { return target_; }

 private:
  struct Exchange;
  struct Host {
    std::string url;
    unsigned failures = 0;             // in a row
    std::chrono::steady_clock::time_point down_until{};
  };
  std::size_t PickHost();
  void Finish(Exchange& exchange, int code);
  void Judge(Exchange& exchange, int code);

  Target target_;
  std::vector<Host> hosts_;
  std::size_t next_host_ = 0;
  void* multi_ = nullptr;              // CURLM
  std::vector<std::unique_ptr<Exchange>> flying_, idle_;
};

/// Throws what a failed exchange means for a caller that can do no better: Retry or Fatal.
[[noreturn]] void ThrowFault(const Reply& reply, const std::string& doing);

}  // namespace etl::http
