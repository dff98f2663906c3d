// SPDX-License-Identifier: Apache-2.0
/// ClickHouse's types: read from their names, carried as Native data, given as Arrow columns.
#pragma once
#include <etl/sdk.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace etl::clickhouse {

/// How the values of a type stand in a Native block and what becomes of them.
enum class Form {
  kFixed,      ///< `width` bytes, copied
  kBool,
  kWiden,      ///< a number of `width` bytes, signed unless is_unsigned, times `factor`, as an int of 4, 8, 16 or 32 bytes
  kText,       ///< String
  kEnum,       ///< an int of `width` bytes, as its name
  kUuid, kIpv4, kIpv6,
  kBig,        ///< an integer of 32 bytes, as digits
  kPadded,     ///< FixedString as text: zeros at its end are not part of it
  kNothing,
  kNullable, kArray, kTuple, kMap,
};

struct CType {
  std::string name;                ///< as the server writes it in a block
  Form form = Form::kFixed;
  int width = 0, out_width = 0;
  bool is_unsigned = false;
  std::int64_t factor = 1;
  std::vector<std::pair<std::int64_t, std::string>> names;   ///< kEnum, by number
  std::vector<CType> items;
  std::vector<std::string> labels; ///< kTuple
  Type arrow;
};

struct TypeOptions {
  bool binary_strings = false, binary_fixed = true;
};

/// A column that is selected: what to ask for so that it can be carried, and what comes.
struct Asked {
  CType type;
  /// What the column must be cast to before it is sent; empty: it goes as it is.  "JSON" stands for the text of JSON.
  std::string cast;
};

/// Throws Fatal with the reason for types that cannot be carried, as AggregateFunction.
Asked Understand(const std::string& type, const TypeOptions& options);

}  // namespace etl::clickhouse
