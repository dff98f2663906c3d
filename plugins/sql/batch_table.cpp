// SPDX-License-Identifier: Apache-2.0
#include "batch_table.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace etl::sql {
namespace {

struct Table : sqlite3_vtab {
  BatchTable* owner;
};
struct Cursor : sqlite3_vtab_cursor {};

const char* DeclaredType(Shown shown) {
  switch (shown) {
    case Shown::kInteger: case Shown::kUInt64: return "INTEGER";
    case Shown::kReal: case Shown::kHalf: case Shown::kDecimal: return "REAL";
    case Shown::kBytes: return "BLOB";
    default: return "TEXT";
  }
}

std::string Quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace

Shown ShownAs(const ArrowSchema& column) {
  using arrow::Kind;
  const arrow::Format f = arrow::ParseFormat(column.format);
  switch (f.kind) {
    case Kind::kBool: case Kind::kInt8: case Kind::kUInt8: case Kind::kInt16: case Kind::kUInt16: case Kind::kInt32:
    case Kind::kUInt32: case Kind::kInt64:
      return Shown::kInteger;
    case Kind::kUInt64: return Shown::kUInt64;
    case Kind::kFloat16: return Shown::kHalf;
    case Kind::kFloat32: case Kind::kFloat64: return Shown::kReal;
    case Kind::kDecimal: return Shown::kDecimal;
    case Kind::kUtf8: return Shown::kText;
    case Kind::kBinary: case Kind::kFixedBinary: return Shown::kBytes;
    default: return Shown::kJson;
  }
}

/// What SQLite calls.
struct BatchTable::Methods {
  static BatchTable& Of(sqlite3_vtab_cursor* c) { return *static_cast<Table*>(c->pVtab)->owner; }

  static int Connect(sqlite3* db, void* aux, int, const char* const*, sqlite3_vtab** out, char** error) {
    auto* owner = static_cast<BatchTable*>(aux);
    std::string sql = "CREATE TABLE batch(";
    for (const Shape& s : owner->shapes_) {
      sql += (&s == owner->shapes_.data() ? "" : ", ") + Quoted(s.name) + " " + DeclaredType(s.shown);
    }
    if (const int rc = sqlite3_declare_vtab(db, (sql + ")").c_str()); rc != SQLITE_OK) {
      *error = sqlite3_mprintf("%s", sqlite3_errmsg(db));
      return rc;
    }
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    auto* table = new Table{};
    table->owner = owner;
    owner->connected_ = static_cast<sqlite3_vtab*>(table);
    *out = table;
    return SQLITE_OK;
  }
  static int Disconnect(sqlite3_vtab* t) {
    delete static_cast<Table*>(t);
    return SQLITE_OK;
  }
  static int BestIndex(sqlite3_vtab*, sqlite3_index_info* info) {
    info->estimatedCost = 1e6;
    info->estimatedRows = 10000;
    return SQLITE_OK;
  }
  static int Open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
    *out = new Cursor{};
    return SQLITE_OK;
  }
  static int Close(sqlite3_vtab_cursor* c) {
    delete static_cast<Cursor*>(c);
    return SQLITE_OK;
  }
  static int Filter(sqlite3_vtab_cursor* c, int, const char*, int, sqlite3_value**) {
    Of(c).row_ = Of(c).start_;
    return SQLITE_OK;
  }
  static int Next(sqlite3_vtab_cursor* c) {
    ++Of(c).row_;
    return SQLITE_OK;
  }
  static int Eof(sqlite3_vtab_cursor* c) { return Of(c).row_ >= Of(c).rows_; }
  static int Column(sqlite3_vtab_cursor* c, sqlite3_context* to, int i) {
    try {
      Of(c).Value(to, static_cast<std::size_t>(i));
    } catch (const std::exception& e) {  // no exception may pass through SQLite
      sqlite3_result_error(to, e.what(), -1);
      return SQLITE_ERROR;
    }
    return SQLITE_OK;
  }
  static int Rowid(sqlite3_vtab_cursor* c, sqlite3_int64* out) {
    *out = Of(c).row_;
    return SQLITE_OK;
  }
};

BatchTable::BatchTable(const ArrowSchema& schema) : schema_(schema) {
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& c = *schema.children[i];
    const std::int64_t same = Find(c.name);
    if (same >= 0) {
      throw std::invalid_argument("the columns \"" + shapes_[static_cast<std::size_t>(same)].name + "\" and \"" + c.name +
                                  "\" are the same name to SQL, which knows no case; rename one where it is read");
    }
    shapes_.push_back({c.name, ShownAs(c), arrow::ParseFormat(c.format).kind});
    if (IsJson(c)) shapes_.back().kind = arrow::Kind::kStruct;
  }
  used_.resize(shapes_.size());
  views_.resize(shapes_.size());
}

void BatchTable::Register(sqlite3* db) {
  static const sqlite3_module module = [] {
    sqlite3_module m{};
    m.iVersion = 1;
    m.xConnect = Methods::Connect;
    m.xBestIndex = Methods::BestIndex;
    m.xDisconnect = Methods::Disconnect;
    m.xOpen = Methods::Open;
    m.xClose = Methods::Close;
    m.xFilter = Methods::Filter;
    m.xNext = Methods::Next;
    m.xEof = Methods::Eof;
    m.xColumn = Methods::Column;
    m.xRowid = Methods::Rowid;
    return m;
  }();
  if (sqlite3_create_module(db, "batch", &module, this) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db));
}

std::int64_t BatchTable::Find(std::string_view name) const {
  const std::string text(name);
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (sqlite3_stricmp(shapes_[i].name.c_str(), text.c_str()) == 0) return static_cast<std::int64_t>(i);
  }
  return -1;
}

void BatchTable::Show(const ArrowArray& batch) {
  sample_ = -1;
  batch_ = &batch;
  start_ = 0;
  rows_ = batch.length;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (!used_[i]) continue;
    if (shapes_[i].shown == Shown::kJson || shapes_[i].shown == Shown::kDecimal) {
      if (!json_) {
        JsonOptions options;
        options.non_finite = JsonNonFinite::kText;
        json_.emplace(schema_, options);
      }
    } else {
      views_[i] = ColumnView(*schema_.children[i], *batch.children[i], batch.offset);
    }
  }
}

void BatchTable::ShowNothing() {
  start_ = rows_ = 0;
  sample_ = -1;
}

void BatchTable::ShowSample(int number) {
  sample_ = number;
  start_ = 0;
  rows_ = 1;
}

std::string BatchTable::ExplainName() const {
  char text[64];
  sqlite3_snprintf(sizeof text, text, "vtab:%p", connected_);
  return text;
}

void BatchTable::Value(sqlite3_context* to, std::size_t column) {
  const Shape& shape = shapes_[column];
  if (sample_ >= 0) return Sample(to, shape);
  if (shape.shown == Shown::kJson || shape.shown == Shown::kDecimal) return JsonValue(to, column);
  const ColumnView& v = views_[column];
  if (v.IsNull(row_)) return;
  switch (shape.shown) {
    case Shown::kInteger: sqlite3_result_int64(to, v.Int(row_)); break;
    case Shown::kReal: sqlite3_result_double(to, v.Float(row_)); break;
    case Shown::kHalf:
      sqlite3_result_double(to, static_cast<double>(json_detail::HalfToFloat(v.Get<std::uint16_t>(row_))));
      break;
    case Shown::kUInt64: {
      const auto n = v.Get<std::uint64_t>(row_);
      if (n > static_cast<std::uint64_t>(INT64_MAX)) {
        throw std::range_error("column \"" + shape.name + "\" holds " + std::to_string(n) +
                               ", which is beyond SQL's 64-bit signed integers; such a column can be passed through, but not "
                               "be used in an expression");
      }
      sqlite3_result_int64(to, static_cast<std::int64_t>(n));
      break;
    }
    case Shown::kText: {
      const std::string_view s = v.Str(row_);
      sqlite3_result_text64(to, s.data() ? s.data() : "", s.size(), SQLITE_STATIC, SQLITE_UTF8);
      break;
    }
    default: {
      const std::string_view s = v.Str(row_);
      sqlite3_result_blob64(to, s.data() ? s.data() : "", s.size(), SQLITE_STATIC);
      break;
    }
  }
}

void BatchTable::JsonValue(sqlite3_context* to, std::size_t column) {
  text_.clear();
  json_->Value(column, *batch_, row_, text_);
  std::string_view s = text_;
  if (s == "null") return;
  if (shapes_[column].shown == Shown::kDecimal) return sqlite3_result_double(to, std::strtod(text_.c_str(), nullptr));
  if (s[0] == '"') s = s.substr(1, s.size() - 2);  // a date and its like: nothing in it is escaped
  sqlite3_result_text64(to, s.data(), s.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void BatchTable::Sample(sqlite3_context* to, const Shape& shape) const {
  using arrow::Kind;
  static constexpr std::int64_t kIntegers[] = {1, 0, 7};
  static constexpr double kReals[] = {1.5, 0.25, -2.25};
  static constexpr const char* kTexts[] = {"1", "abc", "2024-02-29"};
  static constexpr const char* kJsons[] = {"{\"a\":1}", "{}", "[1]"};
  const auto text = [to](const char* s) { sqlite3_result_text(to, s, -1, SQLITE_STATIC); };
  switch (shape.shown) {
    case Shown::kInteger: return sqlite3_result_int64(to, shape.kind == Kind::kBool ? sample_ % 2 : kIntegers[sample_]);
    case Shown::kUInt64: return sqlite3_result_int64(to, kIntegers[sample_]);
    case Shown::kReal: case Shown::kHalf: case Shown::kDecimal: return sqlite3_result_double(to, kReals[sample_]);
    case Shown::kBytes: return sqlite3_result_blob(to, "\1abc", 1 + sample_, SQLITE_STATIC);
    default: break;
  }
  switch (shape.kind) {
    case Kind::kUtf8: return text(kTexts[sample_]);
    case Kind::kDate32: return text("2024-02-29");
    case Kind::kDate64: case Kind::kTimestamp: return text("2024-02-29T13:05:09Z");
    case Kind::kTime: return text("13:05:09");
    case Kind::kDuration: case Kind::kMonths: case Kind::kDayTime: case Kind::kMonthDayNano: return text("PT1S");
    case Kind::kNull: return;
    default: return text(kJsons[sample_]);
  }
}

}  // namespace etl::sql
