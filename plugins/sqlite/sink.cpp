// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <algorithm>
#include <cstring>

namespace etl::sqlite {
namespace {

constexpr auto kPositions =
    "CREATE TABLE IF NOT EXISTS _etl_position(pipeline TEXT, run TEXT, split BLOB, seq INTEGER, position BLOB, "
    "PRIMARY KEY(pipeline, run, split)) WITHOUT ROWID";

bool Same(const std::string& a, const std::string& b) { return sqlite3_stricmp(a.c_str(), b.c_str()) == 0; }

std::string List(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + Quote(n);
  return out;
}

}  // namespace

detail::DeclaredList SqliteSink::Options() {
  using S = SqliteSink;
  return etl::Options(
      Option("path", &S::path, "Database file; made where it is missing.").Path().Required(),
      Option("table", &S::table, "Table to write into.").Required(),
      Option("mode", &S::mode,
             "What a row does: insert; ignore (not when the key is there); upsert (insert, or update the other columns); replace; "
             "update and delete by key.")
          .Choices({"insert", "ignore", "upsert", "replace", "update", "delete"}),
      Option("keys", &S::keys, "Columns of the table that identify a row: for upsert, update, delete, and a created table's primary key."),
      Option("columns", &S::columns, "Table column = batch column, for those that go by another name; only these are written, if given."),
      Option("create", &S::create, "Make the table from the rows' schema where it is missing."),
      Option("truncate", &S::truncate, "Empty the table at the beginning of each new pass."),
      Option("batch", &S::batch, "When to commit: after so many rows or bytes, or when the oldest row has waited so long."),
      Option("exactly_once", &S::exactly_once,
             "Keep the position in the same database (table _etl_position) and commit it with the rows. With several sinks it has no effect."),
      Option("journal", &S::journal, "SQLite's journal_mode.").Choices({"wal", "delete", "truncate", "persist", "memory"}).Tuning().Advanced(),
      Option("synchronous", &S::synchronous, "SQLite's synchronous: normal survives a crash of the program, full of the machine too.")
          .Choices({"off", "normal", "full", "extra"}).Tuning().Advanced());
}

void SqliteSink::Connect() {
  auto db = std::make_unique<Database>(path, true);
  db->Run("PRAGMA journal_mode = " + journal);
  db->Run("PRAGMA synchronous = " + synchronous);
  db->Run("PRAGMA cache_size = -32768");
  db->Run("PRAGMA wal_autocheckpoint = 16384");  // 64 MiB: a sync of the disk for each of them
  const std::lock_guard lock(mutex_);
  db_ = std::move(db);
}

void SqliteSink::Interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  if (db_) db_->Interrupt();
}

void SqliteSink::Check() { Connect(); }

std::vector<ColumnMap> SqliteSink::Mapped(const ArrowSchema& schema) const {
  std::vector<ColumnMap> map;
  const auto find = [&](const std::string& name) -> std::int64_t {
    for (std::int64_t i = 0; i < schema.n_children; ++i) {
      if (name == schema.children[i]->name) return i;
    }
    return -1;
  };
  if (columns.empty()) {
    for (std::int64_t i = 0; i < schema.n_children; ++i) map.push_back({schema.children[i]->name, static_cast<std::size_t>(i)});
    return map;
  }
  for (const auto& [to, from] : columns) {
    const std::int64_t i = find(from);
    if (i < 0) throw ConfigError("columns", "the rows have no column \"" + from + "\"");
    map.push_back({to, static_cast<std::size_t>(i)});
  }
  return map;
}

void SqliteSink::CreateTable(const ArrowSchema& schema) {
  std::string sql = "CREATE TABLE " + Quote(table) + "(";
  const auto map = Mapped(schema);
  const bool alone = keys.size() == 1;
  for (std::size_t i = 0; i < map.size(); ++i) {
    const ArrowSchema& field = *schema.children[map[i].from];
    sql += (i ? ", " : "") + Quote(map[i].to) + " " + Binder::Declared(field);
    const bool key = std::any_of(keys.begin(), keys.end(), [&](const std::string& k) { return Same(k, map[i].to); });
    if (key || !(field.flags & ARROW_FLAG_NULLABLE)) sql += " NOT NULL";
    if (alone && key) sql += " PRIMARY KEY";
  }
  if (keys.size() > 1) sql += ", PRIMARY KEY(" + List(keys) + ")";
  db_->Run(sql + ")");
}

/// What does not fit is refused before the first row.
void SqliteSink::CheckTable(const ArrowSchema& schema) {
  const std::vector<TableColumn> there = db_->Columns(table);
  if (there.empty()) {
    throw ConfigError("table", path + " has no table \"" + table + "\"; make it, or let create = true do so");
  }
  const auto map = Mapped(schema);
  for (const ColumnMap& m : map) {
    const auto at = std::find_if(there.begin(), there.end(), [&](const TableColumn& c) { return Same(c.name, m.to); });
    if (at == there.end()) throw ConfigError("table", "table \"" + table + "\" has no column \"" + m.to + "\"; name what is to be written in columns");
    if (std::count_if(map.begin(), map.end(), [&](const ColumnMap& other) { return Same(other.to, m.to); }) > 1) {
      throw ConfigError("columns", "two columns of the rows would be written into column \"" + m.to + "\" of \"" + table + "\"");
    }
    if (at->generated) throw ConfigError("columns", "column \"" + m.to + "\" of \"" + table + "\" is generated and cannot be written");
  }
  if (mode == "insert" || mode == "ignore" || mode == "upsert" || mode == "replace") {
    for (const TableColumn& c : there) {
      const bool written = std::any_of(map.begin(), map.end(), [&](const ColumnMap& m) { return Same(m.to, c.name); });
      if (!written && c.not_null && !c.has_default && !c.generated) {
        throw ConfigError("columns", "column \"" + c.name + "\" of \"" + table + "\" must not be null, and the rows have none");
      }
    }
  }
  for (const std::string& k : keys) {
    if (std::none_of(map.begin(), map.end(), [&](const ColumnMap& m) { return Same(m.to, k); })) {
      throw ConfigError("keys", "\"" + k + "\" is no column that is written");
    }
  }
  if ((mode == "upsert" || (mode == "ignore" && !keys.empty())) && !db_->HasUnique(table, keys)) {
    throw ConfigError("keys", mode + " needs a primary key or unique index over just " + List(keys) + " in table \"" + table + "\"");
  }
}

void SqliteSink::Begin(const Run& run) {
  if ((mode == "upsert" || mode == "update" || mode == "delete") && keys.empty()) {
    throw ConfigError("keys", "mode \"" + mode + "\" needs keys");
  }
  pipeline_ = run.pipeline;
  key_ = run.key;
  replay_ = run.replay;
  Connect();
  db_->Run("BEGIN IMMEDIATE");
  if (create && db_->Columns(table).empty()) CreateTable(*run.schema);
  CheckTable(*run.schema);
  CheckStatement(*run.schema);
  if (truncate && !run.resumed && !run.replay) db_->Run("DELETE FROM " + Quote(table));
  if (exactly_once && !run.replay) {
    db_->Run(kPositions);
    const Statement forget(db_->get(), "DELETE FROM _etl_position WHERE pipeline = ? AND run <> ?");
    forget.BindText(1, run.pipeline);
    forget.BindText(2, run.key);
    forget.Step();
  }
  db_->Run("COMMIT");
}

void SqliteSink::CheckStatement(const ArrowSchema& schema) const {
  const auto map = Mapped(schema);
  if (mode == "update" && map.size() == keys.size()) {
    throw ConfigError("keys", "mode \"update\" has nothing to set: all columns that are written are keys");
  }
  try {
    Statement(db_->get(), Sql(map));
  } catch (const Fatal&) {
    throw ConfigError("table", "cannot write into \"" + table + "\": " + sqlite3_errmsg(db_->get()));
  }
}

bool SqliteSink::Positions(const std::function<void(const Mark&)>& give) {
  if (!exactly_once || replay_) return false;
  const Statement s(db_->get(), "SELECT split, position, seq FROM _etl_position WHERE pipeline = ? AND run = ?");
  s.BindText(1, pipeline_);
  s.BindText(2, key_);
  while (s.Step()) give({std::string(s.Blob(0)), std::string(s.Blob(1)), static_cast<std::uint64_t>(s.Int(2))});
  return true;
}

/// The statement for the mode; order_ says which batch column each parameter takes.
std::string SqliteSink::Sql(const std::vector<ColumnMap>& map) const {
  std::vector<std::string> names, rest;
  for (const ColumnMap& m : map) {
    names.push_back(m.to);
    if (std::none_of(keys.begin(), keys.end(), [&](const std::string& k) { return Same(k, m.to); })) rest.push_back(m.to);
  }
  const auto each = [](const std::vector<std::string>& list, const std::string& between, const auto& f) {
    std::string out;
    for (const std::string& n : list) out += (out.empty() ? "" : between) + f(n);
    return out;
  };
  const std::string where = each(keys, " AND ", [](const std::string& k) { return Quote(k) + " = ?"; });
  if (mode == "delete") return "DELETE FROM " + Quote(table) + " WHERE " + where;
  if (mode == "update") {
    return "UPDATE " + Quote(table) + " SET " + each(rest, ", ", [](const std::string& n) { return Quote(n) + " = ?"; }) + " WHERE " + where;
  }
  const std::string verb = mode == "replace" ? "REPLACE INTO " : "INSERT INTO ";
  std::string sql = verb + Quote(table) + "(" + List(names) + ") VALUES(" + each(names, ", ", [](const std::string&) { return std::string("?"); }) + ")";
  if (mode == "ignore") sql += keys.empty() ? " ON CONFLICT DO NOTHING" : " ON CONFLICT(" + List(keys) + ") DO NOTHING";
  if (mode == "upsert") {
    sql += " ON CONFLICT(" + List(keys) + ") DO ";
    sql += rest.empty() ? "NOTHING" : "UPDATE SET " + each(rest, ", ", [](const std::string& n) { return Quote(n) + " = excluded." + Quote(n); });
  }
  return sql;
}

void SqliteSink::Open(const ArrowSchema& in, std::string_view) {
  Connect();
  map_ = Mapped(in);
  binder_ = std::make_unique<Binder>(in);
  insert_ = Statement(db_->get(), Sql(map_));
  const auto from = [&](const std::string& name) {
    return std::find_if(map_.begin(), map_.end(), [&](const ColumnMap& m) { return Same(m.to, name); })->from;
  };
  const auto is_key = [&](const std::string& name) {
    return std::any_of(keys.begin(), keys.end(), [&](const std::string& k) { return Same(k, name); });
  };
  const bool by_key = mode == "update" || mode == "delete";
  if (mode != "delete") {
    for (const ColumnMap& m : map_) {
      if (!by_key || !is_key(m.to)) order_.push_back(m.from);
    }
  }
  for (const std::string& k : keys) {
    keys_from_.push_back({k, from(k)});
    if (by_key) order_.push_back(from(k));
  }
  pipeline_ = HeadAs<SqliteSink>().pipeline_;
  key_ = HeadAs<SqliteSink>().key_;
}

void SqliteSink::WriteRow(const Rows& in, std::int64_t row) {
  sqlite3_stmt* s = insert_.get();
  for (const ColumnMap& k : keys_from_) {
    if (binder_->IsNull(k.from, row)) return host.Reject(in.row(row), "the key column \"" + k.to + "\" is null");
  }
  for (std::size_t i = 0; i < order_.size(); ++i) {
    if (const auto wrong = binder_->Bind(s, static_cast<int>(i) + 1, order_[i], row)) return host.Reject(in.row(row), *wrong);
  }
  const int rc = sqlite3_step(s);
  if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
    sqlite3_reset(s);
    if (mode == "update" && sqlite3_changes(db_->get()) == 0) host.Reject(in.row(row), "no row of the table has this key");
    return;
  }
  // The statement alone is undone; the transaction stands, unless the table itself says otherwise.
  const int code = sqlite3_extended_errcode(db_->get());
  const std::string why = sqlite3_errmsg(db_->get());
  sqlite3_reset(s);
  const int kind = code & 0xff;
  if (kind == SQLITE_INTERRUPT) throw Cancelled();
  if (sqlite3_get_autocommit(db_->get())) {
    throw Fatal("writing into \"" + table + "\": " + why + ", and the whole transaction was rolled back (by ON CONFLICT ROLLBACK or a trigger?)", code);
  }
  if (kind == SQLITE_CONSTRAINT || kind == SQLITE_MISMATCH || kind == SQLITE_TOOBIG) return host.Reject(in.row(row), why, code);
  throw Fatal("writing into \"" + table + "\": " + why, code);
}

Written SqliteSink::Write(const Rows& in) {
  if (!in_transaction_) {
    db_->Run("BEGIN IMMEDIATE");
    in_transaction_ = true;
    if (batch.linger.count()) host.Wake(host.Now() + batch.linger);
  }
  binder_->Begin(in.array());
  for (std::int64_t i = 0; i < in.size(); ++i) WriteRow(in, i);
  for (std::uint64_t i = 0; i < in.mark_count(); ++i) {
    const etl_mark& m = in.marks()[i];
    marks_[std::string(View(m.split))] = {std::string(View(m.split)), std::string(View(m.position)), m.seq};
  }
  pending_.push_back(in.id());
  rows_ += in.size();
  for (std::int64_t c = 0; c < in.columns(); ++c) {
    const std::string_view format = in.schema().children[c]->format;
    if ((format != "u" && format != "z") || in.size() == 0) {
      bytes_ += in.size() * 8;
      continue;
    }
    const ColumnView v = in.column(c);
    bytes_ += v.Str(in.size() - 1).data() + v.Str(in.size() - 1).size() - v.Str(0).data();
  }
  if (in.more() || (rows_ < batch.rows && bytes_ < batch.bytes.value)) return Written::kPending;
  try {
    Commit();
  } catch (const Error& e) {
    if (e.status != ETL_RETRY) throw;
    host.Wake(host.Now());  // the rows are in the transaction: Tick() tries again, not the whole call
  }
  return Written::kPending;
}

void SqliteSink::Commit() {
  if (!in_transaction_) return;
  host.Durable();   // the rejects of these rows are on disk before the position passes them
  if (!marks_.empty()) {
    if (!mark_) mark_ = Statement(db_->get(), "INSERT OR REPLACE INTO _etl_position VALUES(?, ?, ?, ?, ?)");
    for (const auto& [split, m] : marks_) {
      mark_.BindText(1, pipeline_);
      mark_.BindText(2, key_);
      mark_.BindBlob(3, m.split);
      mark_.BindInt(4, static_cast<std::int64_t>(m.seq));
      mark_.BindBlob(5, m.position);
      mark_.Step();
      mark_.Reset();
    }
  }
  db_->Run("COMMIT");
  in_transaction_ = false;
  host.Wake(std::chrono::nanoseconds(0));
  host.Count("commits");
  for (const std::uint64_t id : pending_) host.Settled(id);
  pending_.clear();
  marks_.clear();
  rows_ = bytes_ = 0;
}

void SqliteSink::Tick() { Commit(); }

std::string SqliteSink::Flush() {
  Commit();
  return {};
}

}  // namespace etl::sqlite
