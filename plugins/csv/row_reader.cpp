// SPDX-License-Identifier: Apache-2.0
#include "row_reader.h"

#include <algorithm>
#include <new>

namespace etl::csv {
namespace {

int IsSpace(unsigned char) { return 0; }
int IsRowEnd(unsigned char c) { return c == '\n'; }

std::string_view WithoutReturn(std::string_view text) {
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text;
}

}  // namespace

RowReader::RowReader(char delimiter, char quote, std::size_t most_bytes)
    : delimiter_(delimiter), quote_(quote), most_(most_bytes) {
  Init();
}

RowReader::~RowReader() { ::csv_free(&parser_); }

void RowReader::Init() {
  if (::csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0) throw std::bad_alloc();
  ::csv_set_delim(&parser_, static_cast<unsigned char>(delimiter_));
  ::csv_set_quote(&parser_, static_cast<unsigned char>(quote_));
  ::csv_set_space_func(&parser_, IsSpace);
  ::csv_set_term_func(&parser_, IsRowEnd);
}

RowReader::Got RowReader::Next(files::LineReader& lines, Row& row) {
  fields_.clear();
  text_.clear();
  complete_ = false;
  files::Line line;
  lines.Hold(lines.offset());
  if (!lines.Next(line)) return Got::kEnd;
  row.offset = line.offset;
  row.line = line.number;
  row.raw = line.text;
  if (line.too_long) {
    row.reason = "the row is longer than max_row_bytes = " + std::to_string(most_);
    return Got::kBad;
  }
  const std::string_view text = WithoutReturn(line.text);
  if (text.empty()) return Got::kBlank;
  if (text.find(quote_) == text.npos) {
    Split(text);
    return Got::kRow;
  }
  const std::int64_t second = lines.offset();
  const std::size_t first_size = line.text.size();
  for (;;) {
    const bool fine = Feed(line);
    const auto size = static_cast<std::size_t>(line.offset - row.offset) + line.text.size();
    row.raw = lines.Held(row.offset, row.offset + static_cast<std::int64_t>(size));
    if (!fine) {
      return Bad(lines, row, row.raw.substr(0, first_size), second,
                 "a quote stands inside an unquoted field, or something other than a delimiter follows a closing quote");
    }
    base_ = text_.data();
    if (complete_) return Got::kRow;
    const std::string_view first = row.raw.substr(0, first_size);
    const char* const open = "a quote is opened and not closed before the end of the file, or of max_row_bytes";
    if (size > most_) return Bad(lines, row, first, second, open);
    const bool more = lines.Next(line);
    if (more && !line.too_long) continue;
    if (more) {  // what is held is not in one piece any more
      row.reason = open;
      row.raw = line.text;
      ::csv_free(&parser_);
      Init();
      return Got::kBad;
    }
    return Bad(lines, row, lines.Held(row.offset, row.offset + static_cast<std::int64_t>(first_size)), second, open);
  }
}

/// A line without quotes: nothing to parse, and libcsv, which goes byte by byte, would take several times as long.
void RowReader::Split(std::string_view text) {
  base_ = text.data();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(delimiter_, begin), text.size());
    fields_.push_back({begin, end, begin == end});
    begin = end + 1;
  }
}

/// False when the quotes are wrong; complete_ when the row ends with this line.
bool RowReader::Feed(const files::Line& line) {
  const auto parse = [&](std::string_view bytes) {
    const std::size_t done = ::csv_parse(&parser_, bytes.data(), bytes.size(), OnField, OnRow, this);
    if (out_of_memory_ || ::csv_error(&parser_) == CSV_ENOMEM) throw std::bad_alloc();
    return done == bytes.size();
  };
  // A carriage return before the newline is part of it, unless the newline stands inside quotes: libcsv shows only
  // afterwards which it is, so they go in one after the other.
  const std::string_view text = WithoutReturn(line.text);
  if (!parse(text)) return false;
  if (!line.newline) {
    ::csv_fini(&parser_, OnField, OnRow, this);  // fails when a quote is open; then the row is not complete
    if (out_of_memory_) throw std::bad_alloc();
    return true;
  }
  if (text.size() == line.text.size()) return parse("\n");
  const bool inside = parser_.quoted && parser_.pstate == 2;  // a field has begun and no closing quote came last
  return parse(inside ? "\r\n" : "\n");
}

RowReader::Got RowReader::Bad(files::LineReader& lines, Row& row, std::string_view first, std::int64_t second_line_at,
                              std::string reason) {
  lines.Return(second_line_at, row.line ? row.line + 1 : 0);
  row.raw = first;
  row.reason = std::move(reason);
  ::csv_free(&parser_);
  Init();
  return Got::kBad;
}

void RowReader::OnField(void* text, std::size_t size, void* self) noexcept {
  auto& reader = *static_cast<RowReader*>(self);
  try {
    const std::size_t begin = reader.text_.size();
    if (size) reader.text_.append(static_cast<const char*>(text), size);
    reader.fields_.push_back({begin, begin + size, text == nullptr});
  } catch (const std::bad_alloc&) {
    reader.out_of_memory_ = true;  // thrown again once libcsv has returned
  }
}

void RowReader::OnRow(int, void* self) noexcept { static_cast<RowReader*>(self)->complete_ = true; }

}  // namespace etl::csv
