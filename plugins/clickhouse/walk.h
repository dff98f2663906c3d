// SPDX-License-Identifier: Apache-2.0
/// How a range of time is pulled from a store that gives at most N rows a request: what to ask next, and how much of an answer
/// is complete.  No I/O; the store may be a real one or one of a test.
///
/// Rows come in the order of a key that begins with the time.  An answer with fewer rows than were asked for is complete.  A full
/// one is cut before its last key: other rows with that key may not have come.  Only where a whole page has one key it is
/// paged by offset, in an order over all columns.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rates.h"

namespace etl::clickhouse {

using Key = std::vector<std::string>;   ///< values of the key's columns as text, the time first

/// The next time, or the last one, that is a whole number of grains: seconds, or days of a column of dates.
std::int64_t AlignUp(std::int64_t time, std::int64_t grain);
std::int64_t AlignDown(std::int64_t time, std::int64_t grain);

struct Cursor {
  enum class At { kTime, kKey, kAfter, kGroup };
  At at = At::kTime;
  std::int64_t time = 0;     ///< second; all before it is done
  Key key;                   ///< kKey: from this one on; kAfter: behind it; kGroup: in it
  std::int64_t offset = 0;   ///< kGroup
  std::string Save() const;
  static Cursor Load(std::string_view text);
};

struct Ask {
  Cursor from;
  std::int64_t to = 0;       ///< second; rows before it
  std::int64_t limit = 0;
  Key below{};                ///< not empty: rows before this key, of the second of `from`
};

struct Got {
  std::int64_t rows = 0;
  std::int64_t whole = 0;    ///< rows before the first with the last row's key
  Key last;                  ///< the last row's key
  double first_within = 0, last_within = 0, least_within = 0, most_within = 0;   ///< of the key's next column, for Inside: in the last second, in all
  std::int64_t first_time = 0, last_time = 0;   ///< seconds of the first and last row
  std::int64_t in_first = 0, in_last = 0;       ///< rows of these seconds
};

/// One thread at a time.
class Walk {
 public:
  /// `ordered`: pages come in an order over all columns, so that a page of one key alone need not be read again for the first offset.
  /// `grain`: seconds of the time's unit.  `time_alone`: it is the whole key, in such units, so that behind one is the next.
  Walk(Cursor from, bool ordered, std::int64_t grain, bool time_alone) : cursor_(std::move(from)), ordered_(ordered), time_alone_(time_alone), grain_(grain) {}
  const Cursor& cursor() const { return cursor_; }
  bool Done(std::int64_t end) const { return cursor_.at != Cursor::At::kGroup && cursor_.time >= end; }
  Ask Next(std::int64_t to, std::int64_t limit) const { return {cursor_, to, limit}; }
  /// How many rows of an answer, from its front, are to be delivered.  Moves the cursor behind them.  What was learned goes to `rates`.
  std::int64_t Take(const Ask& ask, const Got& got, Rates* rates);

 private:
  void Learn(const Ask& ask, const Got& got, Rates& rates) const;
  Cursor cursor_;
  bool ordered_, time_alone_;
  std::int64_t grain_;
};

/// How far the next request reaches.  One thread at a time.
class Reach {
 public:
  /// `slice`: seconds of the first.  `grain`: no request ends between two of these, as one of an hour would ask for a day of dates or for none.
  Reach(double limits, std::int64_t slice, std::int64_t grain = 1) : limits_(limits), last_(slice), grain_(grain) {}
  std::int64_t Next(const Rates& rates, const Cursor& from, std::int64_t limit, std::int64_t end) const;
  void Took(const Ask& ask, const Got& got);
  /// The server had trouble with it, or answers quickly again.
  void Smaller();
  void Larger();
  double factor() const { return factor_; }

 private:
  double limits_, factor_ = 1;
  std::int64_t last_;          ///< seconds of the last window that was not of one second alone, or day
  std::int64_t grain_;
  bool hot_ = false;           ///< the last page was of one second, or day
  int short_ = 0;              ///< answers in a row that were less than half full
};

/// Inside of a second with many pages: a bound for the next column of the key as well, for servers that sort all that they are asked
/// for.  A page that it cuts short costs a request: what lies behind the largest value seen is left open, as the second may end there,
/// and so is a second that does not begin where others do, as with numbers that grow with the time.
/// One thread at a time.
class Inside {
 public:
  /// Empty: no bound.
  Key Below(const Cursor& from, std::int64_t limit) const;
  void Took(const Ask& ask, const Got& got);

 private:
  std::string second_;         ///< of which the next two are known
  double first_ = 0, a_row_ = 0;   ///< its first row seen, and how far apart they are
  double least_ = 0, most_ = 0;
  bool begins_ = false;        ///< where others do
  int bounded_ = 0, short_ = 0;
};

}  // namespace etl::clickhouse
