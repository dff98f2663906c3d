// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace etl::csv {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101u;

/// Bit 7 of each byte that is zero; above the first one also of others.
std::uint64_t Zeros(std::uint64_t word) { return (word - kOnes) & ~word & (kOnes << 7); }

template <class T>
std::uint64_t Load(const char* from) {
  return arrow::Load<T>(from);
}

/// Up to seven bytes, and zeros.
std::uint64_t LoadPart(const char* s, std::size_t n) {
  if (n >= 4) return Load<std::uint32_t>(s) | Load<std::uint32_t>(s + n - 4) << (n - 4) * 8;
  if (n == 0) return 0;
  return Load<std::uint8_t>(s) | Load<std::uint8_t>(s + n / 2) << n / 2 * 8 | Load<std::uint8_t>(s + n - 1) << (n - 1) * 8;
}

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
  delimiters_ = kOnes * static_cast<unsigned char>(delimiter[0]);
}

void CsvSink::AppendHead(std::string& out) {
  if (!header) return;
  json_detail::Tail tail(out, 0);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i) tail.Append(delimiter);
    AppendField(columns_[i].name, tail);
  }
  tail.Append("\n");
  tail.Keep();
}

void CsvSink::AppendRows(const Rows& in, std::string& out) {
  json_detail::Tail tail(out, row_bytes_ * static_cast<std::size_t>(in.size()));
  std::string reason;
  for (std::int64_t row = 0; row < in.size(); ++row) {
    const auto before = tail.p - tail.begin();
    if (AppendRow(in, row, tail, reason)) continue;
    tail.p = tail.begin() + before;
    host.Reject(in.row(row), reason);
  }
  const std::size_t written = tail.Keep();
  if (in.size()) row_bytes_ = written / static_cast<std::size_t>(in.size()) + 32;
}

bool CsvSink::AppendRow(const Rows& in, std::int64_t row, Tail& out, std::string& reason) {
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    out.Need(2);
    if (c) out.Put(delimiter[0]);
    if (!AppendValue(c, in, row, out, reason)) return false;
  }
  out.Append("\n");
  return true;
}

bool CsvSink::AppendValue(std::size_t column, const Rows& in, std::int64_t row, Tail& out, std::string& reason) {
  const Plan& plan = columns_[column];
  const ArrowArray& array = *in.array().children[column];
  const std::int64_t at = row + in.array().offset;
  if (plan.format.kind == arrow::Kind::kNull || (arrow::HasValidity(plan.format.layout) && arrow::IsNull(array, at))) {
    out.Append(null);
    return true;
  }
  out.Need(64);
  switch (plan.form) {
    case Form::kInteger:
      json_detail::PutNumber(arrow::IntegerAt(plan.format.kind, array.buffers[1], at + array.offset), out);
      return true;
    case Form::kFloat: {
      const void* const values = array.buffers[1];
      const std::int64_t i = at + array.offset;
      if (plan.format.kind == arrow::Kind::kFloat64) json_detail::PutNumber(arrow::ValueAt<double>(values, i), out);
      else if (plan.format.kind == arrow::Kind::kFloat32) json_detail::PutNumber(arrow::ValueAt<float>(values, i), out);
      else json_detail::PutNumber(json_detail::HalfToFloat(arrow::ValueAt<std::uint16_t>(values, i)), out);
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

bool CsvSink::AppendText(std::size_t column, std::string_view text, Tail& out, std::string& reason) {
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

/// Some of the eight bytes need quotes around them.
bool CsvSink::IsSpecial(std::uint64_t w) const {
  return (Zeros(w ^ delimiters_) | Zeros(w ^ (kOnes * '"')) | Zeros(w ^ (kOnes * '\n')) | Zeros(w ^ (kOnes * '\r'))) != 0;
}

void CsvSink::AppendField(std::string_view text, Tail& out) const {
  const char* const s = text.data();
  const std::size_t n = text.size();
  if (text == null) return AppendQuoted(text, out);
  if (n <= 16) {   // most fields: without a call
    out.Need(16);
    const std::uint64_t first = n >= 8 ? Load<std::uint64_t>(s) : LoadPart(s, n), last = n > 8 ? Load<std::uint64_t>(s + n - 8) : 0;
    if (IsSpecial(first) || IsSpecial(last)) return AppendQuoted(text, out);
    std::memcpy(out.p, &first, 8);
    if (n > 8) std::memcpy(out.p + n - 8, &last, 8);
    out.p += n;
    return;
  }
  for (std::size_t i = 0; i + 8 <= n; i += 8) {
    if (IsSpecial(Load<std::uint64_t>(s + i))) return AppendQuoted(text, out);
  }
  if (IsSpecial(Load<std::uint64_t>(s + n - 8))) return AppendQuoted(text, out);
  out.Append(text);
}

void CsvSink::AppendQuoted(std::string_view text, Tail& out) const {
  out.Need(2 * text.size() + 16);
  out.Put('"');
  const char *s = text.data(), *const end = s + text.size();
  char* p = out.p;
  const auto doubled = [&p](char c) {   // without a branch: quotes come where they like
    p[0] = p[1] = c;
    p += 1 + (c == '"');
  };
  for (; end - s >= 8; s += 8) {
    const std::uint64_t word = Load<std::uint64_t>(s);
    if (Zeros(word ^ (kOnes * '"'))) {
      for (int i = 0; i < 8; ++i) doubled(s[i]);
    } else {
      std::memcpy(p, &word, 8);
      p += 8;
    }
  }
  for (; s < end; ++s) doubled(*s);
  out.p = p;
  out.Put('"');
}

}  // namespace etl::csv
