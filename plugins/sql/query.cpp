// SPDX-License-Identifier: Apache-2.0
#include "query.h"

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

#include "result_column.h"

namespace etl::sql {
namespace {

using files::FileColumn;
using files::Kind;

/// What may be called is all that SQLite has, but for these.
constexpr std::array<const char*, 4> kForbidden{"load_extension", "fts3_tokenizer", "readfile", "writefile"};

bool Same(const char* a, const char* b) { return sqlite3_stricmp(a, b) == 0; }

Kind KindOf(int type) {
  return type == SQLITE_INTEGER ? Kind::kInt64 : type == SQLITE_FLOAT ? Kind::kFloat64
         : type == SQLITE_BLOB  ? Kind::kBinary : Kind::kUtf8;
}

/// SQLite's own short names of affinities, as CREATE TABLE AS writes them.
std::optional<Kind> KindOfAffinity(const std::string& type) {
  if (type == "INT") return Kind::kInt64;
  if (type == "REAL") return Kind::kFloat64;
  if (type == "TEXT") return Kind::kUtf8;
  return std::nullopt;
}

std::string ColumnList(const Schema& in) {
  std::string out;
  for (std::size_t i = 0; i < in.size() && i < 20; ++i) out += (i ? ", " : "") + in[i].name;
  return in.size() > 20 ? out + ", ..." : out;
}

}  // namespace

Query::Query(Schema in, const Select& select, const TypeNames& types)
    : in_(std::move(in)), arrow_(detail::OwnSchema(in_)), table_(*arrow_) {
  sqlite3* db = nullptr;
  const int rc = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  db_.reset(db);
  if (rc != SQLITE_OK) throw std::runtime_error(std::string("SQLite does not start: ") + sqlite3_errstr(rc));
  // A misspelt "name" is an error then, and not a text.
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  if (sqlite3_exec(db, "PRAGMA temp_store=2", nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(std::string("SQLite does not keep temporary tables in memory: ") + sqlite3_errmsg(db));
  }
  table_.Register(db);
  table_.ShowNothing();
  // Declares the tables, which the authorizer would take for writing.
  Prepare("SELECT 1 FROM batch");
  Prepare("SELECT 1 FROM json_each('[]'), json_tree('[]')");
  sqlite3_set_authorizer(db, Authorize, this);
  sqlite3_progress_handler(
      db, 100'000,
      [](void* self) {
        const auto* ask = static_cast<Query*>(self)->cancelled_;
        return ask && (*ask)() ? 1 : 0;
      },
      this);
  full_ = Prepare(select.text);
  CheckPlan(select);
  FindColumns(select);
  FindTypes(select, types);
  PrepareToRun(select);
}

int Query::Authorize(void* self, int action, const char* a, const char* b, const char*, const char*) noexcept {
  try {
    return static_cast<Query*>(self)->Judge(action, a, b);
  } catch (const std::bad_alloc&) {
    return SQLITE_DENY;  // no exception may pass through SQLite
  }
}

int Query::Judge(int action, const char* a, const char* b) {
  switch (action) {
    case SQLITE_SELECT: return SQLITE_OK;
    case SQLITE_FUNCTION:
      for (const char* name : kForbidden) {
        if (!Same(b, name)) continue;
        denied_ = std::string("the function ") + b + " may not be called from a pipeline";
        return SQLITE_DENY;
      }
      return SQLITE_OK;
    case SQLITE_READ: {
      if (Same(a, "json_each") || Same(a, "json_tree")) return SQLITE_OK;
      if (!Same(a, "batch")) {
        denied_ = std::string("it reads from ") + a + ", and the only table is batch";
        return SQLITE_DENY;
      }
      const std::int64_t column = table_.Find(b);
      if (column >= 0) table_.Use(column);
      if (column >= 0 || !*b) return SQLITE_OK;
      denied_ = std::string(b) + " is a row's place in its batch, which means nothing; use a column of the source";
      return SQLITE_DENY;
    }
    case SQLITE_RECURSIVE: denied_ = "a recursive query is not possible here"; return SQLITE_DENY;
    default: denied_ = "only reading is possible here"; return SQLITE_DENY;
  }
}

Statement Query::Prepare(const std::string& sql, std::string* error) {
  denied_.clear();
  sqlite3_stmt* s = nullptr;
  const int rc = sqlite3_prepare_v3(db_.get(), sql.c_str(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &s, nullptr);
  Statement statement(s);
  if (rc == SQLITE_OK) return statement;
  std::string why = denied_.empty() ? sqlite3_errmsg(db_.get()) : denied_;
  if (why.find("no such column") != why.npos) why += "; the columns are: " + ColumnList(in_);
  if (!error) throw std::invalid_argument(why);
  *error = why;
  return nullptr;
}

void Query::CheckPlan(const Select& select) {
  if (sqlite3_bind_parameter_count(full_.get()) > 0) {
    throw std::invalid_argument("it has a parameter; write the value itself");
  }
  if (sqlite3_step(full_.get()) == SQLITE_ROW) {  // of a table without rows
    throw std::invalid_argument(
        "an aggregate would give one result for each batch, and batches end anywhere; load the rows and aggregate in the "
        "target");
  }
  sqlite3_reset(full_.get());
  const Statement explain = Prepare("EXPLAIN " + select.text);
  int scans = 0;
  while (sqlite3_step(explain.get()) == SQLITE_ROW) {
    const auto* opcode = reinterpret_cast<const char*>(sqlite3_column_text(explain.get(), 1));
    const auto* p4 = reinterpret_cast<const char*>(sqlite3_column_text(explain.get(), 5));
    scans += opcode && p4 && Same(opcode, "VOpen") && table_.ExplainName() == p4;
  }
  if (scans > 1) {
    throw std::invalid_argument("a subquery over batch would see the rows of one batch only; use the transform "
                                "\"sqlite_lookup\", or do it in the target");
  }
  if (scans == 0) throw std::invalid_argument("its condition is never true");
}

void Query::FindColumns(const Select& select) {
  const int n = sqlite3_column_count(full_.get());
  const int stars = static_cast<int>(std::count_if(select.items.begin(), select.items.end(), [](const auto& i) { return i.star; }));
  const int star_width = static_cast<int>(in_.size());
  if (n != static_cast<int>(select.items.size()) - stars + stars * star_width) {
    throw std::runtime_error("the columns of the query do not match its text");
  }
  int at = 0;
  for (const SelectItem& item : select.items) {
    for (int k = 0; k < (item.star ? star_width : 1); ++k, ++at) {
      ResultColumn c;
      c.name = sqlite3_column_name(full_.get(), at);
      const char* origin = sqlite3_column_origin_name(full_.get(), at);
      // To SQLite a subquery's column comes from where it came from there, whatever the subquery does with it.
      if (origin && !item.subquery) c.from = table_.Find(origin);
      for (const ResultColumn& other : columns_) {
        if (other.name != c.name) continue;
        throw std::invalid_argument("two columns of the result have the name \"" + c.name +
                                    "\"; give one another name with AS");
      }
      if (!item.star && k == 0) item_passes_.push_back(c.from >= 0);
      columns_.push_back(std::move(c));
    }
    if (item.star) item_passes_.push_back(true);
  }
}

void Query::FindTypes(const Select& select, const TypeNames& types) {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].from < 0) expressions_.push_back(i);
    columns_[i].type.name = columns_[i].name;
  }
  std::set<std::string> known;
  for (const auto& [name, type] : types) {
    const auto at = std::find_if(columns_.begin(), columns_.end(), [&n = name](const auto& c) { return c.name == n; });
    if (at == columns_.end()) throw ConfigError("types", "there is no column \"" + name + "\" in the result");
    if (at->from >= 0) {
      throw ConfigError("types", "column \"" + name + "\" is passed through as it is; to change its type, write an expression "
                                 "such as CAST(" + name + " AS TEXT) AS " + name);
    }
    try {
      at->type = files::ColumnOf(name, type);
    } catch (const ConfigError& e) {
      throw ConfigError("types", e.what());
    }
    known.insert(name);
  }
  if (expressions_.size() == known.size()) return;

  // Types that the query itself states, by CAST above all, are those that a table made of it would have.
  sqlite3_set_authorizer(db_.get(), nullptr, nullptr);
  std::vector<std::string> declared;
  const Statement create = Prepare("CREATE TEMP TABLE etl_types AS " + select.text);
  if (sqlite3_step(create.get()) != SQLITE_DONE) throw std::invalid_argument(sqlite3_errmsg(db_.get()));
  {
    const Statement info = Prepare("PRAGMA temp.table_info(etl_types)");
    while (sqlite3_step(info.get()) == SQLITE_ROW) {
      declared.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(info.get(), 2)));
    }
  }
  sqlite3_exec(db_.get(), "DROP TABLE temp.etl_types", nullptr, nullptr, nullptr);
  sqlite3_set_authorizer(db_.get(), Authorize, this);
  declared.resize(columns_.size());
  Infer(select, declared);
}

void Query::Infer(const Select& select, const std::vector<std::string>& declared) {
  std::string sql = "SELECT ";
  for (const SelectItem& item : select.items) sql += (&item == select.items.data() ? "" : ",\n") + item.text;
  const Statement sample = Prepare(sql + "\n" + select.from);
  std::vector<std::set<int>> seen(columns_.size());
  for (int number = 0; number < BatchTable::kSamples; ++number) {
    table_.ShowSample(number);
    if (sqlite3_step(sample.get()) == SQLITE_ROW) {  // a sample that an expression does not take shows nothing
      for (const std::size_t i : expressions_) seen[i].insert(sqlite3_column_type(sample.get(), static_cast<int>(i)));
    }
    sqlite3_reset(sample.get());
  }
  table_.ShowNothing();
  for (const std::size_t i : expressions_) {
    ResultColumn& c = columns_[i];
    if (c.type.declared) continue;
    if (const auto kind = KindOfAffinity(declared[i])) {
      c.type.kind = *kind;
      continue;
    }
    seen[i].erase(SQLITE_NULL);
    const bool numbers = seen[i] == std::set<int>{SQLITE_INTEGER, SQLITE_FLOAT};
    if (seen[i].size() > 1 && !numbers) {
      throw std::invalid_argument("column \"" + c.name +
                                  "\" is sometimes of one type and sometimes of another; write CAST(... AS TEXT) AS " + c.name +
                                  " or another CAST");
    }
    c.type.kind = seen[i].empty() ? Kind::kUtf8 : numbers ? Kind::kFloat64 : KindOf(*seen[i].begin());
  }
}

void Query::PrepareToRun(const Select& select) {
  for (const std::size_t i : expressions_) {
    computed_.push_back({columns_[i].name, files::ArrowType(columns_[i].type), true});
  }
  if (expressions_.empty() && select.where.empty()) {
    full_.reset();
    return;
  }
  std::string sql = "SELECT ";
  bool any = false;
  for (std::size_t i = 0; i < select.items.size(); ++i) {
    if (item_passes_[i]) continue;
    sql += (any ? ",\n" : "") + select.items[i].text;
    any = true;
  }
  if (!any) sql += "1";
  // The condition may name a result column that is left out here: then the whole query runs.
  std::string error;
  statement_ = Prepare(sql + "\n" + select.from + "\n" + select.where, &error);
  const bool trimmed = statement_ != nullptr;
  if (!trimmed) statement_ = std::move(full_);
  full_.reset();
  int next = 0;
  for (const std::size_t i : expressions_) columns_[i].expression = trimmed ? next++ : static_cast<int>(i);
}

Schema Query::schema() const {
  Schema out;
  for (const ResultColumn& c : columns_) {
    if (c.from < 0) {
      out.push_back({c.name, files::ArrowType(c.type), true});
    } else {
      out.push_back(in_[static_cast<std::size_t>(c.from)]);
      out.back().name = c.name;
    }
  }
  return out;
}

Query::Result Query::Run(const ArrowArray& batch, const std::function<bool()>& cancelled,
                         const std::function<void(std::int64_t, const std::string&)>& reject) {
  Result out{{}, Batch(computed_)};
  out.rows.reserve(static_cast<std::size_t>(batch.length));
  cancelled_ = &cancelled;
  struct Done {
    Query* q;
    ~Done() {
      sqlite3_reset(q->statement_.get());
      q->table_.ShowNothing();
      q->cancelled_ = nullptr;
    }
  } done{this};
  table_.Show(batch);
  sqlite3_stmt* s = statement_.get();
  for (;;) {
    const int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE) return out;
    const std::int64_t row = table_.row();
    if (rc == SQLITE_ROW) {
      std::string unfit;
      for (std::size_t k = 0; k < expressions_.size() && unfit.empty(); ++k) {
        const ResultColumn& c = columns_[expressions_[k]];
        unfit = AppendResult(c.type, s, c.expression, out.computed[k]);
      }
      if (unfit.empty()) {
        out.rows.push_back(row);
      } else {
        out.computed.Truncate(static_cast<std::int64_t>(out.rows.size()));
        reject(row, unfit);
      }
      continue;
    }
    if (rc == SQLITE_INTERRUPT) throw Cancelled();
    if (rc == SQLITE_NOMEM) throw Retry("SQLite is out of memory", rc);
    if (row >= batch.length) throw Fatal(std::string("SQLite failed: ") + sqlite3_errmsg(db_.get()), rc);
    reject(row, sqlite3_errmsg(db_.get()));
    sqlite3_reset(s);
    table_.StartAt(row + 1);
  }
}

}  // namespace etl::sql
