#include "fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "fault_connection.h"

namespace etl::test {
namespace {

using Clock = FaultConnection::Clock;
using std::chrono::milliseconds;

[[noreturn]] void Throw(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in Resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) throw std::runtime_error("no address of " + host + ": " + ::gai_strerror(error));
  auto address = *reinterpret_cast<sockaddr_in*>(found->ai_addr);
  ::freeaddrinfo(found);
  address.sin_port = htons(port);
  return address;
}

int Listen(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) Throw("socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 128) != 0) {
    const int error = errno;
    ::close(fd);
    throw std::system_error(error, std::generic_category(),
                            "cannot listen on port " + std::to_string(port));
  }
  return fd;
}

std::uint16_t PortOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) Throw("getsockname");
  return ntohs(address.sin_port);
}

}  // namespace

std::string Describe(const FaultEvent& event) {
  char head[64];
  std::snprintf(head, sizeof head, "%10.3f ms  #%llu  ",
                static_cast<double>(event.at.count()) / 1000.0,
                static_cast<unsigned long long>(event.connection));
  return head + event.what;
}

class FaultProxy::Engine {
 public:
  Engine(const std::string& host, std::uint16_t upstream_port, FaultScript script, bool print,
         std::uint16_t port)
      : upstream_(Resolve(host, upstream_port)),
        print_(print),
        script_(std::move(script)),
        listener_(Listen(port)) {
    port_ = PortOf(listener_);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) Throw("eventfd");
    Seed(script_);
    seed_ = script_.seed;
    Log(0, "seed " + std::to_string(seed_) + ", port " + std::to_string(port_));
    thread_ = std::thread([this] { Loop(); });
  }

  ~Engine() {
    Do([this] { stopping_ = true; });
    thread_.join();
    if (listener_ >= 0) ::close(listener_);
    ::close(wake_);
  }

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  std::uint16_t port() const { return port_; }
  std::uint64_t seed() const { return seed_; }
  std::uint64_t accepted() const { return accepted_; }
  std::size_t open() const { return open_; }

  void SetScript(FaultScript script) {
    if (script.seed == 0) script.seed = seed_;
    Do([&] { script_ = std::move(script); });
  }

  void Down() {
    Do([this] {
      if (listener_ >= 0) ::close(std::exchange(listener_, -1));
      Log(0, "down");
    });
  }

  void Up() {
    Do([this] {
      if (listener_ < 0) listener_ = Listen(port_);
      Log(0, "up");
    });
  }

  void ResetAll() {
    Do([this] {
      for (auto& connection : connections_) connection.Reset();
      Sweep();
      Log(0, "all reset");
    });
  }

  std::vector<FaultEvent> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

  bool WaitForEvent(std::string_view text, std::size_t count, milliseconds limit) const {
    std::unique_lock lock(mutex_);
    return happened_.wait_for(lock, limit, [&] {
      const auto matches = [&](const FaultEvent& event) {
        return event.what.find(text) != std::string::npos;
      };
      return static_cast<std::size_t>(std::count_if(events_.begin(), events_.end(), matches)) >=
             count;
    });
  }

 private:
  static void Seed(FaultScript& script) {
    std::random_device fresh;
    while (script.seed == 0) script.seed = fresh();
  }

  void Log(std::uint64_t connection, const std::string& what) {
    const std::lock_guard lock(mutex_);
    const auto at = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_);
    events_.push_back({at, connection, what});
    if (print_) {
      std::printf("%s\n", Describe(events_.back()).c_str());
      std::fflush(stdout);
    }
    happened_.notify_all();
  }

  /// Runs `task` in the proxy's thread and waits until it is done.
  void Do(const std::function<void()>& task) {
    std::packaged_task<void()> packaged(task);
    auto done = packaged.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(packaged));
    }
    const std::uint64_t one = 1;
    if (::write(wake_, &one, sizeof one) < 0) Throw("eventfd");
    done.get();
  }

  void RunTasks() {
    std::uint64_t ignored;
    if (::read(wake_, &ignored, sizeof ignored) < 0 && errno != EAGAIN) Throw("eventfd");
    std::vector<std::packaged_task<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (auto& task : tasks) task();
  }

  int ConnectUpstream() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    const auto* address = reinterpret_cast<const sockaddr*>(&upstream_);
    if (::connect(fd, address, sizeof upstream_) == 0 || errno == EINPROGRESS) return fd;
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }

  void Accept() {
    for (int fd;
         (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
      open_ =
          connections_.size() + 1;  // Before its first event, which may be what a test waits for.
      connections_.emplace_back(
          ++accepted_, fd, script_, [this] { return ConnectUpstream(); },
          [this](std::uint64_t number, const std::string& what) { Log(number, what); });
    }
  }

  void Sweep() {
    connections_.remove_if([](const FaultConnection& connection) { return connection.finished(); });
    open_ = connections_.size();
  }

  void Loop() {
    std::vector<pollfd> polls;
    while (!stopping_) {
      polls.assign({{wake_, POLLIN, 0}, {listener_, POLLIN, 0}});
      auto wake = Clock::time_point::max();
      for (auto& connection : connections_) wake = std::min(wake, connection.Watch(polls));
      timespec span{};
      if (wake != Clock::time_point::max()) {
        const auto left = std::max(wake - Clock::now(), Clock::duration::zero());
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        span = {seconds.count(), static_cast<long>((left - seconds).count())};
      }
      const int ready = ::ppoll(polls.data(), polls.size(),
                                wake == Clock::time_point::max() ? nullptr : &span, nullptr);
      if (ready < 0) continue;  // A signal; nothing else can go wrong with open descriptors.
      for (auto& connection : connections_) connection.Act(polls);
      const bool arrived = polls[1].revents != 0;
      if (polls[0].revents != 0) RunTasks();
      if (arrived && listener_ >= 0) Accept();
      Sweep();
    }
    connections_.clear();
  }

  const sockaddr_in upstream_;
  const bool print_;
  const Clock::time_point started_ = Clock::now();
  FaultScript script_;
  std::uint64_t seed_ = 0;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  bool stopping_ = false;
  std::list<FaultConnection> connections_;
  std::atomic<std::uint64_t> accepted_ = 0;
  std::atomic<std::size_t> open_ = 0;

  mutable std::mutex mutex_;
  mutable std::condition_variable happened_;
  std::vector<FaultEvent> events_;
  std::vector<std::packaged_task<void()>> tasks_;
  std::thread thread_;
};

FaultProxy::FaultProxy(const std::string& upstream_host, std::uint16_t upstream_port,
                       FaultScript script, bool print, std::uint16_t port)
    : engine_(
          std::make_unique<Engine>(upstream_host, upstream_port, std::move(script), print, port)) {}

FaultProxy::FaultProxy(const std::string& upstream_host, std::uint16_t upstream_port,
                       std::string_view script)
    : FaultProxy(upstream_host, upstream_port, ParseFaultScript(script)) {}

FaultProxy::~FaultProxy() = default;

std::uint16_t FaultProxy::port() const { return engine_->port(); }
std::uint64_t FaultProxy::seed() const { return engine_->seed(); }
void FaultProxy::SetScript(std::string_view script) {
  engine_->SetScript(ParseFaultScript(script));
}
void FaultProxy::Down() { engine_->Down(); }
void FaultProxy::Up() { engine_->Up(); }
void FaultProxy::ResetAll() { engine_->ResetAll(); }
std::uint64_t FaultProxy::connections() const { return engine_->accepted(); }
std::size_t FaultProxy::open() const { return engine_->open(); }
std::vector<FaultEvent> FaultProxy::events() const { return engine_->events(); }
bool FaultProxy::WaitForEvent(std::string_view text, std::size_t count, milliseconds limit) const {
  return engine_->WaitForEvent(text, count, limit);
}

}  // namespace etl::test
