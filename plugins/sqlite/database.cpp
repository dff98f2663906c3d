// SPDX-License-Identifier: Apache-2.0
#include "database.h"

#include <algorithm>
#include <cctype>

namespace etl::sqlite {

void Fail(sqlite3* db, const std::string& doing) {
  const int code = sqlite3_extended_errcode(db);
  const std::string text = doing + ": " + sqlite3_errmsg(db);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: throw Retry(text, code);
    case SQLITE_INTERRUPT: throw Cancelled();
    case SQLITE_NOMEM: throw Retry(text, code);
    default: throw Fatal(text, code);
  }
}

std::string Quote(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

Statement::Statement(sqlite3* db, const std::string& sql) {
  const auto prepare = [&](std::string_view text, const char** tail) {
    sqlite3_stmt* s = nullptr;
    if (sqlite3_prepare_v3(db, text.data(), static_cast<int>(text.size()), SQLITE_PREPARE_PERSISTENT, &s, tail) != SQLITE_OK) {
      Fail(db, "preparing " + sql.substr(0, 200));
    }
    s_.reset(s);
    return s != nullptr;
  };
  const char* tail = nullptr;
  const bool any = prepare(sql, &tail);
  const auto rest = std::string_view(sql).substr(static_cast<std::size_t>(tail - sql.data()));
  if (!any || rest.empty()) return;
  auto first = std::move(s_);
  if (prepare(rest, nullptr)) throw Fatal("there is more than one statement in " + sql.substr(0, 200));
  s_ = std::move(first);
}

bool Statement::Step() const {
  const int rc = sqlite3_step(get());
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  Fail(sqlite3_db_handle(get()), "running " + std::string(sqlite3_sql(get())).substr(0, 200));
}

std::string_view Statement::Text(int i) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(get(), i));
  return {text ? text : "", static_cast<std::size_t>(sqlite3_column_bytes(get(), i))};
}
std::string_view Statement::Blob(int i) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(get(), i));
  return {bytes ? bytes : "", static_cast<std::size_t>(sqlite3_column_bytes(get(), i))};
}

Database::Database(const std::string& path, bool write) {
  sqlite3* db = nullptr;
  const int flags = (write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  const int rc = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  db_.reset(db);
  if (rc != SQLITE_OK) throw ConfigError("path", "cannot open " + path + ": " + sqlite3_errmsg(db));
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 2000);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // a misspelt "name" is an error, and not a text
  try {
    if (!write) Run("PRAGMA query_only = 1");
    Value("SELECT count(*) FROM sqlite_schema");   // the file is read only now: is it a database?
  } catch (const Fatal&) {
    throw ConfigError("path", "cannot read " + path + ": " + sqlite3_errmsg(db));
  }
}

void Database::Run(const std::string& sql) const {
  if (sqlite3_exec(get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) Fail(get(), sql.substr(0, 200));
}

std::string Database::Value(const std::string& sql) const {
  const Statement s(get(), sql);
  return s.Step() ? std::string(s.Text(0)) : std::string();
}

std::vector<TableColumn> Database::Columns(const std::string& table) const {
  // An INTEGER PRIMARY KEY of a table with rowids is given a number by itself.
  const Statement s(get(),
                    "SELECT name, type, \"notnull\", dflt_value IS NOT NULL OR (pk AND upper(type) = 'INTEGER' AND (SELECT sum(pk) "
                    "FROM pragma_table_xinfo(?1)) = 1 AND NOT (SELECT max(wr) FROM pragma_table_list WHERE name = ?1 COLLATE NOCASE)), "
                    "pk, hidden FROM pragma_table_xinfo(?1)");
  s.BindText(1, table);
  std::vector<TableColumn> columns;
  while (s.Step()) {
    if (s.Int(5) == 1) continue;   // hidden, of a virtual table
    columns.push_back({std::string(s.Text(0)), std::string(s.Text(1)), s.Int(2) != 0, s.Int(5) > 1, s.Int(3) != 0,
                       static_cast<int>(s.Int(4))});
  }
  return columns;
}

bool Database::HasUnique(const std::string& table, const std::vector<std::string>& wanted) const {
  const auto lower = [](std::string s) {
    std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return s;
  };
  std::vector<std::string> want, have;
  for (const std::string& w : wanted) want.push_back(lower(w));
  std::sort(want.begin(), want.end());
  for (const TableColumn& c : Columns(table)) {
    if (c.key) have.push_back(lower(c.name));
  }
  std::sort(have.begin(), have.end());
  if (have == want) return true;
  const Statement indexes(get(), "SELECT name FROM pragma_index_list(?) WHERE \"unique\" AND NOT partial");
  indexes.BindText(1, table);
  while (indexes.Step()) {
    const Statement columns(get(), "SELECT coalesce(name, '') FROM pragma_index_info(?)");  // '': an expression
    columns.BindText(1, indexes.Text(0));
    have.clear();
    while (columns.Step()) have.push_back(lower(std::string(columns.Text(0))));
    std::sort(have.begin(), have.end());
    if (have == want) return true;
  }
  return false;
}

}  // namespace etl::sqlite
