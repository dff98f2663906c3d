// SPDX-License-Identifier: Apache-2.0
#include "walk.h"

#include <etl/pack.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace etl::clickhouse {
namespace {

constexpr std::int64_t kNear = 120;   // seconds
constexpr double kInside = 1.25;      // limits
constexpr double kAlike = 0.1;        // likewise

}  // namespace

std::int64_t AlignDown(std::int64_t time, std::int64_t grain) { return time - ((time % grain) + grain) % grain; }
std::int64_t AlignUp(std::int64_t time, std::int64_t grain) { return AlignDown(time + grain - 1, grain); }

std::string Cursor::Save() const {
  std::vector<std::string> parts = {std::to_string(static_cast<int>(at)), std::to_string(time), std::to_string(offset)};
  parts.insert(parts.end(), key.begin(), key.end());
  return Pack(parts);
}

Cursor Cursor::Load(std::string_view text) {
  const auto parts = Unpack(text);
  if (parts.size() < 3) throw Fatal("the saved position is not one of this source's; start anew with 'etl state reset'");
  Cursor c;
  c.at = static_cast<At>(std::clamp(std::atoi(parts[0].c_str()), 0, 3));
  c.time = std::atoll(parts[1].c_str());
  c.offset = std::atoll(parts[2].c_str());
  c.key.assign(parts.begin() + 3, parts.end());
  return c;
}

/// A second that a page begins or ends in has not all of its rows there, and where it holds most of them says nothing of the minute.
void Walk::Learn(const Ask& ask, const Got& got, Rates& rates) const {
  if (!ask.below.empty()) return;
  const bool full = got.rows >= ask.limit, inside = got.rows && ask.from.at != Cursor::At::kTime && got.first_time == ask.from.time;
  const std::int64_t begin = ask.from.time + (inside ? grain_ : 0), end = full ? got.last_time : ask.to;
  const std::int64_t rows = got.rows - (inside ? got.in_first : 0) - (full ? got.in_last : 0);
  const std::int64_t first = full ? std::max(got.first_time, begin) : begin;
  if (first - begin > grain_) rates.Learn(begin, first, 0);
  if (end > first) rates.Learn(first, end, full ? std::max<std::int64_t>(rows, 1) : rows);
  else if (full && inside && end > ask.from.time) rates.Learn(ask.from.time, end, std::max<std::int64_t>(got.whole, 1));   // of two seconds, neither whole
}

std::int64_t Walk::Take(const Ask& ask, const Got& got, Rates* rates) {
  const std::int64_t begin = ask.from.time;
  if (ask.from.at == Cursor::At::kGroup) {
    if (got.rows >= ask.limit) {
      cursor_.offset += got.rows;
    } else {
      // A hot second says nothing of the minute that it is in.
      if (time_alone_) cursor_ = {Cursor::At::kTime, cursor_.time + grain_, {}, 0};
      else cursor_ = {Cursor::At::kAfter, cursor_.time, std::move(cursor_.key), 0};
    }
    return got.rows;
  }
  if (rates) Learn(ask, got, *rates);
  if (got.rows < ask.limit && !ask.below.empty()) {
    cursor_ = {Cursor::At::kKey, begin, ask.below, 0};
    return got.rows;
  }
  if (got.rows < ask.limit) {
    cursor_ = {Cursor::At::kTime, std::max(ask.to, begin), {}, 0};
    return got.rows;
  }
  cursor_.key = got.last;
  cursor_.time = got.last_time;
  cursor_.offset = 0;
  if (got.whole > 0) {
    cursor_.at = Cursor::At::kKey;
    return got.whole;
  }
  cursor_.at = Cursor::At::kGroup;
  if (!ordered_) return 0;
  cursor_.offset = got.rows;
  return got.rows;
}

std::int64_t Reach::Next(const Rates& rates, const Cursor& from, std::int64_t limit, std::int64_t end) const {
  // What is not known is not leapt into: at most so many times as far as last.  Where less comes than is expected, again and again, it
  // is expected wrongly, and a request that reaches too far costs less than two.
  const double boost = static_cast<double>(1LL << std::min(2 * std::max(short_ - 1, 0), 40));
  const bool known = rates.Knows(from.time) && rates.Knows(from.time + last_);
  // A second with more than a page says nothing of those behind it: near by, so that its other pages are not looked for in hours.
  const std::int64_t most = hot_ ? std::max({last_, kNear, grain_}) : known ? std::max<std::int64_t>(last_ * 64, 86400) : last_ * (short_ ? 8 : 16);
  const std::int64_t to = rates.Reach(from.time, limits_ * factor_ * boost * static_cast<double>(limit), std::max<std::int64_t>(most, 2 * grain_));
  return std::min(AlignUp(std::max(to, from.time + 1), grain_), end);
}

void Reach::Took(const Ask& ask, const Got& got) {
  if (ask.from.at == Cursor::At::kGroup || !ask.below.empty()) return;
  short_ = got.rows < ask.limit / 2 ? short_ + 1 : 0;
  hot_ = got.rows >= ask.limit && got.last_time == got.first_time;
  if (hot_) return;
  // Of a full page: how far it came, not how far it was to reach.
  last_ = std::max(got.rows < ask.limit ? ask.to - ask.from.time : got.last_time - got.first_time, grain_);
}

Key Inside::Below(const Cursor& from, std::int64_t limit) const {
  if (from.at != Cursor::At::kKey || from.key[0] != second_ || !begins_ || short_ * 20 > bounded_ + 20) return {};
  const double at = from.key.size() > 1 ? std::strtod(from.key[1].c_str(), nullptr) : first_, further = kInside * static_cast<double>(limit) * a_row_, to = std::floor(at + further);
  if (further < std::max(1.0, std::abs(at) * 0x1p-50) || to >= most_) return {};
  char text[64];
  std::snprintf(text, sizeof text, "%.0f", to);
  return {second_, text};
}

void Inside::Took(const Ask& ask, const Got& got) {
  const bool other = got.rows >= ask.limit && got.last[0] != second_;
  bounded_ += !ask.below.empty();
  if (got.rows < ask.limit) {
    short_ += !ask.below.empty();
    second_.clear();
  } else if (got.in_last >= ask.limit / 20) {
    second_ = got.last[0];
    first_ = got.first_within;
    a_row_ = (got.last_within - first_) / static_cast<double>(got.in_last);
    if (other) begins_ = std::abs(first_ - least_) <= kAlike * static_cast<double>(ask.limit) * a_row_;
  }
  if (got.rows) {
    least_ = least_ < most_ ? std::min(least_, got.least_within) : got.least_within;
    most_ = std::max(most_, got.most_within);
  }
}

void Reach::Smaller() { factor_ = std::max(factor_ / 2, 1.0 / 64); }
void Reach::Larger() { factor_ = std::min(factor_ * 1.25, 1.0); }

}  // namespace etl::clickhouse
