// SPDX-License-Identifier: Apache-2.0
/// Column values into statements.  The table of types is in README.md.
#pragma once
#include <etl/json.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "database.h"

namespace etl::sqlite {

/// Binds the columns of batches.  Not thread-safe.
class Binder {
 public:
  /// `schema` must outlive it.
  explicit Binder(const ArrowSchema& schema);
  void Begin(const ArrowArray& batch);
  /// Binds column `column` of a row as parameter `i` (from 1).  What cannot be said in SQLite exactly is returned as a
  /// sentence, and the row is not to be written.  Text and bytes stay the batch's.
  std::optional<std::string> Bind(sqlite3_stmt* s, int i, std::size_t column, std::int64_t row);
  bool IsNull(std::size_t column, std::int64_t row) const;
  /// What CREATE TABLE declares for a column.
  static std::string Declared(const ArrowSchema& field);

 private:
  enum class How { kInt, kUInt64, kReal, kHalf, kText, kBlob, kJson, kDecimal, kNull };
  static How HowFor(const ArrowSchema& field);
  const ArrowSchema& schema_;
  const ArrowArray* batch_ = nullptr;
  std::vector<How> how_;
  std::vector<ColumnView> views_;
  std::unique_ptr<JsonWriter> json_;
  std::vector<std::string> texts_;   // of the values made for the current row
};

}  // namespace etl::sqlite
