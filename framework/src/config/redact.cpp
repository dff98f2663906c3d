#include <Poco/URI.h>

#include <algorithm>

#include "config.h"
#include "utf8.h"

namespace etl::host {
namespace {

constexpr std::size_t kShortest = 4;  // shorter ones would blot out ordinary text

}  // namespace

Redactor::Redactor(std::vector<std::string> secrets) {
  for (std::string& secret : secrets) {
    if (secret.size() < kShortest) continue;
    std::string encoded;
    Poco::URI::encode(secret, "!#$&'()*+,/:;=?@[]", encoded);
    if (encoded != secret) secrets_.push_back(encoded);
    std::string visible = Visible(secret);
    if (visible != secret) secrets_.push_back(std::move(visible));
    secrets_.push_back(std::move(secret));
  }
  std::sort(secrets_.begin(), secrets_.end(), [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  secrets_.erase(std::unique(secrets_.begin(), secrets_.end()), secrets_.end());
}

std::string Redactor::Clean(std::string_view text) const {
  // All occurrences first, then one replacement for each stretch: of two secrets that overlap no
  // tail stays behind.
  std::vector<std::pair<std::size_t, std::size_t>> hidden;
  for (const std::string& secret : secrets_)
    for (std::size_t at = text.find(secret); at != std::string_view::npos;
         at = text.find(secret, at + 1))
      hidden.emplace_back(at, at + secret.size());
  std::sort(hidden.begin(), hidden.end());

  std::string out;
  std::size_t done = 0, end = 0;
  for (const auto& [from, to] : hidden) {
    if (from >= end) {
      out += Visible(text.substr(done, from - done));
      out += "***";
    }
    end = std::max(end, to);
    done = end;
  }
  out += Visible(text.substr(done));
  return out;
}

}  // namespace etl::host
