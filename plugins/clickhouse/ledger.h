// SPDX-License-Identifier: Apache-2.0
/// Who reads which piece of time, and what is done: intervals [from, to), pieces under way, and halves for idle readers.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace etl::clickhouse {

struct Interval {
  std::int64_t from = 0, to = 0;
  bool operator==(const Interval&) const = default;
};

/// Sorted, apart from each other.
using Intervals = std::vector<Interval>;
void Add(Intervals& to, Interval what);
/// What of `all` is not in `without`.
Intervals Subtract(const Intervals& all, const Intervals& without);
/// What of `wanted` a run reads where `done` has been read: the rest, and the last `overlap` seconds before each end, for what came late there.
Intervals Missing(Interval wanted, const Intervals& done, std::int64_t overlap);
std::string SaveIntervals(const Intervals& intervals);
Intervals LoadIntervals(std::string_view text);

/// Pieces of time that are to be read.  One thread at a time.
class Ledger {
 public:
  /// Pieces are cut at whole grains.
  explicit Ledger(std::int64_t grain = 1) : grain_(grain) {}
  struct Piece {
    std::string id, shard;
    std::int64_t from = 0, to = 0;
    std::int64_t at = 0;           ///< all before it has been read
    std::int64_t busy = 0;         ///< a request is under way for all before it
  };
  void Put(Piece piece);
  void Close(const std::string& id);
  std::int64_t End(const std::string& id) const;
  /// A request up to `to` begins; what may be asked for, which is no more than is still the piece's.
  std::int64_t Claim(const std::string& id, std::int64_t to);
  void Advance(const std::string& id, std::int64_t at);
  /// Takes half of what is left of the longest piece by `work` (shard, from, to).  Nothing: none is worth cutting.
  std::optional<Piece> Take(const std::function<double(const std::string&, std::int64_t, std::int64_t)>& work, double least, std::string id);
  const std::map<std::string, Piece>& pieces() const { return pieces_; }

 private:
  std::int64_t grain_;
  std::map<std::string, Piece> pieces_;
};

}  // namespace etl::clickhouse
