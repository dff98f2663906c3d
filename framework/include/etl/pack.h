// SPDX-License-Identifier: Apache-2.0
/// Several byte strings in one, for positions and plan states.  Each as its length in decimal, a colon, and its bytes
/// (netstrings without the comma, https://cr.yp.to/proto/netstrings.txt).
#pragma once
#include <etl/error.h>

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace etl {
inline namespace v1 {

inline std::string Pack(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += std::to_string(p.size()) + ":" + p;
  return out;
}

/// Throws Fatal for what Pack did not make.
inline std::vector<std::string> Unpack(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto colon = text.find(':');
    std::size_t size = 0;
    if (colon == std::string_view::npos ||
        std::from_chars(text.data(), text.data() + colon, size).ptr != text.data() + colon || size > text.size() - colon - 1) {
      throw Fatal("the saved state is not one of this source's; start anew with 'etl state reset'");
    }
    parts.emplace_back(text.substr(colon + 1, size));
    text.remove_prefix(colon + 1 + size);
  }
  return parts;
}

}  // namespace v1
}  // namespace etl
