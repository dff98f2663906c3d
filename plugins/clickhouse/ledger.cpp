// SPDX-License-Identifier: Apache-2.0
#include "ledger.h"

#include <etl/pack.h>

#include <algorithm>
#include <cstdlib>

#include "walk.h"

namespace etl::clickhouse {

void Add(Intervals& to, Interval what) {
  if (what.from >= what.to) return;
  Intervals out;
  for (const Interval& i : to) {
    if (i.to < what.from || i.from > what.to) {
      out.push_back(i);
    } else {
      what.from = std::min(what.from, i.from);
      what.to = std::max(what.to, i.to);
    }
  }
  out.push_back(what);
  std::sort(out.begin(), out.end(), [](const Interval& a, const Interval& b) { return a.from < b.from; });
  to = std::move(out);
}

Intervals Subtract(const Intervals& all, const Intervals& without) {
  Intervals out;
  for (Interval left : all) {
    for (const Interval& w : without) {
      if (w.to <= left.from || w.from >= left.to) continue;
      if (w.from > left.from) out.push_back({left.from, w.from});
      left.from = std::min(w.to, left.to);
    }
    if (left.from < left.to) out.push_back(left);
  }
  return out;
}

Intervals Missing(Interval wanted, const Intervals& done, std::int64_t overlap) {
  Intervals kept;
  for (const Interval& i : done) Add(kept, {i.from, i.to - overlap});
  return Subtract({wanted}, kept);
}

std::string SaveIntervals(const Intervals& intervals) {
  std::string out;
  for (const Interval& i : intervals) out += std::to_string(i.from) + " " + std::to_string(i.to) + "\n";
  return out;
}

Intervals LoadIntervals(std::string_view text) {
  Intervals out;
  const std::string copy(text);
  const char* at = copy.c_str();
  while (*at) {
    char* end = nullptr;
    const std::int64_t from = std::strtoll(at, &end, 10);
    if (end == at) break;
    const std::int64_t to = std::strtoll(end, &end, 10);
    Add(out, {from, to});
    at = end;
    while (*at == '\n') ++at;
  }
  return out;
}

void Ledger::Put(Piece piece) {
  piece.at = std::max(piece.at, piece.from);
  piece.busy = std::max(piece.busy, piece.at);
  const std::string id = piece.id;
  pieces_[id] = std::move(piece);
}

void Ledger::Close(const std::string& id) { pieces_.erase(id); }

std::int64_t Ledger::End(const std::string& id) const {
  const auto at = pieces_.find(id);
  if (at == pieces_.end()) throw Fatal("a piece of time is read that nobody has planned");
  return at->second.to;
}

std::int64_t Ledger::Claim(const std::string& id, std::int64_t to) {
  Piece& p = pieces_.at(id);
  to = std::min(to, p.to);
  p.busy = std::max(p.busy, to);
  return to;
}

void Ledger::Advance(const std::string& id, std::int64_t at) {
  Piece& p = pieces_.at(id);
  p.at = std::max(p.at, at);
  p.busy = p.at;
}

std::optional<Ledger::Piece> Ledger::Take(const std::function<double(const std::string&, std::int64_t, std::int64_t)>& work, double least, std::string id) {
  Piece* longest = nullptr;
  double most = least;
  for (auto& [name, p] : pieces_) {
    if (p.to - p.busy < 2 * grain_) continue;
    const double here = work(p.shard, p.busy, p.to);
    if (here > most) {
      most = here;
      longest = &p;
    }
  }
  if (!longest) return std::nullopt;
  // Where the first half of the work ends.
  std::int64_t low = longest->busy, high = longest->to;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    if (work(longest->shard, longest->busy, middle) < most / 2) low = middle;
    else high = middle;
  }
  const std::int64_t cut = std::clamp(AlignUp(high, grain_), AlignUp(longest->busy + 1, grain_), AlignDown(longest->to - 1, grain_));
  Piece half{std::move(id), longest->shard, cut, longest->to, cut, cut};
  longest->to = cut;
  Put(half);
  return half;
}

}  // namespace etl::clickhouse
