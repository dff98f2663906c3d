// SPDX-License-Identifier: Apache-2.0
/// The practitioners' algorithm: slices of time that hold about one full request by the statistics of the minute of the day; a full
/// page is followed by the next offset; at ten limits the slice is counted and halved.  No I/O.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace etl::clickhouse {

/// One thread at a time; for one piece of time.
class Article {
 public:
  struct Statistics {
    std::array<double, 1440> mean{};    ///< rows in that minute of the day
    std::array<std::int64_t, 1440> slices{};
  };
  struct Question {
    bool count = false;                 ///< how many rows, not which
    std::int64_t from = 0, to = 0, offset = 0;
  };
  enum class Then {
    kHold,       ///< keep the rows until their slice is complete
    kDeliver,    ///< they complete their slice: deliver those that are held, and these
    kPass,       ///< deliver them alone: a page of one second
    kDrop,       ///< forget what is held: the slice is pulled in halves
  };

  /// `grain`: no slice is shorter: a second, or a day of dates.
  Article(std::int64_t from, std::int64_t limit, std::int64_t slice_seconds, std::int64_t grain = 1) : limit_(limit), slice_(slice_seconds), grain_(grain), done_(from) {}
  /// Goes on inside a slice of which so many rows have been delivered.
  void Resume(std::int64_t from, std::int64_t to, std::int64_t offset);
  /// Nothing: the piece, which may have become shorter, is done.
  std::optional<Question> Next(const Statistics& statistics, std::int64_t end);
  Then TookRows(std::int64_t rows, Statistics& statistics);
  void TookCount(std::int64_t rows);
  /// The slice of which some pages came is pulled once more, from its first row on, or its halves are.  One that was gone on with has rows
  /// that were delivered before: it is pulled from behind them.
  void Again(bool halves);
  /// All before this second is complete.
  std::int64_t done() const { return done_; }
  /// Of the last slice, when it was too large for the statistics: its rows.
  std::int64_t huge() const { return huge_; }
  std::int64_t deepest() const { return deepest_; }   ///< offset outside a hot second

  static std::int64_t Length(const Statistics& s, std::int64_t from, std::int64_t limit, std::int64_t slice_seconds);

 private:
  struct Part {
    std::int64_t from, to;
    bool counted;     ///< it is known to hold fewer than ten limits, or is a single second (or day)
  };
  void Done(std::int64_t rows, Statistics& statistics);
  void Halve(bool counted);
  std::int64_t limit_, slice_, grain_, done_, resumed_ = 0, offset_ = 0, got_ = 0, huge_ = 0, deepest_ = 0;
  std::vector<Part> parts_;   ///< the next one is the last
  bool counting_ = false, hot_ = false;
};

}  // namespace etl::clickhouse
