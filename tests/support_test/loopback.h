// The two ends of a connection, for tests of what stands between them.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace etl::test {

/// A connected socket; reading gives up after ten seconds, which no test that passes ever waits
/// for.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) {
        end = "reset";  // Whoever hears of a reset here hears no more of it when reading.
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  void EndOfStream() { ::shutdown(fd_, SHUT_WR); }

  /// At most `most` bytes, as they come; why there are no more is in `end`.
  std::string Read(std::size_t most = SIZE_MAX) {
    std::string bytes;
    std::array<char, 65536> buffer;
    while (bytes.size() < most) {
      const ssize_t count =
          ::recv(fd_, buffer.data(), std::min(buffer.size(), most - bytes.size()), 0);
      if (count > 0) {
        bytes.append(buffer.data(), static_cast<std::size_t>(count));
        continue;
      }
      if (end == "reset") break;
      end = count == 0            ? "end"
            : errno == ECONNRESET ? "reset"
            : errno == EAGAIN     ? "silence"
                                  : "error";
      break;
    }
    return bytes;
  }
  std::string end;

 private:
  int fd_;
};

/// Connects to a port of 127.0.0.1; throws std::system_error when that fails.
inline Socket ConnectTo(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect");
  }
  return socket;
}

/// Runs `serve` in a thread of its own for each connection.
class LoopbackServer {
 public:
  explicit LoopbackServer(std::function<void(Socket&)> serve) : serve_(std::move(serve)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, plain, size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, plain, &size) != 0) {
      throw std::system_error(errno, std::generic_category(), "listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] {
      for (int fd; (fd = ::accept(listener_, nullptr, nullptr)) >= 0;) {
        workers_.emplace_back([this, fd] {
          Socket socket(fd);
          serve_(socket);
        });
      }
    });
  }
  ~LoopbackServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& worker : workers_) worker.join();
    ::close(listener_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  std::function<void(Socket&)> serve_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> workers_;
};

/// Sends back what comes until the end of the stream.
inline void Echo(Socket& socket) {
  std::array<char, 65536> buffer;
  for (ssize_t count; (count = ::recv(socket.fd(), buffer.data(), buffer.size(), 0)) > 0;) {
    if (!socket.Send({buffer.data(), static_cast<std::size_t>(count)})) return;
  }
}

}  // namespace etl::test
