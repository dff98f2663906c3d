#include "test_certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <stdexcept>

namespace etl::test {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Deleter<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

void Check(bool ok, const char* what) {
  if (ok) return;
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(std::string(what) + ": " + text);
}

Key NewKey() {
  Key key(EVP_EC_gen("P-256"));
  Check(key != nullptr, "making a key");
  return key;
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  Check(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

Cert NewCertificate(EVP_PKEY* key, const std::string& name, long from_days, long to_days) {
  constexpr long kDay = 24L * 60 * 60;
  Cert certificate(X509_new());
  Check(certificate != nullptr, "X509_new");
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  std::uint64_t serial = 0;
  Check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "RAND_bytes");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1 | 1);
  X509_gmtime_adj(X509_getm_notBefore(x), from_days * kDay);
  X509_gmtime_adj(X509_getm_notAfter(x), to_days * kDay);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  Check(X509_set_pubkey(x, key) == 1, "X509_set_pubkey");
  return certificate;
}

void Sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
  Check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1,
        "X509_set_issuer_name");
  Check(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
}

template <typename Write>
std::string Pem(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  Check(bio && write(bio.get()) == 1, "writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string PemOf(X509* certificate) {
  return Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string AlternativeNames(const CertificateOptions& options) {
  std::string text;
  const auto add = [&](const char* kind, const std::string& value) {
    text += (text.empty() ? "" : ",") + std::string(kind) + value;
  };
  for (const auto& name : options.names) add("DNS:", name);
  for (const auto& address : options.addresses) add("IP:", address);
  return text;
}

}  // namespace

struct TestAuthority::Keys {
  Key key;
  Cert certificate;
};

TestAuthority::TestAuthority() : keys_(std::make_unique<Keys>()) {
  keys_->key = NewKey();
  keys_->certificate = NewCertificate(keys_->key.get(), "Test authority", -365, 365);
  X509* x = keys_->certificate.get();
  AddExtension(x, x, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(x, x, NID_subject_key_identifier, "hash");
  Sign(x, x, keys_->key.get());
  pem_ = PemOf(x);
}

TestAuthority::~TestAuthority() = default;

Certificate TestAuthority::Issue(const CertificateOptions& options) const {
  const Key key = NewKey();
  const std::string name = options.names.empty() ? "test" : options.names.front();
  const Cert certificate =
      NewCertificate(key.get(), name, options.not_yet_valid ? 1 : -30, options.expired ? -1 : 30);
  X509* x = certificate.get();
  X509* issuer = options.self_signed ? x : keys_->certificate.get();
  AddExtension(x, issuer, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(x, issuer, NID_key_usage, "critical,digitalSignature");
  AddExtension(x, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  AddExtension(x, issuer, NID_subject_key_identifier, "hash");
  if (!options.self_signed) AddExtension(x, issuer, NID_authority_key_identifier, "keyid");
  if (const std::string names = AlternativeNames(options); !names.empty()) {
    AddExtension(x, issuer, NID_subject_alt_name, names);
  }
  Sign(x, issuer, options.self_signed ? key.get() : keys_->key.get());
  return {PemOf(x), Pem([&](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace etl::test
