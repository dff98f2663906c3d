// SPDX-License-Identifier: Apache-2.0
/// Columns of a result as typed columns.  The table of types is in README.md.
#pragma once
#include <etl/sdk.h>
#include <mysql.h>

#include <string>
#include <string_view>

namespace etl::mysql {

enum class Kind { kInt, kUInt, kFloat, kDouble, kDecimal, kDate, kDateTime, kTime, kBool, kText, kJson, kBytes, kVector };

/// What becomes of dates that no calendar has: 0000-00-00, 2021-02-00, 2021-02-31.
enum class ZeroDates { kFail, kNull, kString, kEpoch };
ZeroDates ZeroDatesNamed(const std::string& name);

struct ReadColumn {
  std::string name;
  Kind kind = Kind::kText;
  Type type;
  int bytes = 0;                 ///< of a decimal's number
  int scale = 0;
  ZeroDates zero = ZeroDates::kFail;
  // What the server said, to compare with later pages:
  int field_type = 0;
  unsigned flags = 0, charset = 0;
  unsigned long length = 0;
  bool operator==(const ReadColumn& o) const {
    return name == o.name && type == o.type && field_type == o.field_type && charset == o.charset;
  }
};

/// How a column of a result is read.  `datetime_zone`: of DATETIME ("" or "UTC").  Throws ConfigError("columns") with the
/// column's name for a type that cannot be read.
ReadColumn ReadColumnOf(const MYSQL_FIELD& field, const std::string& datetime_zone, ZeroDates zero);

/// Appends a value that the server sent as text; false, with nothing appended and the reason in `why`: it does not fit.
/// `zeros` counts impossible dates that a policy has let through.
bool Append(const ReadColumn& column, std::string_view text, Column& to, std::string& why, std::int64_t& zeros);

/// Days from 1970-01-01 in the proleptic Gregorian calendar, and back
/// (https://howardhinnant.github.io/date_algorithms.html#days_from_civil).
std::int64_t DaysFromCivil(std::int64_t year, unsigned month, unsigned day);
struct Civil {
  std::int64_t year;
  unsigned month, day;
};
Civil CivilFromDays(std::int64_t days);

}  // namespace etl::mysql
