// SPDX-License-Identifier: Apache-2.0
#include "row_parser.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "infer.h"

namespace etl::ndjson {
namespace {

using files::FileColumn;
using files::Kind;
using files::Trimmed;
using simdjson::ondemand::json_type;

constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);
constexpr std::size_t kRejected = static_cast<std::size_t>(-2);

std::string Shortened(std::string_view token) {
  if (token.size() <= 40) return std::string(token);
  std::size_t end = 37;
  while (end > 0 && (static_cast<unsigned char>(token[end]) & 0xC0) == 0x80) --end;
  return std::string(token.substr(0, end)) + "...";
}

bool HasBackslash(std::string_view s) { return std::memchr(s.data(), '\\', s.size()) != nullptr; }

json_type TypeOfToken(std::string_view token) {
  switch (token.empty() ? ' ' : token[0]) {
    case '"': return json_type::string;
    case '{': return json_type::object;
    case '[': return json_type::array;
    case 't':
    case 'f': return json_type::boolean;
    case 'n': return json_type::null;
    default: return json_type::number;
  }
}

/// The narrowest type for the value that stands there.
std::string TypeNameFor(std::string_view token) {
  Seen seen;
  if (TypeOfToken(token) == json_type::number && !files::IsJsonNumber(token)) return "json";
  seen.Add(TypeOfToken(token), token);
  FileColumn column;
  column.kind = seen.Kind();
  return files::TypeName(column);
}

}  // namespace

RowParser::RowParser(const std::vector<FileColumn>& columns, bool ignore_unknown_keys)
    : columns_(columns), ignore_unknown_keys_(ignore_unknown_keys), seen_in_row_(columns.size(), 0) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    index_.emplace(columns[i].name, i);
    bool plain = true;
    for (const char c : columns[i].name) plain &= c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
    plain_name_.push_back(plain);
  }
}

bool RowParser::Parse(std::string_view text, Batch& out, std::string& reason) {
  const std::int64_t rows = out.rows();
  error_ = parser_.iterate(text.data(), text.size(), text.size() + simdjson::SIMDJSON_PADDING).get(document_);
  reason.clear();
  if (!error_ && ParseFields(text, out, reason)) {
    if (columns_.empty()) out.set_rows(rows + 1);
    return true;
  }
  out.Truncate(rows);
  if (reason.empty()) reason = std::string("malformed JSON: ") + simdjson::error_message(error_);
  return false;
}

bool RowParser::ParseFields(std::string_view text, Batch& out, std::string& reason) {
  simdjson::ondemand::object object;
  error_ = document_.get_object().get(object);
  if (error_ == simdjson::INCORRECT_TYPE) reason = "not a JSON object";
  if (error_) return false;
  ++row_;
  expected_ = 0;
  std::size_t found = 0;
  for (auto result : object) {
    simdjson::ondemand::field field;
    if ((error_ = std::move(result).get(field))) return false;
    const std::size_t c = ColumnOf(field, text, reason);
    if (c == kRejected) return false;
    Value value = field.value();
    const std::string_view token = Trimmed(value.raw_json_token());
    if (c == kUnknown) {
      if (!Check(value)) return false;
      continue;
    }
    seen_in_row_[c] = row_;
    ++found;
    expected_ = c + 1;
    const Fit fit = Append(columns_[c], value, token, out[c]);
    if (fit == Fit::kFits) continue;
    if (fit == Fit::kMismatch) reason = Mismatch(columns_[c], token);
    return false;
  }
  const auto behind = document_.current_location();
  if (behind.error() != simdjson::OUT_OF_BOUNDS) {
    reason = "malformed JSON: something follows the object";
    return false;
  }
  for (std::size_t c = 0; found < columns_.size() && c < columns_.size(); ++c) {
    if (seen_in_row_[c] == row_) continue;
    out[c].Null();
    ++found;
  }
  return true;
}

std::size_t RowParser::ColumnOf(simdjson::ondemand::field& field, std::string_view text, std::string& reason) {
  const char* const key = field.key().raw();
  const auto left = static_cast<std::size_t>(text.data() + text.size() - key);
  if (expected_ < columns_.size() && plain_name_[expected_]) {
    const std::string& name = columns_[expected_].name;
    if (name.size() < left && key[name.size()] == '"' && std::memcmp(key, name.data(), name.size()) == 0 &&
        seen_in_row_[expected_] != row_) {
      return expected_;
    }
  }
  std::string_view name;
  if ((error_ = field.unescaped_key().get(name))) return kRejected;
  const auto found = index_.find(name);
  if (found == index_.end()) {
    if (ignore_unknown_keys_) return kUnknown;
    const std::string_view token = Trimmed(field.value().raw_json_token());
    reason = "key \"" + Shortened(name) + "\" is none of the columns; write \"" + Shortened(name) + "\" = \"" +
             TypeNameFor(token) + "\" in columns, or on_unknown_key = \"ignore\"";
    return kRejected;
  }
  if (seen_in_row_[found->second] == row_) {
    reason = "key \"" + Shortened(name) + "\" is there twice";
    return kRejected;
  }
  return found->second;
}

RowParser::Fit RowParser::Append(const FileColumn& column, Value& value, std::string_view token, Column& out) {
  const char first = token.empty() ? ' ' : token[0];
  if (first == 'n') {
    if (token != "null") {
      error_ = simdjson::N_ATOM_ERROR;
      return Fit::kMalformed;
    }
    out.Null();
    return Fit::kFits;
  }
  switch (column.kind) {
    case Kind::kUtf8: return AppendString(value, token, out);
    case Kind::kJson: return AppendJson(value, token, out);
    case Kind::kBool:
      if (token == "true" || token == "false") {
        out.Append(token.size() == 4);
        return Fit::kFits;
      }
      break;
    case Kind::kFloat32:
    case Kind::kFloat64: return AppendFloat(column.kind, value, token, out);
    case Kind::kDecimal:
      if (first != '"') {
        if (files::IsJsonNumber(token) && files::AppendText(column, token, out)) return Fit::kFits;
        break;
      }
      [[fallthrough]];
    case Kind::kBinary:
    case Kind::kDate:
    case Kind::kTime:
    case Kind::kTimestamp:
    case Kind::kTimestampLocal: {
      std::string_view text;
      if (first != '"') break;
      if ((error_ = value.get_string().get(text))) return Fit::kMalformed;
      if (text.empty() && column.kind == Kind::kBinary) {
        out.Append(text);
        return Fit::kFits;
      }
      return files::AppendText(column, text, out) ? Fit::kFits : Fit::kMismatch;
    }
    default: return AppendInteger(column.kind, value, out);
  }
  return Check(value) ? Fit::kMismatch : Fit::kMalformed;
}

RowParser::Fit RowParser::AppendString(Value& value, std::string_view token, Column& out) {
  if (token.size() < 2 || token.front() != '"') return Check(value) ? Fit::kMismatch : Fit::kMalformed;
  if (token.back() == '"' && !HasBackslash(token)) {
    out.Append(token.substr(1, token.size() - 2));
    return Fit::kFits;
  }
  std::string_view text;
  if ((error_ = value.get_string().get(text))) return Fit::kMalformed;
  out.Append(text);
  return Fit::kFits;
}

RowParser::Fit RowParser::AppendInteger(Kind kind, Value& value, Column& out) {
  const auto put = [&](auto bounds, auto v) {
    using T = decltype(bounds);
    const T narrow = static_cast<T>(v);
    if (static_cast<decltype(v)>(narrow) != v || (narrow < T{}) != (v < decltype(v){})) return Fit::kMismatch;
    out.Append(narrow);
    return Fit::kFits;
  };
  if (kind == Kind::kUInt64) {
    std::uint64_t wide = 0;
    if (!value.get_uint64().get(wide)) {
      out.Append(wide);
      return Fit::kFits;
    }
    return Check(value) ? Fit::kMismatch : Fit::kMalformed;
  }
  std::int64_t v = 0;
  if (value.get_int64().get(v)) return Check(value) ? Fit::kMismatch : Fit::kMalformed;
  switch (kind) {
    case Kind::kInt8: return put(std::int8_t{}, v);
    case Kind::kInt16: return put(std::int16_t{}, v);
    case Kind::kInt32: return put(std::int32_t{}, v);
    case Kind::kUInt8: return put(std::uint8_t{}, v);
    case Kind::kUInt16: return put(std::uint16_t{}, v);
    case Kind::kUInt32: return put(std::uint32_t{}, v);
    default: return put(std::int64_t{}, v);
  }
}

RowParser::Fit RowParser::AppendFloat(Kind kind, Value& value, std::string_view token, Column& out) {
  double v = 0;
  if (value.get_double().get(v)) return Check(value) ? Fit::kMismatch : Fit::kMalformed;
  if (token.size() > 15 && token.find_first_of(".eE") == std::string_view::npos && !files::IsExactDouble(token)) {
    return Fit::kMismatch;
  }
  if (kind == Kind::kFloat64) {
    out.Append(v);
    return Fit::kFits;
  }
  const auto narrow = static_cast<float>(v);
  if (!std::isfinite(narrow)) return Fit::kMismatch;
  out.Append(narrow);
  return Fit::kFits;
}

RowParser::Fit RowParser::AppendJson(Value& value, std::string_view token, Column& out) {
  if (!Check(value)) return Fit::kMalformed;
  if (token[0] != '{' && token[0] != '[') {
    out.Append(token);
    return Fit::kFits;
  }
  const char* end = nullptr;
  if ((error_ = document_.current_location().get(end))) return Fit::kMalformed;
  out.Append(Trimmed({token.data(), static_cast<std::size_t>(end - token.data())}));
  return Fit::kFits;
}

std::string RowParser::Mismatch(const FileColumn& column, std::string_view token) const {
  const std::string suggested = TypeOfToken(token) == json_type::number && files::IsInteger(column.kind) &&
                                        TypeNameFor(token) != files::TypeName(column)
                                    ? TypeNameFor(token)
                                    : "json";
  return "column \"" + column.name + "\" is " + files::TypeName(column) + ", but the value is " + Shortened(token) +
         "; write \"" + column.name + "\" = \"" + suggested + "\" in columns";
}

}  // namespace etl::ndjson
