// SPDX-License-Identifier: Apache-2.0
/// A table as the server describes it, and how one is made for rows.
#pragma once
#include <etl/sdk.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session.h"

namespace etl::mysql {

enum class Family {
  kInt, kYear, kBit, kFloat, kDouble, kDecimal, kDate, kDateTime, kTimestamp, kTime, kText, kEnum, kSet, kJson, kBytes, kGeometry, kVector,
  kOther
};

struct TableColumn {
  std::string name, type;            ///< type: as the server writes it, "int unsigned"
  Family family = Family::kOther;
  bool nullable = true, has_default = false, generated = false, is_unsigned = false, auto_increment = false;
  int bits = 64;                     ///< of integers and BIT
  int precision = 0, scale = 0;      ///< of decimals
  int digits = 0;                    ///< of times, after the second
  std::int64_t max_chars = -1, max_bytes = -1;
  std::string charset;               ///< empty: bytes, or not a text
  std::vector<std::string> members;  ///< of ENUM and SET
};

struct UniqueKey {
  std::string name;                  ///< PRIMARY is the first, if there is one
  std::vector<std::string> columns;
};

struct Table {
  std::string name, engine;
  bool transactional = true, has_triggers = false;
  std::vector<TableColumn> columns;
  std::vector<UniqueKey> unique;
  const TableColumn* Find(std::string_view column) const;
  /// The unique keys over just these columns, in any order.
  bool HasUnique(const std::vector<std::string>& names) const;
};

/// Nothing when there is no such table in the session's database.
std::optional<Table> ReadTable(Session& session, const std::string& name);

struct NewColumn {
  std::string name;
  const ArrowSchema* field;
};
/// CREATE TABLE for rows; the types are such that the source reads the same back (see README.md).
std::string CreateTableSql(const Session& session, const std::string& name, const std::vector<NewColumn>& columns,
                           const std::vector<std::string>& keys);

}  // namespace etl::mysql
