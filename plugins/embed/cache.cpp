// SPDX-License-Identifier: Apache-2.0
#include "cache.h"

#include <etl/error.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <utility>

namespace etl::embed {
namespace {

constexpr std::int64_t kRowsTogether = 512;
constexpr int kBusyLooks = 2000;                       // for a file that others use
constexpr std::chrono::milliseconds kBusyWait{5};
constexpr std::int64_t kLogMost = 16 << 20;
constexpr std::int64_t kDayMs = 86'400'000;

/// Older versions said days: those rows count as the oldest.
std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Behind each vector, as disks are not always true.
std::uint64_t SumOf(const float* vector, std::size_t dims) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < dims; ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &vector[i], sizeof bits);
    sum = (sum ^ bits) * 0x100000001b3;
  }
  return sum;
}

std::string Why(sqlite3* db) {
  return std::string(sqlite3_errmsg(db)) + (sqlite3_errcode(db) == SQLITE_CORRUPT ? "; it may be deleted" : "");
}

}  // namespace

void Cache::Check(const std::string& path) {
  const auto wrong = [&](const std::string& why) { throw ConfigError("cache", "the cache " + path + " cannot be used: " + why); };
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    const std::string folder = std::filesystem::absolute(path, ignored).parent_path().string();
    if (::access(folder.c_str(), W_OK) != 0) wrong("its folder is not there, or may not be written");
    return;
  }
  sqlite3* db = nullptr;
  int rc = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  const std::unique_ptr<sqlite3, Close> owner(db);
  sqlite3_stmt* s = nullptr;
  if (rc == SQLITE_OK) rc = sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_master WHERE name = 'vectors'", -1, &s, nullptr);
  const Statement there(s);
  if (rc == SQLITE_OK) rc = sqlite3_step(s);
  if (rc == SQLITE_BUSY) return;   // Open() waits
  if (rc != SQLITE_ROW) wrong(Why(db));
  if (sqlite3_column_int64(s, 0) == 0) return;
  sqlite3_stmt* all = nullptr;
  rc = sqlite3_prepare_v2(db, "SELECT key, used, vector FROM vectors", -1, &all, nullptr);
  const Statement columns(all);
  if (rc != SQLITE_OK && rc != SQLITE_BUSY) wrong("its table vectors is another's");
}

void Cache::Run(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) throw std::runtime_error(Why(db_.get()));
}

Cache::Statement Cache::Prepare(const char* sql) {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql, -1, &s, nullptr) != SQLITE_OK) throw std::runtime_error(Why(db_.get()));
  return Statement(s);
}

void Cache::Step(sqlite3_stmt* s) {
  const int rc = sqlite3_step(s);
  sqlite3_reset(s);
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) throw std::runtime_error(Why(db_.get()));
}

Cache::Cache(const std::string& path, std::int64_t limit, std::size_t dims, const std::atomic<bool>& stop, std::function<void(const std::string&)> warn)
    : path_(path), limit_(limit), opened_(NowMs()), fresh_(opened_ - kDayMs), dims_(dims), stop_(stop), warn_(std::move(warn)) {
  // A part of the limit is the log's: it holds what is not in the file yet, and a transaction.
  limit_ -= std::min(limit / 4, kLogMost);
  try {
    sqlite3* db = nullptr;
    const int rc = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    db_.reset(db);
    if (rc != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db));
    const auto wait = [](void* self, int looks) {
      if (looks >= kBusyLooks || static_cast<Cache*>(self)->stop_) return 0;
      std::this_thread::sleep_for(kBusyWait);
      return 1;
    };
    sqlite3_busy_handler(db, wait, this);
    // After a loss of power the newest vectors may be gone; none is ever half there.
    Run("PRAGMA journal_mode = WAL");
    Run("PRAGMA synchronous = NORMAL");
    Run("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, used INTEGER NOT NULL, vector BLOB NOT NULL)");
    Run("CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used)");
    find_ = Prepare("SELECT vector, used FROM vectors WHERE key = ?");
    put_ = Prepare("INSERT OR REPLACE INTO vectors (key, used, vector) VALUES (?, ?, ?)");
    touch_ = Prepare("UPDATE vectors SET used = ? WHERE key = ?");
    // Where rows may soon go, anew, so that they lie as they were used: those that go leave whole pages.
    move_ = Prepare("INSERT OR REPLACE INTO vectors (key, used, vector) SELECT key, ?, vector FROM vectors WHERE key = ?");
    drop_ = Prepare("DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors ORDER BY used LIMIT ?)");
    page_ = Number("PRAGMA page_size");
    const std::int64_t payload = static_cast<std::int64_t>(dims_ * sizeof(float)) + 48, fit = (page_ - 12) / payload;
    row_ = (fit ? page_ / fit : (payload / page_ + 2) * page_) + 64;   // in the table's pages, and in the indexes'
    together_ = std::clamp<std::int64_t>(limit / 16 / (row_ + page_), 1, kRowsTogether);
    Run(("PRAGMA wal_autocheckpoint = " + std::to_string(std::min<std::int64_t>(1000, limit / 32 / page_))).c_str());
    if (Number("PRAGMA page_count") * page_ > limit) Shrink();
    if (Used() > limit_ / 2) fresh_ = opened_;
  } catch (const std::exception& e) {
    const int code = db_ ? sqlite3_errcode(db_.get()) : SQLITE_NOMEM;
    if (code == SQLITE_FULL || code == SQLITE_IOERR) {   // as when it happens later
      broken_ = true;
      warn_("the cache " + path_ + " cannot be used, all texts go to the model: " + e.what());
      return;
    }
    throw ConfigError("cache", "the cache " + path + " cannot be used: " + e.what());
  }
}

Cache::~Cache() { Save(); }

bool Cache::Find(Text& text) {
  if (broken_) return false;
  const auto waits = rows_.find({text.key[0], text.key[1]});
  if (waits != rows_.end() && !waits->second.empty()) {
    text.vector = waits->second;
    return true;
  }
  sqlite3_bind_blob(find_.get(), 1, text.key, sizeof text.key, SQLITE_STATIC);
  const int rc = sqlite3_step(find_.get());
  bool found = false, old = false;
  const std::size_t bytes = rc == SQLITE_ROW ? static_cast<std::size_t>(sqlite3_column_bytes(find_.get(), 0)) : 0, numbers = dims_ * sizeof(float);
  std::uint64_t sum = 0;
  if (bytes == numbers || bytes == numbers + sizeof sum) {   // older versions wrote no sum
    const auto* blob = static_cast<const char*>(sqlite3_column_blob(find_.get(), 0));
    text.vector.resize(dims_);
    std::memcpy(text.vector.data(), blob, numbers);
    if (bytes > numbers) std::memcpy(&sum, blob + numbers, sizeof sum);
    found = bytes == numbers || sum == SumOf(text.vector.data(), dims_);
    old = found && sqlite3_column_int64(find_.get(), 1) < fresh_;
  }
  sqlite3_reset(find_.get());
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
    broken_ = true;
    warn_("the cache " + path_ + " can no longer be read, all texts go to the model: " + Why(db_.get()));
  }
  if (bytes && !found && !std::exchange(damage_said_, true)) warn_("the cache " + path_ + " has damaged vectors; their texts go to the model again");
  if (old) rows_[{text.key[0], text.key[1]}];
  if (static_cast<std::int64_t>(rows_.size()) >= together_) Save();
  return found;
}

void Cache::Put(const Text& text) {
  rows_[{text.key[0], text.key[1]}] = text.vector;
  if (static_cast<std::int64_t>(rows_.size()) >= together_) Save();
}

std::int64_t Cache::Number(const char* sql) {
  const Statement s = Prepare(sql);
  if (sqlite3_step(s.get()) != SQLITE_ROW) throw std::runtime_error(Why(db_.get()));
  return sqlite3_column_int64(s.get(), 0);
}

std::int64_t Cache::Used() { return (Number("PRAGMA page_count") - Number("PRAGMA freelist_count")) * page_; }

/// A file of an earlier, larger limit.
void Cache::Shrink() {
  try {
    MakeRoom(0);
    Run("VACUUM");
    Run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const std::exception& e) {
    warn_("the cache " + path_ + " stays larger than cache_limit: " + e.what());
  }
}

/// Pages of dropped rows are taken again, so the file grows no further.
void Cache::MakeRoom(std::int64_t rows) {
  const std::int64_t wanted = rows * (row_ + page_);   // a page may have to be divided
  std::int64_t used = Used();
  if (used > limit_ / 2) fresh_ = opened_;   // what is used from now on is worth a write, for it may have to go
  for (; used > 0 && used + wanted > limit_; used = Used()) {
    sqlite3_bind_int64(drop_.get(), 1, (used + wanted - limit_) / row_ + 1);
    Step(drop_.get());
    if (sqlite3_changes(db_.get()) == 0) return;
  }
}

void Cache::Save() noexcept {
  if (rows_.empty() || broken_) return;
  try {
    Run("BEGIN IMMEDIATE");
    try {
      // What was used again first, so that it is not what makes room.
      const std::int64_t now = NowMs();
      std::int64_t added = 0;
      for (const auto& [key, vector] : rows_) {
        if (!vector.empty() && ++added) continue;
        sqlite3_stmt* const s = fresh_ == opened_ ? move_.get() : touch_.get();
        sqlite3_bind_int64(s, 1, now);
        sqlite3_bind_blob(s, 2, key.data(), sizeof key, SQLITE_STATIC);
        Step(s);
      }
      MakeRoom(added);
      for (const auto& [key, vector] : rows_) {
        if (vector.empty()) continue;
        sqlite3_bind_blob(put_.get(), 1, key.data(), sizeof key, SQLITE_STATIC);
        sqlite3_bind_int64(put_.get(), 2, now);
        const std::uint64_t sum = SumOf(vector.data(), vector.size());
        std::string blob(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float));
        blob.append(reinterpret_cast<const char*>(&sum), sizeof sum);
        sqlite3_bind_blob(put_.get(), 3, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
        Step(put_.get());
      }
      Run("COMMIT");
    } catch (...) {
      sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  } catch (const std::exception& e) {
    broken_ = true;
    warn_("the cache " + path_ + " can no longer be written, later runs embed these texts again: " + e.what());
  }
  rows_.clear();
}

}  // namespace etl::embed
