// SPDX-License-Identifier: Apache-2.0
#include "article.h"

#include <algorithm>
#include <cmath>

#include "walk.h"

namespace etl::clickhouse {
namespace {

constexpr std::int64_t kDeepest = 10, kHuge = 100, kLongest = 6 * 3600;   // limits, limits, seconds

std::size_t MinuteOfDay(std::int64_t time) { return static_cast<std::size_t>(((time / 60) % 1440 + 1440) % 1440); }

}  // namespace

void Article::Resume(std::int64_t from, std::int64_t to, std::int64_t offset) {
  parts_ = {{from, to, true}};
  resumed_ = offset_ = got_ = offset;
  hot_ = to - from <= grain_;
}

std::int64_t Article::Length(const Statistics& s, std::int64_t from, std::int64_t limit, std::int64_t slice_seconds) {
  const double guess = static_cast<double>(limit) / (static_cast<double>(slice_seconds) / 60);
  double rows = 0;
  std::int64_t t = from;
  while (t - from < kLongest) {
    const std::size_t m = MinuteOfDay(t);
    const double a_minute = s.slices[m] ? s.mean[m] : guess;
    const std::int64_t left = 60 - t % 60;
    const double here = a_minute * static_cast<double>(left) / 60;
    if (rows + here >= static_cast<double>(limit)) {
      const double seconds = (static_cast<double>(limit) - rows) / a_minute * 60;
      return std::max<std::int64_t>(1, t - from + static_cast<std::int64_t>(seconds));
    }
    rows += here;
    t += left;
  }
  return kLongest;
}

std::optional<Article::Question> Article::Next(const Statistics& statistics, std::int64_t end) {
  if (parts_.empty()) {
    if (done_ >= end) return std::nullopt;
    parts_.push_back({done_, std::min(end, AlignUp(done_ + Length(statistics, done_, limit_, slice_), grain_)), false});
    offset_ = got_ = 0;
    counting_ = hot_ = false;
  }
  const Part& p = parts_.back();
  if (counting_) return Question{true, p.from, p.to, 0};
  if (p.to - p.from > grain_) deepest_ = std::max(deepest_, offset_);
  return Question{false, p.from, p.to, offset_};
}

void Article::Done(std::int64_t rows, Statistics& statistics) {
  const Part p = parts_.back();
  parts_.pop_back();
  done_ = p.to;
  huge_ = 0;
  if (rows >= kHuge * limit_) {
    huge_ = rows;
  } else {
    const double a_minute = static_cast<double>(rows) * 60 / static_cast<double>(p.to - p.from);
    for (std::int64_t t = p.from; t < p.to; t += 60 - t % 60) {
      const std::size_t m = MinuteOfDay(t);
      const auto n = static_cast<double>(++statistics.slices[m]);
      statistics.mean[m] += (a_minute - statistics.mean[m]) / std::min(n, 8.0);
    }
  }
  resumed_ = offset_ = got_ = 0;
  hot_ = false;
  counting_ = !parts_.empty() && !parts_.back().counted;
}

Article::Then Article::TookRows(std::int64_t rows, Statistics& statistics) {
  const bool second = parts_.back().to - parts_.back().from <= grain_;
  got_ += rows;
  if (rows < limit_) {
    const bool hot = hot_;
    Done(got_, statistics);
    return hot ? Then::kPass : Then::kDeliver;
  }
  offset_ += rows;
  if (second) {
    // The pages before the tenth are held; from here on each is delivered by itself.
    hot_ = true;
    return offset_ == rows ? Then::kDeliver : Then::kPass;
  }
  if (offset_ < kDeepest * limit_ || parts_.back().counted) return Then::kHold;
  counting_ = true;
  offset_ = got_ = 0;
  return Then::kDrop;
}

void Article::Halve(bool counted) {
  const Part p = parts_.back();
  const std::int64_t middle = AlignUp(p.from + (p.to - p.from) / 2, grain_);
  parts_.pop_back();
  parts_.push_back({middle, p.to, counted});
  parts_.push_back({p.from, middle, counted});
}

void Article::Again(bool halves) {
  offset_ = got_ = resumed_;
  if (halves && !resumed_ && parts_.back().to - parts_.back().from > grain_) Halve(true);
}

void Article::TookCount(std::int64_t rows) {
  const Part p = parts_.back();
  counting_ = false;
  if (rows < kDeepest * limit_ || p.to - p.from <= grain_) {
    parts_.back().counted = true;
    offset_ = got_ = 0;
    return;
  }
  Halve(false);
  counting_ = true;
}

}  // namespace etl::clickhouse
