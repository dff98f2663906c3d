// SPDX-License-Identifier: Apache-2.0
/// Ranges of a key that hold about so many rows each, found by the key's own distribution: the server's estimates (EXPLAIN dives
/// into the index, and reads no rows) say where to divide, and a key of the table itself is where.  Nothing is counted or skipped.
#pragma once
#include <string>
#include <vector>

#include "key.h"

namespace etl::mysql {

/// The server's guess, from its index: nothing is read for it.
std::int64_t EstimateRows(Session& session, const std::string& table, const std::string& hint, const std::string& condition);

class Planner {
 public:
  Planner(const Key& key, const std::string& table, std::int64_t chunk_rows) : key_(&key), table_(table), chunk_rows_(chunk_rows) {}
  /// From the least to the greatest key there is now; the last range is open, for rows that come later.
  void Begin(Session& session);
  /// The next range, in the key's order, with the estimate of its rows; false: none is left.
  bool Next(Session& session, Range& out, std::int64_t& rows);
  /// What is still to divide, for Load after a restart.
  std::string Save() const;
  void Load(std::string_view text);

 private:
  struct Piece {
    std::optional<KeyValue> from;   ///< nothing: from the beginning
    KeyValue low, to;               ///< low: `from`, or the least key
    bool open = false;              ///< beyond `to`, as the last
    int depth = 0;
  };
  std::optional<KeyValue> End(Session& session, const std::string& condition, bool last) const;
  std::optional<KeyValue> Divide(Session& session, const Piece& piece) const;

  const Key* key_;
  std::string table_;
  std::int64_t chunk_rows_;
  std::vector<Piece> pieces_;       ///< the next one is the last
};

}  // namespace etl::mysql
