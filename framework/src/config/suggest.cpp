#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "config.h"
#include "suggest.h"

namespace etl::host {
namespace {

constexpr std::size_t kLongest = 64;

char Plain(char c) {
  return c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

}  // namespace

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = Plain(a[i - 1]) == Plain(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Plain(a[i - 1]) == Plain(b[j - 2]) &&
          Plain(a[i - 2]) == Plain(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string Nearest(std::string_view typed, const std::vector<std::string>& candidates) {
  if (typed.empty() || typed.size() > kLongest) return {};
  std::string best;
  std::size_t least = std::max<std::size_t>(1, (typed.size() + 1) / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t apart =
        std::max(typed.size(), candidate.size()) - std::min(typed.size(), candidate.size());
    if (apart >= least || candidate.size() > kLongest) continue;
    const std::size_t distance = EditDistance(typed, candidate);
    if (distance < least && distance < std::max(typed.size(), candidate.size())) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string QuotedList(const std::vector<std::string>& names, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == most) return text + " …";
    text += (i > 0 ? ", \"" : "\"") + names[i] + '"';
  }
  return text;
}

}  // namespace etl::host
