// SPDX-License-Identifier: Apache-2.0
/// How an HTTP service is reached: the options that its source, sink and lookup share.
#pragma once
#include <etl/sdk.h>

#include <string>
#include <vector>

#include "client.h"

namespace etl::http {

struct Tls {
  bool verify = true;
  std::string ca, cert, key;
  static auto Options() {
    return etl::Options(
        Option("ca", &Tls::ca, "Certificates of the authorities to trust; the system's if not given.").Path(),
        Option("cert", &Tls::cert, "Own certificate.").Path(),
        Option("key", &Tls::key, "Its key.").Path(),
        Option("verify", &Tls::verify, "Check the server's certificate and name; false lets anybody read and answer.").Advanced());
  }
};

struct Access {
  std::vector<std::string> url;
  std::string user, password, token;
  Tls tls;
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10), timeout = std::chrono::minutes(5);
};

/// The shared options, for a component C that derives from Access.
template <class C>
detail::DeclaredList AccessOptions() {
  return etl::Options(
      Option<C, std::vector<std::string>>("url", &C::url, "http:// or https://HOST:PORT; several if they serve the same."),
      Option<C, std::string>("user", &C::user, "User of basic authentication."),
      Option<C, std::string>("password", &C::password, "Its password.").Secret(),
      Option<C, std::string>("token", &C::token, "Bearer token.").Secret(),
      Option<C, Tls>("tls", &C::tls, "Certificates for https."),
      Option<C, std::chrono::nanoseconds>("connect_timeout", &C::connect_timeout, "Longest wait for a connection.")
          .Range("1ms..10m").Tuning().Advanced(),
      Option<C, std::chrono::nanoseconds>("timeout", &C::timeout, "Longest wait for a whole reply.").Range("1ms..24h").Tuning().Advanced());
}

/// Checks the options and makes of them what a client needs.  Throws ConfigError.
Target MakeTarget(const Access& access);
/// What `url` lacks is added: "https://" + host + ":port".  Throws ConfigError("url").
std::string NormalUrl(const std::string& url);
/// RFC 4648.
std::string Base64(std::string_view bytes);
/// Nothing if it is not base64.
std::optional<std::string> FromBase64(std::string_view text);
/// What may not stand in a path or a query value goes as %XX.
std::string Escape(std::string_view text);
/// This machine.
bool IsLocal(const std::string& url);

}  // namespace etl::http
