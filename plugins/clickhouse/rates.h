// SPDX-License-Identifier: Apache-2.0
/// How many rows a second to expect: by the minute of the day and of the week, and by what was seen last.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace etl::clickhouse {

/// Seconds since the epoch everywhere.  One thread at a time.
class Rates {
 public:
  /// `guess`: rows a second as long as nothing is known.
  explicit Rates(double guess) : recent_(guess) {}
  /// There are so many rows in [from, to).
  void Learn(std::int64_t from, std::int64_t to, std::int64_t rows);
  /// Rows a second expected at a time.
  double At(std::int64_t time) const;
  double Expect(std::int64_t from, std::int64_t to) const;
  /// Where about so many rows from `from` on end; at most `most` seconds away, and at least one.
  std::int64_t Reach(std::int64_t from, double rows, std::int64_t most) const;
  /// What is known of minutes, in a few kilobytes; Load forgets what was known and ignores what it cannot read.
  std::string Save() const;
  void Load(std::string_view text);
  bool Knows(std::int64_t time) const;

 private:
  struct Slot {
    float rows = 0, seconds = 0;
  };
  const Slot* Find(std::int64_t time) const;
  double recent_, scale_ = 1;
  std::array<Slot, 1440> day_{};
  std::array<Slot, 10080> week_{};
};

}  // namespace etl::clickhouse
