// SPDX-License-Identifier: Apache-2.0
/// Values that SQLite computed, as values of a typed column.
#pragma once
#include <etl/sdk.h>
#include <sqlite3.h>

#include <string>

#include "files/value_type.h"

namespace etl::sql {

/// Appends column i of the row that the statement stands on.  Returns nothing, or why the value does not fit and what to
/// write; nothing is appended then.
std::string AppendResult(const files::FileColumn& column, sqlite3_stmt* row, int i, Column& out);

}  // namespace etl::sql
