// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"

#include <simdjson.h>

namespace etl::elasticsearch {
namespace {

/// ID:KEY goes as base64, the others as they are.
std::string ApiKey(const std::string& key) {
  const auto wrong = [] { return ConfigError("api_key", "it is neither ID:KEY, nor base64 of that, nor does it begin with essu_"); };
  if (key.find_first_of(" \t\r\n") != std::string::npos) throw wrong();
  if (key.rfind("essu_", 0) == 0) return key;
  const auto colon = key.find(':');
  if (colon != std::string::npos) {
    if (colon == 0 || colon + 1 == key.size()) throw wrong();
    return http::Base64(key);
  }
  const auto decoded = http::FromBase64(key);
  if (!decoded || decoded->find(':') == std::string::npos) throw wrong();
  return key;
}

/// "NAME:base64(DOMAIN$CLUSTER$KIBANA)", with ports where they are not 443.
std::string CloudUrl(const std::string& id) {
  const auto wrong = [] { return ConfigError("cloud_id", "it is not NAME:BASE64 as Elastic Cloud shows it"); };
  const auto decoded = http::FromBase64(id.substr(id.rfind(':') + 1));
  if (!decoded) throw wrong();
  const auto first = decoded->find('$');
  if (first == std::string::npos || first == 0) throw wrong();
  std::string domain = decoded->substr(0, first), cluster = decoded->substr(first + 1, decoded->find('$', first + 1) - first - 1), port = "443";
  if (cluster.empty()) throw wrong();
  if (const auto colon = domain.find(':'); colon != std::string::npos) port = domain.substr(colon + 1), domain.resize(colon);
  if (const auto colon = cluster.find(':'); colon != std::string::npos) port = cluster.substr(colon + 1), cluster.resize(colon);
  return "https://" + cluster + "." + domain + ":" + port;
}

std::string Clipped(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return text.size() > most ? out + " ..." : out;
}

}  // namespace

http::Target MakeTarget(const Access& access) {
  http::Access a = access;
  if (!access.cloud_id.empty()) {
    if (!a.url.empty()) throw ConfigError("cloud_id", "there are url and cloud_id; only one of them can be asked");
    a.url = {CloudUrl(access.cloud_id)};
  }
  http::Target t = http::MakeTarget(a);
  if (!access.api_key.empty()) {
    if (!t.authorization.empty()) throw ConfigError("api_key", "there is another way to authenticate besides; only one of them can be sent");
    t.authorization = "ApiKey " + ApiKey(access.api_key);
  }
  return t;
}

Cluster::Cluster(http::Target target, std::function<bool()> stop) : client_(std::move(target)), stop_(std::move(stop)) {}

http::Reply Cluster::Ask(const std::string& method, const std::string& path, const std::string& body) {
  http::Reply reply = client_.Call({method, path, body, "application/json", {}}, stop_);
  if (reply.fault != http::Fault::kNone) http::ThrowFault(reply, method + " " + path);
  return reply;
}

std::string Cluster::Call(const std::string& method, const std::string& path, const std::string& body, const std::string& doing) {
  http::Reply reply = Ask(method, path, body);
  if (reply.status < 200 || reply.status > 299) Throw(reply, doing.empty() ? method + " " + path : doing);
  return std::move(reply.body);
}

std::optional<std::string> Cluster::Find(const std::string& path, const std::string& doing) {
  http::Reply reply = Ask("GET", path);
  if (reply.status == 404) return std::nullopt;
  if (reply.status < 200 || reply.status > 299) Throw(reply, doing.empty() ? "GET " + path : doing);
  return std::move(reply.body);
}

Version Cluster::Root() {
  const std::string text = Call("GET", "/", {}, "asking the cluster for its version");
  simdjson::dom::parser parser;
  Version v;
  std::string_view number, distribution, uuid;
  const auto doc = parser.parse(text);
  if (doc["version"]["number"].get(number)) {
    throw Retry(client_.target().hosts[0] + " does not answer as Elasticsearch or OpenSearch does, but: " + Clipped(text, 100));
  }
  if (!doc["version"]["distribution"].get(distribution)) v.opensearch = distribution == "opensearch";
  if (!doc["cluster_uuid"].get(uuid)) v.uuid = uuid;
  v.number = number;
  v.major = std::atoi(v.number.c_str());
  const auto dot = v.number.find('.');
  v.minor = dot == std::string::npos ? 0 : std::atoi(v.number.c_str() + dot + 1);
  return v;
}

std::string Words(const http::Reply& reply) {
  if (reply.fault != http::Fault::kNone) return reply.message;
  simdjson::dom::parser parser;
  std::string_view type, reason, cause;
  std::string out = reply.host + " says " + std::to_string(reply.status);
  const auto error = parser.parse(reply.body)["error"];
  if (!error["reason"].get(reason) && !error["type"].get(type)) {
    out += " " + std::string(type) + ": " + Clipped(reason, 400);
    if (!error["caused_by"]["reason"].get(cause)) out += ": " + Clipped(cause, 200);
  } else if (!error.get(reason)) {
    out += ": " + Clipped(reason, 400);
  } else if (!reply.body.empty()) {
    out += ": " + Clipped(reply.body, 200);
  }
  return out;
}

void Throw(const http::Reply& reply, const std::string& doing) {
  if (reply.fault != http::Fault::kNone) http::ThrowFault(reply, doing);
  const std::string text = doing + ": " + Words(reply);
  const int s = reply.status;
  if (s == 408 || s == 425 || s == 429 || s == 502 || s == 503 || s == 504) {
    throw Retry(text, s, reply.retry_after.value_or(std::chrono::nanoseconds(0)).count());
  }
  if (s == 401) throw Fatal(text + "; check user and password, token or api_key", s);
  if (s >= 300 && s < 400) throw Fatal(text + "; redirects are not followed: write the final address into url", s);
  throw Fatal(text, s);
}

simdjson::dom::array DocumentsOf(simdjson::dom::parser& parser, const http::Reply& reply, std::size_t ids, const std::string& doing) {
  if (reply.fault != http::Fault::kNone || reply.status != 200) Throw(reply, doing);
  simdjson::dom::element root;
  simdjson::dom::array documents;
  if (parser.parse(reply.body).get(root) || root["docs"].get(documents) || documents.size() != ids) {
    throw Retry(doing + ": " + reply.host + " did not answer each of " + std::to_string(ids) + " ids");
  }
  return documents;
}

void AppendQuoted(std::string_view text, std::string& out) {
  static const char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    std::size_t n = 1;
    if (c == 0) out += "\\u0000";
    else if (c == '"' || c == '\\') (out += '\\') += text[0];
    else if (c < 0x20) (out += "\\u00") += {kHex[c >> 4], kHex[c & 15]};
    else if ((n = etl::detail::CharacterSize(text)) > 0) out += text.substr(0, n);
    else out += "\xEF\xBF\xBD", n = 1;
    text.remove_prefix(n);
  }
  out += '"';
}

std::string Quote(std::string_view text) {
  std::string out;
  AppendQuoted(text, out);
  return out;
}

}  // namespace etl::elasticsearch
