// SPDX-License-Identifier: Apache-2.0
/// SQLite's handles as objects.
#pragma once
#include <sqlite3.h>

#include <memory>

namespace etl::sql {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

}  // namespace etl::sql
