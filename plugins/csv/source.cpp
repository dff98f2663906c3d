// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <etl/json.h>

#include <algorithm>
#include <set>

namespace etl::csv {
namespace {

using files::FileColumn;
using files::Kind;

char OneCharacter(const char* option, const std::string& text) {
  if (text.size() == 1 && text[0] != '\n' && text[0] != '\r') return text[0];
  throw ConfigError(option, "must be one character of ASCII, not \"" + text + "\"");
}

std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string Shortened(std::string_view text) {
  if (text.size() <= 40) return std::string(text);
  std::size_t end = 37;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace

RowReader& CsvSource::rows() {
  if (!rows_) {
    rows_ = std::make_unique<RowReader>(OneCharacter("delimiter", delimiter), OneCharacter("quote", quote),
                                        static_cast<std::size_t>(max_row_bytes.value));
    if (delimiter == quote) throw ConfigError("quote", "must not be the same character as delimiter");
  }
  return *rows_;
}

Schema CsvSource::Describe() {
  rows();
  return FileSource::Describe();
}

std::vector<std::string> CsvSource::ReadNames(files::LineReader& reader) {
  Row row;
  std::vector<std::string> names;
  if (!header) return names;
  RowReader::Got got;
  do got = rows().Next(reader, row);
  while (got == RowReader::Got::kBlank);
  if (got == RowReader::Got::kBad) {
    throw Fatal("the header of " + reader.input().path() + " cannot be read: " + row.reason);
  }
  if (got == RowReader::Got::kEnd) return names;
  std::set<std::string> unique;
  for (std::size_t i = 0; i < rows().fields(); ++i) {
    std::string name(rows().field(i));
    if (name.empty()) name = "column" + std::to_string(i + 1);
    if (!unique.insert(name).second) {
      throw Fatal("the header of " + reader.input().path() + " has the column \"" + name +
                  "\" twice; rename one, or read it with header = false and columns");
    }
    if (ValidUtf8(name) != name.size()) throw Fatal("the header of " + reader.input().path() + " is not valid UTF-8; convert the file");
    names.push_back(std::move(name));
  }
  return names;
}

void CsvSource::Sample(files::LineReader& reader, files::SampleLimits& left) {
  const std::vector<std::string> names = ReadNames(reader);
  if (names_.empty()) names_ = names;
  std::vector<std::size_t> column_of;
  for (const std::string& name : names) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    column_of.push_back(static_cast<std::size_t>(found - names_.begin()));
  }
  seen_.resize(std::max(seen_.size(), names_.size()));
  Row row;
  for (; left.rows > 0 && left.bytes.value > 0; --left.rows) {
    const RowReader::Got got = rows().Next(reader, row);
    if (got == RowReader::Got::kEnd) break;
    left.bytes.value -= static_cast<std::int64_t>(row.raw.size()) + 1;
    if (got != RowReader::Got::kRow) continue;
    if (!header && seen_.empty()) seen_.resize(rows().fields());
    if (rows().fields() != (header ? names.size() : seen_.size())) continue;
    for (std::size_t i = 0; i < rows().fields(); ++i) {
      const std::size_t c = header ? column_of[i] : i;
      if (c < seen_.size() && !IsNull(i)) seen_[c].Add(rows().field(i));
    }
  }
}

std::vector<FileColumn> CsvSource::Columns() {
  std::vector<FileColumn> all;
  if (!header && !columns.empty()) {
    for (const auto& [name, type] : columns) all.push_back(files::ColumnOf(name, type));
    return all;
  }
  if (header && names_.empty()) {
    for (const auto& [name, type] : columns) all.push_back(files::ColumnOf(name, type));
    if (all.empty() && sample.rows == 0) {
      throw ConfigError("columns", "with sample.rows = 0 the columns must be declared, as in columns = { id = \"int64\" }");
    }
    return all;
  }
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    FileColumn column;
    column.name = header ? names_[i] : "column" + std::to_string(i + 1);
    if (types == "infer") column.kind = seen_[i].Kind();
    all.push_back(column);
  }
  for (const auto& [name, type] : columns) {
    const auto found = std::find_if(all.begin(), all.end(), [&name = name](const auto& c) { return c.name == name; });
    if (found == all.end()) {
      throw ConfigError("columns", "\"" + name + "\" is none of the columns of the file, which are " + Listed(names_));
    }
    *found = files::ColumnOf(name, type);
  }
  return all;
}

void CsvSource::ReadHead(files::LineReader& reader) {
  const std::vector<FileColumn>& columns = file_columns();
  const std::vector<std::string> names = ReadNames(reader);
  column_of_.clear();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.name == names[i]; });
    if (found != columns.end()) column_of_.push_back(static_cast<std::size_t>(found - columns.begin()));
  }
  if (!header) {
    for (std::size_t i = 0; i < columns.size(); ++i) column_of_.push_back(i);
  } else if (!names.empty() && (column_of_.size() != columns.size() || names.size() != columns.size())) {
    std::vector<std::string> expected;
    for (const FileColumn& c : columns) expected.push_back(c.name);
    throw Fatal(reader.input().path() + " has the columns " + Listed(names) + ", but those of this source are " +
                Listed(expected) + "; read such files apart");
  }
}

bool CsvSource::IsNull(std::size_t field) const {
  const std::string_view text = rows_->field(field);
  for (const std::string& null : nulls) {
    if (text == null && (!text.empty() || rows_->missing(field))) return true;
  }
  return false;
}

bool CsvSource::ReadRow(Batch& out) {
  Row row;
  switch (rows().Next(reader(), row)) {
    case RowReader::Got::kEnd: return false;
    case RowReader::Got::kBad: Reject(row.offset, row.line, row.raw, row.reason); return true;
    case RowReader::Got::kBlank:
      if (column_of_.size() == 1) out[0].Null();
      return true;
    case RowReader::Got::kRow: break;
  }
  std::string reason;
  const std::int64_t before = out.rows();
  if (AppendRow(row, out, reason)) return true;
  out.Truncate(before);
  Reject(row.offset, row.line, row.raw, reason);
  return true;
}

bool CsvSource::AppendRow(const Row& row, Batch& out, std::string& reason) {
  const std::size_t fields = rows_->fields();
  if (fields != column_of_.size()) {
    reason = "the row has " + std::to_string(fields) + " fields, but there are " + std::to_string(column_of_.size()) + " columns";
    return false;
  }
  const std::size_t valid = ValidUtf8(row.raw);
  if (valid != row.raw.size()) {
    reason = "byte " + std::to_string(valid) + " of the row is not valid UTF-8; convert the file";
    return false;
  }
  for (std::size_t i = 0; i < fields; ++i) {
    const std::size_t c = column_of_[i];
    const std::string_view text = rows_->field(i);
    const FileColumn& column = file_columns()[c];
    if (IsNull(i)) {
      out[c].Null();
    } else if (column.kind == Kind::kUtf8 || (column.kind == Kind::kBinary && text.empty())) {
      out[c].Append(text);
    } else if (column.kind == Kind::kJson ? !json_.IsJson(text) : true) {
      if (column.kind != Kind::kJson && files::AppendText(column, text, out[c])) continue;
      reason = "column \"" + column.name + "\" is " + files::TypeName(column) + ", but the field is \"" + Shortened(text) +
               "\"; write \"" + column.name + "\" = \"utf8\" in columns";
      return false;
    } else {
      out[c].Append(text);
    }
  }
  return true;
}

}  // namespace etl::csv
