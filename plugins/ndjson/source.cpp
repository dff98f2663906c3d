// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <algorithm>

namespace etl::ndjson {
namespace {

bool IsBlank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

static_assert(files::LineReader::kPadding >= simdjson::SIMDJSON_PADDING);

void NdjsonSource::Sample(files::LineReader& reader, files::SampleLimits& left) {
  files::Line line;
  while (left.rows > 0 && left.bytes.value > 0 && reader.Next(line)) {
    if (!line.too_long && !IsBlank(line.text)) inference_.Add(line.text);
    --left.rows;
    left.bytes.value -= static_cast<std::int64_t>(line.text.size()) + 1;
  }
}

std::vector<files::FileColumn> NdjsonSource::Columns() {
  std::vector<files::FileColumn> all = inference_.Columns();
  for (const auto& [name, type] : columns) {
    const files::FileColumn declared = files::ColumnOf(name, type);
    const auto found = std::find_if(all.begin(), all.end(), [&name = name](const auto& c) { return c.name == name; });
    if (found == all.end()) {
      all.push_back(declared);
    } else {
      *found = declared;
    }
  }
  if (all.empty() && sample.rows == 0) {
    throw ConfigError("columns", "with sample.rows = 0 the columns must be declared, as in columns = { id = \"int64\" }");
  }
  return all;
}

void NdjsonSource::ReadHead(files::LineReader&) {
  if (!parser_) parser_ = std::make_unique<RowParser>(file_columns(), on_unknown_key == "ignore");
}

bool NdjsonSource::ReadRow(Batch& out) {
  files::Line line;
  if (!reader().Next(line)) return false;
  if (line.too_long) {
    Reject(line.offset, line.number, line.text,
           "the line is longer than max_row_bytes = " + std::to_string(max_row_bytes.value));
  } else if (!IsBlank(line.text) && !parser_->Parse(line.text, out, reason_)) {
    Reject(line.offset, line.number, line.text, reason_);
  }
  return true;
}

}  // namespace etl::ndjson
