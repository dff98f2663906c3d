// SPDX-License-Identifier: Apache-2.0
#include "bind.h"

#include <cmath>

namespace etl::sqlite {

Binder::How Binder::HowFor(const ArrowSchema& field) {
  const std::string_view f = field.format;
  if (f == "n") return How::kNull;
  if (f == "L") return How::kUInt64;
  if (f == "e") return How::kHalf;
  if (f == "f" || f == "g") return How::kReal;
  if (f == "u" || f == "U") return How::kText;
  if (f == "z" || f == "Z" || f[0] == 'w') return How::kBlob;
  if (f[0] == 'd') return How::kDecimal;
  if (f.size() == 1 && f.find_first_of("bcCsSiIl") == 0) return How::kInt;
  return How::kJson;   // dates, times, intervals: ISO text; lists, structs, maps: JSON text
}

std::string Binder::Declared(const ArrowSchema& field) {
  switch (HowFor(field)) {
    case How::kInt:
    case How::kUInt64: return "INTEGER";
    case How::kReal:
    case How::kHalf: return "REAL";
    case How::kBlob: return "BLOB";
    default: return "TEXT";
  }
}

Binder::Binder(const ArrowSchema& schema) : schema_(schema) {
  for (std::int64_t i = 0; i < schema.n_children; ++i) how_.push_back(HowFor(*schema.children[i]));
  views_.resize(how_.size());
  texts_.resize(how_.size());
}

bool Binder::IsNull(std::size_t column, std::int64_t row) const {
  const ArrowArray& array = *batch_->children[column];
  if (how_[column] == How::kNull) return true;
  if (array.null_count == 0 || array.n_buffers == 0 || !array.buffers[0]) return false;
  return !arrow::BitAt(array.buffers[0], row + array.offset + batch_->offset);
}

void Binder::Begin(const ArrowArray& batch) {
  batch_ = &batch;
  for (std::size_t i = 0; i < how_.size(); ++i) {
    if (how_[i] == How::kJson || how_[i] == How::kDecimal) {
      if (!json_) {
        JsonOptions options;
        options.non_finite = JsonNonFinite::kText;
        options.decimals_as_text = false;
        json_ = std::make_unique<JsonWriter>(schema_, options);
      }
    } else {
      views_[i] = ColumnView(*schema_.children[i], *batch.children[i], batch.offset);
    }
  }
}

std::optional<std::string> Binder::Bind(sqlite3_stmt* s, int i, std::size_t c, std::int64_t row) {
  const auto name = [&] { return "column \"" + std::string(schema_.children[c]->name) + "\": "; };
  if (how_[c] == How::kJson || how_[c] == How::kDecimal) {
    std::string& text = texts_[c];
    text.clear();
    try {
      json_->Value(c, *batch_, row, text);
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    if (text == "null") {
      sqlite3_bind_null(s, i);
      return std::nullopt;
    }
    std::string_view value = text;
    // Dates and times need no escapes.
    if (schema_.children[c]->format[0] == 't' && value[0] == '"') value = value.substr(1, value.size() - 2);
    sqlite3_bind_text64(s, i, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
    return std::nullopt;
  }
  const ColumnView& v = views_[c];
  if (v.IsNull(row)) {
    sqlite3_bind_null(s, i);
    return std::nullopt;
  }
  switch (how_[c]) {
    case How::kUInt64: {
      const auto u = v.Get<std::uint64_t>(row);
      if (u > static_cast<std::uint64_t>(INT64_MAX)) {
        return name() + std::to_string(u) + " is larger than SQLite's integers (2^63-1); cast it to text before";
      }
      sqlite3_bind_int64(s, i, static_cast<std::int64_t>(u));
      break;
    }
    case How::kInt: sqlite3_bind_int64(s, i, v.Int(row)); break;
    case How::kHalf:
    case How::kReal: {
      const double d = how_[c] == How::kHalf ? static_cast<double>(json_detail::HalfToFloat(v.Get<std::uint16_t>(row))) : v.Float(row);
      if (std::isnan(d)) return name() + "NaN would become NULL in SQLite";
      sqlite3_bind_double(s, i, d);
      break;
    }
    case How::kText: {
      const std::string_view t = v.Str(row);
      sqlite3_bind_text64(s, i, t.data() ? t.data() : "", t.size(), SQLITE_STATIC, SQLITE_UTF8);
      break;
    }
    case How::kBlob: {
      const std::string_view t = v.Str(row);
      sqlite3_bind_blob64(s, i, t.data() ? t.data() : "", t.size(), SQLITE_STATIC);
      break;
    }
    default: sqlite3_bind_null(s, i); break;
  }
  return std::nullopt;
}

}  // namespace etl::sqlite
