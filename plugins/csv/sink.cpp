// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <algorithm>
#include <stdexcept>

namespace etl::csv {
namespace {

using json_detail::Bits;
using json_detail::kBlock;
using json_detail::Sixteen;

}  // namespace

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
  constexpr std::string_view kDigits = "-0123456789";
  const bool like_integer = kDigits.find(delimiter) != kDigits.npos || (!null.empty() && null.find_first_not_of(kDigits) == null.npos);
  for (std::int64_t i = 0; i < in.n_children; ++i) {
    const ArrowSchema& child = *in.children[i];
    Plan plan{child.name ? child.name : "", Form::kJson, arrow::ParseFormat(child.format), nullptr, {}};
    using arrow::Kind;
    switch (plan.format.kind) {
      case Kind::kInt8: case Kind::kInt16: case Kind::kInt32: case Kind::kInt64:
      case Kind::kUInt8: case Kind::kUInt16: case Kind::kUInt32: case Kind::kUInt64: plan.form = Form::kInteger; break;
      case Kind::kFloat16: case Kind::kFloat32: case Kind::kFloat64: plan.form = Form::kFloat; break;
      case Kind::kUtf8: plan.form = Form::kText; break;
      case Kind::kDate32: case Kind::kDate64: case Kind::kTime: case Kind::kTimestamp: plan.form = Form::kMoment; break;
      case Kind::kBinary: case Kind::kFixedBinary: case Kind::kDuration: case Kind::kMonths: case Kind::kDayTime:
      case Kind::kMonthDayNano: plan.form = Form::kQuotedByJson; break;
      default: break;
    }
    if (child.dictionary || (like_integer && plan.form == Form::kInteger)) plan.form = Form::kJson;
    columns_.push_back(std::move(plan));
  }
  delimiters_ = Sixteen{} + static_cast<signed char>(delimiter[0]);
}

void CsvSink::AppendHead(Tail& out) {
  if (!header) return;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i) out.Append(delimiter);
    AppendField(columns_[i].name, nullptr, out);
  }
  out.Append("\n");
}

void CsvSink::AppendRows(const Rows& in, std::int64_t first, std::int64_t count, Tail& out) {
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    Plan& plan = columns_[c];
    if (plan.form == Form::kText) plan.readable_end = json_detail::ReadableEnd(plan.format.layout, *in.array().children[c]);
  }
  std::string reason;
  for (std::int64_t row = first; row < first + count; ++row) {
    const auto before = out.p - out.begin();
    if (AppendRow(in, row, out, reason)) continue;
    out.p = out.begin() + before;
    host.Reject(in.row(row), reason);
  }
}

bool CsvSink::AppendRow(const Rows& in, std::int64_t row, Tail& out, std::string& reason) {
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    out.Need(2);
    if (c) out.Put(delimiter[0]);
    if (!AppendValue(c, in, row, out, reason)) return false;
  }
  out.Need(1);
  out.Put('\n');
  return true;
}

bool CsvSink::AppendValue(std::size_t column, const Rows& in, std::int64_t row, Tail& out, std::string& reason) {
  Plan& plan = columns_[column];
  const ArrowArray& array = *in.array().children[column];
  const std::int64_t at = row + in.array().offset;
  if (plan.format.kind == arrow::Kind::kNull || (arrow::HasValidity(plan.format.layout) && arrow::IsNull(array, at))) {
    out.Append(null);
    return true;
  }
  switch (plan.form) {
    case Form::kInteger:
      out.Need(32);
      json_detail::PutInteger(plan.format.kind, array.buffers[1], at + array.offset, out);
      return true;
    case Form::kFloat: {
      out.Need(64);
      const void* const values = array.buffers[1];
      const std::int64_t i = at + array.offset;
      if (plan.format.kind == arrow::Kind::kFloat64) json_detail::PutNumber(arrow::ValueAt<double>(values, i), out);
      else if (plan.format.kind == arrow::Kind::kFloat32) json_detail::PutNumber(arrow::ValueAt<float>(values, i), out);
      else json_detail::PutNumber(json_detail::HalfToFloat(arrow::ValueAt<std::uint16_t>(values, i)), out);
      return true;
    }
    case Form::kText: return AppendText(column, arrow::TextAt(plan.format.layout, array, at), out, reason);
    case Form::kMoment: {
      const std::int64_t value = json_detail::MomentAt(plan.format, array.buffers[1], at + array.offset);
      if (plan.last.Put(value, out)) return true;
      const auto start = out.p - out.begin();
      if (!AppendJson(column, in, row, out, reason)) return false;
      const char* const text = out.begin() + start;
      plan.last.Keep(value, text, static_cast<std::size_t>(out.p - text));
      return true;
    }
    case Form::kQuotedByJson:
    case Form::kJson: break;
  }
  return AppendJson(column, in, row, out, reason);
}

bool CsvSink::AppendJson(std::size_t column, const Rows& in, std::int64_t row, Tail& out, std::string& reason) {
  scratch_.clear();
  try {
    writer_->Value(column, in.array(), row, scratch_);
  } catch (const std::invalid_argument& wrong) {
    reason = wrong.what();
    return false;
  }
  std::string_view written = scratch_;
  if (columns_[column].form != Form::kJson && written.front() == '"') written = written.substr(1, written.size() - 2);
  AppendField(written, nullptr, out);
  return true;
}

bool CsvSink::AppendText(std::size_t column, std::string_view text, Tail& out, std::string& reason) {
  const char* const readable_end = columns_[column].readable_end;
  const Found found = Look(text, readable_end);
  const std::size_t valid = found.not_ascii ? ValidUtf8(text) : text.size();
  if (valid == text.size()) {
    AppendField(text, found, readable_end, out);
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
  AppendField(repaired, nullptr, out);
  return true;
}

CsvSink::Found CsvSink::Look(std::string_view text, const char* readable_end) const {
  const char* const s = text.data();
  const std::size_t n = text.size();
  if (n < 16) {
    return json_detail::WithRoom(s, n, readable_end, [&](const char* from) -> Found {
      const auto bytes = arrow::Load<Sixteen>(from);
      const std::uint64_t within = (std::uint64_t{1} << n) - 1;
      return {(Bits(Special(bytes)) & within) != 0, (Bits(bytes < 0) & within) != 0};
    });
  }
  Sixteen special{}, any{};
  const auto look = [&](std::size_t at) {
    const auto bytes = arrow::Load<Sixteen>(s + at);
    special |= Special(bytes);
    any |= bytes;
  };
  for (std::size_t i = 0; i + 16 < n; i += 16) look(i);
  look(n - 16);
  return {Bits(special) != 0, Bits(any < 0) != 0};
}

/// The bytes that need quotes around them.
CsvSink::Sixteen CsvSink::Special(Sixteen bytes) const {
  return (bytes == delimiters_) | (bytes == '"') | (bytes == '\n') | (bytes == '\r');
}

void CsvSink::AppendField(std::string_view text, const char* readable_end, Tail& out) const {
  AppendField(text, Look(text, readable_end), readable_end, out);
}

void CsvSink::AppendField(std::string_view text, Found found, const char* readable_end, Tail& out) const {
  if (found.special || text == null) return AppendQuoted(text, readable_end, out);
  const char* const s = text.data();
  if (text.size() > kBlock) return out.Append(text);
  out.Need(2 * kBlock);
  out.p = json_detail::WithRoom(s, text.size(), readable_end, [&](const char* from) {
    return json_detail::CopyPart(from, from + text.size(), out.p);
  });
}

void CsvSink::AppendQuoted(std::string_view text, const char* readable_end, Tail& out) const {
  out.Need(2 * text.size() + 2 * kBlock);
  out.Put('"');
  for (std::size_t done = 0; done < text.size(); done += kBlock) {
    const std::size_t n = std::min(text.size() - done, kBlock);
    out.p = json_detail::WithRoom(text.data() + done, n, readable_end, [&](const char* from) {
      std::uint64_t quotes = 0;
      for (std::size_t i = 0; i < n; i += 16) quotes |= Bits(arrow::Load<Sixteen>(from + i) == '"') << i;
      if (n < kBlock) quotes &= (std::uint64_t{1} << n) - 1;
      return json_detail::CopyEscaped(from, n, quotes, '"', out.p);
    });
  }
  out.Put('"');
}

}  // namespace etl::csv
