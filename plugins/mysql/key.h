// SPDX-License-Identifier: Apache-2.0
/// The key that a table is read along: its columns, its values, and conditions on them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "session.h"

namespace etl::mysql {

/// How a key column's values are written in SQL.
enum class Form { kInteger, kNumber, kText, kBytes, kMoment };

struct KeyColumn {
  std::string name;     ///< unquoted
  Form form = Form::kInteger;
};

/// A key's values as the server sends them.
using KeyValue = std::vector<std::string>;

/// Rows with from < key <= to; nothing: open.
struct Range {
  std::optional<KeyValue> from, to;
};

struct Key {
  std::vector<KeyColumn> columns;
  std::string index;    ///< its name; empty: none is named
  bool nullable = false;
  bool empty() const { return columns.empty(); }
  std::string List() const;       ///< `a`, `b`
  std::string Order(bool descending = false) const;
  /// " FORCE INDEX (`PRIMARY`)", or nothing.  For estimates USE: MySQL makes none of a forced index
  /// (https://dev.mysql.com/doc/refman/9.0/en/range-optimization.html#equality-range-optimization).
  std::string Hint(const char* how = "FORCE") const;
  std::string Literal(std::size_t i, const std::string& value) const;
  /// The key, or as many of its first columns, compared with a value: "<", "<=", ">", ">=".  A comparison of tuples would not use the index
  /// (https://dev.mysql.com/doc/refman/9.0/en/range-optimization.html#row-constructor-range-optimization), so it is spelled out.
  std::string Compare(const std::string& op, const KeyValue& value) const;
  std::string Condition(const Range& range) const;
  /// A value somewhere in the middle of a range; nothing when none can be made up.  A guess: the server says what is between.
  std::optional<KeyValue> Middle(const KeyValue& from, const KeyValue& to) const;
  std::string Show(const KeyValue& value) const;
};

/// The table's primary key, or `split_by` (names of columns of a unique index).  Empty when there is none that ranges can be
/// made of; `why` says so.  Throws ConfigError("split_by") for a choice that cannot be.
Key FindKey(Session& session, const std::string& table, const std::vector<std::string>& split_by, std::string& why);

std::string PackKey(const std::optional<KeyValue>& value);
std::optional<KeyValue> UnpackKey(std::string_view text);

}  // namespace etl::mysql
