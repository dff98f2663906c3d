// SPDX-License-Identifier: Apache-2.0
#include "simulate.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace etl::clickhouse {

void CountedStore::Know(std::int64_t to) {
  while (!all_ && (known_.empty() || known_.back().time < to)) {
    Second s;
    if (more_(s)) known_.push_back(s);
    else all_ = true;
  }
}

void CountedStore::Forget(std::int64_t before) {
  while (!known_.empty() && known_.front().time < before) known_.pop_front();
}

std::int64_t CountedStore::Count(std::int64_t from, std::int64_t to) {
  Know(to);
  std::int64_t n = 0;
  for (auto s = std::lower_bound(known_.begin(), known_.end(), from, [](const Second& x, std::int64_t t) { return x.time < t; }); s != known_.end() && s->time < to; ++s) n += s->rows;
  return n;
}

Got CountedStore::Answer(const Ask& ask) {
  Got got;
  std::int64_t begin = ask.from.time, skip = ask.from.offset;
  const std::int64_t to = ask.from.at == Cursor::At::kGroup ? begin + 1 : ask.to;
  if (ask.from.at == Cursor::At::kAfter) ++begin;
  if (ask.from.at == Cursor::At::kKey && unique_) skip = std::atoll(ask.from.key.at(1).c_str());
  std::int64_t before = 0;   // rows of the last second that are in the answer
  for (auto s = (Know(begin + 1), std::lower_bound(known_.begin(), known_.end(), begin, [](const Second& x, std::int64_t t) { return x.time < t; }));; ++s) {
    if (s == known_.end()) {
      const auto at = s - known_.begin();
      Know(known_.empty() ? to : known_.back().time + 1);
      s = known_.begin() + at;
      if (s == known_.end()) break;
    }
    if (s->time >= to) break;
    const std::int64_t here = s->rows - std::min(skip, s->rows), first = s->rows - here;
    skip -= first;
    if (!here) continue;
    const std::int64_t taken = std::min(here, ask.limit - got.rows);
    if (!got.rows) {
      got.first_time = s->time;
      got.in_first = taken;
    }
    before = got.rows;
    got.rows += taken;
    got.last_time = s->time;
    got.in_last = taken;
    got.last = {std::to_string(s->time), std::to_string(first + taken - 1)};
    if (got.rows == ask.limit) break;
  }
  if (got.rows == ask.limit) got.whole = unique_ ? got.rows - 1 : before;
  return got;
}

Tally SimulateWalk(CountedStore& store, std::int64_t from, std::int64_t to, std::int64_t limit, std::int64_t slice, Rates& rates, std::int64_t grain) {
  Tally tally;
  Walk walk({Cursor::At::kTime, from, {}, 0}, true, grain, !store.unique());
  Reach reach(kWindow, slice, grain);
  while (!walk.Done(to)) {
    const Cursor& c = walk.cursor();
    const Ask ask = walk.Next(reach.Next(rates, c, limit, to), limit);
    store.Forget(c.time);
    const Got got = store.Answer(ask);
    ++tally.requests;
    tally.rows += walk.Take(ask, got, &rates);
    reach.Took(ask, got);
  }
  return tally;
}

Tally SimulateArticle(CountedStore& store, std::int64_t from, std::int64_t to, std::int64_t limit, std::int64_t slice, Article::Statistics& statistics,
                      std::int64_t grain) {
  Tally tally;
  Article article(from, limit, slice, grain);
  std::int64_t held = 0;
  while (const auto q = article.Next(statistics, to)) {
    ++tally.requests;
    if (q->count) {
      ++tally.counts;
      article.TookCount(store.Count(q->from, q->to));
      continue;
    }
    const std::int64_t rows = std::clamp<std::int64_t>(store.Count(q->from, q->to) - q->offset, 0, limit);
    const Article::Then then = article.TookRows(rows, statistics);
    held = then == Article::Then::kDrop ? 0 : held + rows;
    if (then == Article::Then::kDeliver || then == Article::Then::kPass) tally.rows += std::exchange(held, 0);
    store.Forget(article.done());
  }
  tally.deepest = article.deepest();
  return tally;
}

}  // namespace etl::clickhouse
