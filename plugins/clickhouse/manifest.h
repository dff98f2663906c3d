// SPDX-License-Identifier: Apache-2.0
/// The exact plan, made with hindsight: slices of time that hold at most so many rows each, as a file.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace etl::clickhouse {

struct Slice {
  std::int64_t from = 0, to = 0, rows = 0;
};

struct Manifest {
  std::string table, time_column, shard_by;
  std::int64_t limit = 0, from = 0, to = 0;
  std::map<std::string, std::vector<Slice>> shards;   ///< by the shard's name, "" where there is one; slices in order
};

/// Packs seconds that hold rows, told in order, into slices of fewer than `limit` rows.  A second (or a day, a `grain`) that holds as many is a
/// slice of its own.
class Packer {
 public:
  Packer(std::int64_t from, std::int64_t limit, std::int64_t grain = 1) : limit_(limit), grain_(grain), begin_(from) {}
  void Second(std::int64_t time, std::int64_t rows);
  /// The slices up to `to`, where they all end.
  std::vector<Slice> Finish(std::int64_t to);
  std::int64_t rows() const { return total_; }
  /// Requests that a reader makes of these slices.
  static std::int64_t Requests(const std::vector<Slice>& slices, std::int64_t limit);

 private:
  void Close(std::int64_t at);
  std::int64_t limit_, grain_, begin_, rows_ = 0, total_ = 0;
  std::vector<Slice> slices_;
};

std::string ToJson(const Manifest& manifest);
/// Throws ConfigError("manifest").
Manifest FromJson(const std::string& text);

}  // namespace etl::clickhouse
