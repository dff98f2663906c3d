// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <Poco/Exception.h>
#include <Poco/URI.h>

namespace etl::mysql {

bool Address::local() const { return !socket.empty() || host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0; }

Address ParseUrl(const std::string& url) {
  const auto wrong = [](const std::string& why) { return ConfigError("url", why + "; write mysql://USER@HOST:PORT/DATABASE"); };
  Poco::URI uri;
  try {
    uri = Poco::URI(url);
  } catch (const Poco::Exception&) {
    throw wrong("this is no URL");   // its text could hold a password
  }
  if (uri.getScheme() != "mysql" && uri.getScheme() != "mariadb") throw wrong("the URL does not begin with mysql://");
  Address a;
  const std::string user = uri.getUserInfo();
  const auto colon = user.find(':');
  Poco::URI::decode(user.substr(0, colon), a.user);
  if (colon != std::string::npos) Poco::URI::decode(user.substr(colon + 1), a.password);
  a.host = uri.getHost();
  if (a.host.size() > 2 && a.host.front() == '[') a.host = a.host.substr(1, a.host.size() - 2);
  if (uri.getPort()) a.port = uri.getPort();
  if (uri.getPath().size() > 1) Poco::URI::decode(uri.getPath().substr(1), a.database);
  for (const auto& [key, value] : uri.getQueryParameters()) {
    if (key != "socket") throw wrong("the URL's parameter \"" + key + "\" is unknown; there is only socket");
    a.socket = value;
  }
  if (a.host.empty() && a.socket.empty()) throw wrong("the URL names no host");
  if (a.user.empty()) throw wrong("the URL names no user");
  if (a.database.empty()) throw wrong("the URL names no database");
  if (a.database.size() > 64 || a.database.find('\0') != std::string::npos) throw wrong("the URL's database is no name of one");
  return a;
}

}  // namespace etl::mysql
