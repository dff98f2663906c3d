// SPDX-License-Identifier: Apache-2.0
/// Columns and types of JSON objects, from looking at some.
#pragma once
#include <simdjson.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "files/value_type.h"

namespace etl::ndjson {

/// What has been seen of one key's values, nulls aside.
struct Seen {
  bool boolean = false, string = false, nested = false;
  bool integer = false, negative = false, beyond_int64 = false;
  bool fraction = false;      ///< a number that is no integer
  bool inexact = false;       ///< an integer that no double holds
  bool unholdable = false;    ///< a number that is neither int64 nor uint64 nor double

  void Add(simdjson::ondemand::json_type type, std::string_view token);
  /// The type that takes all of it exactly: json where nothing narrower does.
  files::Kind Kind() const;
};

class Inference {
 public:
  /// Adds a line; one that is no JSON object changes nothing.  Behind the text must lie SIMDJSON_PADDING bytes.
  void Add(std::string_view line);
  /// In the order of their first appearance.
  std::vector<files::FileColumn> Columns() const;

 private:
  simdjson::ondemand::parser parser_;
  std::vector<std::pair<std::string, Seen>> keys_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace etl::ndjson
