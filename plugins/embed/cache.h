// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sqlite3.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "schedule.h"

namespace etl::embed {

/// Vectors of earlier runs, in an SQLite file that several runs may use at once.  A vector is in it whole or not at all,
/// whenever a run is killed.  One thread.
class Cache {
 public:
  /// Throws ConfigError("cache") where no cache can be opened; makes none.
  static void Check(const std::string& path);
  /// `limit`: bytes of the file and its log; vectors that were used longest ago make room.  `warn` is told, once, when it can no longer be
  /// written.  `stop`: wait no longer for others that use the file.  Throws ConfigError("cache").
  Cache(const std::string& path, std::int64_t limit, std::size_t dims, const std::atomic<bool>& stop, std::function<void(const std::string&)> warn);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  /// True: the text has its vector now.
  bool Find(Text& text);
  /// Written by Save(), or when enough have come together.
  void Put(const Text& text);
  void Save() noexcept;

 private:
  using Key = std::array<std::uint64_t, 2>;
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Close>;

  void Run(const char* sql);
  Statement Prepare(const char* sql);
  void Step(sqlite3_stmt* s);
  std::int64_t Number(const char* sql);
  std::int64_t Used();
  void MakeRoom(std::int64_t rows);
  void Shrink();

  std::string path_;
  std::int64_t limit_;            ///< of the file itself, without its log
  std::int64_t page_ = 0, row_ = 0, together_ = 0;   ///< bytes of a page and of a row, rows of a transaction
  std::int64_t opened_, fresh_;   ///< milliseconds; what was used since `fresh_` need not be marked as used again
  std::size_t dims_;
  const std::atomic<bool>& stop_;
  std::function<void(const std::string&)> warn_;
  std::unique_ptr<sqlite3, Close> db_;
  Statement find_, put_, touch_, move_, drop_;
  std::map<Key, std::vector<float>> rows_;   ///< to be written; without a vector: only used again
  bool broken_ = false, damage_said_ = false;
};

}  // namespace etl::embed
