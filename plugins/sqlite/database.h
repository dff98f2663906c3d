// SPDX-License-Identifier: Apache-2.0
/// A connection and its statements.
#pragma once
#include <etl/sdk.h>
#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace etl::sqlite {

/// A column of a table, as the database declares it.
struct TableColumn {
  std::string name, type;     ///< type: as declared
  bool not_null = false, generated = false;
  bool has_default = false;   ///< also the numbers of an INTEGER PRIMARY KEY
  int key = 0;                ///< place in the primary key, from 1; 0: none
};

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, const std::string& sql);   ///< throws as Database::Fail
  sqlite3_stmt* get() const { return s_.get(); }
  explicit operator bool() const { return s_ != nullptr; }
  void BindText(int i, std::string_view text) const { sqlite3_bind_text64(get(), i, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8); }
  void BindBlob(int i, std::string_view bytes) const { sqlite3_bind_blob64(get(), i, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_STATIC); }
  void BindInt(int i, std::int64_t v) const { sqlite3_bind_int64(get(), i, v); }
  /// True when there is a row.
  bool Step() const;
  void Reset() const {
    sqlite3_reset(get());
  }
  std::string_view Text(int i) const;
  std::string_view Blob(int i) const;
  std::int64_t Int(int i) const { return sqlite3_column_int64(get(), i); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> s_;
};

/// Not thread-safe; Interrupt() from any thread while the object lives.
class Database {
 public:
  /// Throws ConfigError("path") when it cannot be opened.  `write`: made where it is missing.
  Database(const std::string& path, bool write);
  sqlite3* get() const { return db_.get(); }
  void Run(const std::string& sql) const;
  std::string Value(const std::string& sql) const;   ///< first column of the first row, or empty
  std::vector<TableColumn> Columns(const std::string& table) const;   ///< empty when there is no such table
  /// Is there a primary key or unique index over just these columns (in any order)?
  bool HasUnique(const std::string& table, const std::vector<std::string>& columns) const;
  void Interrupt() const { sqlite3_interrupt(db_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, Close> db_;
};

/// Throws what an error code means: Retry for busy and locked, Cancelled for an interrupt, Fatal else.
[[noreturn]] void Fail(sqlite3* db, const std::string& doing);

/// A name as an SQL identifier.
std::string Quote(std::string_view name);

}  // namespace etl::sqlite
