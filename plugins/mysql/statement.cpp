// SPDX-License-Identifier: Apache-2.0
#include "statement.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace etl::mysql {
namespace {

constexpr std::size_t kPlaceholders = 65'535;

std::string List(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ",") + n;
  return out;
}

enum_field_types TypeOf(const Cells& c) {
  switch (c.wire) {
    case Wire::kText: return MYSQL_TYPE_STRING;
    case Wire::kBytes: return MYSQL_TYPE_BLOB;
    case Wire::kDouble: return MYSQL_TYPE_DOUBLE;
    default: return MYSQL_TYPE_LONGLONG;
  }
}

std::string Marks(std::size_t n) {
  std::string out = "(";
  for (std::size_t i = 0; i < n; ++i) out += i ? ",?" : "?";
  return out + ")";
}

/// What an INSERT does where the key is there already.
std::string OnDuplicate(Mode mode, const std::vector<std::string>& columns, const std::vector<bool>& keys, const Session& s) {
  if (mode != Mode::kIgnore && mode != Mode::kUpsert) return {};
  // INSERT IGNORE would also let through what does not fit; this leaves errors what they are.
  const std::string nothing = " ON DUPLICATE KEY UPDATE " + columns[0] + " = " + columns[0];
  const bool alias = !s.mariadb() && s.version() >= 80019;   // there VALUES() is deprecated, with a warning
  std::string sets;
  for (std::size_t i = 0; i < columns.size() && mode == Mode::kUpsert; ++i) {
    if (keys[i]) continue;
    sets += (sets.empty() ? "" : ", ") + columns[i] + " = " + (alias ? "etl_new." + columns[i] : "VALUES(" + columns[i] + ")");
  }
  if (sets.empty()) return nothing;
  return (alias ? " AS etl_new" : "") + std::string(" ON DUPLICATE KEY UPDATE ") + sets;
}

void ByKey(Wording& w, Mode mode, const std::string& table, const std::vector<std::string>& columns, const std::vector<bool>& keys) {
  std::vector<std::string> key_names;
  std::vector<std::size_t> key_columns;
  std::string sets, where;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (keys[i]) {
      key_names.push_back(columns[i]);
      key_columns.push_back(i);
      where += (where.empty() ? "" : " AND ") + columns[i] + " = ?";
    } else if (mode == Mode::kUpdate) {
      sets += (sets.empty() ? "" : ", ") + columns[i] + " = ?";
      w.order.push_back(i);
    }
  }
  w.order.insert(w.order.end(), key_columns.begin(), key_columns.end());
  if (mode == Mode::kUpdate) {
    w.row = "UPDATE " + table + " SET " + sets + " WHERE " + where;
    w.one_row = true;
    return;
  }
  w.prefix = "DELETE FROM " + table + " WHERE " + (key_names.size() > 1 ? "(" + List(key_names) + ")" : key_names[0]) + " IN (";
  w.row = key_names.size() > 1 ? Marks(key_names.size()) : "?";
  w.suffix = ")";
}

}  // namespace

Wording Word(Mode mode, const std::string& table, const std::vector<std::string>& columns, const std::vector<bool>& keys, const Session& s) {
  Wording w;
  if (mode == Mode::kUpdate || mode == Mode::kDelete) {
    ByKey(w, mode, table, columns, keys);
    return w;
  }
  for (std::size_t i = 0; i < columns.size(); ++i) w.order.push_back(i);
  w.prefix = (mode == Mode::kReplace ? "REPLACE INTO " : "INSERT INTO ") + table + "(" + List(columns) + ") VALUES ";
  w.row = Marks(columns.size());
  w.suffix = OnDuplicate(mode, columns, keys, s);
  return w;
}

Writer::Writer(Session& session, const Wording& wording, const std::vector<Cells>& cells) : session_(session), wording_(wording), cells_(cells) {}

Writer::~Writer() {
  for (auto& [rows, p] : prepared_) mysql_stmt_close(p.statement);
  if (bulk_.statement) mysql_stmt_close(bulk_.statement);
}

std::size_t Writer::MostRows(Way way) const {
  if (wording_.one_row && way != Way::kBulk) return 1;
  if (way != Way::kPrepared) return cells_[0].null.size();
  return std::min(cells_[0].null.size(), kPlaceholders / wording_.order.size());
}

Said Writer::Answer(unsigned code, const char* message) {
  ++statements_;
  Said said;
  said.code = code;
  if (code) said.message = message;
  else said.warnings = mysql_warning_count(session_.get());
  // "Rows matched: 1  Changed: 0  Warnings: 0"
  const char* info = wording_.one_row && !code ? mysql_info(session_.get()) : nullptr;
  const char* colon = info ? std::strchr(info, ':') : nullptr;
  if (colon) said.matched = std::strtoll(colon + 1, nullptr, 10);
  return said;
}

Said Writer::Run(Way way, std::size_t first, std::size_t count) {
  switch (way) {
    case Way::kBulk: return RunBulk(first, count);
    case Way::kText: return RunText(first, count);
    default: return RunPrepared(first, count);
  }
}

Writer::Prepared& Writer::For(std::size_t rows) {
  Prepared& p = prepared_[rows];
  if (!p.statement) p.statement = mysql_stmt_init(session_.get());
  if (!p.statement) throw std::bad_alloc();
  if (p.rows) return p;
  std::string sql = wording_.prefix;
  for (std::size_t i = 0; i < rows; ++i) sql += (i ? "," : "") + wording_.row;
  sql += wording_.suffix;
  if (mysql_stmt_prepare(p.statement, sql.data(), sql.size())) return p;   // p.rows stays 0: the error is the statement's
  p.binds.assign(rows * wording_.order.size(), MYSQL_BIND{});
  p.rows = rows;
  return p;
}

Said Writer::RunPrepared(std::size_t first, std::size_t count) {
  Prepared& p = For(count);
  if (!p.rows) return Answer(mysql_stmt_errno(p.statement), mysql_stmt_error(p.statement));
  MYSQL_BIND* b = p.binds.data();
  for (std::size_t row = first; row < first + count; ++row) {
    for (const std::size_t i : wording_.order) {
      const Cells& c = cells_[i];
      b->buffer_type = TypeOf(c);
      b->is_unsigned = c.wire == Wire::kUInt;
      b->is_null = const_cast<char*>(&c.null[row]);
      if (c.texts()) {
        b->buffer = const_cast<char*>(c.text[row]);
        b->length = const_cast<unsigned long*>(&c.size[row]);
        b->buffer_length = c.size[row];
      } else {
        b->buffer = const_cast<std::uint64_t*>(&c.number[row]);
      }
      ++b;
    }
  }
  if (mysql_stmt_bind_param(p.statement, p.binds.data()) || mysql_stmt_execute(p.statement)) {
    return Answer(mysql_stmt_errno(p.statement), mysql_stmt_error(p.statement));
  }
  return Answer(0, "");
}

Said Writer::RunBulk(std::size_t first, std::size_t count) {
  Prepared& p = bulk_;
  if (!p.statement) p.statement = mysql_stmt_init(session_.get());
  if (!p.statement) throw std::bad_alloc();
  if (!p.rows) {
    const std::string sql = wording_.prefix + wording_.row + wording_.suffix;
    if (mysql_stmt_prepare(p.statement, sql.data(), sql.size())) return Answer(mysql_stmt_errno(p.statement), mysql_stmt_error(p.statement));
    p.binds.assign(wording_.order.size(), MYSQL_BIND{});
    p.rows = 1;
  }
  MYSQL_BIND* b = p.binds.data();
  for (const std::size_t i : wording_.order) {
    const Cells& c = cells_[i];
    b->buffer_type = TypeOf(c);
    b->is_unsigned = c.wire == Wire::kUInt;
    static_assert(STMT_INDICATOR_NULL == 1, "the cells' flag of NULL is the library's indicator");
    b->u.indicator = const_cast<char*>(&c.null[first]);
    if (c.texts()) {
      b->buffer = const_cast<char**>(&c.text[first]);
      b->length = const_cast<unsigned long*>(&c.size[first]);
    } else {
      b->buffer = const_cast<std::uint64_t*>(&c.number[first]);
    }
    ++b;
  }
  const auto size = static_cast<unsigned>(count);
  if (mysql_stmt_attr_set(p.statement, STMT_ATTR_ARRAY_SIZE, &size) || mysql_stmt_bind_param(p.statement, p.binds.data()) ||
      mysql_stmt_execute(p.statement)) {
    return Answer(mysql_stmt_errno(p.statement), mysql_stmt_error(p.statement));
  }
  return Answer(0, "");
}

void Writer::AppendText(const Cells& c, std::size_t row) {
  char number[400];
  if (c.null[row]) {
    text_ += "NULL";
    return;
  }
  switch (c.wire) {
    case Wire::kInt: text_.append(number, std::to_chars(number, number + sizeof number, static_cast<std::int64_t>(c.number[row])).ptr); return;
    case Wire::kUInt: text_.append(number, std::to_chars(number, number + sizeof number, c.number[row]).ptr); return;
    case Wire::kDouble: {
      double v = 0;
      std::memcpy(&v, &c.number[row], sizeof v);
      text_.append(number, std::to_chars(number, number + sizeof number, v, std::chars_format::scientific).ptr);
      return;
    }
    default: break;
  }
  text_ += c.wire == Wire::kBytes ? "_binary'" : "'";
  const std::size_t at = text_.size();
  text_.resize(at + 2 * c.size[row] + 1);
  // Knows from the server's answers whether backslashes escape.
  text_.resize(at + mysql_real_escape_string(session_.get(), text_.data() + at, c.text[row], c.size[row]));
  text_ += '\'';
}

Said Writer::RunText(std::size_t first, std::size_t count) {
  text_ = wording_.prefix;
  for (std::size_t row = first; row < first + count; ++row) {
    if (row != first) text_ += ',';
    std::size_t parameter = 0;
    for (const char c : wording_.row) {
      // Names are the only other place where a ? could stand, and rows name none but in an UPDATE.
      if (c == '?' && parameter < wording_.order.size()) AppendText(cells_[wording_.order[parameter++]], row);
      else text_ += c;
    }
  }
  text_ += wording_.suffix;
  if (mysql_real_query(session_.get(), text_.data(), text_.size())) return Answer(session_.error(), mysql_error(session_.get()));
  return Answer(0, "");
}

}  // namespace etl::mysql
