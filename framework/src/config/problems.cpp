#include "problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace etl::host {
namespace {
constexpr std::size_t kMostShown = 50;
}

void Problems::Add(Draft draft) {
  if (!draft.warning) ++mistakes_;
  drafts_.push_back(std::move(draft));
}

std::vector<Problem> Problems::Take() {
  std::stable_sort(drafts_.begin(), drafts_.end(), [](const Draft& a, const Draft& b) {
    if (a.origin != b.origin) return a.origin->order() < b.origin->order();
    return a.at < b.at;
  });
  const auto same = [](const Draft& a, const Draft& b) {
    return a.origin == b.origin && a.at == b.at && a.message == b.message;
  };
  drafts_.erase(std::unique(drafts_.begin(), drafts_.end(), same), drafts_.end());
  std::vector<Problem> shown;
  std::size_t warnings = 0;
  for (const Draft& draft : drafts_) {
    if (shown.size() < kMostShown) {
      shown.push_back(draft.origin->ProblemAt(draft.at, draft.message, draft.warning));
      continue;
    }
    if (draft.warning) ++warnings;
  }
  const std::size_t more = drafts_.size() - shown.size();
  if (more > 0) {
    Problem rest;
    rest.message = fmt::format("and {} more", more);
    rest.warning = warnings == more;
    shown.push_back(std::move(rest));
  }
  drafts_.clear();
  return shown;
}

}  // namespace etl::host
