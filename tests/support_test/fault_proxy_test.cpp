#include "fault_proxy.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <signal.h>

#include <future>
#include <stdexcept>

#include "free_port.h"
#include "loopback.h"
#include "run_process.h"
#include "temp_dir.h"

using namespace etl::test;
using namespace std::chrono_literals;

namespace {

const std::string kText = "The quick brown fox jumps over the lazy dog.";

/// Sends `text` through a proxy with this script to a server that sends it back.
std::string EchoThrough(std::string_view script, const std::string& text, std::string& end) {
  LoopbackServer server(Echo);
  FaultProxy proxy("127.0.0.1", server.port(), script);
  Socket client = ConnectTo(proxy.port());
  client.Send(text);
  client.EndOfStream();
  const std::string answer = client.Read();
  end = client.end;
  return answer;
}

std::chrono::milliseconds Since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start);
}

}  // namespace

TEST_CASE("without rules the proxy passes everything on") {
  std::string end;
  std::string large;
  for (int i = 0; i < 400'000; ++i) large += std::to_string(i);
  CHECK(EchoThrough("", large, end) == large);
  CHECK(end == "end");
}

TEST_CASE("a refused connection is reset") {
  std::string end;
  CHECK(EchoThrough("* refuse", kText, end).empty());
  CHECK(end == "reset");
}

TEST_CASE("an accepted and closed connection ends at once") {
  std::string end;
  CHECK(EchoThrough("* accept_and_close", kText, end).empty());
  CHECK(end == "end");
}

TEST_CASE("a half-open connection is silent") {
  LoopbackServer server(Echo);
  FaultProxy proxy("127.0.0.1", server.port(), "* noop");
  Socket client = ConnectTo(proxy.port());
  CHECK(client.Send(kText));
  REQUIRE(proxy.WaitForEvent("held without a word"));
  char byte;
  CHECK(::recv(client.fd(), &byte, 1, MSG_DONTWAIT) < 0);
  CHECK(errno == EAGAIN);
  CHECK(proxy.open() == 1);
  proxy.ResetAll();
  client.Read();
  CHECK(client.end == "reset");
  CHECK(proxy.open() == 0);
}

TEST_CASE("a proxy that is down refuses, and is up again on the same port") {
  LoopbackServer server(Echo);
  FaultProxy proxy("127.0.0.1", server.port());
  proxy.Down();
  CHECK_THROWS_AS(ConnectTo(proxy.port()), std::system_error);
  proxy.Up();
  Socket client = ConnectTo(proxy.port());
  client.Send(kText);
  CHECK(client.Read(kText.size()) == kText);
}

TEST_CASE("an upstream that is not there resets the client") {
  FaultProxy proxy("127.0.0.1", FreePort());
  Socket client = ConnectTo(proxy.port());
  client.Read();
  CHECK(client.end == "reset");
  CHECK(proxy.WaitForEvent("cannot be reached"));
}

TEST_CASE("cut_after passes exactly so many bytes and an orderly end, at every place") {
  for (std::size_t k = 0; k <= kText.size(); ++k) {
    CAPTURE(k);
    std::string end;
    CHECK(EchoThrough("* down cut_after " + std::to_string(k), kText, end) == kText.substr(0, k));
    CHECK(end == "end");
  }
}

TEST_CASE("reset_after passes exactly so many bytes and a reset, at every place") {
  for (std::size_t k = 0; k <= kText.size(); ++k) {
    CAPTURE(k);
    std::string end;
    CHECK(EchoThrough("* down reset_after " + std::to_string(k), kText, end) == kText.substr(0, k));
    CHECK(end == "reset");
  }
}

TEST_CASE("a request that is cut reaches the server in part") {
  std::promise<std::string> received;
  LoopbackServer server([&](Socket& socket) { received.set_value(socket.Read()); });
  FaultProxy proxy("127.0.0.1", server.port(), "* up cut_after 9");
  Socket client = ConnectTo(proxy.port());
  client.Send(kText);
  CHECK(received.get_future().get() == kText.substr(0, 9));
  client.Read();
  CHECK(client.end == "end");
}

TEST_CASE("slices, jitter and corruption change what they should and nothing else") {
  std::string end;
  CHECK(EchoThrough("* slice 1", kText, end) == kText);
  CHECK(EchoThrough("seed 3\n* delay 1 5\n* slice 7", kText, end) == kText);
  std::string wrong = kText;
  wrong[4] = static_cast<char>(wrong[4] ^ 0x20);
  CHECK(EchoThrough("* up corrupt 4 0x20", kText, end) == wrong);
  CHECK(EchoThrough("* up corrupt 4 0x20\n* down corrupt 4 0x20", kText, end) == kText);
  CHECK(end == "end");
}

TEST_CASE("delay, bandwidth and slow_close take their time") {
  std::string end;
  auto start = std::chrono::steady_clock::now();
  CHECK(EchoThrough("* down delay 60", kText, end) == kText);
  CHECK(Since(start) >= 60ms);
  start = std::chrono::steady_clock::now();
  CHECK(EchoThrough("* down bandwidth 200000", std::string(20'000, 'x'), end).size() == 20'000);
  CHECK(Since(start) >= 70ms);
  start = std::chrono::steady_clock::now();
  CHECK(EchoThrough("* down slow_close 60", kText, end) == kText);
  CHECK(Since(start) >= 60ms);
  CHECK(end == "end");
}

TEST_CASE("drop takes everything and gives nothing") {
  LoopbackServer server(Echo);
  FaultProxy proxy("127.0.0.1", server.port(), "* up drop");
  Socket client = ConnectTo(proxy.port());
  client.Send(kText);
  CHECK(proxy.WaitForEvent("dropped " + std::to_string(kText.size())));
}

TEST_CASE("limit_time resets a connection that goes on too long") {
  LoopbackServer server(Echo);
  FaultProxy proxy("127.0.0.1", server.port(), "* limit_time 30");
  Socket client = ConnectTo(proxy.port());
  client.Read();
  CHECK(client.end == "reset");
}

TEST_CASE("the answer to COMMIT is lost after the server has done it") {
  for (const std::string then : {"reset", "close", "hold"}) {
    CAPTURE(then);
    std::promise<std::string> done;
    LoopbackServer server([&](Socket& socket) {
      std::string request = socket.Read(5);
      socket.Send("begun");
      request += socket.Read(6);
      socket.Send("committed");
      done.set_value(request);
      socket.Read();
    });
    FaultProxy proxy("127.0.0.1", server.port(), "* swallow_answer_after \"COMMIT\" " + then);
    Socket client = ConnectTo(proxy.port());
    client.Send("BEGIN");
    CHECK(client.Read(5) == "begun");
    client.Send("COM");
    client.Send("MIT");
    CHECK(done.get_future().get() == "BEGINCOMMIT");
    REQUIRE(proxy.WaitForEvent("swallowed 9 bytes"));
    if (then == "hold") {
      char byte;
      CHECK(::recv(client.fd(), &byte, 1, MSG_DONTWAIT) < 0);
      CHECK(errno == EAGAIN);
      proxy.ResetAll();
      continue;
    }
    CHECK(client.Read().empty());
    CHECK(client.end == (then == "close" ? "end" : "reset"));
  }
}

TEST_CASE("the answer to the second whole HTTP request is lost") {
  const std::string request = "POST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
  std::promise<std::string> second;
  LoopbackServer server([&](Socket& socket) {
    socket.Read(request.size());
    socket.Send("first answer");
    second.set_value(socket.Read(request.size()));
    socket.Send("second answer");
    socket.Read();
  });
  FaultProxy proxy("127.0.0.1", server.port(), "1 swallow_answer_after 2 http_request");
  Socket client = ConnectTo(proxy.port());
  client.Send(request);
  CHECK(client.Read(12) == "first answer");
  client.Send(request.substr(0, 30));
  client.Send(request.substr(30));
  CHECK(second.get_future().get() == request);
  CHECK(client.Read().empty());
  CHECK(client.end == "reset");
}

TEST_CASE("a canned answer needs no upstream") {
  FaultProxy proxy("127.0.0.1", FreePort(),
                   "1 answer connect \"hello\\r\\n\"\n2 answer request \"HTTP/1.1 503 "
                   "No\\r\\n\\r\\n\"\n3 answer data "
                   "\"12345\"\n3 down cut_after 3");
  Socket first = ConnectTo(proxy.port());
  CHECK(first.Read() == "hello\r\n");
  CHECK(first.end == "end");
  Socket second = ConnectTo(proxy.port());
  second.Send("GET / HTTP/1.1\r\n");
  second.Send("\r\n");
  CHECK(second.Read() == "HTTP/1.1 503 No\r\n\r\n");
  Socket third = ConnectTo(proxy.port());
  third.Send("x");
  CHECK(third.Read() == "123");
}

TEST_CASE("rules are for connections by number") {
  LoopbackServer server(Echo);
  FaultProxy proxy("127.0.0.1", server.port(), "2 refuse\n4-5 refuse\n%7 refuse\n9- refuse");
  std::string refused;
  for (int number = 1; number <= 11; ++number) {
    Socket client = ConnectTo(proxy.port());
    client.Send("x");
    refused += client.Read(1).empty() ? 'r' : '.';
  }
  CHECK(refused == ".r.rr.r.rrr");
  proxy.SetScript("");
  Socket client = ConnectTo(proxy.port());
  client.Send("x");
  CHECK(client.Read(1) == "x");
  CHECK(proxy.connections() == 12);
}

TEST_CASE("a wrong script says where and what is wrong") {
  const auto message = [](std::string_view script) -> std::string {
    try {
      ParseFaultScript(script);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message("# fine\n\n* pass # fine too\n1 down cut_after") ==
        "fault script, line 4: cut_after needs a number");
  CHECK(message("* explode") == "fault script, line 1: unknown action \"explode\"");
  CHECK(message("* up refuse") == "fault script, line 1: refuse is for the whole connection");
  CHECK(message("0 pass") == "fault script, line 1: no connection is \"0\"");
  CHECK(message("x pass") == "fault script, line 1: \"x\" is no number");
  CHECK(message("* answer \"x\"") == "fault script, line 1: answer needs connect, data or request");
  CHECK(message("* answer data \"x") == "fault script, line 1: a text is not closed");
  CHECK(message("* slice 0") == "fault script, line 1: slice needs more than 0");
  CHECK(message("* pass 1") == "fault script, line 1: \"1\" is too much");
  CHECK(message("seed") == "fault script, line 1: seed needs one number");
  const FaultScript script =
      ParseFaultScript("seed 5\n* answer data \"\\x41\\r\\n\\t\\0\\\\\\\"\"");
  CHECK(script.seed == 5);
  CHECK(script.rules.at(0).text == std::string("A\r\n\t\0\\\"", 7));
}

TEST_CASE("the proxy as a program says its port and what it did, and ends cleanly") {
  LoopbackServer server(Echo);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  std::string said;
  {
    Process program(
        {.argv = {ETL_FAULTPROXY, "--upstream", "127.0.0.1:" + std::to_string(server.port()),
                  "--seed", "77", "--rule", "* down cut_after 3"}},
        null, ends[1], 2);
    ::close(ends[1]);
    char byte;
    while (said.find('\n') == std::string::npos && ::read(ends[0], &byte, 1) == 1) said += byte;
    REQUIRE(said.find("seed 77, port ") != std::string::npos);
    Socket client =
        ConnectTo(static_cast<std::uint16_t>(std::stoi(said.substr(said.find("port ") + 5))));
    client.Send(kText);
    CHECK(client.Read() == kText.substr(0, 3));
    CHECK(program.Signal(SIGTERM));
    CHECK(program.Join().exit_code == 0);
  }
  char byte;
  while (::read(ends[0], &byte, 1) == 1) said += byte;
  CHECK(said.find("down: cut after 3 bytes") != std::string::npos);
  CHECK(said.ends_with("ended after 1 connections\n"));
  ::close(ends[0]);
  ::close(null);
}
