// SPDX-License-Identifier: Apache-2.0
/// What a column of a text file holds, and how text becomes such a value.
#pragma once
#include <etl/sdk.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace etl::files {

enum class Kind : std::uint8_t {
  kBool, kInt8, kInt16, kInt32, kInt64, kUInt8, kUInt16, kUInt32, kUInt64, kFloat32, kFloat64, kUtf8, kJson, kBinary,
  kDate, kTime, kTimestamp, kTimestampLocal, kDecimal
};

/// One column of a file.
struct FileColumn {
  std::string name;
  Kind kind = Kind::kUtf8;
  int precision = 0, scale = 0;  ///< of a decimal
  bool declared = false;         ///< by the user, rather than inferred from a sample
};

/// The kind that a name such as "int64" or "decimal(12,2)" in the option `columns` means.  Throws ConfigError.
FileColumn ColumnOf(const std::string& name, const std::string& type_name);

/// All type names, for messages and documentation.
std::string_view TypeNames();

/// As it is written in `columns`.
std::string TypeName(const FileColumn& column);

Type ArrowType(const FileColumn& column);
Schema SchemaOf(const std::vector<FileColumn>& columns);

bool IsInteger(Kind kind);

/// Appends the value that the text means, or returns false and appends nothing.  Inferred columns take only text in
/// canonical form, so that nothing of it is lost: "007" is no int64.  kUtf8 and kJson are the caller's.
bool AppendText(const FileColumn& column, std::string_view text, Column& out);

/// The text is an integer as a program would write it: no plus, no leading zeros, not "-0".
bool IsCanonicalInteger(std::string_view text);
/// The text is a number in the grammar of JSON.
bool IsJsonNumber(std::string_view text);
/// The number (in the grammar of JSON) is what the double nearest to it prints as: not "1e400", not a 20-digit integer.
bool IsExactDouble(std::string_view number);

/// False when the text is no base64 with padding; `out` is then undefined.
bool DecodeBase64(std::string_view text, std::string& out);

}  // namespace etl::files
