#include "http_watch.h"

#include <doctest/doctest.h>

#include <string>

using etl::test::HttpWatch;

namespace {

/// Where the first request ends, when the bytes come one by one.
std::size_t EndOf(const std::string& text) {
  HttpWatch watch;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (watch.Feed(text.substr(i, 1), 1) != std::string::npos) return i + 1;
  }
  return std::string::npos;
}

}  // namespace

TEST_CASE("a request without a body ends with its head") {
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(EndOf(request) == request.size());
  CHECK(EndOf(request.substr(0, request.size() - 1)) == std::string::npos);
}

TEST_CASE("a request with a length ends with its body") {
  const std::string request = "POST / HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\n\r\n\r\nx";
  CHECK(EndOf(request) == request.size());
  CHECK(EndOf(request + "GET") == request.size());
}

TEST_CASE("a chunked request ends with its trailer") {
  const std::string request =
      "PUT / HTTP/1.1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0\r\n\r\n01234\r\n0\r\nT: 1\r\n\r\n";
  CHECK(EndOf(request) == request.size());
  CHECK(EndOf(request.substr(0, request.size() - 2)) == std::string::npos);
}

TEST_CASE("the second of two requests is found in one piece of bytes") {
  const std::string one = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab";
  HttpWatch watch;
  CHECK(watch.Feed(one + one + one, 2) == 2 * one.size());
}
