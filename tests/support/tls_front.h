// TLS in front of a plain server, with every certificate that a client must refuse.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "test_certificates.h"

namespace etl::test {

struct TlsFrontOptions {
  CertificateOptions certificate{};
  bool tls10_only = false;  ///< speaks nothing newer than TLS 1.0
  bool client_certificate =
      false;  ///< only clients with a certificate of the authority come through
};

/// Listens on 127.0.0.1 and a port of its own choosing from construction to destruction, ends TLS
/// and passes the bytes to the upstream (an IPv4 address), a thread for each connection.  An
/// orderly end of the upstream's stream becomes a close_notify; a reset becomes an end without one,
/// which a client must take for a truncation.
class TlsFront {
 public:
  TlsFront(const std::string& upstream_address, std::uint16_t upstream_port,
           const TlsFrontOptions& options = {});
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  std::uint16_t port() const;
  /// The authority's certificate, in a directory that lives as long as this object.
  const std::string& ca_file() const;
  /// A certificate and key for clients, likewise.
  const std::string& client_certificate_file() const;
  const std::string& client_key_file() const;

  std::size_t handshakes() const;         ///< that were completed
  std::size_t failed_handshakes() const;  ///< that a side broke off

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace etl::test
