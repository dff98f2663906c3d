// SPDX-License-Identifier: Apache-2.0
/// Values of the database as values of typed columns.  The table of types is in README.md.
#pragma once
#include <optional>
#include <string>

#include "database.h"

namespace etl::sqlite {

enum class Shape { kInt, kReal, kText, kBlob, kBool, kJson };

/// What a column's declared type means: SQLite's own rules of affinity
/// (https://www.sqlite.org/datatype3.html#determination_of_column_affinity), but numbers of no certain kind stay text, and
/// BOOL and JSON mean what they say.
Shape ShapeOf(const std::string& declared);
/// By the name of a type: int64, float64, utf8, binary, bool, json.
std::optional<Shape> ShapeNamed(const std::string& type);
Type TypeOf(Shape shape);

/// Takes values from rows.  One thread.
class ValueReader {
 public:
  /// Appends column i of the current row; false, and nothing appended: it is none of that shape.
  bool Append(sqlite3_stmt* row, int i, Shape shape, Column& to);
  /// Column i as text that loses nothing.
  static std::string Text(sqlite3_stmt* row, int i);
  /// "column "n" holds text, which ..."; ends with what to do.
  static std::string Unfit(sqlite3_stmt* row, int i, const std::string& column, Shape shape);

 private:
  bool IsJson(sqlite3* db, std::string_view text);
  Statement is_json_;
};

}  // namespace etl::sqlite
