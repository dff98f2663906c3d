#include "tls_front.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "temp_dir.h"

namespace etl::test {
namespace {

[[noreturn]] void Throw(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

sockaddr_in Address(const std::string& ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1)
    throw std::runtime_error("no IPv4 address: " + ip);
  return address;
}

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

/// Moves bytes between a TLS connection and a plain one until both directions have ended.
class Relay {
 public:
  Relay(SSL* ssl, int tls, int plain, int stop)
      : ssl_(ssl), tls_(tls), plain_(plain), stop_(stop) {}

  /// False when the handshake was broken off, or the front is ending.
  bool Handshake() {
    for (;;) {
      ERR_clear_error();
      const int result = SSL_accept(ssl_);
      if (result == 1) return true;
      if (!Wants(result) || !Wait(false, false)) return false;
    }
  }

  void Run() {
    while (!broken_ && !(tls_ended_ && plain_ended_)) {
      bool moved = ReadTls();
      moved = WritePlain() || moved;
      moved = ReadPlain() || moved;
      moved = WriteTls() || moved;
      if (!moved && !broken_ && !Wait(!plain_ended_ && to_tls_.empty(), !to_plain_.empty())) return;
    }
  }

 private:
  /// Notes what the TLS side waits for; false when it has failed.
  bool Wants(int result) {
    const int error = SSL_get_error(ssl_, result);
    tls_events_ = static_cast<short>(error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  bool Wait(bool read_plain, bool write_plain) {
    const auto plain_events =
        static_cast<short>((read_plain ? POLLIN : 0) | (write_plain ? POLLOUT : 0));
    const bool watch_tls = !tls_ended_ || !to_tls_.empty();
    pollfd polls[] = {{stop_, POLLIN, 0},
                      {watch_tls ? tls_ : -1, tls_events_, 0},
                      {plain_events != 0 ? plain_ : -1, plain_events, 0}};
    while (::poll(polls, 3, -1) < 0) {
    }
    return polls[0].revents == 0;
  }

  bool ReadTls() {
    if (tls_ended_ || !to_plain_.empty()) return false;
    std::array<char, 16384> buffer;
    ERR_clear_error();
    const int count = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
    if (count > 0) {
      to_plain_.assign(buffer.data(), static_cast<std::size_t>(count));
      return true;
    }
    if (Wants(count)) return false;
    broken_ = SSL_get_error(ssl_, count) != SSL_ERROR_ZERO_RETURN;
    tls_ended_ = true;
    ::shutdown(plain_, SHUT_WR);
    return true;
  }

  bool WriteTls() {
    if (to_tls_.empty()) return false;
    ERR_clear_error();
    const int count = SSL_write(ssl_, to_tls_.data(), static_cast<int>(to_tls_.size()));
    if (count > 0) {
      to_tls_.clear();
      return true;
    }
    if (!Wants(count)) broken_ = true;
    return false;
  }

  bool ReadPlain() {
    if (plain_ended_ || !to_tls_.empty()) return false;
    std::array<char, 16384> buffer;
    const ssize_t count = ::recv(plain_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      to_tls_.assign(buffer.data(), static_cast<std::size_t>(count));
      return true;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    broken_ = count < 0;
    plain_ended_ = true;
    if (!broken_) SSL_shutdown(ssl_);
    return true;
  }

  bool WritePlain() {
    if (to_plain_.empty()) return false;
    const ssize_t count =
        ::send(plain_, to_plain_.data(), to_plain_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) to_plain_.erase(0, static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN && errno != EINTR) broken_ = true;
    return count > 0;
  }

  SSL* ssl_;
  int tls_, plain_, stop_;
  short tls_events_ = POLLIN;
  std::string to_plain_, to_tls_;
  bool tls_ended_ = false, plain_ended_ = false, broken_ = false;
};

}  // namespace

class TlsFront::Impl {
 public:
  Impl(const std::string& upstream, std::uint16_t upstream_port, const TlsFrontOptions& options)
      : upstream_(Address(upstream, upstream_port)),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        ca_file(temp_.Write("ca.pem", authority_.pem())) {
    const Certificate client = authority_.Issue({{"client"}, {}, false, false, false});
    client_certificate_file = temp_.Write("client.pem", client.pem);
    client_key_file = temp_.Write("client.key", client.key_pem);
    SetUp(options);
    Listen();
    acceptor_ = std::thread([this] { AcceptAll(); });
  }

  ~Impl() {
    const std::uint64_t one = 1;
    if (::write(stop_.get(), &one, sizeof one) < 0) std::terminate();
    acceptor_.join();  // It alone adds workers.
    for (auto& worker : workers_) worker.join();
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

 private:
  void SetUp(const TlsFrontOptions& options) {
    const Certificate server = authority_.Issue(options.certificate);
    const std::string certificate = temp_.Write("server.pem", server.pem);
    const std::string key = temp_.Write("server.key", server.key_pem);
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* context = context_.get();
    // A partial write would ask for the same buffer again, which the relay keeps; that it may move
    // is allowed here.
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    bool ok = SSL_CTX_use_certificate_file(context, certificate.c_str(), SSL_FILETYPE_PEM) == 1 &&
              SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1;
    if (options.tls10_only) {
      // Its SHA-1 is below every security level but the lowest.
      ok = ok && SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0") == 1 &&
           SSL_CTX_set_min_proto_version(context, TLS1_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_VERSION) == 1;
    }
    if (options.client_certificate) {
      ok = ok && SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) == 1;
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    if (!ok) throw std::runtime_error("setting TLS up failed");
  }

  void Listen() {
    sockaddr_in address = Address("127.0.0.1", 0);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), plain, size) != 0 || ::listen(listener_.get(), 128) != 0 ||
        ::getsockname(listener_.get(), plain, &size) != 0) {
      Throw("cannot listen");
    }
    port = ntohs(address.sin_port);
  }

  void AcceptAll() {
    for (;;) {
      pollfd polls[] = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      if (::poll(polls, 2, -1) < 0) continue;
      if (polls[0].revents != 0) return;
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) workers_.emplace_back([this, fd] { Serve(fd); });
    }
  }

  void Serve(int client) {
    // OpenSSL writes with write(2); a peer that is gone must not end the test.
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    const Fd tls(client);
    const Fd plain(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context_.get()));
    if (!ssl || plain.get() < 0 || SSL_set_fd(ssl.get(), client) != 1) return;
    Relay relay(ssl.get(), client, plain.get(), stop_.get());
    if (!relay.Handshake()) {
      ++failed;
      return;
    }
    ++completed;
    if (::connect(plain.get(), reinterpret_cast<const sockaddr*>(&upstream_), sizeof upstream_) !=
        0)
      return;
    relay.Run();
  }

  const sockaddr_in upstream_;
  const Fd listener_;
  const Fd stop_;
  const TempDir temp_;
  const TestAuthority authority_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::thread acceptor_;
  std::vector<std::thread> workers_;

 public:
  std::uint16_t port = 0;
  std::string ca_file, client_certificate_file, client_key_file;
  std::atomic<std::size_t> completed = 0, failed = 0;
};

TlsFront::TlsFront(const std::string& upstream_address, std::uint16_t upstream_port,
                   const TlsFrontOptions& options)
    : impl_(std::make_unique<Impl>(upstream_address, upstream_port, options)) {}

TlsFront::~TlsFront() = default;

std::uint16_t TlsFront::port() const { return impl_->port; }
const std::string& TlsFront::ca_file() const { return impl_->ca_file; }
const std::string& TlsFront::client_certificate_file() const {
  return impl_->client_certificate_file;
}
const std::string& TlsFront::client_key_file() const { return impl_->client_key_file; }
std::size_t TlsFront::handshakes() const { return impl_->completed; }
std::size_t TlsFront::failed_handshakes() const { return impl_->failed; }

}  // namespace etl::test
