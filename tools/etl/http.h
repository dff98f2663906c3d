// --http: what a run shows of itself to a scraper or a browser.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "run/run.h"

namespace etl::cli {

struct HttpAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: a free one
  bool loopback() const;
};

/// "8088", ":8088", "127.0.0.1:8088", "[::1]:8088".  Throws Error(kConfig).
HttpAddress ParseHttpAddress(const std::string& text);

/// GET and HEAD of /metrics, /status and /healthz; nothing changes anything.  No request bodies, 8
/// KiB of header, 16 connections, five seconds for a request; names other than its own in Host are
/// refused (DNS rebinding).
class StatusServer {
 public:
  /// Listens.  `status` is called from the server's threads.  Throws Poco::Exception when the port
  /// cannot be had.
  StatusServer(const HttpAddress& address, std::function<host::RunStatus()> status);
  ~StatusServer();
  std::uint16_t port() const;
  std::string url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace etl::cli
