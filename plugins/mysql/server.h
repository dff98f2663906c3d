// SPDX-License-Identifier: Apache-2.0
/// How a server is reached: the options that source, sink and lookup share.
#pragma once
#include <etl/sdk.h>

#include <cstdint>
#include <string>

namespace etl::mysql {

/// tls = "off", or what to verify with.
struct Tls {
  std::string mode = "verify", ca, cert, key;
  static auto Options() {
    return etl::Options(
        Option("mode", &Tls::mode, "verify: encrypted, and the server's certificate and name are checked; off: in clear.")
            .Choices({"verify", "off"}),
        Option("ca", &Tls::ca, "Certificates of the authorities to trust; the system's if not given.").Path(),
        Option("cert", &Tls::cert, "Own certificate.").Path(),
        Option("key", &Tls::key, "Its key.").Path());
  }
};

struct Server {
  std::string url, password;
  std::optional<Tls> tls;
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10), read_timeout = std::chrono::minutes(5);
  std::int64_t packet_limit = 1 << 30;   ///< largest packet that is taken; not an option of its own
};

/// The shared options, for a component C that derives from Server.
template <class C>
detail::DeclaredList ServerOptions() {
  return etl::Options(
      Option<C, std::string>("url", &C::url, "mysql://USER@HOST:PORT/DATABASE, or mysql://USER@localhost/DATABASE?socket=/path.").Required(),
      Option<C, std::string>("password", &C::password, "Password of the user.").Secret(),
      Option<C, std::optional<Tls>>("tls", &C::tls,
                                    "Encryption. Without it, connections to other hosts are encrypted and verified, those to this one are plain.")
          .Short(),
      Option<C, std::chrono::nanoseconds>("connect_timeout", &C::connect_timeout, "Longest wait for a connection.").Range("1s..10m").Tuning().Advanced(),
      Option<C, std::chrono::nanoseconds>("read_timeout", &C::read_timeout, "Longest silence of the server in the middle of a statement.")
          .Range("1s..24h").Tuning().Advanced());
}

/// The parts of a URL.
struct Address {
  std::string host, user, password, database, socket;
  std::uint16_t port = 3306;
  bool local() const;   ///< this machine
};
/// Throws ConfigError("url").
Address ParseUrl(const std::string& url);

}  // namespace etl::mysql
