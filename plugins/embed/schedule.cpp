// SPDX-License-Identifier: Apache-2.0
#include "schedule.h"

#include <algorithm>

namespace etl::embed {

std::vector<Work> Cut(std::vector<TextPtr> texts, std::size_t most) {
  std::stable_sort(texts.begin(), texts.end(), [](const TextPtr& a, const TextPtr& b) { return a->ids.size() > b->ids.size(); });
  std::vector<Work> all;
  for (TextPtr& t : texts) {
    if (all.empty() || (all.back().texts.size() + 1) * all.back().longest > most) all.push_back({{}, t->ids.size()});
    all.back().texts.push_back(std::move(t));
  }
  return all;
}

}  // namespace etl::embed
