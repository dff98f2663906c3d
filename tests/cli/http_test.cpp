#include "http.h"

#include <Poco/Exception.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "sample.h"

using namespace etl::cli;
namespace net = Poco::Net;

namespace {

const std::string kHealth = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// All that comes back for these bytes.
std::string Answer(net::StreamSocket& socket, const std::string& request) {
  socket.setReceiveTimeout(Poco::Timespan(20, 0));
  std::string answer;
  char buffer[4096];
  try {
    for (std::size_t sent = 0; sent < request.size();)
      sent += static_cast<std::size_t>(
          socket.sendBytes(request.data() + sent, static_cast<int>(request.size() - sent)));
    for (int n; (n = socket.receiveBytes(buffer, sizeof buffer)) > 0;)
      answer.append(buffer, static_cast<std::size_t>(n));
  } catch (const Poco::Exception& e) {
    answer += "<" + e.displayText() + ">";
  }
  return answer;
}

struct Server {
  StatusServer server{{"127.0.0.1", 0}, etl::test::Middle};

  std::string Ask(const std::string& request) const {
    net::StreamSocket socket(net::SocketAddress("127.0.0.1", server.port()));
    return Answer(socket, request);
  }
  std::string Get(const std::string& path, const std::string& host = "localhost") const {
    return Ask("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  }
};

bool Is(const std::string& answer, const std::string& status) {
  return answer.rfind("HTTP/1.1 " + status + " ", 0) == 0;
}
std::string Body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("the pages are served with their headers") {
  const Server s;
  const std::string health = s.Get("/healthz");
  CHECK(Is(health, "200"));
  CHECK(Body(health) == "ok\n");
  for (const char* header :
       {"X-Content-Type-Options: nosniff\r\n", "Content-Security-Policy: default-src 'none'\r\n",
        "X-Frame-Options: DENY\r\n", "Connection: Close\r\n"})
    CHECK_MESSAGE(health.find(header) != std::string::npos, header);
  CHECK(Body(s.Get("/status?x=1")).rfind("{\"pipeline\":\"articles\",\"phase\":\"running\"", 0) ==
        0);
  CHECK(s.Get("/status").find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(Body(s.Get("/metrics")).find("etl_rows_read_total{pipeline=\"articles\"} 412310\n") !=
        std::string::npos);
  CHECK(Is(s.Get("/etc/passwd"), "404"));
  CHECK(Is(s.Get("/../status"), "404"));
}

TEST_CASE("HEAD gives the headers alone") {
  const Server s;
  const std::string answer = s.Ask("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(Is(answer, "200"));
  CHECK(answer.find("Content-Length: 3\r\n") != std::string::npos);
  CHECK(Body(answer) == "");
}

TEST_CASE("other methods and bodies are refused") {
  const Server s;
  CHECK(Is(s.Ask("POST /status HTTP/1.1\r\nHost: localhost\r\n\r\n"), "405"));
  CHECK(Is(s.Ask("DELETE /status HTTP/1.1\r\nHost: localhost\r\n\r\n"), "405"));
  CHECK(
      Is(s.Ask("GET /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"), "413"));
  CHECK(Is(s.Ask("POST /status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n0\r\n\r\n"),
           "413"));
}

TEST_CASE("names that are not its own are refused") {
  const Server s;
  for (const char* host : {"localhost", "LOCALHOST:8088", "127.0.0.1:8088", "[::1]:8088"})
    CHECK_MESSAGE(Is(s.Get("/healthz", host), "200"), host);
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""})
    CHECK_MESSAGE(Is(s.Get("/healthz", host), "403"), host);
  CHECK(s.Ask("GET /healthz HTTP/1.0\r\n\r\n").find(" 403 Forbidden") != std::string::npos);
}

TEST_CASE(
    "a request of more than 8 KiB and one that is no HTTP get nothing, and the server lives on") {
  const Server s;
  std::string large = "GET /status HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < 60; ++i)
    large += "X-" + std::to_string(i) + ": " + std::string(200, 'x') + "\r\n";
  CHECK(Is(s.Ask(large.substr(0, 8192)), "431"));
  CHECK(!Is(s.Ask(large + "\r\n"), "200"));
  CHECK(!Is(s.Ask(std::string(100'000, 'A')), "200"));
  CHECK(!Is(s.Ask("\x16\x03\x01\r\n\r\n"), "200"));
  CHECK(Is(s.Get("/healthz"), "200"));
}

TEST_CASE("a request that never ends is cut off after five seconds") {
  const Server s;
  CHECK(!Is(s.Ask("GET /healthz HTTP/1.1\r\nHost: loc"), "200"));
  CHECK(Is(s.Get("/healthz"), "200"));
}

TEST_CASE("of forty connections at once sixteen at most are taken, the others closed at once") {
  const Server s;
  std::vector<net::StreamSocket> open;
  for (int i = 0; i < 40; ++i) open.emplace_back(net::SocketAddress("127.0.0.1", s.server.port()));
  while (open.size() > 16) {
    net::Socket::SocketList readable(open.begin(), open.end()), none, faulty;
    REQUIRE(net::Socket::select(readable, none, faulty, Poco::Timespan(20, 0)) > 0);
    open.erase(std::remove_if(open.begin(), open.end(),
                              [&](const net::StreamSocket& socket) {
                                return std::find(readable.begin(), readable.end(), socket) !=
                                       readable.end();
                              }),
               open.end());
  }
  std::size_t answered = 0;
  for (net::StreamSocket& socket : open) answered += Is(Answer(socket, kHealth), "200");
  CHECK(answered >= 1);
  open.clear();
  CHECK(Is(s.Ask(kHealth), "200"));
}

TEST_CASE("a port that is taken is an error at once") {
  const Server s;
  CHECK_THROWS_AS(StatusServer({"127.0.0.1", s.server.port()}, etl::test::Middle), Poco::Exception);
}

TEST_CASE("addresses of --http") {
  CHECK(ParseHttpAddress("127.0.0.1:8088").port == 8088);
  CHECK(ParseHttpAddress(":0").host == "127.0.0.1");
  CHECK(ParseHttpAddress("8088").loopback());
  CHECK(ParseHttpAddress("[::1]:80").host == "::1");
  CHECK(ParseHttpAddress("[::1]:80").loopback());
  CHECK(!ParseHttpAddress("0.0.0.0:80").loopback());
  for (const char* bad : {"", "x:y", "127.0.0.1:", "127.0.0.1:70000", "1.2.3.4:80x"})
    CHECK_THROWS_WITH(ParseHttpAddress(bad),
                      doctest::Contains("--http takes an address and a port"));
}
