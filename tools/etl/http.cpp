#include "http.h"

#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <Poco/String.h>
#include <Poco/ThreadPool.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <set>

#include "json.h"
#include "metrics.h"

namespace etl::cli {
namespace {

namespace net = Poco::Net;
using Clock = std::chrono::steady_clock;
using net::HTTPResponse;

constexpr int kMostRequestBytes = 8 << 10;
constexpr int kThreads = 4, kConnections = 16;
constexpr std::chrono::seconds kRequestTime{5};

/// Poco bounds each header and each read; this bounds all of a request, in bytes and in time.
class CappedSocket : public net::StreamSocketImpl {
 public:
  explicit CappedSocket(poco_socket_t fd) : StreamSocketImpl(fd) {}

  int receiveBytes(void* buffer, int length, int flags) override {
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(deadline_ - Clock::now()).count();
    if (left <= 0 || received_ >= kMostRequestBytes) {
      cut_ = true;
      return 0;
    }
    setReceiveTimeout(Poco::Timespan(left));
    const int n = StreamSocketImpl::receiveBytes(
        buffer, std::min(length, kMostRequestBytes - received_), flags);
    if (n > 0 && (flags & MSG_PEEK) == 0) received_ += n;
    return n;
  }
  /// Poco takes a header that ends early for a whole one.
  bool cut() const { return cut_; }

 private:
  bool cut_ = false;
  Clock::time_point deadline_ = Clock::now() + kRequestTime;
  int received_ = 0;
};

class CappedListenerImpl : public net::ServerSocketImpl {
 public:
  net::SocketImpl* acceptConnection(net::SocketAddress& client) override {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    int fd = -1;
    do {
      fd = ::accept4(sockfd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) error();
    client = net::SocketAddress(reinterpret_cast<sockaddr*>(&address), size);
    return new CappedSocket(fd);
  }
};

class CappedListener : public net::ServerSocket {
 public:
  explicit CappedListener(const net::SocketAddress& address)
      : ServerSocket(new CappedListenerImpl, true) {
    impl()->bind(address, true, false);  // Poco would let two servers share the port
    impl()->listen(kConnections);
  }
};

std::string WithoutPort(const std::string& host) {
  if (!host.empty() && host[0] == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

struct Shared {
  std::function<host::RunStatus()> status;
  std::set<std::string> hosts;
};

class Handler : public net::HTTPRequestHandler {
 public:
  explicit Handler(const Shared& shared) : shared_(shared) {}

  void handleRequest(net::HTTPServerRequest& request, net::HTTPServerResponse& response) override {
    response.set("X-Content-Type-Options", "nosniff");
    response.set("Content-Security-Policy", "default-src 'none'");
    response.set("X-Frame-Options", "DENY");
    response.set("Cache-Control", "no-store");
    response.setKeepAlive(false);
    const auto* socket = dynamic_cast<CappedSocket*>(
        static_cast<net::HTTPServerRequestImpl&>(request).socket().impl());
    if (socket == nullptr || socket->cut()) {
      return Send(request, response, HTTPResponse::HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                  "the request is too long\n");
    }
    if (request.getContentLength64() > 0 || request.getChunkedTransferEncoding()) {
      return Send(request, response, HTTPResponse::HTTP_REQUEST_ENTITY_TOO_LARGE,
                  "requests have no body here\n");
    }
    if (request.getMethod() != "GET" && request.getMethod() != "HEAD") {
      response.set("Allow", "GET, HEAD");
      return Send(request, response, HTTPResponse::HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
    }
    if (shared_.hosts.count(Poco::toLower(WithoutPort(request.get("Host", "")))) == 0) {
      return Send(request, response, HTTPResponse::HTTP_FORBIDDEN,
                  "this server goes by another name\n");
    }
    Serve(request, response);
  }

 private:
  void Serve(const net::HTTPServerRequest& request, net::HTTPServerResponse& response) {
    const std::string path = request.getURI().substr(0, request.getURI().find('?'));
    if (path == "/metrics") {
      Send(request, response, HTTPResponse::HTTP_OK, Prometheus(shared_.status()),
           "text/plain; version=0.0.4; charset=utf-8");
    } else if (path == "/status") {
      Send(request, response, HTTPResponse::HTTP_OK, Text(ToJson(shared_.status())) + "\n",
           "application/json");
    } else if (path == "/healthz") {
      Send(request, response, HTTPResponse::HTTP_OK, "ok\n");
    } else {
      Send(request, response, HTTPResponse::HTTP_NOT_FOUND,
           "there are /metrics, /status and /healthz\n");
    }
  }

  static void Send(const net::HTTPServerRequest& request, net::HTTPServerResponse& response,
                   HTTPResponse::HTTPStatus status, const std::string& body,
                   const char* type = "text/plain; charset=utf-8") {
    response.setStatusAndReason(status);
    response.setContentType(type);
    response.setContentLength64(static_cast<Poco::Int64>(body.size()));
    std::ostream& out = response.send();
    if (request.getMethod() != "HEAD") out << body;
  }

  const Shared& shared_;
};

class Factory : public net::HTTPRequestHandlerFactory {
 public:
  explicit Factory(const Shared& shared) : shared_(shared) {}
  net::HTTPRequestHandler* createRequestHandler(const net::HTTPServerRequest&) override {
    return new Handler(shared_);
  }

 private:
  const Shared& shared_;
};

net::HTTPServerParams* Params() {
  auto* params = new net::HTTPServerParams;
  params->setKeepAlive(false);
  params->setMaxThreads(kThreads);
  params->setMaxQueued(kConnections - kThreads);
  params->setTimeout(Poco::Timespan(kRequestTime.count(), 0));
  return params;
}

std::string InUrl(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

bool HttpAddress::loopback() const {
  return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

HttpAddress ParseHttpAddress(const std::string& text) {
  HttpAddress address;
  const auto colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (!host.empty()) address.host = Poco::toLower(host);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size() || text.empty()) {
    throw host::Error(
        host::Exit::kConfig,
        fmt::format("--http takes an address and a port, as in 127.0.0.1:8088, not \"{}\"", text));
  }
  return address;
}

struct StatusServer::Impl {
  Impl(const HttpAddress& at, std::function<host::RunStatus()> status)
      : address(at),
        shared{std::move(status), {"localhost", "127.0.0.1", "[::1]", InUrl(at.host)}},
        pool("http", 1, kThreads + 1),
        listener(net::SocketAddress(at.host, at.port)),
        server(new Factory(shared), pool, listener, Params()) {
    server.start();
  }
  ~Impl() { server.stopAll(true); }

  HttpAddress address;
  Shared shared;
  Poco::ThreadPool pool;
  CappedListener listener;
  net::HTTPServer server;
};

StatusServer::StatusServer(const HttpAddress& address, std::function<host::RunStatus()> status)
    : impl_(std::make_unique<Impl>(address, std::move(status))) {}
StatusServer::~StatusServer() = default;

std::uint16_t StatusServer::port() const { return impl_->server.port(); }
std::string StatusServer::url() const {
  return fmt::format("http://{}:{}", InUrl(impl_->address.host), port());
}

}  // namespace etl::cli
