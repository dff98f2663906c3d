// SPDX-License-Identifier: Apache-2.0
/// A store of which only the rows of each second are known, and what the strategies ask of it.  For `etl plan`, and for tests.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "article.h"
#include "walk.h"

namespace etl::clickhouse {

/// Seconds that hold rows, told in order by `more` (false: no more) and forgotten behind the walk.
class CountedStore {
 public:
  struct Second {
    std::int64_t time = 0, rows = 0;
  };
  /// `unique`: the key tells rows apart; else a second is a key.
  CountedStore(std::function<bool(Second&)> more, bool unique) : more_(std::move(more)), unique_(unique) {}
  bool unique() const { return unique_; }
  Got Answer(const Ask& ask);
  std::int64_t Count(std::int64_t from, std::int64_t to);
  /// Seconds before this one are not asked for again.
  void Forget(std::int64_t before);

 private:
  void Know(std::int64_t to);
  std::function<bool(Second&)> more_;
  bool unique_, all_ = false;
  std::deque<Second> known_;
};

struct Tally {
  std::int64_t requests = 0, counts = 0, rows = 0, deepest = 0;   ///< deepest: offset outside of a single second, in rows
};

/// The walk over [from, to), of seconds or days.  `rates` may know something already, and learns.
Tally SimulateWalk(CountedStore& store, std::int64_t from, std::int64_t to, std::int64_t limit, std::int64_t slice, Rates& rates, std::int64_t grain = 1);
Tally SimulateArticle(CountedStore& store, std::int64_t from, std::int64_t to, std::int64_t limit, std::int64_t slice, Article::Statistics& statistics,
                      std::int64_t grain = 1);

/// Limits that a request reaches over: room for a wrong guess, and few rows to sort.
constexpr double kWindow = 2;

}  // namespace etl::clickhouse
