// SPDX-License-Identifier: Apache-2.0
#include "tails.h"

#include <algorithm>
#include <limits>

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

/// Which of the ids that a body asks for are there.
std::vector<bool> Tails::Ask(const std::string& body, std::size_t ids) {
  const auto since = host_.Now();
  for (std::uint32_t attempt = 1;; ++attempt) {
    const http::Reply reply = client_.Call({"POST", path_, body, "application/json", {}}, [this] { return host_.Cancelled(); });
    try {
      return Read(reply, ids);
    } catch (const Error& e) {
      if (e.status != ETL_RETRY) throw;
      const auto wait = host_.Backoff(attempt, since, reply.retry_after.value_or(std::chrono::nanoseconds(0)));
      // Longer than any budget, so that the host gives up as well: it would begin the batch again, whose rows are on their way.
      if (!wait) throw Retry(e.what(), e.code, std::numeric_limits<std::int64_t>::max() / 4);
      host_.Wait(*wait);
    }
  }
}

std::vector<bool> Tails::Read(const http::Reply& reply, std::size_t ids) const {
  simdjson::dom::parser parser;
  std::vector<bool> there;
  for (const simdjson::dom::element document : DocumentsOf(parser, reply, ids, kDoing)) {
    bool found = false;
    std::string_view type;
    if (!document["error"]["type"].get(type) && type != "index_not_found_exception") throw Retry(std::string(kDoing) + ": " + std::string(type));
    there.push_back(!document["found"].get(found) && found);
  }
  return there;
}

std::vector<Tails::Last> Tails::Find(Encoder& encoder, std::vector<Last> lasts) {
  std::vector<Last> found;
  while (!lasts.empty()) {
    std::vector<Last> on;                      // texts of which all that was asked for is there
    for (std::size_t first = 0; first < lasts.size(); first += kMostIds / kAtOnce) {
      const std::size_t end = std::min(lasts.size(), first + kMostIds / kAtOnce);
      std::string body = "{\"docs\":[";
      for (std::size_t i = first; i < end; ++i) {
        for (std::int64_t k = 0; k < kAtOnce; ++k) {
          if (body.back() == '}') body += ',';
          encoder.Place(lasts[i].row, lasts[i].part + k, body);
        }
      }
      const std::vector<bool> there = Ask(body + "]}", (end - first) * kAtOnce);
      for (std::size_t i = first; i < end; ++i) {
        bool any = false;
        for (std::int64_t k = 0; k < kAtOnce; ++k) {
          if (!there[(i - first) * kAtOnce + static_cast<std::size_t>(k)]) continue;
          any = true;
          found.push_back({lasts[i].row, lasts[i].part + k});
        }
        if (any) on.push_back({lasts[i].row, lasts[i].part + kAtOnce});
      }
    }
    lasts = std::move(on);
  }
  std::stable_sort(found.begin(), found.end(), [](const Last& a, const Last& b) { return a.row < b.row; });
  return found;
}

}  // namespace etl::elasticsearch
