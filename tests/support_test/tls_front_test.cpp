#include "tls_front.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <memory>

#include "loopback.h"

using namespace etl::test;

namespace {

struct ClientOptions {
  std::string host = "localhost";
  bool with_certificate = false;
  std::string ca_file = {};  ///< that of another front
  bool lax = false;          ///< speaks the oldest protocols too
};

/// Says "hello" to an echo server behind the front; gives what came back, or why the handshake
/// failed.
std::string Talk(const TlsFront& front, const ClientOptions& options = {}) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const std::string& ca_file = options.ca_file.empty() ? front.ca_file() : options.ca_file;
  REQUIRE(SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) == 1);
  if (options.lax) {
    SSL_CTX_set_cipher_list(context.get(), "DEFAULT:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  }
  if (options.with_certificate) {
    const char* file = front.client_certificate_file().c_str();
    REQUIRE(SSL_CTX_use_certificate_file(context.get(), file, SSL_FILETYPE_PEM) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(context.get(), front.client_key_file().c_str(),
                                        SSL_FILETYPE_PEM) == 1);
  }
  Socket socket = ConnectTo(front.port());
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_tlsext_host_name(ssl.get(), options.host.c_str());
  if (options.host.find_first_not_of("0123456789.") == std::string::npos) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), options.host.c_str());
  } else {
    SSL_set1_host(ssl.get(), options.host.c_str());
  }
  SSL_set_fd(ssl.get(), socket.fd());
  if (SSL_connect(ssl.get()) != 1) {
    const long verdict = SSL_get_verify_result(ssl.get());
    if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
    return std::string("refused: ") + ERR_reason_error_string(ERR_get_error());
  }
  char buffer[64];
  SSL_write(ssl.get(), "hello", 5);
  const int count = SSL_read(ssl.get(), buffer, sizeof buffer);
  if (count <= 0) return std::string("broken off: ") + ERR_reason_error_string(ERR_get_error());
  const std::string answer =
      std::string(buffer, static_cast<std::size_t>(count)) + " over " + SSL_get_version(ssl.get());
  SSL_shutdown(ssl.get());
  return answer;
}

struct Rig {
  LoopbackServer server{Echo};
  TlsFront front;
  explicit Rig(const TlsFrontOptions& options = {}) : front("127.0.0.1", server.port(), options) {}
};

}  // namespace

TEST_CASE("a client that trusts the authority talks through the front") {
  Rig rig;
  CHECK(Talk(rig.front) == "hello over TLSv1.3");
  CHECK(Talk(rig.front, {.host = "127.0.0.1"}) == "hello over TLSv1.3");
  CHECK(rig.front.handshakes() == 2);
}

TEST_CASE("a client finds each fault of a certificate") {
  TlsFrontOptions options;
  options.certificate.expired = true;
  CHECK(Talk(Rig(options).front) == "certificate has expired");
  options = {};
  options.certificate.not_yet_valid = true;
  CHECK(Talk(Rig(options).front) == "certificate is not yet valid");
  options = {};
  options.certificate.self_signed = true;
  CHECK(Talk(Rig(options).front) == "self-signed certificate");
  options = {};
  options.certificate.names = {"elsewhere.test"};
  options.certificate.addresses = {"127.0.0.2"};
  CHECK(Talk(Rig(options).front) == "hostname mismatch");
  CHECK(Talk(Rig(options).front, {.host = "127.0.0.1"}) == "IP address mismatch");
  CHECK(Talk(Rig(options).front, {.host = "elsewhere.test"}) == "hello over TLSv1.3");
}

TEST_CASE("a certificate of another authority is not trusted") {
  Rig one, other;
  ClientOptions options;
  options.ca_file = other.front.ca_file();
  CHECK(Talk(one.front, options) == "unable to get local issuer certificate");
}

TEST_CASE("a front that speaks only TLS 1.0 is refused by a client of today") {
  TlsFrontOptions options;
  options.tls10_only = true;
  CHECK(Talk(Rig(options).front).starts_with("refused: "));
  CHECK(Talk(Rig(options).front, {.lax = true}) == "hello over TLSv1");
}

TEST_CASE("a front may ask for a client's certificate") {
  TlsFrontOptions options;
  options.client_certificate = true;
  Rig rig(options);
  CHECK(Talk(rig.front, {.with_certificate = true}) == "hello over TLSv1.3");
  CHECK(Talk(rig.front).starts_with("broken off: "));
}

TEST_CASE("much goes through the front in both directions at once") {
  const std::string large(5'000'000, 'x');
  LoopbackServer server([&](Socket& socket) {
    socket.Send(large);
    socket.EndOfStream();
    socket.Read();
  });
  const TlsFront front("127.0.0.1", server.port());
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  Socket socket = ConnectTo(front.port());
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(ssl.get(), socket.fd());
  REQUIRE(SSL_connect(ssl.get()) == 1);
  REQUIRE(SSL_write(ssl.get(), "ask", 3) == 3);
  std::size_t total = 0;
  char buffer[16384];
  int count;
  while ((count = SSL_read(ssl.get(), buffer, sizeof buffer)) > 0)
    total += static_cast<std::size_t>(count);
  CHECK(total == large.size());
  CHECK(SSL_get_error(ssl.get(), count) == SSL_ERROR_ZERO_RETURN);
}
