// SPDX-License-Identifier: Apache-2.0
#include "tails.h"

#include <simdjson.h>

#include <algorithm>

#include "cluster.h"
#include "http/access.h"

namespace etl::elasticsearch {
namespace {

constexpr std::int64_t kAtOnce = 4;            // parts of a text
constexpr std::size_t kMostIds = 4000;         // in a request
constexpr auto kDoing = "looking for parts that a text no longer has";

}  // namespace

Tails::Tails(const Host& host, http::Target target, const std::string& index)
    : host_(host), client_(std::move(target)), path_((index.empty() ? "" : "/" + http::Escape(index)) + "/_mget?_source=false&filter_path=docs.found,docs.error.type,docs._id") {}

/// The reply's text.
std::string Tails::Ask(const std::string& body) {
  const auto since = host_.Now();
  for (std::uint32_t attempt = 1;; ++attempt) {
    const http::Reply reply = client_.Call({"POST", path_, body, "application/json", {}}, [this] { return host_.Cancelled(); });
    if (reply.fault == http::Fault::kNone && reply.status == 200) return reply.body;
    try {
      Throw(reply, kDoing);
    } catch (const Error& e) {
      if (e.status != ETL_RETRY) throw;
      const auto wait = host_.Backoff(attempt, since, reply.retry_after.value_or(std::chrono::nanoseconds(0)));
      if (!wait) throw Fatal(e.what(), e.code);
      host_.Wait(*wait);
    }
  }
}

std::vector<Tails::Last> Tails::Find(Encoder& encoder, std::vector<Last> lasts) {
  static constexpr std::string_view kBefore = "{\"delete\":", kAfter = "}\n";
  std::vector<Last> found;
  while (!lasts.empty()) {
    std::vector<Last> on;                      // texts of which all that was asked for is there
    for (std::size_t first = 0; first < lasts.size(); first += kMostIds / kAtOnce) {
      const std::size_t end = std::min(lasts.size(), first + kMostIds / kAtOnce);
      std::string body = "{\"docs\":[";
      for (std::size_t i = first; i < end; ++i) {
        for (std::int64_t k = 0; k < kAtOnce; ++k) {
          const std::size_t before = body.size();
          encoder.DeletePart(lasts[i].row, lasts[i].part + k, body);
          body.resize(body.size() - kAfter.size());
          body.replace(before, kBefore.size(), body[before - 1] == '[' ? "" : ",");
        }
      }
      simdjson::dom::parser parser;
      simdjson::dom::array documents;
      const simdjson::padded_string text(Ask(body + "]}"));
      const std::size_t asked = (end - first) * kAtOnce;
      if (parser.parse(text)["docs"].get(documents) || documents.size() != asked) throw Fatal(std::string(kDoing) + ": the reply has not one document for each of " + std::to_string(asked) + " ids");
      std::size_t at = 0;
      bool any = false;
      for (const simdjson::dom::element document : documents) {
        const Last& last = lasts[first + at / kAtOnce];
        const auto k = static_cast<std::int64_t>(at++ % kAtOnce);
        bool there = false;
        std::string_view type;
        if (!document["error"]["type"].get(type) && type != "index_not_found_exception") throw Fatal(std::string(kDoing) + ": " + std::string(type));
        if (document["found"].get(there)) there = false;
        if (k == 0) any = false;
        any = any || there;
        if (there) found.push_back({last.row, last.part + k});
        if (k + 1 == kAtOnce && any) on.push_back({last.row, last.part + kAtOnce});
      }
    }
    lasts = std::move(on);
  }
  std::stable_sort(found.begin(), found.end(), [](const Last& a, const Last& b) { return a.row < b.row; });
  return found;
}

}  // namespace etl::elasticsearch
