// SPDX-License-Identifier: Apache-2.0
/// Rows of a CSV file, with their exact place.
#pragma once
#include <csv.h>

#include <string>
#include <string_view>
#include <vector>

#include "files/line_reader.h"

namespace etl::csv {

struct Row {
  std::int64_t offset = 0, line = 0;  ///< of its first line; 0 = not known
  std::string_view raw;               ///< all its lines, or the one that is bad; valid until the next call
  std::string reason;                 ///< of a bad row
};

/// The grammar is libcsv's in strict mode, with two differences: spaces belong to fields, and only a newline, with or
/// without a carriage return before it, ends a row.
class RowReader {
 public:
  enum class Got { kEnd, kRow, kBlank, kBad };

  RowReader(char delimiter, char quote, std::size_t most_bytes);
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  /// Fields are valid until the next call.  Of a row with bad quotes only the first line is taken, since the quote that is wrong most likely stands there.
  Got Next(files::LineReader& lines, Row& row);

  std::size_t fields() const { return fields_.size(); }
  std::string_view field(std::size_t i) const {
    return {base_ + fields_[i].begin, fields_[i].end - fields_[i].begin};
  }
  /// Field i has no characters, and no quotes around them.
  bool missing(std::size_t i) const { return fields_[i].missing; }

 private:
  struct Field {
    std::size_t begin, end;
    bool missing;
  };

  void Init();
  bool Feed(const files::Line& line);
  void Split(std::string_view text);
  Got Bad(files::LineReader& lines, Row& row, std::string_view first, std::int64_t second_line_at, std::string reason);
  static void OnField(void* text, std::size_t size, void* self) noexcept;
  static void OnRow(int, void* self) noexcept;

  const char delimiter_, quote_;
  const std::size_t most_;
  csv_parser parser_{};
  std::string text_;             // of the fields that libcsv gave
  const char* base_ = nullptr;   // what the fields count from
  std::vector<Field> fields_;
  bool complete_ = false, out_of_memory_ = false;
};

}  // namespace etl::csv
