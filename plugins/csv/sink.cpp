// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace etl::csv {

void CsvSink::Begin(const Run& run) {
  if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r") {
    throw ConfigError("delimiter", "must be one character of ASCII, and no quote, not \"" + delimiter + "\"");
  }
  FileSink::Begin(run);
}

void CsvSink::Prepare(const ArrowSchema& in) {
  JsonOptions options;
  options.non_finite = JsonNonFinite::kText;
  options.bad_text = on_invalid_utf8 == "replace" ? JsonBadText::kReplace : JsonBadText::kThrow;
  writer_ = std::make_unique<JsonWriter>(in, options);
  columns_.clear();
  for (std::int64_t i = 0; i < in.n_children; ++i) {
    const ArrowSchema& child = *in.children[i];
    Plan plan{child.name ? child.name : "", Form::kJson, arrow::ParseFormat(child.format)};
    using arrow::Kind;
    switch (plan.format.kind) {
      case Kind::kInt8: case Kind::kInt16: case Kind::kInt32: case Kind::kInt64:
      case Kind::kUInt8: case Kind::kUInt16: case Kind::kUInt32: plan.form = Form::kInteger; break;
      case Kind::kFloat16: case Kind::kFloat32: case Kind::kFloat64: plan.form = Form::kFloat; break;
      case Kind::kUtf8: plan.form = Form::kText; break;
      case Kind::kBinary: case Kind::kFixedBinary: case Kind::kDate32: case Kind::kDate64: case Kind::kTime:
      case Kind::kTimestamp: case Kind::kDuration: case Kind::kMonths: case Kind::kDayTime: case Kind::kMonthDayNano:
        plan.form = Form::kQuotedByJson; break;
      default: break;
    }
    if (child.dictionary) plan.form = Form::kJson;
    columns_.push_back(std::move(plan));
  }
  special_.fill(false);
  for (const unsigned char c : {static_cast<unsigned char>(delimiter[0]), static_cast<unsigned char>('"'),
                                static_cast<unsigned char>('\n'), static_cast<unsigned char>('\r')}) {
    special_[c] = true;
  }
}

void CsvSink::AppendHead(std::string& out) {
  if (!header) return;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i) out += delimiter[0];
    AppendField(columns_[i].name, out);
  }
  out += '\n';
}

void CsvSink::AppendRows(const Rows& in, std::string& out) {
  std::string reason;
  for (std::int64_t row = 0; row < in.size(); ++row) {
    const std::size_t before = out.size();
    if (AppendRow(in, row, out, reason)) continue;
    out.resize(before);
    host.Reject(in.row(row), reason);
  }
}

bool CsvSink::AppendRow(const Rows& in, std::int64_t row, std::string& out, std::string& reason) {
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (c) out += delimiter[0];
    if (!AppendValue(c, in, row, out, reason)) return false;
  }
  out += '\n';
  return true;
}

bool CsvSink::AppendValue(std::size_t column, const Rows& in, std::int64_t row, std::string& out, std::string& reason) {
  const Plan& plan = columns_[column];
  const ArrowArray& array = *in.array().children[column];
  const std::int64_t at = row + in.array().offset;
  if (plan.format.kind == arrow::Kind::kNull || (arrow::HasValidity(plan.format.layout) && arrow::IsNull(array, at))) {
    out += null;
    return true;
  }
  char text[64];
  switch (plan.form) {
    case Form::kInteger: {
      const std::int64_t value = arrow::IntegerAt(plan.format.kind, array.buffers[1], at + array.offset);
      out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
      return true;
    }
    case Form::kFloat: {
      const void* const values = array.buffers[1];
      const std::int64_t i = at + array.offset;
      const auto put = [&](auto value) { out.append(text, std::to_chars(text, text + sizeof text, value).ptr); };
      if (plan.format.kind == arrow::Kind::kFloat64) put(arrow::ValueAt<double>(values, i));
      else if (plan.format.kind == arrow::Kind::kFloat32) put(arrow::ValueAt<float>(values, i));
      else put(json_detail::HalfToFloat(arrow::ValueAt<std::uint16_t>(values, i)));
      return true;
    }
    case Form::kText: return AppendText(column, arrow::TextAt(plan.format.layout, array, at), out, reason);
    case Form::kQuotedByJson:
    case Form::kJson: break;
  }
  scratch_.clear();
  try {
    writer_->Value(column, in.array(), row, scratch_);
  } catch (const std::invalid_argument& wrong) {
    reason = wrong.what();
    return false;
  }
  std::string_view written = scratch_;
  if (plan.form == Form::kQuotedByJson && written.front() == '"') written = written.substr(1, written.size() - 2);
  AppendField(written, out);
  return true;
}

bool CsvSink::AppendText(std::size_t column, std::string_view text, std::string& out, std::string& reason) {
  const std::size_t valid = ValidUtf8(text);
  if (valid == text.size()) {
    AppendField(text, out);
    return true;
  }
  if (on_invalid_utf8 == "error") {
    reason = "column \"" + columns_[column].name + "\" holds text that is not valid UTF-8 from byte " + std::to_string(valid);
    return false;
  }
  std::string repaired;
  while (!text.empty()) {
    const std::size_t good = ValidUtf8(text);
    repaired += text.substr(0, good);
    if (good == text.size()) break;
    repaired += "\xEF\xBF\xBD";
    text.remove_prefix(good + 1);
  }
  AppendField(repaired, out);
  return true;
}

void CsvSink::AppendField(std::string_view text, std::string& out) const {
  const bool plain = text != null && std::none_of(text.begin(), text.end(), [this](char c) {
    return special_[static_cast<unsigned char>(c)];
  });
  if (plain) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace etl::csv
