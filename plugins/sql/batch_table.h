// SPDX-License-Identifier: Apache-2.0
/// The rows of an Arrow batch as the table `batch` of an SQLite connection.
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>
#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace etl::sql {

/// What a column's values are to SQL.
enum class Shown { kInteger, kUInt64, kReal, kHalf, kText, kBytes, kDecimal, kJson };

/// How SQL sees a column: integers, floats, text and bytes as they are; bool as 0 and 1; decimals as REAL; dates, times,
/// timestamps, durations as ISO text; what is nested as JSON text.
Shown ShownAs(const ArrowSchema& column);

/// One thread, one connection, one cursor at a time.  Borrows the schema and the batch.
class BatchTable {
 public:
  /// Throws std::invalid_argument when two names differ in case only.
  explicit BatchTable(const ArrowSchema& schema);
  BatchTable(const BatchTable&) = delete;

  /// Makes the table known to the connection, which must not outlive this object.
  void Register(sqlite3* db);
  /// Column i is read by statements to come.  Others must not be.
  void Use(std::int64_t i) { used_[static_cast<std::size_t>(i)] = true; }
  /// The number of a column, case-insensitive; -1: none.
  std::int64_t Find(std::string_view name) const;

  /// Rows to read from now on.
  void Show(const ArrowArray& batch);
  void ShowNothing();
  /// One row of made-up values; different for samples 0 to kSamples - 1.
  static constexpr int kSamples = 3;
  void ShowSample(int number);

  /// Where the next scan begins.
  void StartAt(std::int64_t row) { start_ = row; }
  /// The row that the scan stands on.
  std::int64_t row() const { return row_; }
  /// The sqlite3_vtab as EXPLAIN names it.
  std::string ExplainName() const;

 private:
  struct Methods;
  friend struct Methods;
  struct Shape {
    std::string name;
    Shown shown = Shown::kText;
    arrow::Kind kind = arrow::Kind::kUnknown;
  };
  void Value(sqlite3_context* to, std::size_t column);
  void Sample(sqlite3_context* to, const Shape& shape) const;
  void JsonValue(sqlite3_context* to, std::size_t column);

  const ArrowSchema& schema_;
  std::vector<Shape> shapes_;
  std::vector<bool> used_;
  std::vector<ColumnView> views_;
  std::optional<JsonWriter> json_;
  const ArrowArray* batch_ = nullptr;
  std::string text_;
  int sample_ = -1;
  std::int64_t row_ = 0, start_ = 0, rows_ = 0;
  void* connected_ = nullptr;
};

}  // namespace etl::sql
