// SPDX-License-Identifier: Apache-2.0
/// How a cluster is reached: the options that sink and lookup share, and its small requests.
#pragma once
#include <etl/sdk.h>
#include <simdjson.h>

#include <memory>
#include <string>

#include "http/access.h"

namespace etl::elasticsearch {

struct Access : http::Access {
  std::string api_key, cloud_id;
};

template <class C>
detail::DeclaredList AccessOptions() {
  return Join(http::AccessOptions<C>(),
              etl::Options(Option<C, std::string>("api_key", &C::api_key, "API key: ID:KEY, its base64 form, or one that begins with essu_.").Secret(),
                           Option<C, std::string>("cloud_id", &C::cloud_id, "Elastic Cloud's name for a deployment, instead of url.")));
}

/// Checks the options.  Throws ConfigError.
http::Target MakeTarget(const Access& access);

/// What the root of a cluster says.
struct Version {
  bool opensearch = false;
  int major = 0, minor = 0;
  std::string number, uuid;            ///< uuid: the cluster's own
};

/// A cluster, for requests that are waited for.  One thread at a time.
class Cluster {
 public:
  /// `stop` is asked while a reply is waited for: true throws Cancelled.
  Cluster(http::Target target, std::function<bool()> stop);
  /// The reply, whatever its status.  Throws Retry or Fatal if there is none.
  http::Reply Ask(const std::string& method, const std::string& path, const std::string& body = {});
  /// The body of a reply with status 2xx.  Throws Retry or Fatal, with the cluster's own words, for any other.
  std::string Call(const std::string& method, const std::string& path, const std::string& body = {}, const std::string& doing = {});
  /// Nothing where the status is 404.
  std::optional<std::string> Find(const std::string& path, const std::string& doing = {});
  Version Root();
  http::Client& client() { return client_; }

 private:
  http::Client client_;
  std::function<bool()> stop_;
};

/// Status and reason of a failed request in one sentence; not longer than an error message may be.
std::string Words(const http::Reply& reply);
/// Throws what a reply that is no success means for a caller that can do no better.
[[noreturn]] void Throw(const http::Reply& reply, const std::string& doing);
/// The documents of a reply to _mget, one for each of so many ids; views live as long as the parser's document.  Throws as Throw() does,
/// and Retry where it is no such reply.
simdjson::dom::array DocumentsOf(simdjson::dom::parser& parser, const http::Reply& reply, std::size_t ids, const std::string& doing);
/// The text as a JSON string, quotes included.  What is not UTF-8 becomes U+FFFD.
std::string Quote(std::string_view text);
void AppendQuoted(std::string_view text, std::string& out);

}  // namespace etl::elasticsearch
