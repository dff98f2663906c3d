// SPDX-License-Identifier: Apache-2.0
#include "access.h"

namespace etl::http {
namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string HostOf(const std::string& url) {
  const auto begin = url.find("://") + 3;
  std::string host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  if (!host.empty() && host[0] == '[') return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

std::string NormalUrl(const std::string& url) {
  // The URL itself is not repeated: it could hold a password.
  const auto wrong = [](const std::string& why) { return ConfigError("url", why + "; write http://HOST:PORT or https://HOST:PORT"); };
  if (url.rfind("http://", 0) != 0 && url.rfind("https://", 0) != 0) throw wrong("the URL begins with neither http:// nor https://");
  std::string out = url;
  while (out.back() == '/') out.pop_back();
  if (out.find("://") == std::string::npos) throw wrong("the URL names no host");
  const auto begin = out.find("://") + 3;
  const std::string authority = out.substr(std::min(begin, out.size()), out.find_first_of("/?#", begin) - begin);
  if (authority.find('@') != std::string::npos) throw wrong("the URL holds a user or a password, which have options of their own");
  if (out.find_first_of("?#") != std::string::npos) throw wrong("the URL has a query or a fragment");
  for (const char c : out) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) throw wrong("the URL holds blanks");
  }
  if (HostOf(out).empty()) throw wrong("the URL names no host");
  return out;
}

bool IsLocal(const std::string& url) {
  const std::string host = HostOf(url);
  return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

Target MakeTarget(const Access& a) {
  Target t;
  for (const std::string& url : a.url) t.hosts.push_back(NormalUrl(url));
  if (t.hosts.empty()) throw ConfigError("url", "no host is named; write http://HOST:PORT or https://HOST:PORT");
  if (!a.token.empty() && !a.user.empty()) throw ConfigError("token", "there are a user and a token; only one of them can be sent");
  if (a.user.empty() && !a.password.empty()) throw ConfigError("user", "there is a password without a user");
  if (a.user.find(':') != std::string::npos) throw ConfigError("user", "a user's name has no colon in basic authentication");
  for (const std::string* s : {&a.token, &a.user, &a.password}) {
    if (s->find_first_of("\r\n") != std::string::npos) throw ConfigError(s == &a.token ? "token" : s == &a.user ? "user" : "password", "it holds a line break");
  }
  if (!a.token.empty()) t.authorization = "Bearer " + a.token;
  if (!a.user.empty()) t.authorization = "Basic " + Base64(a.user + ":" + a.password);
  t.verify = a.tls.verify;
  t.ca = a.tls.ca;
  t.cert = a.tls.cert;
  t.key = a.tls.key;
  t.connect_timeout = a.connect_timeout;
  t.timeout = a.timeout;
  return t;
}

std::string Base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  const auto* b = reinterpret_cast<const unsigned char*>(bytes.data());
  char* to = out.data();
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, b += 3) {
    const std::uint32_t v = std::uint32_t{b[0]} << 16 | std::uint32_t{b[1]} << 8 | b[2];
    *to++ = kDigits[v >> 18];
    *to++ = kDigits[v >> 12 & 63];
    *to++ = kDigits[v >> 6 & 63];
    *to++ = kDigits[v & 63];
  }
  if (left) {
    const std::uint32_t v = std::uint32_t{b[0]} << 16 | (left == 2 ? std::uint32_t{b[1]} << 8 : 0);
    *to++ = kDigits[v >> 18];
    *to++ = kDigits[v >> 12 & 63];
    if (left == 2) *to = kDigits[v >> 6 & 63];
  }
  return out;
}

std::optional<std::string> FromBase64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  std::uint32_t v = 0;
  int bits = 0;
  for (const char c : text) {
    const auto at = std::string_view(kDigits).find(c == '-' ? '+' : c == '_' ? '/' : c);
    if (at == std::string_view::npos) return std::nullopt;
    v = (v << 6 | static_cast<std::uint32_t>(at)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(v >> bits & 255);
    }
  }
  return out;
}

std::string Escape(std::string_view text) {
  static const char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) out += c;
    else (out += '%') += {kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 15]};
  }
  return out;
}

}  // namespace etl::http
