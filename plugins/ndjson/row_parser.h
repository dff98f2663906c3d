// SPDX-License-Identifier: Apache-2.0
/// A line of JSON into the columns of a batch, without a tree in between.
#pragma once
#include <etl/sdk.h>
#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "files/json_check.h"
#include "files/value_type.h"

namespace etl::ndjson {

class RowParser {
 public:
  /// `columns` must outlive it.
  RowParser(const std::vector<files::FileColumn>& columns, bool ignore_unknown_keys);

  /// Appends a row.  False: nothing appended, *reason says why.  Behind the text must lie SIMDJSON_PADDING bytes.
  bool Parse(std::string_view text, Batch& out, std::string& reason);

 private:
  using Value = simdjson::ondemand::value;
  /// What a value turned out to be.
  enum class Fit { kFits, kMismatch, kMalformed };

  bool ParseFields(std::string_view text, Batch& out, std::string& reason);
  std::size_t ColumnOf(simdjson::ondemand::field& field, std::string_view text, std::string& reason);
  Fit Append(const files::FileColumn& column, Value& value, std::string_view token, Column& out);
  Fit AppendString(Value& value, std::string_view token, Column& out);
  Fit AppendInteger(files::Kind kind, Value& value, Column& out);
  Fit AppendFloat(files::Kind kind, Value& value, std::string_view token, Column& out);
  Fit AppendJson(Value& value, std::string_view token, Column& out);
  bool Check(Value value) { return !(error_ = files::CheckJson(value)); }
  std::string Mismatch(const files::FileColumn& column, std::string_view token) const;

  const std::vector<files::FileColumn>& columns_;
  const bool ignore_unknown_keys_;
  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  simdjson::error_code error_ = simdjson::SUCCESS;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<bool> plain_name_;            // stands in JSON as it is
  std::vector<std::uint64_t> seen_in_row_;  // by column: the last row that had it
  std::uint64_t row_ = 0;
  std::size_t expected_ = 0;                // the column that most likely comes next
};

}  // namespace etl::ndjson
