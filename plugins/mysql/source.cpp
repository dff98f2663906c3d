// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <etl/pack.h>

#include <algorithm>

namespace etl::mysql {
namespace {

constexpr std::size_t kMostBatchBytes = 4 << 20;
constexpr unsigned kMostColumns = 4096;

std::string Describe(const std::vector<ReadColumn>& columns) {
  std::string out;
  for (const ReadColumn& c : columns) out += (out.empty() ? "" : ", ") + c.name + " " + c.type.format;
  return out;
}

/// An option that is SQL: one condition or query, without an end of statement behind it.
std::string Sql(std::string text) {
  while (!text.empty() && (text.back() == ';' || std::isspace(static_cast<unsigned char>(text.back())))) text.pop_back();
  return text;
}

}  // namespace

detail::DeclaredList MysqlSource::Options() {
  using S = MysqlSource;
  return Join(
      ServerOptions<S>(),
      etl::Options(
          Option("table", &S::table, "Table to read. Give this or query."),
          Option("columns", &S::columns, "Columns to read; all of them if not given."),
          Option("where", &S::where, "SQL condition on the rows of the table."),
          Option("query", &S::query, "A SELECT of your own, read in one stream; it cannot be resumed safely without an ORDER BY over a key."),
          Option("split_by", &S::split_by, "Columns of a unique index along which the readers share the table; the primary key if not given."),
          Option("windows", &S::windows, "Read ranges of so many ids, from an offset on, rather than ranges of so many rows."),
          Option("snapshot", &S::snapshot,
                 "shared: all readers see the table as it was at one instant; fuzzy: each range as it is when it is read.")
              .Choices({"fuzzy", "shared"}),
          Option("connections", &S::connections, "Connections that share the snapshot: as many as there may be readers.").Range("1..256").Tuning().Advanced(),
          Option("incremental", &S::incremental,
                 "Read only rows as new as the newest of the last complete run, or newer; those at the mark come again.").Short(),
          Option("zero_dates", &S::zero_dates,
                 "What becomes of dates that no calendar has, as 0000-00-00: fail (the row is rejected), null, epoch (1970-01-01), or "
                 "string (all dates are read as text).")
              .Choices({"fail", "null", "string", "epoch"}),
          Option("zero_dates_of", &S::zero_dates_of, "The same for single columns.").Choices({"fail", "null", "string", "epoch"}),
          Option("datetime", &S::datetime, "What DATETIME columns hold: local times, or instants in UTC. TIMESTAMP always is an instant.")
              .Choices({"local", "utc"}),
          Option("chunk_rows", &S::chunk_rows, "Rows in a range, about.").Range("100..100000000").Tuning(),
          Option("batch_rows", &S::batch_rows, "Most rows in a batch.").Range("1..1000000").Tuning(),
          Option("page_bytes", &S::page_bytes, "Most that a reader asks for at once, about; it is read whole, so that no slow sink keeps the server waiting.")
              .Range("64KiB..1GiB").Tuning().Advanced(),
          Option("max_row_bytes", &S::max_row_bytes, "Largest row that is taken; one that is larger is rejected by its key.")
              .Range("1MiB..1GiB").Advanced()));
}

void MysqlSource::Interrupt() noexcept { link_.Interrupt(); }
void MysqlSource::Check() { Prepare(); }

std::string MysqlSource::Identity() {
  Prepare();
  return "server=" + server_id_ + "\ndatabase=" + ParseUrl(url).database + "\ncolumns=" + mysql::Describe(read_) + "\n";
}

/// Each new connection is to the server that the plan was made on.
void MysqlSource::Check(Session& session) {
  const std::string id = ServerId(session);
  std::string& known = is_worker() ? HeadAs<MysqlSource>().server_id_ : server_id_;
  if (known.empty()) known = id;
  if (known != id) throw Fatal("the server is another one now (" + id + ", not " + known + "): what it holds may be older; look, and run 'etl state accept' or 'etl state reset'");
}

void MysqlSource::Prepare() {
  if (prepared_) return;
  if (table.empty() == query.empty()) throw ConfigError(table.empty() ? "table" : "query", "give either table or query");
  if (!query.empty() && (!where.empty() || !columns.empty() || !split_by.empty() || incremental || windows)) {
    throw ConfigError("query", "where, columns, split_by, windows and incremental belong to table; write them into the query");
  }
  packet_limit = max_row_bytes.value;
  Session& session = Connected();
  std::string why = "a query has no key";
  if (!table.empty()) {
    const auto about = session.Rows("SELECT t.ENGINE, t.AVG_ROW_LENGTH, e.TRANSACTIONS FROM information_schema.TABLES t LEFT JOIN "
                                    "information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = DATABASE() AND "
                                    "t.TABLE_NAME = " + session.Literal(table), "cannot read what the table is");
    if (about.empty()) throw ConfigError("table", "the database \"" + session.database() + "\" has no table \"" + table + "\", or this user may not see it");
    if (about[0][1]) average_row_ = std::max<std::int64_t>(64, std::strtoll(about[0][1]->c_str(), nullptr, 10));
    transactional_ = about[0][2] == "YES";
    key_ = FindKey(session, table, split_by, why);
  }
  if (snapshot == "shared" && query.empty() && !transactional_) {
    throw ConfigError("snapshot", "table \"" + table + "\" is in a storage engine without transactions, which has no snapshots; write snapshot = \"fuzzy\"");
  }
  FindColumns(session);
  if (windows && (key_.columns.size() != 1 || key_.columns[0].form != Form::kInteger)) {
    throw ConfigError("windows", "ranges of ids need a key of one integer column; name it in split_by");
  }
  if (key_.empty()) {
    host.Warn("is read in one stream, as " + why + ": one reader only, and an interrupted run counts the rows off again, which is right only if "
              "they come in the same order and nothing has changed");
  }
  prepared_ = true;
}

/// The list to select, and what comes of it.
void MysqlSource::FindColumns(Session& session) {
  read_.clear();
  const auto fields = [&](const std::string& sql, const char* option) {
    Result result(nullptr, mysql_free_result);
    if (!mysql_real_query(session.get(), sql.data(), sql.size())) result.reset(mysql_store_result(session.get()));
    if (result) return result;
    const Fault fault = Classify(session.error(), Side::kSource);
    const bool refused = fault == Fault::kStop || fault == Fault::kRow;
    if (session.cut() || session.lost() || (session.error() && !refused)) session.Fail("the server refused a query");
    throw ConfigError(option, session.error() ? mysql_error(session.get()) + (" (" + std::to_string(session.error()) + ")") : "it must be one SELECT");
  };
  std::string names;
  for (const std::string& c : columns) names += (names.empty() ? "" : ", ") + Quote(c, "columns");
  const std::string from = query.empty() ? Quote(table) : "(" + Sql(query) + "\n) AS q";
  const Result found = fields("SELECT " + (names.empty() ? "*" : names) + " FROM " + from + " LIMIT 0", query.empty() ? "columns" : "query");
  const unsigned count = mysql_num_fields(found.get());
  if (count > kMostColumns) throw ConfigError("columns", "the table has " + std::to_string(count) + " columns; name at most " + std::to_string(kMostColumns));
  bool any_float = false;
  list_.clear();
  for (unsigned i = 0; i < count; ++i) {
    const MYSQL_FIELD& f = *mysql_fetch_field_direct(found.get(), i);
    const auto policy = zero_dates_of.find(f.name);
    ReadColumn column = ReadColumnOf(f, datetime == "utc" ? "UTC" : "", ZeroDatesNamed(policy == zero_dates_of.end() ? zero_dates : policy->second));
    // As text the server would round a FLOAT to six digits; as a DOUBLE it says all of it.
    const bool is_float = column.kind == Kind::kFloat;
    any_float |= is_float;
    list_ += (i ? ", " : "") + (is_float ? Quote(f.name) + " + 0e0 AS " + Quote(f.name) : Quote(f.name));
    if (std::any_of(read_.begin(), read_.end(), [&](const ReadColumn& c) { return c.name == column.name; })) {
      throw ConfigError("query", "two columns have the name \"" + column.name + "\"; give one another name with AS");
    }
    if (is_float) {
      column.field_type = MYSQL_TYPE_DOUBLE;
      column.charset = 63;
    }
    read_.push_back(std::move(column));
  }
  for (const auto& [name, policy] : zero_dates_of) {
    if (std::none_of(read_.begin(), read_.end(), [&n = name](const ReadColumn& c) { return c.name == n; })) {
      throw ConfigError("zero_dates_of", "no column \"" + name + "\" is read");
    }
  }
  base_ = query.empty() || any_float ? "SELECT " + list_ : Sql(query);
  key_at_.clear();
  for (const KeyColumn& k : key_.columns) {
    const auto at = std::find_if(read_.begin(), read_.end(), [&](const ReadColumn& c) { return SameName(c.name, k.name); });
    if (at != read_.end()) {
      key_at_.push_back(static_cast<unsigned>(at - read_.begin()));
    } else {
      base_ += ", " + Quote(k.name);
      key_at_.push_back(count + static_cast<unsigned>(std::count_if(key_at_.begin(), key_at_.end(), [count](unsigned i) { return i >= count; })));
    }
  }
  if (query.empty() || any_float) base_ += " FROM " + from;
  if (!where.empty()) fields("SELECT 1 FROM " + Quote(table) + " WHERE (" + Sql(where) + "\n) LIMIT 0", "where");
}

Schema MysqlSource::Describe() {
  Prepare();
  Schema schema;
  for (const ReadColumn& c : read_) {
    const bool may_be_null = !(c.flags & NOT_NULL_FLAG) || c.zero == ZeroDates::kNull;
    schema.push_back({c.name, c.type, may_be_null});
  }
  return schema;
}

// ---- planning ----

/// From the mark of the last run, the rows at the mark included, to the newest there is.
void MysqlSource::MarkIncremental(Session& session) {
  const std::string name = Quote(incremental->column, "incremental.column");
  const auto type = session.Rows("SELECT LOWER(DATA_TYPE), IS_NULLABLE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = " +
                                 session.Literal(table) + " AND COLUMN_NAME = " + session.Literal(incremental->column));
  if (type.empty()) throw ConfigError("incremental.column", "table \"" + table + "\" has no column \"" + incremental->column + "\"");
  const std::string kind = type[0][0].value_or("");
  const bool temporal = kind == "datetime" || kind == "timestamp" || kind == "date";
  const bool number = kind.find("int") != std::string::npos || kind == "decimal";
  if (!temporal && !number) throw ConfigError("incremental.column", "column \"" + incremental->column + "\" is of type " + kind + "; a number, date or time is needed");
  if (number && incremental->lag.count()) throw ConfigError("incremental.lag", "a lag is a time, and \"" + incremental->column + "\" is a number");
  if (type[0][1] == "YES" && !session.Rows("SELECT 1 FROM " + Quote(table) + " WHERE " + name + " IS NULL LIMIT 1").empty()) {
    host.Warn("leaves out the rows whose \"" + incremental->column + "\" is null: they are newer than nothing");
  }
  const auto literal = [&](const std::string& v) {
    if (v.find_first_not_of("-+: .0123456789") != std::string::npos) throw Fatal("the saved mark is no value of \"" + incremental->column + "\"; start anew with 'etl state reset'");
    return temporal ? "'" + v + "'" : v;
  };
  high_ = session.Value("SELECT MAX(" + name + ") FROM " + Quote(table)).value_or(low_);
  std::string condition;
  if (!low_.empty()) {
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(incremental->lag).count();
    condition = name + " >= " + literal(low_) + (micros ? " - INTERVAL " + std::to_string(micros) + " MICROSECOND" : "") + " AND ";
  }
  bounds_ = high_.empty() ? "FALSE" : condition + name + " <= " + literal(high_);
  // What is new is little, and an index finds it: no walk along the whole key.
  narrow_ = !windows && !low_.empty() && EstimateRows(session, table, "", bounds_) <= 10 * chunk_rows;
}

/// All connections begin their transaction while nobody can commit between; or it is shown by the list of transactions
/// that nobody has.  MySQL: https://dev.mysql.com/doc/refman/9.0/en/commit.html (WITH CONSISTENT SNAPSHOT).
void MysqlSource::ShareSnapshot() {
  std::vector<std::unique_ptr<Session>> sessions;
  const auto count = key_.empty() ? std::int64_t{1} : connections;
  for (std::int64_t i = 0; i < count; ++i) {
    sessions.push_back(std::make_unique<Session>(*this, Side::kSource, &link_.few()));
    Check(*sessions.back());
    sessions.back()->Run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  }
  Session& control = Connected();
  const auto begin = [&] {
    for (const auto& s : sessions) s->Run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "cannot begin a snapshot");
  };
  const auto logged = [&]() -> std::string {
    if (control.mariadb()) return control.Value("SELECT IF(@@log_bin, @@gtid_binlog_pos, '')").value_or("");
    if (control.Value("SELECT @@gtid_mode").value_or("") != "ON") return "";
    return control.Value("SELECT @@global.gtid_executed").value_or("");
  };
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::string before = logged();
    if (before.empty()) break;
    begin();
    if (logged() == before) {
      shared_ = std::move(sessions);
      return host.Info("all readers share a snapshot, without a lock: no transaction was committed meanwhile (GTID " + before + ")");
    }
  }
  if (query.empty()) control.Run("LOCK TABLES " + Quote(table) + " READ", "cannot lock the table for the moment that a shared snapshot takes (snapshot = \"fuzzy\" needs no lock)");
  begin();
  if (query.empty()) control.Run("UNLOCK TABLES");
  shared_ = std::move(sessions);
  host.Info("all readers share a snapshot, begun under a lock of the table");
}

std::unique_ptr<Session> MysqlSource::TakeShared() {
  const std::lock_guard lock(shared_mutex_);
  if (shared_.empty()) return nullptr;
  auto session = std::move(shared_.back());
  shared_.pop_back();
  return session;
}

void MysqlSource::Plan(bool fresh, std::string_view state) {
  Prepare();
  Session& session = Connected();
  planner_.reset();
  planned_ = window_ = 0;
  one_stream_planned_ = narrow_ = false;
  low_ = high_ = bounds_ = "";
  if (snapshot == "shared") {
    share_ = true;
    ShareSnapshot();
    if (!fresh) host.Warn("goes on from an interrupted run with a new snapshot: the rows read before and after are not of one instant");
  }
  if (fresh) {
    low_ = std::string(state);
    if (incremental) MarkIncremental(session);
  } else {
    const auto parts = Unpack(state);
    if (parts.size() != 6) throw Fatal("the saved plan is not one of this source's; start anew with 'etl state reset'");
    high_ = parts[0];
    bounds_ = parts[1];
    planned_ = std::atoll(parts[2].c_str());
    window_ = std::atoll(parts[3].c_str());
    one_stream_planned_ = planned_ > 0;
    last_id_ = std::atoll(parts[5].c_str());
    narrow_ = parts[4] == "narrow";
    if (!key_.empty() && !windows && !narrow_) {
      planner_ = std::make_unique<Planner>(key_, table, chunk_rows);
      planner_->Load(parts[4]);
    }
    return;
  }
  if (windows && windows->batches == 0) {
    const auto greatest = session.Value("SELECT " + key_.List() + " FROM " + Quote(table) + key_.Hint() + key_.Order(true) + " LIMIT 1");
    last_id_ = greatest ? std::atoll(greatest->c_str()) : windows->offset;
  }
  if (!key_.empty() && !windows && !narrow_) {
    planner_ = std::make_unique<Planner>(key_, table, chunk_rows);
    planner_->Begin(session);
  }
}

bool MysqlSource::NextWindow(Range& out) {
  if (windows->batches ? window_ >= windows->batches : windows->offset + window_ * windows->size >= last_id_) return false;
  const std::int64_t from = windows->offset + window_ * windows->size;
  ++window_;
  out.from = KeyValue{std::to_string(from)};
  out.to = KeyValue{std::to_string(from + windows->size)};
  return true;
}

bool MysqlSource::PlanNext(Split& out, std::string& state) {
  Range range;
  if (key_.empty() || narrow_) {
    if (one_stream_planned_) return false;
    one_stream_planned_ = true;
    out.id = "all";
  } else {
    const bool more = windows ? NextWindow(range) : planner_->Next(Connected(), range, out.rows);
    if (!more) return false;
    char id[32];
    std::snprintf(id, sizeof id, "%08lld", static_cast<long long>(planned_));
    out.id = id;
  }
  ++planned_;
  link_.few() = 0;
  out.state = Pack({PackKey(range.from), PackKey(range.to), bounds_, narrow_ ? "narrow" : ""});
  state = Pack({high_, bounds_, std::to_string(planned_), std::to_string(window_), narrow_ ? "narrow" : planner_ ? planner_->Save() : "", std::to_string(last_id_)});
  return true;
}

// ---- reading ----

void MysqlSource::Open(const Split& split, std::string_view position) {
  packet_limit = max_row_bytes.value;
  ready_.clear();
  result_.reset();
  ended_ = false;
  at_ = 0;
  const auto parts = Unpack(split.state);
  if (parts.size() != 4) throw Fatal("the saved split is not one of this source's; start anew with 'etl state reset'");
  range_.from = UnpackKey(parts[0]);
  range_.to = UnpackKey(parts[1]);
  bounds_ = parts[2];
  narrow_ = parts[3] == "narrow";
  if (Head().key_.empty()) skip_ = position.empty() ? 0 : std::atoll(std::string(position).c_str());
  else if (!position.empty()) range_.from = UnpackKey(position);
  if (!limit_) limit_ = std::clamp(page_bytes.value / Head().average_row_, std::int64_t{1}, 2 * chunk_rows);
  if (Head().share_ && !link_.current()) {
    auto session = HeadAs<MysqlSource>().TakeShared();
    if (!session) throw ConfigError("connections", "there are more readers than connections that share the snapshot; raise connections");
    link_.Adopt(std::move(session));
  }
}

std::string MysqlSource::Conditions() const {
  std::string out;
  if (!Head().key_.empty()) out = Head().key_.Condition(range_);
  if (!where.empty()) out += (out.empty() ? "(" : " AND (") + Sql(where) + "\n)";   // a comment may end it
  if (!bounds_.empty()) out += (out.empty() ? "" : " AND ") + bounds_;
  return out.empty() ? "" : " WHERE " + out;
}

/// What was too much at once, or took too long, is asked for in smaller pages.
void MysqlSource::Smaller(unsigned code) {
  const bool slow = code == 1317 || code == 1969 || code == 3024;
  if (slow || Classify(code, Side::kSource) == Fault::kSplit) limit_ = std::max<std::int64_t>(limit_ / 2, 1);
}

/// Sends a query whose rows will be fetched one by one; its columns must be those of the plan.
void MysqlSource::Query(Session& session, const std::string& sql) {
  if (!mysql_real_query(session.get(), sql.data(), sql.size())) result_.reset(mysql_use_result(session.get()));
  if (!result_) {
    Smaller(session.error());
    session.Fail("cannot read from \"" + (table.empty() ? "query" : table) + "\"");
  }
  const std::vector<ReadColumn>& plan = Head().read_;
  std::vector<ReadColumn> now;
  for (unsigned i = 0; i < std::min<unsigned>(mysql_num_fields(result_.get()), static_cast<unsigned>(plan.size())); ++i) {
    const MYSQL_FIELD& f = *mysql_fetch_field_direct(result_.get(), i);
    ReadColumn c = ReadColumnOf(f, datetime == "utc" ? "UTC" : "", plan[i].zero);
    if (plan[i].kind == Kind::kFloat) c.type = plan[i].type;
    now.push_back(std::move(c));
  }
  if (now == plan) return;
  link_.Abandon();
  throw Fatal("the table has been altered since the run began: it had " + mysql::Describe(plan) + "; now it has " + mysql::Describe(now));
}

/// One row into the batch; one that does not fit its columns is rejected.
void MysqlSource::Take(MYSQL_ROW row, const unsigned long* sizes, Batch& out, const std::function<std::string()>& place) {
  const std::vector<ReadColumn>& columns_read = Head().read_;
  const std::int64_t before = out.columns() ? out[0].size() : 0;
  std::int64_t zeros = 0;
  std::string why;
  for (std::size_t i = 0; i < columns_read.size(); ++i) {
    if (!row[i]) {
      out[i].Null();
    } else if (!Append(columns_read[i], {row[i], sizes[i]}, out[i], why, zeros)) {
      for (std::size_t k = 0; k < i; ++k) out[k].Truncate(before);
      std::string raw;
      for (std::size_t k = 0; k < columns_read.size(); ++k) raw += (k ? "\t" : "") + (row[k] ? std::string(row[k], std::min(sizes[k], 1000ul)) : "NULL");
      return host.RejectInput(place(), raw, "column \"" + columns_read[i].name + "\": " + why);
    }
  }
  if (zeros) host.Count("zero_dates", static_cast<double>(zeros));
}

/// A page of the range, whole, into ready_; false: the range is at its end.
bool MysqlSource::ReadPage() {
  while (!ended_ && ready_.empty()) {
    if (!ReadPageRows(limit_)) ended_ = true;
  }
  return !ready_.empty();
}

/// Reads up to `limit` rows and moves the range's beginning behind them; false: there were fewer.
bool MysqlSource::ReadPageRows(std::int64_t limit) {
  const MysqlSource& head = Head();
  bool fresh = false;
  Session& session = link_.Get([&](Session& s) {
    Check(s);
    fresh = head.share_;
  });
  if (fresh) host.Warn("lost the connection that held the snapshot: from here on the rows are those of a later instant");
  Query(session, head.base_ + (narrow_ ? "" : head.key_.Hint()) + Conditions() + head.key_.Order() + " LIMIT " + std::to_string(limit));
  Batch batch(schema());
  KeyValue last(head.key_.columns.size());
  std::int64_t seen = 0, bytes = 0;
  bool too_much = false;
  const std::function<std::string()> place = [&] { return table + " where " + head.key_.Show(last); };
  const auto finish = [&] {
    if (seen) ready_.push_back({std::move(batch), PackKey(last)});
    batch = Batch(schema());
  };
  std::int64_t in_batch = 0;
  while (MYSQL_ROW row = mysql_fetch_row(result_.get())) {
    const unsigned long* sizes = mysql_fetch_lengths(result_.get());
    for (std::size_t k = 0; k < last.size(); ++k) last[k].assign(row[head.key_at_[k]], sizes[head.key_at_[k]]);
    std::int64_t row_bytes = 0;
    for (std::size_t i = 0; i < head.read_.size(); ++i) row_bytes += static_cast<std::int64_t>(sizes[i]);
    bytes += row_bytes;
    ++seen;
    Take(row, sizes, batch, place);
    if (++in_batch >= batch_rows || batch.bytes() >= kMostBatchBytes) {
      finish();
      in_batch = 0;
    }
    too_much = bytes > 2 * page_bytes.value;
    if (too_much) break;
  }
  const unsigned error = too_much ? 0 : session.error();
  const std::string message = error ? mysql_error(session.get()) : "";
  if (too_much) link_.Abandon();   // the rows are much larger than they were: not all of this page is wanted
  result_.reset();
  if (in_batch) finish();
  if (seen) {
    range_.from = last;
    limit_ = std::clamp(page_bytes.value * seen / std::max<std::int64_t>(bytes, 1), std::int64_t{1}, 2 * chunk_rows);
  }
  if (error) {
    Smaller(error);
    link_.Abandon();
    if (session.cut()) throw Cancelled();
    if (!seen && SkipGiant()) return true;
    if (!seen) Throw(error, message, "cannot read from \"" + table + "\"", Side::kSource, &link_.few());
    return true;   // what came is whole rows: on from the last of them
  }
  link_.few() = 0;
  return too_much || seen == limit;
}

/// After a connection was lost on the first row of a page: is that row larger than is taken?  The client library does not say
/// so.  Then it is rejected by its key alone.
bool MysqlSource::SkipGiant() {
  const Key& key = Head().key_;
  std::string size;
  for (const ReadColumn& c : Head().read_) size += (size.empty() ? "" : " + ") + ("COALESCE(LENGTH(" + Quote(c.name) + "), 0)");
  Session& session = Connected();
  const auto rows = session.Rows("SELECT " + size + ", " + key.List() + " FROM " + Quote(table) + (narrow_ ? "" : key.Hint()) + Conditions() + key.Order() + " LIMIT 1");
  if (rows.empty() || std::atoll(rows[0][0].value_or("0").c_str()) <= max_row_bytes.value) return false;
  KeyValue value;
  for (std::size_t i = 1; i < rows[0].size(); ++i) value.push_back(rows[0][i].value_or(""));
  host.RejectInput(table + " where " + key.Show(value), "", "the row has " + *rows[0][0] + " bytes, more than max_row_bytes");
  range_.from = value;
  return true;
}

bool MysqlSource::NextStreamed(Batch& out, std::string& position) {
  if (ended_) return false;
  const MysqlSource& head = Head();
  Session& session = Connected();
  if (!result_) {
    at_ = 0;
    Query(session, head.base_ + Conditions());
  }
  const std::function<std::string()> place = [this] { return (table.empty() ? "query" : table) + " row " + std::to_string(at_); };
  while (out.rows() < batch_rows && out.bytes() < kMostBatchBytes) {
    const MYSQL_ROW row = mysql_fetch_row(result_.get());
    if (!row) {
      if (session.error()) {
        const unsigned error = session.error();
        const std::string message = mysql_error(session.get());
        link_.Abandon();
        result_.reset();
        if (session.cut()) throw Cancelled();
        Throw(error, message, "cannot read on from " + (table.empty() ? "the query" : "\"" + table + "\""), Side::kSource, &link_.few());
      }
      ended_ = true;
      break;
    }
    if (++at_ <= skip_) continue;
    Take(row, mysql_fetch_lengths(result_.get()), out, place);
  }
  if (ended_) result_.reset();
  link_.few() = 0;
  skip_ = std::max(at_, skip_);
  position = std::to_string(skip_);
  return out.rows() > 0 || !ended_;
}

bool MysqlSource::Next(Batch& out, std::string& position) {
  if (Head().key_.empty()) return NextStreamed(out, position);
  if (ready_.empty() && !ReadPage()) return false;
  out = std::move(ready_.front().batch);
  position = std::move(ready_.front().position);
  ready_.pop_front();
  return true;
}

}  // namespace etl::mysql
