// A look at the text before toml++ gets it: toml++ 3.3.0 overruns the stack on keys of 100,000
// parts.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "source_text.h"

namespace etl::host {

constexpr std::size_t kMaxConfigBytes = 1 << 20;
constexpr int kMaxConfigDepth = 64;

struct Finding {
  Spot at;
  std::string message;
};

struct ScanResult {
  std::optional<Finding> refused;  ///< too large, too deep, not text: toml++ must not see it
  std::optional<Finding>
      unclosed;  ///< a quote or bracket without its end: the cause, should toml++ fail after it
};

ScanResult Scan(std::string_view text);

}  // namespace etl::host
