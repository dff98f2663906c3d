// SPDX-License-Identifier: Apache-2.0
/// A table as a source of rows in the order of a key: its columns, the key, and the SQL for its pages.
#pragma once
#include <string>
#include <vector>

#include "server.h"
#include "walk.h"

namespace etl::clickhouse {

/// A column of the key and how its values are compared.
struct KeyColumn {
  enum class Kind { kInt, kText, kDate, kDate32, kDateTime, kDateTime64 };
  std::string name, type;
  Kind kind = Kind::kInt;
  int precision = 0;          ///< kDateTime64
  std::string fixed;          ///< kText: bytes of a FixedString, which not every server compares with shorter text
  std::size_t at = 0;         ///< in the columns that are read
};

/// Nothing for types whose order or comparison is not certain.
bool FitsKey(const std::string& type, KeyColumn& out);

/// A part of the table by the value of one column.  Its name: "" is all, "=x" the rows where it is x, "*" the rows of no other shard.
struct Sharding {
  KeyColumn column;
  std::string type;                           ///< without Nullable and LowCardinality
  std::vector<std::string> values;
};

class Table {
 public:
  /// What the options say.
  std::string name, where;
  bool final = false, binds = true;
  std::vector<std::pair<std::string, std::string>> params;
  TypeOptions types;
  std::vector<std::string> wanted;            ///< empty: all
  std::vector<std::pair<std::string, std::string>> page_settings;   ///< of the server, for pages

  /// Columns that are delivered come first; behind them those that only the key needs.
  std::vector<ReadColumn> read;
  std::vector<std::string> casts;             ///< of read, what each is cast to, or ""
  std::size_t delivered = 0;
  std::vector<KeyColumn> key;                 ///< time first
  Sharding sharding;

  /// Asks the server for the columns.  Throws ConfigError.
  void FindColumns(Connection& connection);
  void FindQuery(Connection& connection, const std::string& query);
  /// The key: `time`, and behind it `more`; with `sorting` what of the table's own sorting key follows the time.
  void SetKey(Connection& connection, const std::string& time, const std::vector<std::string>& more, bool sorting);
  /// The column that shards are told by.
  void SetSharding(Connection& connection, const std::string& column);
  /// Plain columns at the front of the table's sorting key that can be compared; empty if there are none.
  void SetSortingKey(Connection& connection);

  /// Rows of a page.  `all_columns`: in an order over all columns.
  Statement Page(const Ask& ask, const std::string& shard, bool all_columns) const;
  Statement Count(const Ask& ask, const std::string& shard) const;
  /// Rows in a range of the key, in no order; an empty bound is none, one of fewer columns says as much as its columns say.
  Statement Range(const Key& from, const Key& to, std::int64_t limit) const;
  /// The same in the order of the key and all columns, from a key on, or behind it (offset -1), or of it alone from an offset on.
  Statement Ordered(const Key& from, const Key& to, std::int64_t offset, bool group, std::int64_t limit) const;
  Statement Query(const std::string& query) const;
  /// SQL that gives a key column's values, or `of` of them, as KeyText does.
  std::string Sample(const KeyColumn& column) const { return Sample(column, Quote(column.name)); }
  std::string Sample(const KeyColumn& column, const std::string& of) const;
  Statement Select() const;                   ///< all of it
  /// SELECT `what` FROM the table WHERE the user's condition AND time in [from, to) AND the shard.
  Statement Aggregate(const std::string& what, std::int64_t from, std::int64_t to, const std::string& shard, bool bounded) const;
  /// SELECT `what` FROM the table WHERE the user's condition AND the key is `from` or above.
  Statement Sampled(const std::string& what, const Key& from) const;
  /// SQL for the second of the time column.
  std::string Seconds(const std::string& of) const;
  /// SQL for the server's own clock, as values of the time column's kind are given by Sample.
  std::string Now() const;
  /// Seconds between two values of the time column that follow each other: a day of dates.
  std::int64_t grain() const;

  std::string KeyText(const clickhouse::Page& page, std::size_t k, std::int64_t row) const;
  Key KeyOf(const clickhouse::Page& page, std::int64_t row) const;
  std::int64_t TimeOf(const std::string& text) const;
  /// In the first so many columns of the key.
  bool SameKey(const clickhouse::Page& page, std::int64_t a, std::int64_t b, std::size_t columns) const;

 private:
  Statement Begin() const;
  void AddFrom(Statement& s) const;
  void AddWhere(Statement& s, const std::string& shard) const;
  void AddBound(Statement& s, const KeyColumn& k, const std::string& value) const;
  void AddTime(Statement& s, std::int64_t seconds) const;
  void AddWindow(Statement& s, std::int64_t from, std::int64_t to) const;
  void AddCursor(Statement& s, const Ask& ask) const;
  void AddAbove(Statement& s, const Key& key, std::size_t from, bool equal) const;
  void AddRange(Statement& s, const Key& from, const Key& to, bool equal) const;
  void AddOrder(Statement& s, bool all_columns) const;
  void AddBelow(Statement& s, const Key& key, std::size_t from) const;
  std::string List() const;
  std::string Outer(const std::string& inner) const;
  void Take(Connection& connection, const std::string& sql, const char* option);
  std::string TypeOf(Connection& connection, const std::string& column, const char* option) const;
  std::size_t NeedColumn(Connection& connection, const std::string& column, const char* option, std::string& type);
};

/// "2024-03-01 00:00:00", in UTC.
std::string TimeText(std::int64_t seconds);
constexpr std::int64_t kFar = 1LL << 62;  ///< seconds: no time, and sums of two are numbers still
/// "2024-03-01", "2024-03-01 00:00:00", with T and Z as well, or seconds, which are not far.  Throws ConfigError(option).
std::int64_t ParseTime(const std::string& text, const char* option);

}  // namespace etl::clickhouse
