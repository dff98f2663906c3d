// A certificate authority made on the spot, for tests of TLS.
#pragma once
#include <memory>
#include <string>
#include <vector>

namespace etl::test {

struct CertificateOptions {
  std::vector<std::string> names = {"localhost"};
  std::vector<std::string> addresses = {"127.0.0.1"};
  bool expired = false;        ///< since yesterday
  bool not_yet_valid = false;  ///< until tomorrow
  bool self_signed = false;    ///< by its own key instead of the authority's
};

struct Certificate {
  std::string pem;
  std::string key_pem;
};

/// Keys are new with each object (P-256); throws std::runtime_error when OpenSSL does.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  /// What a client must be given to trust the certificates.
  const std::string& pem() const { return pem_; }
  /// A certificate for servers and clients.
  Certificate Issue(const CertificateOptions& options) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
  std::string pem_;
};

}  // namespace etl::test
