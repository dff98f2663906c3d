// SPDX-License-Identifier: Apache-2.0
/// The text of a query taken apart as far as this transform must know it; SQLite judges the rest.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace etl::sql {

/// One item between SELECT and FROM.
struct SelectItem {
  std::string text;
  bool star = false;  ///< `*`, `batch.*`
  bool subquery = false;  ///< holds a SELECT of its own
};

/// `SELECT items FROM batch [[AS] alias] [WHERE condition]`
struct Select {
  std::string text;   ///< all of it, without a semicolon
  std::vector<SelectItem> items;
  std::string from;   ///< `FROM batch AS b`
  std::string where;  ///< `WHERE ...`, or empty
};

/// Throws std::invalid_argument with what is wrong and what to do instead.
Select ParseSelect(std::string_view query);

/// `SELECT * FROM batch WHERE condition`; the condition must be one expression.  Throws as above.
Select SelectWhere(std::string_view condition);

}  // namespace etl::sql
