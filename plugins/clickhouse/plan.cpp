// SPDX-License-Identifier: Apache-2.0
// What `etl plan` says of a limited store: rows counted by the second, packed into the best slices that there are.
#include <etl/plan.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "simulate.h"
#include "source.h"

namespace etl::clickhouse {
namespace {

constexpr std::int64_t kHour = 3600, kMostHours = 7 * 24;   // of seconds in one answer: one row an hour

/// "[1,2,3]".
std::vector<std::int64_t> Numbers(const std::string& text) {
  std::vector<std::int64_t> out;
  const char* at = text.c_str();
  while (*at) {
    char* end = nullptr;
    const long long v = std::strtoll(at, &end, 10);
    if (end == at) {
      ++at;
      continue;
    }
    out.push_back(v);
    at = end;
  }
  return out;
}

std::string Decimal(double v, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

std::string Duration(double seconds) {
  if (seconds >= 2 * 3600) return Decimal(seconds / 3600, 1) + " h";
  return seconds >= 120 ? Decimal(seconds / 60, 1) + " min" : Decimal(seconds, 1) + " s";
}

}  // namespace

const void* ClickhouseSource::Extension(std::string_view id) {
  return id == ETL_EXT_PLAN ? PlanTable<ClickhouseSource>() : nullptr;
}

/// Rows of each second from `begin` on, for some hours: to which second.  An hour's seconds are one row of the answer, so that a store
/// that gives few rows gives them too.
std::int64_t ClickhouseSource::CountSeconds(const std::string& shard, std::int64_t begin, std::int64_t end, std::int64_t& hours,
                                            std::vector<std::pair<std::int64_t, std::int64_t>>& out) {
  const std::string time = table_.Seconds(Quote(time_column, "time_column"));
  for (;;) {
    const std::int64_t to = std::min(end, (begin / kHour + hours) * kHour);
    Statement s = table_.Aggregate("intDiv(" + time + ", 3600) AS h, " + time + " - intDiv(" + time + ", 3600) * 3600 AS s, count() AS n", begin, to, shard, true);
    s.text = "SELECT h, groupArray(s), groupArray(n) FROM (" + s.text + " GROUP BY h, s) GROUP BY h ORDER BY h";
    std::vector<std::vector<std::string>> rows;
    try {
      const Pace::Turn turn(pace_, host);
      ++asked_;
      rows = Connected().Ask(s, "cannot count the rows of each second");
    } catch (const TooMuch&) {
      if (hours == 1) throw;
      hours = std::max<std::int64_t>(1, hours / 4);
      continue;
    }
    out.clear();
    for (const auto& row : rows) {
      if (row.size() != 3) throw Fatal("the server did not say how many rows each second has");
      const auto seconds = Numbers(row[1]), counts = Numbers(row[2]);
      if (seconds.size() != counts.size()) throw Fatal("the server did not say how many rows each second has");
      for (std::size_t i = 0; i < seconds.size(); ++i) out.emplace_back(std::atoll(row[0].c_str()) * kHour + seconds[i], counts[i]);
    }
    std::sort(out.begin(), out.end());
    return to;
  }
}

std::optional<Foreseen> ClickhouseSource::Foresee() {
  Prepare();
  if (mode_ != Mode::kLimited) return std::nullopt;
  want_ = FindBounds(GivenBounds());
  FindShards();
  const std::int64_t begin = want_.from, end = want_.to;
  Manifest m{table, time_column, shard_by, max_rows_per_request, begin, end, {}};
  Foreseen out;
  asked_ = 0;
  std::int64_t rows = 0, packed = 0, walked = 0, ideal = 0;
  const std::int64_t limit = max_rows_per_request, first = slice.count() / 1'000'000'000, grain = table_.grain();
  try {
    for (const std::string& shard : shard_names_) {
      Packer packer(begin, limit, grain);
      std::vector<std::pair<std::int64_t, std::int64_t>> some;
      std::size_t at = 0;
      std::int64_t counted = begin, hours = std::clamp<std::int64_t>(limit, 1, kMostHours);
      const auto more = [&](CountedStore::Second& second) {
        while (at == some.size() && counted < end) {
          counted = CountSeconds(shard, counted, end, hours, some);
          at = 0;
          for (const auto& [t, n] : some) packer.Second(t, n);
        }
        if (at == some.size()) return false;
        second = {some[at].first, some[at].second};
        return ++at > 0;
      };
      CountedStore store(more, strategy != "slices" && table_.key.size() > 1);
      Rates rates(static_cast<double>(limit) / static_cast<double>(first));
      Article::Statistics statistics;
      walked += strategy == "article" ? SimulateArticle(store, begin, end, limit, first, statistics, grain).requests
                                      : SimulateWalk(store, begin, end, limit, first, rates, grain).requests;
      for (CountedStore::Second rest; more(rest);) {
      }
      std::vector<Slice>& slices = m.shards[shard.empty() || shard[0] != '=' ? shard : shard.substr(1)];
      slices = packer.Finish(end);
      packed += Packer::Requests(slices, limit);
      rows += packer.rows();
      ideal += (packer.rows() + limit - 1) / limit;
    }
  } catch (const Error& e) {
    if (e.status == ETL_RETRY || e.status == ETL_CANCELLED || e.status == ETL_CONFIG) throw;
    out.report = {{"range", TimeText(begin) + " to " + TimeText(end)}, {"rows by the second", std::string("not given by this store: ") + e.what()}};
    return out;
  }
  // One real page says how long a request takes.
  double seconds = 0;
  {
    Page page;
    const Statement probe = table_.Page({{Cursor::At::kTime, begin, {}, 0}, std::min(end, begin + first), limit}, shard_names_[0], ordered_);
    Connection& c = Connected();
    c.Begin(probe, true, "cannot read from \"" + table + "\"");
    while (c.Next(table_.read, {max_row_bytes.value, 1 << 24}, page)) {
    }
    seconds = std::max(static_cast<double>(c.cost().elapsed.count()) / 1e9, requests_per_second > 0 ? 1 / requests_per_second : 0.0);
  }
  const auto ratio = [&](std::int64_t n) { return std::to_string(n) + (ideal ? " (" + Decimal(static_cast<double>(n) / static_cast<double>(ideal), 3) + " of the ideal)" : ""); };
  out.report = {{"range", TimeText(begin) + " to " + TimeText(end)},
                {"rows", std::to_string(rows)},
                {"ideal requests", std::to_string(ideal)},
                {"requests expected, strategy " + strategy, ratio(walked)},
                {"requests of the manifest", ratio(packed)},
                {"requests of this plan", std::to_string(asked_)},
                {"time of a request", Decimal(seconds, 3) + " s"},
                {"time expected, one at a time", Duration(static_cast<double>(walked) * seconds)}};
  if (expand) out.report.emplace_back("expand", "all of this range is counted; a run leaves out what complete runs have read");
  out.file = ToJson(m);
  return out;
}

}  // namespace etl::clickhouse
