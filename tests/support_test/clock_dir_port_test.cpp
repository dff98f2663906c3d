#include <doctest/doctest.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "fake_clock.h"
#include "free_port.h"
#include "temp_dir.h"

using etl::test::FakeClock;
using etl::test::FreePort;
using etl::test::ReadFile;
using etl::test::TempDir;
using namespace std::chrono_literals;

TEST_CASE("the fake clock stands until it is cranked") {
  FakeClock clock;
  CHECK(clock.Now() == 0ns);
  clock.Advance(5s);
  CHECK(clock.Now() == 5s);
  clock.Advance(-1s);
  CHECK(clock.Now() == 5s);
}

TEST_CASE("a waiter on the fake clock wakes when its time comes and not before") {
  FakeClock clock;
  std::atomic<bool> woken = false;
  std::thread waiter([&] { woken = clock.WaitFor(10s); });
  REQUIRE(clock.AwaitWaiters(1));
  clock.Advance(9s);
  REQUIRE(clock.AwaitWaiters(1));
  CHECK_FALSE(woken);
  clock.Advance(1s);
  waiter.join();
  CHECK(woken);
}

TEST_CASE("an interrupt wakes a waiter before its time") {
  FakeClock clock;
  std::atomic<bool> in_time = true;
  std::thread waiter([&] { in_time = clock.WaitUntil(1h); });
  REQUIRE(clock.AwaitWaiters(1));
  clock.Interrupt();
  waiter.join();
  CHECK_FALSE(in_time);
}

TEST_CASE("a temporary directory goes with all that is in it") {
  std::filesystem::path path;
  {
    const TempDir dir;
    path = dir.path();
    CHECK(ReadFile(dir.Write("file", "content")) == "content");
    std::filesystem::create_directories(path / "a/b");
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("connecting to a free port is refused") {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(FreePort());
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  CHECK(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0);
  CHECK(errno == ECONNREFUSED);
  ::close(fd);
}
