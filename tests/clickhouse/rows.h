// Rows by the second, in four shapes.
#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "simulate.h"

namespace etl::test {

using Seconds = std::vector<clickhouse::CountedStore::Second>;
constexpr std::int64_t kBegin = 1'709'251'200;   // 2024-03-01, a Friday

/// Two days, very uneven: day and night, quiet hours, lognormal seconds, 43 bursts of 10,000 to 200,000 rows in one second.
inline Seconds Skewed(std::int64_t total) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> jitter(0, 0.7);
  std::uniform_real_distribution<double> even(0, 1);
  constexpr std::int64_t kSpan = 172'800;
  std::vector<double> weight(kSpan);
  std::vector<std::int64_t> burst(kSpan);
  double all = 0;
  for (std::int64_t s = 0; s < kSpan; ++s) {
    const double hour = static_cast<double>(s % 86400) / 3600;
    double day = 0.04 + std::pow(std::max(0.0, std::sin((hour - 6) / 24 * 2 * M_PI)), 1.5);
    const bool quiet = (s >= 7200 && s < 18000) || (s >= 93600 && s < 102600) || (s >= 46800 && s < 48000);
    if (quiet) day = even(random) < 0.98 ? 0 : 0.01;
    weight[s] = day * jitter(random);
    all += weight[s];
  }
  std::int64_t bursts = 0;
  for (int i = 0; i < 40; ++i) burst[random() % kSpan] = static_cast<std::int64_t>(std::pow(10, 4 + even(random) * 1.301));
  burst[3 * 3600 + 17] = 200'000;
  burst[50000] = 200'000;
  burst[50001] = 150'000;
  for (const std::int64_t b : burst) bursts += b;
  const double scale = static_cast<double>(total - bursts) / all;
  Seconds out;
  double carry = 0;
  for (std::int64_t s = 0; s < kSpan; ++s) {
    carry += weight[s] * scale;
    const auto n = static_cast<std::int64_t>(carry);
    carry -= static_cast<double>(n);
    if (n + burst[s]) out.push_back({kBegin + s, n + burst[s]});
  }
  return out;
}

/// About so many rows, evenly between half and one and a half times; what is over goes on to the next second.
class Uneven {
 public:
  std::int64_t operator()(double rows) {
    carry_ += rows * (0.5 + static_cast<double>(random_() % 1024) / 1024);
    const auto n = static_cast<std::int64_t>(carry_);
    carry_ -= static_cast<double>(n);
    return n;
  }

 private:
  std::mt19937_64 random_{11};
  double carry_ = 0;
};

/// `days` days of the same rate.
inline Seconds Flat(std::int64_t total, std::int64_t days) {
  Seconds out;
  const std::int64_t span = days * 86400;
  Uneven uneven;
  for (std::int64_t s = 0; s < span; ++s) {
    const std::int64_t n = uneven(static_cast<double>(total) / static_cast<double>(span));
    if (n) out.push_back({kBegin + s, n});
  }
  return out;
}

/// Nine tenths of the rows in one hour of each day.
inline Seconds HotHour(std::int64_t total, std::int64_t days) {
  Seconds out;
  const double a_day = static_cast<double>(total) / static_cast<double>(days);
  Uneven uneven;
  for (std::int64_t s = 0; s < days * 86400; ++s) {
    const bool hot = s % 86400 / 3600 == 14;
    const std::int64_t n = uneven(hot ? a_day * 0.9 / 3600 : a_day * 0.1 / 82800);
    if (n) out.push_back({kBegin + s, n});
  }
  return out;
}

/// A year with three dense hours and a row now and then.
inline Seconds EmptyYear(std::int64_t total) {
  Seconds out;
  Uneven uneven;
  const std::int64_t dense[] = {40 * 86400 + 7200, 200 * 86400 + 36000, 320 * 86400 + 80000};
  for (std::int64_t s = 0; s < 365 * 86400; ++s) {
    std::int64_t n = s % 7200 == 11 ? 1 : 0;
    for (const std::int64_t d : dense) {
      if (s >= d && s < d + 3600) n += uneven(static_cast<double>(total) / 10800);
    }
    if (n) out.push_back({kBegin + s, n});
  }
  return out;
}

inline std::int64_t Sum(const Seconds& seconds) {
  std::int64_t n = 0;
  for (const auto& s : seconds) n += s.rows;
  return n;
}

inline clickhouse::CountedStore StoreOf(const Seconds& seconds, bool unique) {
  return clickhouse::CountedStore([&seconds, i = std::size_t{0}](clickhouse::CountedStore::Second& s) mutable {
    if (i == seconds.size()) return false;
    s = seconds[i++];
    return true;
  }, unique);
}

/// The best that can be done with cuts at whole seconds: greedy is, as a slice that ends later never makes the rest longer.
inline std::int64_t BestOfSeconds(const Seconds& seconds, std::int64_t limit) {
  std::int64_t requests = 0, rows = 0;
  for (const auto& s : seconds) {
    if (s.rows > limit) {
      requests += (rows > 0) + (s.rows + limit - 1) / limit;
      rows = 0;
    } else if (rows + s.rows > limit) {
      ++requests;
      rows = s.rows;
    } else {
      rows += s.rows;
    }
  }
  return requests + (rows > 0);
}

}  // namespace etl::test
