#include "error_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

namespace etl::test {
namespace {

constexpr unsigned char kQuery = 3, kPrepare = 22, kExecute = 23, kLongData = 24, kClose = 25, kQuit = 1, kBulk = 250;
constexpr std::size_t kHead = 4, kMostText = 300;

[[noreturn]] void Throw(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(port);
  return a;
}

std::uint32_t Number(const std::string& bytes, std::size_t at, int size) {
  std::uint32_t n = 0;
  for (int i = size; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  return n;
}

/// Takes a whole packet off the front.
bool TakePacket(std::string& from, std::string& packet) {
  if (from.size() < kHead || from.size() < kHead + Number(from, 0, 3)) return false;
  packet = from.substr(0, kHead + Number(from, 0, 3));
  from.erase(0, packet.size());
  return true;
}

std::string ErrorPacket(const Injected& e, char sequence, bool with_state) {
  std::string body{'\xff', static_cast<char>(e.code & 255), static_cast<char>(e.code >> 8)};
  body += (with_state ? "#HY000" : "") + e.message;
  return std::string{static_cast<char>(body.size()), static_cast<char>(body.size() >> 8), '\0', sequence} + body;
}

struct Socket {
  int fd = -1;
  Socket() = default;
  explicit Socket(int f) : fd(f) {}
  ~Socket() { if (fd >= 0) ::close(fd); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  bool Send(const std::string& bytes) const {
    for (std::size_t at = 0; at < bytes.size();) {
      const auto n = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return false;
      at += static_cast<std::size_t>(n);
    }
    return true;
  }
  bool Receive(std::string& to) const {
    char buffer[65536];
    const auto n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n > 0) to.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
};

struct Connection {
  Connection(int client_fd, int server_fd, int n) : client(client_fd), server(server_fd), number(n) {}
  Socket client, server;
  int number;
  bool in = false;                          // logged in
  bool first = false;                       // the next packet of the server's begins an answer
  bool replace = false;                     // and goes to the client as the error
  std::string from_client, from_server, preparing;
  std::uint32_t last = 0;
  std::map<std::uint32_t, std::string> prepared;
};

}  // namespace

class ErrorProxy::Engine {
 public:
  explicit Engine(std::uint16_t server_port) : server_port_(server_port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), end_(::eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in a = Loopback(0);
    socklen_t size = sizeof a;
    if (::bind(listener_.fd, reinterpret_cast<sockaddr*>(&a), size) || ::listen(listener_.fd, 64) ||
        ::getsockname(listener_.fd, reinterpret_cast<sockaddr*>(&a), &size)) {
      Throw("cannot listen");
    }
    port_ = ntohs(a.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Engine() {
    const std::uint64_t one = 1;
    if (::write(end_.fd, &one, sizeof one) != sizeof one) std::terminate();
    thread_.join();
  }

  std::uint16_t port_ = 0;
  std::mutex mutex_;                        // over the three below
  Injected injected_;
  std::vector<Sent> sent_;
  int hits_ = 0, counted_ = 0;

 private:
  void Serve() {
    for (;;) {
      std::vector<pollfd> fds{{end_.fd, POLLIN, 0}, {listener_.fd, POLLIN, 0}};
      for (const Connection& c : connections_) {
        fds.push_back({c.client.fd, POLLIN, 0});
        fds.push_back({c.server.fd, POLLIN, 0});
      }
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
      if (fds[0].revents) return;
      std::size_t at = 2;
      for (auto c = connections_.begin(); c != connections_.end(); at += 2) {
        const bool lives = (!fds[at].revents || FromClient(*c)) && (!fds[at + 1].revents || FromServer(*c));
        c = lives ? std::next(c) : connections_.erase(c);
      }
      if (fds[1].revents) Accept();
    }
  }

  void Accept() {
    const int client = ::accept4(listener_.fd, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    for (const int fd : {client, server}) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Connection& c = connections_.emplace_back(client, server, ++number_);
    const sockaddr_in a = Loopback(server_port_);
    bool refused = ::connect(server, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0;
    const std::lock_guard lock(mutex_);
    if (injected_.code && injected_.nth == 0 && (injected_.always || hits_ == 0)) {
      ++hits_;
      refused = true;
      if (!injected_.silent) c.client.Send(ErrorPacket(injected_, 0, false));
      ::shutdown(client, SHUT_WR);
    }
    if (refused) connections_.pop_back();
  }

  /// False: the connection ends.
  bool FromClient(Connection& c) {
    if (!c.client.Receive(c.from_client)) return false;
    std::string packet;
    while (TakePacket(c.from_client, packet)) {
      const auto kind = static_cast<unsigned char>(packet.size() > kHead ? packet[kHead] : 0);
      const bool answered = kind != kLongData && kind != kClose && kind != kQuit;
      if (c.in && packet[3] == 0 && answered) {
        const Injected hit = Count(c, kind, packet);
        c.first = true;
        c.preparing = kind == kPrepare ? packet.substr(kHead + 1, kMostText) : "";
        c.replace = hit.code && hit.done;
        if (hit.code && !hit.done) {
          c.first = false;
          if (!hit.silent) c.client.Send(ErrorPacket(hit, 1, true));
          if (hit.silent || hit.closes) return false;
          continue;
        }
      }
      if (!c.server.Send(packet)) return false;
    }
    return true;
  }

  std::string TextOf(Connection& c, unsigned char kind, const std::string& packet) {
    if (kind != kExecute && kind != kBulk) return packet.substr(kHead + 1, kind == kQuery || kind == kPrepare ? kMostText : 0);
    const std::uint32_t id = packet.size() >= kHead + 5 ? Number(packet, kHead + 1, 4) : 0;
    return c.prepared[id == UINT32_MAX ? c.last : id];
  }

  Injected Count(Connection& c, unsigned char kind, const std::string& packet) {
    const std::lock_guard lock(mutex_);
    Sent s{c.number, kind, TextOf(c, kind, packet), false};
    if (injected_.text.empty() || s.text.find(injected_.text) != std::string::npos) {
      ++counted_;
      const int after = counted_ - injected_.nth;
      s.hit = injected_.code && injected_.nth > 0 && (after == 0 || (after > 0 && (injected_.always || after == injected_.also)));
    }
    hits_ += s.hit;
    sent_.push_back(s);
    return s.hit ? injected_ : Injected{};
  }

  bool FromServer(Connection& c) {
    if (!c.server.Receive(c.from_server)) {
      c.client.Send(c.from_server);
      return false;
    }
    std::string packet;
    while ((!c.in || c.first) && TakePacket(c.from_server, packet)) {
      const char head = packet.size() > kHead ? packet[kHead] : '\0';
      if (c.first && c.replace) return Replace(c, packet);
      if (c.first && !c.preparing.empty() && head == 0) c.prepared[c.last = Number(packet, kHead + 1, 4)] = c.preparing;
      c.first = false;
      c.in = c.in || head == 0;             // the greeting begins with 10, a step of the login with 1 or 254
      if (!c.client.Send(packet)) return false;
    }
    if (!c.in || c.first) return true;
    const bool sent = c.client.Send(c.from_server);
    c.from_server.clear();
    return sent;
  }

  bool Replace(Connection& c, const std::string& packet) {
    const std::lock_guard lock(mutex_);
    c.first = c.replace = false;
    if (injected_.silent) return false;
    return c.client.Send(ErrorPacket(injected_, packet[3], true)) && !injected_.closes;
  }

  std::uint16_t server_port_;
  Socket listener_, end_;
  std::list<Connection> connections_;
  int number_ = 0;
  std::thread thread_;
};

ErrorProxy::ErrorProxy(std::uint16_t server_port) : engine_(std::make_unique<Engine>(server_port)) {}
ErrorProxy::~ErrorProxy() = default;
std::uint16_t ErrorProxy::port() const { return engine_->port_; }

void ErrorProxy::Arm(Injected injected) {
  const std::lock_guard lock(engine_->mutex_);
  engine_->injected_ = std::move(injected);
  engine_->sent_.clear();
  engine_->hits_ = engine_->counted_ = 0;
}

std::vector<Sent> ErrorProxy::sent() const {
  const std::lock_guard lock(engine_->mutex_);
  return engine_->sent_;
}

int ErrorProxy::hits() const {
  const std::lock_guard lock(engine_->mutex_);
  return engine_->hits_;
}

}  // namespace etl::test
