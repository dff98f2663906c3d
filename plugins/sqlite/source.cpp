// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <etl/pack.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>

namespace etl::sqlite {
namespace {

/// A key's value with its type, as bytes: positions must compare in the database as they did.
std::string Encode(sqlite3_stmt* s, int i) {
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER: return "i" + std::to_string(sqlite3_column_int64(s, i));
    case SQLITE_FLOAT: {
      char text[64];
      const auto end = std::to_chars(text, text + sizeof text, sqlite3_column_double(s, i)).ptr;
      return "r" + std::string(text, end);
    }
    case SQLITE_BLOB: {
      const auto* p = static_cast<const char*>(sqlite3_column_blob(s, i));
      return "b" + std::string(p ? p : "", static_cast<std::size_t>(sqlite3_column_bytes(s, i)));
    }
    case SQLITE_TEXT: {
      const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(s, i));
      return "t" + std::string(p, static_cast<std::size_t>(sqlite3_column_bytes(s, i)));
    }
    default: return {};
  }
}

void BindEncoded(sqlite3_stmt* s, int i, std::string_view value) {
  const std::string_view rest = value.substr(1);
  switch (value[0]) {
    case 'i': sqlite3_bind_int64(s, i, std::stoll(std::string(rest))); break;
    case 'r': {
      double d = 0;
      std::from_chars(rest.data(), rest.data() + rest.size(), d);
      sqlite3_bind_double(s, i, d);
      break;
    }
    case 'b': sqlite3_bind_blob64(s, i, rest.data(), rest.size(), SQLITE_TRANSIENT); break;
    default: sqlite3_bind_text64(s, i, rest.data(), rest.size(), SQLITE_TRANSIENT, SQLITE_UTF8); break;
  }
}

bool Same(const std::string& a, const std::string& b) { return sqlite3_stricmp(a.c_str(), b.c_str()) == 0; }

constexpr std::size_t kMostBytes = 4 << 20;  // of a batch

}  // namespace

detail::DeclaredList SqliteSource::Options() {
  using S = SqliteSource;
  return etl::Options(
      Option("path", &S::path, "Database file; opened read-only.").Path().Required(),
      Option("table", &S::table, "Table or view to read. Give this or query."),
      Option("columns", &S::columns, "Columns to read; all of them if not given."),
      Option("where", &S::where, "SQL condition on the rows of the table."),
      Option("query", &S::query, "A SELECT of your own, read in one stream; give it an ORDER BY, or it cannot be resumed safely."),
      Option("split_by", &S::split_by, "Unique column whose ranges the readers share; the primary key or rowid if not given."),
      Option("types", &S::types, "Column = int64, float64, utf8, binary, bool or json, where the declared type says something else."),
      Option("incremental", &S::incremental, "Read only what is newer than the last complete run had.").Short(),
      Option("chunk_rows", &S::chunk_rows, "Rows in a range.").Range("1..100000000").Tuning(),
      Option("batch_rows", &S::batch_rows, "Most rows in a batch.").Range("1..1000000").Tuning());
}

void SqliteSource::Connect() {
  auto db = std::make_unique<Database>(path, false);
  const std::lock_guard lock(mutex_);
  db_ = std::move(db);
}
void SqliteSource::Interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  if (db_) db_->Interrupt();
}
void SqliteSource::Check() { Connect(); }

std::string SqliteSource::Base() const {
  if (!query.empty()) return query;
  std::string list;
  for (const ReadColumn& c : read_) list += (list.empty() ? "" : ", ") + Quote(c.name);
  return "SELECT " + list + (key_.empty() ? "" : ", " + key_) + " FROM " + Quote(table);
}

std::string SqliteSource::Conditions() const {
  std::string all = where.empty() ? "1" : "(" + where + "\n)";  // a comment may end it
  if (incremental) {
    const std::string column = Quote(incremental->column);
    if (!low_.empty()) all += " AND " + column + " > ?3";
    all += " AND " + column + " <= ?4";
  }
  return all;
}

void SqliteSource::Describe(Schema& schema, const std::string& name, const std::string& declared) {
  Shape shape = ShapeOf(declared);
  if (const auto said = types.find(name); said != types.end()) {
    const auto named = ShapeNamed(said->second);
    if (!named) {
      throw ConfigError("types", "unknown type \"" + said->second + "\" of column \"" + name +
                                     "\"; write int64, float64, utf8, binary, bool or json");
    }
    shape = *named;
  }
  for (const ReadColumn& c : read_) {
    if (c.name == name) throw ConfigError("query", "two columns have the name \"" + name + "\"; give one another name with AS");
  }
  schema.push_back({name, TypeOf(shape), true});
  read_.push_back({name, shape});
}

/// A unique column, whose ranges hold every row just once.
void SqliteSource::SplitBy(const std::vector<TableColumn>& there) {
  const auto at = std::find_if(there.begin(), there.end(), [&](const TableColumn& c) { return Same(c.name, split_by); });
  if (at == there.end()) throw ConfigError("split_by", "table \"" + table + "\" has no column \"" + split_by + "\"");
  if (!db_->HasUnique(table, {split_by})) {
    throw ConfigError("split_by", "column \"" + split_by + "\" has no unique index of its own; rows with one value could be read twice or not at all");
  }
  key_ = Quote(at->name);
  // An index may compare otherwise than its column does: two values that are one to the column would be lost.
  const Statement collation(db_->get(),
                            "SELECT x.coll FROM pragma_index_list(?1) i, pragma_index_xinfo(i.name) x WHERE i.\"unique\" AND NOT "
                            "i.partial AND x.key AND x.name = ?2 AND (SELECT sum(key) FROM pragma_index_xinfo(i.name)) = 1");
  collation.BindText(1, table);
  collation.BindText(2, at->name);
  if (collation.Step()) key_ += " COLLATE " + Quote(collation.Text(0));
  const Statement nulls(db_->get(), "SELECT 1 FROM " + Quote(table) + " WHERE " + Quote(at->name) + " IS NULL LIMIT 1");
  if (!at->not_null && nulls.Step()) {
    throw ConfigError("split_by", "column \"" + split_by + "\" holds null, which is in no range; leave those rows out with a view, or split by another column");
  }
}

void SqliteSource::FindKey(const std::vector<TableColumn>& there) {
  if (!split_by.empty()) return SplitBy(there);
  const Statement kind(db_->get(), "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE");
  kind.BindText(1, table);
  const bool is_table = kind.Step() && kind.Text(0) == "table";
  const bool has_rowid = is_table && kind.Int(1) == 0;
  for (const char* name : {"rowid", "_rowid_", "oid"}) {
    const bool shadowed = std::any_of(there.begin(), there.end(), [name](const TableColumn& c) { return Same(c.name, name); });
    if (!has_rowid || shadowed) continue;
    key_ = name;
    return;
  }
  std::vector<TableColumn> primary;
  std::copy_if(there.begin(), there.end(), std::back_inserter(primary), [](const TableColumn& c) { return c.key > 0; });
  std::sort(primary.begin(), primary.end(), [](const TableColumn& a, const TableColumn& b) { return a.key < b.key; });
  if (primary.size() == 1 && !has_rowid) {
    key_ = Quote(primary[0].name);
    return;
  }
  for (const TableColumn& p : primary) order_ += (order_.empty() ? " ORDER BY " : ", ") + Quote(p.name);
}

/// Rows without a value of the growing column are in no run.
void SqliteSource::CheckIncremental(const std::vector<TableColumn>& there) {
  const auto at = std::find_if(there.begin(), there.end(), [&](const TableColumn& c) { return Same(c.name, incremental->column); });
  if (at == there.end()) {
    throw ConfigError("incremental.column", "table \"" + table + "\" has no column \"" + incremental->column + "\"");
  }
  if (at->not_null || at->key) return;
  const Statement nulls(db_->get(), "SELECT 1 FROM " + Quote(table) + " WHERE " + Quote(incremental->column) + " IS NULL LIMIT 1");
  if (nulls.Step()) host.Warn("leaves out the rows whose \"" + incremental->column + "\" is null: they are newer than nothing");
}

Schema SqliteSource::Describe() {
  if (table.empty() == query.empty()) throw ConfigError(table.empty() ? "table" : "query", "give either table or query");
  if (!query.empty() && (!where.empty() || !columns.empty() || !split_by.empty() || incremental)) {
    throw ConfigError("query", "where, columns, split_by and incremental belong to table; write them into the query");
  }
  Connect();
  Schema schema;
  read_.clear();
  key_.clear();
  order_.clear();
  const auto prepare = [this](const std::string& sql, const char* option) {
    try {
      return Statement(db_->get(), sql);
    } catch (const Fatal&) {
      throw ConfigError(option, sqlite3_errcode(db_->get()) ? sqlite3_errmsg(db_->get()) : "it must be one statement");
    }
  };
  if (!query.empty()) {
    const Statement s = prepare(query, "query");
    if (sqlite3_column_count(s.get()) == 0 || !sqlite3_stmt_readonly(s.get())) throw ConfigError("query", "only a SELECT can be read");
    if (sqlite3_bind_parameter_count(s.get()) > 0) throw ConfigError("query", "it has a parameter; write the value itself");
    for (int i = 0; i < sqlite3_column_count(s.get()); ++i) {
      const char* declared = sqlite3_column_decltype(s.get(), i);
      Describe(schema, sqlite3_column_name(s.get(), i), declared ? declared : "");
    }
  } else {
    const std::vector<TableColumn> there = db_->Columns(table);
    if (there.empty()) throw ConfigError("table", path + " has no table \"" + table + "\"");
    for (const std::string& c : columns) {
      if (std::none_of(there.begin(), there.end(), [&](const TableColumn& t) { return Same(t.name, c); })) {
        throw ConfigError("columns", "table \"" + table + "\" has no column \"" + c + "\"");
      }
    }
    for (const TableColumn& c : there) {
      const bool wanted = std::any_of(columns.begin(), columns.end(), [&](const std::string& n) { return Same(n, c.name); });
      if (columns.empty() || wanted) Describe(schema, c.name, c.type);
    }
    FindKey(there);
    if (incremental) CheckIncremental(there);
    const Statement check = prepare(Base() + " WHERE " + (where.empty() ? "1" : "(" + where + "\n)"), "where");
    if (sqlite3_bind_parameter_count(check.get()) > 0) throw ConfigError("where", "it has a parameter; write the value itself");
  }
  for (const auto& [name, type] : types) {
    if (std::none_of(read_.begin(), read_.end(), [&n = name](const ReadColumn& c) { return c.name == n; })) {
      throw ConfigError("types", "no column \"" + name + "\" is read");
    }
  }
  if (key_.empty()) {
    host.Warn(order_.empty()
                  ? "is read in one stream without a key: if the run is interrupted, the rows are counted off again, which is right only "
                    "if they come in the same order and nothing has changed"
                  : "is read in one stream, in the order of its primary key; an interrupted run counts the rows off again");
  }
  return schema;
}

void SqliteSource::Plan(bool fresh, std::string_view state) {
  planned_ = false;
  low_ = high_ = cursor_ = "";
  if (fresh) {
    if (!incremental) return;
    low_ = std::string(state);
    const Statement s(db_->get(), "SELECT max(" + Quote(incremental->column) + ") FROM " + Quote(table));
    s.Step();
    high_ = Encode(s.get(), 0);
    if (high_.empty()) high_ = low_;
    planned_ = high_ == low_;   // nothing new, or an empty table
    return;
  }
  const auto parts = Unpack(state);
  if (parts.size() != 4) throw Fatal("the saved state is not one of this source's; start anew with 'etl state reset'");
  low_ = parts[0];
  high_ = parts[1];
  cursor_ = parts[2];
  planned_ = parts[3] == "1";
}

bool SqliteSource::PlanNext(Split& out, std::string& state) {
  if (planned_) return false;
  if (key_.empty()) {
    out.id = "all";
    planned_ = true;
  } else {
    const Statement s(db_->get(), "SELECT " + key_ + " FROM " + Quote(table) + (cursor_.empty() ? "" : " WHERE " + key_ + " > ?1") +
                                      " ORDER BY " + key_ + " LIMIT 1 OFFSET " + std::to_string(chunk_rows - 1));
    if (!cursor_.empty()) BindEncoded(s.get(), 1, cursor_);
    const bool more = s.Step();
    const std::string to = more ? Encode(s.get(), 0) : "";
    out.id = cursor_.empty() ? "begin" : "after " + cursor_.substr(1);
    for (char& c : out.id) c = std::isprint(static_cast<unsigned char>(c)) ? c : '?';
    if (cursor_[0] == 'b' || cursor_[0] == 't') out.id += " #" + std::to_string(std::hash<std::string>()(cursor_));
    out.state = Pack({cursor_, to});
    out.rows = more && !incremental && where.empty() ? chunk_rows : -1;
    cursor_ = to;
    planned_ = !more;
  }
  if (key_.empty()) out.state = Pack({"", ""});
  out.state = Pack({low_, high_, out.state});
  state = Pack({low_, high_, cursor_, planned_ ? "1" : "0"});
  return true;
}

void SqliteSource::Open(const Split& split, std::string_view position) {
  auto& head = HeadAs<SqliteSource>();
  if (!db_) {
    Connect();
    read_ = head.read_;
    key_ = head.key_;
    order_ = head.order_;
  }
  const auto parts = Unpack(split.state);
  if (parts.size() != 3) throw Fatal("the saved state is not one of this source's; start anew with 'etl state reset'");
  const auto range = Unpack(parts[2]);
  low_ = parts[0];
  high_ = parts[1];
  from_ = range.at(0);
  to_ = range.at(1);
  ended_ = false;
  at_ = 0;
  const bool begins = position.empty() || position == split.state;
  if (key_.empty()) {
    skip_ = begins ? 0 : std::stoll(std::string(position));
    statement_ = Statement(db_->get(), query.empty() ? Base() + " WHERE " + Conditions() + order_ : query);
  } else {
    if (!begins) from_ = std::string(position);
    statement_ = Statement(db_->get(), Base() + " WHERE " + Conditions() + (from_.empty() ? "" : " AND " + key_ + " > ?1") +
                                           (to_.empty() ? "" : " AND " + key_ + " <= ?2") + " ORDER BY " + key_ + " LIMIT " +
                                           std::to_string(batch_rows));
  }
  if (incremental) {
    if (!low_.empty()) BindEncoded(statement_.get(), 3, low_);
    BindEncoded(statement_.get(), 4, high_);
  }
}

/// The current row into the batch, or among the rejected ones.
void SqliteSource::Take(const Statement& row, Batch& out, const std::function<std::string()>& place) {
  const std::int64_t before = out.rows();
  for (std::size_t i = 0; i < read_.size(); ++i) {
    const int c = static_cast<int>(i);
    if (values_.Append(row.get(), c, read_[i].shape, out[i])) continue;
    out.Truncate(before);
    std::string raw;
    for (int k = 0; k < static_cast<int>(read_.size()); ++k) raw += (k ? "|" : "") + ValueReader::Text(row.get(), k);
    return host.RejectInput(place(), raw,
                            ValueReader::Unfit(row.get(), c, read_[i].name, read_[i].shape) + "; name another type for it in types");
  }
}

bool SqliteSource::NextKeyed(Batch& out, std::string& position) {
  if (ended_) return false;
  const Statement& s = statement_;
  s.Reset();
  if (!from_.empty()) BindEncoded(s.get(), 1, from_);
  if (!to_.empty()) BindEncoded(s.get(), 2, to_);
  const int key = static_cast<int>(read_.size());
  std::int64_t seen = 0;
  std::string last;
  bool full = false;
  while (s.Step()) {
    ++seen;
    last = Encode(s.get(), key);
    Take(s, out, [&] { return table + " where " + key_ + " = " + last.substr(1); });
    full = out.bytes() >= kMostBytes;
    if (full) break;
  }
  s.Reset();
  ended_ = !full && seen < batch_rows;
  if (seen == 0) return false;
  if (from_.empty()) {   // the statement had no lower end; from now on it has
    from_ = last;
    const bool was_ended = ended_;
    Split again;
    again.state = Pack({low_, high_, Pack({"", to_})});
    Open(again, last);
    ended_ = was_ended;
  }
  position = from_ = last;
  return true;
}

bool SqliteSource::NextStream(Batch& out, std::string& position) {
  if (ended_) return false;
  try {
    while (out.rows() < batch_rows && out.bytes() < kMostBytes) {
      ended_ = !statement_.Step();
      if (ended_) break;
      if (++at_ <= skip_) continue;
      Take(statement_, out, [this] { return (table.empty() ? "query" : table) + " row " + std::to_string(at_); });
    }
  } catch (const Retry&) {  // the statement begins anew then
    statement_.Reset();
    at_ = 0;
    throw;
  }
  if (ended_) statement_.Reset();
  skip_ = std::max(at_, skip_);
  position = std::to_string(skip_);
  return out.rows() > 0 || !ended_;
}

bool SqliteSource::Next(Batch& out, std::string& position) {
  return key_.empty() ? NextStream(out, position) : NextKeyed(out, position);
}

}  // namespace etl::sqlite
