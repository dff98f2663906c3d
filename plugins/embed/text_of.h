// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>

#include <memory>
#include <string>
#include <vector>

namespace etl::embed {

/// A row's text: a column's, or a template's with columns in braces ("{title}. {content}"; "{{" is a brace).
class TextOf {
 public:
  /// Throws ConfigError(option).
  TextOf(const std::string& pattern, const ArrowSchema& schema, const char* option = "text");
  /// Appends the row's text; nulls are left out.  False, and nothing is appended: all columns are null.  Throws std::invalid_argument for a number that
  /// is none.
  bool Append(const ArrowArray& batch, std::int64_t row, std::string& out) const;

 private:
  void AddColumn(const ArrowSchema& schema, const std::string& name, const char* option);
  struct Part {
    std::string literal;
    std::int64_t column = -1;
    bool text = false;
  };
  std::shared_ptr<const ArrowSchema> schema_;
  std::vector<Part> parts_;
  std::unique_ptr<JsonWriter> others_;   // for columns that are no text
};

/// Nothing but spaces and control characters in UTF-8.
bool Blank(std::string_view text);
/// The text with U+FFFD for each byte that is not UTF-8.
std::string Repaired(std::string_view text);

}  // namespace etl::embed
