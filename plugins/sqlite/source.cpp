// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <algorithm>
#include <cctype>
#include <charconv>

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

/// Several byte strings in one.
std::string Pack(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += std::to_string(p.size()) + ":" + p;
  return out;
}
std::vector<std::string> Unpack(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto colon = text.find(':');
    std::size_t size = 0;
    if (colon == std::string_view::npos ||
        std::from_chars(text.data(), text.data() + colon, size).ptr != text.data() + colon || size > text.size() - colon - 1) {
      throw Fatal("the saved state is not one of this source's; start anew with 'etl state reset'");
    }
    parts.emplace_back(text.substr(colon + 1, size));
    text.remove_prefix(colon + 1 + size);
  }
  return parts;
}

std::string Upper(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return s;
}

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
  std::string all = where.empty() ? "1" : "(" + where + ")";
  if (incremental) {
    const std::string column = Quote(incremental->column);
    if (!low_.empty()) all += " AND " + column + " > ?3";
    all += " AND " + column + " <= ?4";
  }
  return all;
}

/// SQLite's own rules of affinity (https://www.sqlite.org/datatype3.html#determination_of_column_affinity), but for types
/// whose text must stay as it is.
void SqliteSource::Describe(Schema& schema, const std::string& name, const std::string& declared) {
  const std::string d = Upper(declared);
  const auto has = [&d](const char* part) { return d.find(part) != std::string::npos; };
  std::string type = has("INT") ? "int64" : has("BOOL") ? "bool" : has("JSON") ? "json" : has("CHAR") || has("CLOB") || has("TEXT") ? "utf8"
                     : has("BLOB") ? "binary" : has("REAL") || has("FLOA") || has("DOUB") ? "float64" : "utf8";
  if (const auto said = types.find(name); said != types.end()) type = said->second;
  const auto add = [&](Type t, Shape shape) {
    schema.push_back({name, std::move(t), true});
    read_.push_back({name, shape});
  };
  if (type == "int64") add(Int64(), Shape::kInt);
  else if (type == "float64") add(Float64(), Shape::kReal);
  else if (type == "utf8") add(Utf8(), Shape::kText);
  else if (type == "binary") add(Binary(), Shape::kBlob);
  else if (type == "bool") add(Bool(), Shape::kBool);
  else if (type == "json") add(Json(), Shape::kText);
  else throw ConfigError("types." + name, "unknown type \"" + type + "\"; write int64, float64, utf8, binary, bool or json");
}

void SqliteSource::FindKey(const std::vector<TableColumn>& there) {
  if (!split_by.empty()) {
    if (std::none_of(there.begin(), there.end(), [&](const TableColumn& c) { return sqlite3_stricmp(c.name.c_str(), split_by.c_str()) == 0; })) {
      throw ConfigError("split_by", "table \"" + table + "\" has no column \"" + split_by + "\"");
    }
    if (!db_->HasUnique(table, {split_by})) {
      throw ConfigError("split_by", "column \"" + split_by + "\" has no unique index of its own; rows with one value could be read twice or not at all");
    }
    key_ = Quote(split_by);
    return;
  }
  std::vector<std::string> primary;
  for (const TableColumn& c : there) {
    if (c.key) primary.push_back(c.name);
  }
  const bool is_table = db_->Value("SELECT type FROM pragma_table_list WHERE name = '" + [&] {
    std::string escaped;
    for (const char c : table) escaped += c == '\'' ? std::string("''") : std::string(1, c);
    return escaped;
  }() + "' COLLATE NOCASE") == "table";
  const bool shadowed = std::any_of(there.begin(), there.end(), [](const TableColumn& c) { return sqlite3_stricmp(c.name.c_str(), "rowid") == 0; });
  bool has_rowid = false;
  if (is_table && !shadowed) {
    try {
      const Statement probe(db_->get(), "SELECT rowid FROM " + Quote(table) + " LIMIT 0");
      has_rowid = true;
    } catch (const Fatal&) {
      has_rowid = false;   // WITHOUT ROWID
    }
  }
  if (has_rowid) key_ = "rowid";
  else if (primary.size() == 1) key_ = Quote(primary[0]);
  else {
    for (const std::string& p : primary) order_ += (order_.empty() ? " ORDER BY " : ", ") + Quote(p);
  }
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
  if (!query.empty()) {
    const Statement s(db_->get(), query);
    if (!sqlite3_stmt_readonly(s.get())) throw ConfigError("query", "only a SELECT can be read");
    for (int i = 0; i < sqlite3_column_count(s.get()); ++i) {
      const char* declared = sqlite3_column_decltype(s.get(), i);
      Describe(schema, sqlite3_column_name(s.get(), i), declared ? declared : "");
    }
  } else {
    const std::vector<TableColumn> there = db_->Columns(table);
    if (there.empty()) throw ConfigError("table", path + " has no table \"" + table + "\"");
    for (const std::string& c : columns) {
      if (std::none_of(there.begin(), there.end(), [&](const TableColumn& t) { return t.name == c; })) {
        throw ConfigError("columns", "table \"" + table + "\" has no column \"" + c + "\"");
      }
    }
    for (const TableColumn& c : there) {
      if (columns.empty() || std::find(columns.begin(), columns.end(), c.name) != columns.end()) Describe(schema, c.name, c.type);
    }
    FindKey(there);
  }
  for (const auto& [name, type] : types) {
    if (std::none_of(read_.begin(), read_.end(), [&n = name](const ReadColumn& c) { return c.name == n; })) {
      throw ConfigError("types." + name, "no column \"" + name + "\" is read");
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
    planned_ = high_.empty();   // an empty table
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
  const auto range = Unpack(parts.at(2));
  low_ = parts[0];
  high_ = parts[1];
  from_ = range.at(0);
  to_ = range.at(1);
  ended_ = false;
  at_ = 0;
  if (key_.empty()) {
    skip_ = position.empty() ? 0 : std::stoll(std::string(position));
    statement_ = Statement(db_->get(), query.empty() ? Base() + " WHERE " + Conditions() + order_ : query);
  } else {
    if (!position.empty()) from_ = std::string(position);
    statement_ = Statement(db_->get(), Base() + " WHERE " + Conditions() + (from_.empty() ? "" : " AND " + key_ + " > ?1") +
                                           (to_.empty() ? "" : " AND " + key_ + " <= ?2") + " ORDER BY " + key_ + " LIMIT " +
                                           std::to_string(batch_rows));
  }
  if (incremental) {
    if (!low_.empty()) BindEncoded(statement_.get(), 3, low_);
    BindEncoded(statement_.get(), 4, high_);
  }
}

/// The current row into the batch; false: it was rejected.
bool SqliteSource::Take(const Statement& row, Batch& out, const std::string& place) {
  const std::int64_t before = out.rows();
  for (std::size_t i = 0; i < read_.size(); ++i) {
    const int c = static_cast<int>(i);
    const int type = sqlite3_column_type(row.get(), c);
    Column& to = out[i];
    bool fits = true;
    if (type == SQLITE_NULL) to.Null();
    else if (read_[i].shape == Shape::kInt && type == SQLITE_INTEGER) to.Append(row.Int(c));
    else if (read_[i].shape == Shape::kReal && (type == SQLITE_FLOAT || type == SQLITE_INTEGER)) {
      const double d = sqlite3_column_double(row.get(), c);
      fits = type == SQLITE_FLOAT || (row.Int(c) >= -(1LL << 53) && row.Int(c) <= 1LL << 53);
      if (fits) to.Append(d);
    } else if (read_[i].shape == Shape::kBool && type == SQLITE_INTEGER && (row.Int(c) == 0 || row.Int(c) == 1)) to.Append(row.Int(c) == 1);
    else if (read_[i].shape == Shape::kText && type != SQLITE_BLOB) to.Append(row.Text(c));
    else if (read_[i].shape == Shape::kBlob && (type == SQLITE_BLOB || type == SQLITE_TEXT)) to.Append(row.Blob(c));
    else fits = false;
    if (fits) continue;
    for (std::size_t k = 0; k < read_.size(); ++k) out[k].Truncate(before);
    static constexpr const char* kNames[] = {"", "an integer", "a float", "text", "a blob", "null"};
    std::string raw;
    for (int k = 0; k < static_cast<int>(read_.size()); ++k) raw += (k ? "|" : "") + std::string(row.Text(k));
    host.RejectInput(place, raw, "column \"" + read_[i].name + "\" holds " + kNames[type] +
                                     ", which is not what its declared type says; name another type for it in types");
    return false;
  }
  if (read_.empty()) out.set_rows(out.rows() + 1);
  return true;
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
  while (s.Step()) {
    ++seen;
    last = Encode(s.get(), key);
    Take(s, out, table + " where " + key_ + " = " + last.substr(1));
  }
  s.Reset();
  ended_ = seen < batch_rows;
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
  while (out.rows() < batch_rows) {
    if (!statement_.Step()) {
      ended_ = true;
      break;
    }
    if (++at_ <= skip_) continue;
    Take(statement_, out, (table.empty() ? "query" : table) + " row " + std::to_string(at_));
  }
  if (ended_) statement_.Reset();
  position = std::to_string(std::max(at_, skip_));
  return out.rows() > 0 || !ended_;
}

bool SqliteSource::Next(Batch& out, std::string& position) {
  return key_.empty() ? NextStream(out, position) : NextKeyed(out, position);
}

}  // namespace etl::sqlite
