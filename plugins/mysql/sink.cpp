// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <algorithm>

#include "tune.h"

namespace etl::mysql {
namespace {

constexpr auto kSqlMode =
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO";

/// For its binary log MySQL writes each parameter into the statement's text, slowly where characters may have several bytes.
/// Texts that are what the columns hold need no look at their characters.
constexpr auto kAsBytes = "SET SESSION character_set_client = binary";

/// A row did not fit, and no savepoint was set: the transaction begins again, with savepoints.
struct Redo {};
constexpr int kCareful = 50;

/// Statements are prepared for few numbers of rows: the most, its halves and theirs, as a failed statement is halved, and
/// powers of two.  The greatest of these that is at most `rows`.
std::size_t PreparedRows(std::size_t most, std::size_t rows) {
  std::size_t best = 1;
  while (best * 2 <= rows) best *= 2;
  for (std::size_t low = most, high = most; low > 1; low /= 2, high = (high + 1) / 2) {
    if (high <= rows) return std::max(best, high);
    if (low <= rows) return std::max(best, low);
  }
  return best;
}

std::string List(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

}  // namespace

detail::DeclaredList MysqlSink::Options() {
  using S = MysqlSink;
  return Join(
      ServerOptions<S>(),
      etl::Options(
          Option("table", &S::table, "Table to write into.").Required(),
          Option("mode", &S::mode,
                 "What a row does: insert; ignore (not when a unique key is there); upsert (insert, or update the other columns); replace; "
                 "update and delete by key.")
              .Choices({"insert", "ignore", "upsert", "replace", "update", "delete"}),
          Option("keys", &S::keys, "Columns of the table that identify a row: for upsert, update, delete, and a created table's primary key."),
          Option("columns", &S::columns, "Table column = batch column, for those that go by another name; only these are written, if given."),
          Option("create", &S::create, "Make the table from the rows' schema where it is missing."),
          Option("truncate", &S::truncate, "Empty the table at the beginning of each new pass."),
          Option("batch", &S::batch, "When to commit: after so many rows or bytes, or when the oldest row has waited so long."),
          Option("exactly_once", &S::exactly_once,
                 "Keep the position in the same database (tables _etl_owner and _etl_checkpoint) and commit it with the rows; one connection. "
                 "With several sinks it has no effect."),
          Option("way", &S::way,
                 "How rows go: prepared statements, text, MariaDB's bulk arrays; auto takes what is fastest with this server.")
              .Choices({"auto", "prepared", "text", "bulk"}).Tuning().Advanced(),
          Option("rows_per_statement", &S::rows_per_statement, "Most rows in a statement; 0: as many as are fast.")
              .Range("0..100000").Tuning().Advanced(),
          Option("sort", &S::sort, "Write the rows of a batch in the order of the table's primary key, which is faster.").Tuning().Advanced()));
}

const void* MysqlSink::Extension(std::string_view id) {
  if (id == ETL_EXT_COMPARE) return CompareTable<MysqlSink>();
  return id == ETL_EXT_TUNE ? TuneTable() : nullptr;
}

MysqlSink::~MysqlSink() {
  for (Kept& k : kept_) k.array.release(&k.array);
}

void MysqlSink::Interrupt() noexcept { link_.Interrupt(); }

// ---- head ----

Mode MysqlSink::ModeNamed() const {
  return mode == "ignore" ? Mode::kIgnore : mode == "upsert" ? Mode::kUpsert : mode == "replace" ? Mode::kReplace
         : mode == "update" ? Mode::kUpdate : mode == "delete" ? Mode::kDelete : Mode::kInsert;
}

bool MysqlSink::Inserts() const { return mode != "update" && mode != "delete"; }

bool MysqlSink::IsKey(const std::string& column) const {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& k) { return SameName(k, column); });
}

void MysqlSink::Check() { Prepare(link_.Get()); }

std::vector<MysqlSink::ColumnMap> MysqlSink::Mapped(const ArrowSchema& schema) const {
  std::vector<ColumnMap> map;
  for (std::int64_t i = 0; i < schema.n_children && columns.empty(); ++i) map.push_back({schema.children[i]->name, static_cast<std::size_t>(i)});
  for (const auto& [to, from] : columns) {
    std::int64_t i = 0;
    while (i < schema.n_children && from != schema.children[i]->name) ++i;
    if (i == schema.n_children) throw ConfigError("columns", "the rows have no column \"" + from + "\"");
    map.push_back({to, static_cast<std::size_t>(i)});
  }
  return map;
}

/// What does not fit is refused before the first row.
void MysqlSink::CheckTable(const ArrowSchema& schema, const Table& there) {
  const auto map = Mapped(schema);
  const Mode m = ModeNamed();
  if (map.empty()) throw ConfigError("columns", "the rows have no columns that could be written");
  for (const ColumnMap& c : map) {
    const TableColumn* at = there.Find(c.to);
    if (!at) throw ConfigError("table", "table \"" + table + "\" has no column \"" + c.to + "\"; name what is to be written in columns");
    if (std::count_if(map.begin(), map.end(), [&](const ColumnMap& other) { return SameName(other.to, c.to); }) > 1) {
      throw ConfigError("columns", "two columns of the rows would be written into column \"" + c.to + "\" of \"" + table + "\"");
    }
    if (at->generated) throw ConfigError("columns", "column \"" + c.to + "\" of \"" + table + "\" is generated and cannot be written");
    const Encoder fits(*schema.children[c.from], *at, link_.current()->mariadb(), there.has_triggers);
  }
  for (const TableColumn& c : there.columns) {
    const bool written = std::any_of(map.begin(), map.end(), [&](const ColumnMap& other) { return SameName(other.to, c.name); });
    if (!written && !c.has_default && !c.generated && m != Mode::kUpdate && m != Mode::kDelete) {
      throw ConfigError("columns", "column \"" + c.name + "\" of \"" + table + "\" has no default and must not be null, and the rows have none");
    }
  }
  for (const std::string& k : keys) {
    if (std::none_of(map.begin(), map.end(), [&](const ColumnMap& c) { return SameName(c.to, k); })) {
      throw ConfigError("keys", "\"" + k + "\" is no column that is written");
    }
  }
  if (m == Mode::kUpdate && map.size() == keys.size()) {
    throw ConfigError("keys", "mode \"update\" has nothing to set: all columns that are written are keys");
  }
  if (m == Mode::kUpsert && !there.HasUnique(keys)) {
    throw ConfigError("keys", "upsert needs a primary key or unique index over just " + List(keys) + " in table \"" + table + "\"");
  }
  if (m == Mode::kUpsert && there.unique.size() > 1) {
    host.Warn("table \"" + table + "\" has other unique keys than (" + List(keys) + "): a row that meets one of those updates the row that holds it");
  }
  if (exactly_once && !there.transactional) {
    throw ConfigError("exactly_once", "table \"" + table + "\" is of engine " + there.engine + ", which has no transactions; only InnoDB can be written exactly once");
  }
  if (!there.transactional) {
    host.Warn("table \"" + table + "\" is of engine " + there.engine + ", which cannot undo a statement: rows are written one by one");
  }
}

void MysqlSink::Begin(const etl::Run& run) {
  const Mode m = ModeNamed();
  if ((m == Mode::kUpsert || m == Mode::kUpdate || m == Mode::kDelete) && keys.empty()) throw ConfigError("keys", "mode \"" + mode + "\" needs keys");
  replay_ = run.replay;
  checkpoint_ = Checkpoint(run.pipeline, run.key);
  Session& s = link_.Get();
  Prepare(s);
  ChooseWay(s);
  std::optional<Table> there = ReadTable(s, table);
  if (!there && create) {
    if (run.resumed) host.Warn("table \"" + table + "\" is made anew, though an interrupted pass goes on: if that had written rows, they are gone; 'etl state reset' starts over");
    std::vector<NewColumn> made;
    for (const ColumnMap& c : Mapped(*run.schema)) made.push_back({c.to, run.schema->children[c.from]});
    s.Run(CreateTableSql(s, table, made, keys), "cannot make the table");
    there = ReadTable(s, table);
  }
  if (!there) throw ConfigError("table", "the database \"" + s.database() + "\" has no table \"" + table + "\"; make it, or let create = true do so");
  CheckTable(*run.schema, *there);
  // Before the table is emptied: no run that still goes on may write after that.
  if (exactly_once && !replay_) checkpoint_.TakeOver(s);
  if (truncate && !run.resumed && !run.replay) s.Run("TRUNCATE TABLE " + Quote(table), "cannot empty the table");
}

bool MysqlSink::Positions(const std::function<void(const Mark&)>& give) {
  if (!exactly_once || replay_) return false;
  Session& s = link_.Get([this](Session& fresh) { Prepare(fresh); });
  bool any = false;
  checkpoint_.Read(s, [&](const Mark& m) {
    any = true;
    give(m);
  });
  if (any && Inserts() && s.Rows("SELECT 1 FROM " + Quote(table) + " LIMIT 1").empty()) {
    throw Fatal("table \"" + table + "\" is empty, though this pass had written into it: was it made anew? Start over with 'etl state reset', or put its rows back");
  }
  positions_ = true;
  return true;
}

std::string MysqlSink::Identity() {
  Session& s = link_.Get([this](Session& fresh) { Prepare(fresh); });
  return "server=" + ServerId(s) + "\ndatabase=" + s.database() + "\n";
}

// ---- worker ----

void MysqlSink::Prepare(Session& s) {
  s.Run("SET SESSION autocommit = 1, sql_notes = 1, max_error_count = 64, sql_mode = '" + std::string(kSqlMode) + "'", "cannot set up the connection");
  if (as_bytes_) s.Run(kAsBytes);
  max_packet_ = std::stoull(s.Value("SELECT @@max_allowed_packet").value_or("1048576"));
  in_transaction_ = false;
}

void MysqlSink::ChooseWay(const Session& s) {
  const bool inserts = Inserts();
  if (way == "bulk" && (!s.mariadb() || !inserts)) throw ConfigError("way", inserts ? "bulk arrays are MariaDB's; this server is MySQL" : "bulk arrays are for inserts");
  chosen_ = way == "bulk" || (way == "auto" && s.mariadb() && inserts) ? Way::kBulk : way == "text" && inserts ? Way::kText : Way::kPrepared;
}

Session& MysqlSink::Connected() {
  bool made = false;
  Session& s = link_.Get([&](Session& fresh) {
    Prepare(fresh);
    writer_.reset();
    made = true;
  });
  if (made || !writer_) writer_ = std::make_unique<Writer>(s, wording_, cells_);
  return s;
}

void MysqlSink::Open(const ArrowSchema& in, std::string_view) {
  schema_ = &in;
  Session& s = link_.Get([this](Session& fresh) { Prepare(fresh); });
  there_ = ReadTable(s, table);
  if (!there_) throw Fatal("table \"" + table + "\" is gone");
  ChooseWay(s);
  map_ = Mapped(in);
  if (map_.empty()) throw ConfigError("columns", "the rows have no columns: there is nothing to write");
  std::vector<std::string> names;
  encoders_.clear();
  cells_.clear();
  key_.clear();
  as_bytes_ = chosen_ == Way::kPrepared && !s.mariadb() && Inserts();
  for (const ColumnMap& c : map_) {
    const TableColumn* column = there_->Find(c.to);
    if (!column) throw Fatal("table \"" + table + "\" has lost its column \"" + c.to + "\"");
    names.push_back(Quote(column->name, "columns"));
    key_.push_back(IsKey(c.to));
    encoders_.push_back(std::make_unique<Encoder>(*in.children[c.from], *column, s.mariadb(), there_->has_triggers));
    cells_.emplace_back().wire = encoders_.back()->wire();
    as_bytes_ = as_bytes_ && column->family != Family::kJson && (column->charset.empty() || column->charset == "utf8mb4");
  }
  if (as_bytes_) s.Run(kAsBytes);
  wording_ = Word(ModeNamed(), Quote(table), names, key_, s);
  std::size_t fast = 2000;
  if (chosen_ == Way::kBulk) fast = 2048;
  if (chosen_ == Way::kPrepared) {
    // What a statement costs is paid back by some thousand values, however they are spread over columns.
    for (fast = 8192; fast > 256 && fast * cells_.size() > 8192; fast /= 2) {
    }
  }
  statement_rows_ = rows_per_statement ? static_cast<std::size_t>(rows_per_statement) : fast;
  if (!there_->transactional) statement_rows_ = 1;
  for (Cells& c : cells_) c.Resize(statement_rows_);
  writer_ = std::make_unique<Writer>(s, wording_, cells_);
  if (chosen_ == Way::kPrepared && !wording_.one_row) {
    const std::size_t most = writer_->MostRows(chosen_);
    if (most < statement_rows_ && !rows_per_statement) {
      statement_rows_ = 1;
      while (statement_rows_ * 2 <= most) statement_rows_ *= 2;
    }
    statement_rows_ = std::min(statement_rows_, most);
  }
  statement_bytes_ = std::min<std::size_t>(max_packet_ / 2, 4 << 20);
  checkpoint_ = HeadAs<MysqlSink>().checkpoint_;
  positions_ = HeadAs<MysqlSink>().positions_;
}

/// The rows' numbers in the order of the primary key; empty: they come so, or there is nothing to order by.
std::vector<std::int64_t> MysqlSink::Sorted(const ArrowArray& batch) const {
  // With a second unique key it matters which of two rows comes first.
  if (!sort || there_->unique.size() != 1 || there_->unique[0].name != "PRIMARY" || batch.length < 2) return {};
  std::vector<ColumnView> by;
  for (const std::string& k : there_->unique[0].columns) {
    const auto at = std::find_if(map_.begin(), map_.end(), [&](const ColumnMap& c) { return SameName(c.to, k); });
    if (at == map_.end()) return {};
    by.emplace_back(*schema_->children[at->from], *batch.children[at->from], batch.offset);
  }
  const auto less = [&by](std::int64_t a, std::int64_t b) {
    for (const ColumnView& v : by) {
      const bool null_a = v.IsNull(a), null_b = v.IsNull(b);
      if (null_a != null_b) return null_a;
      if (null_a) continue;
      if (v.layout() != Layout::kVar32 && v.layout() != Layout::kVar64 && v.format()[0] != 'w' && v.format()[0] != 'd') {
        if (v.kind() == 'L') {
          const auto x = v.Get<std::uint64_t>(a), y = v.Get<std::uint64_t>(b);
          if (x != y) return x < y;
        } else if (v.kind() == 'f' || v.kind() == 'g') {
          const double x = v.Float(a), y = v.Float(b);
          if (x < y || y < x) return x < y;
        } else {
          const std::int64_t x = v.Int(a), y = v.Int(b);
          if (x != y) return x < y;
        }
      } else if (const int c = v.Str(a).compare(v.Str(b))) {
        return c < 0;
      }
    }
    return false;
  };
  bool sorted = true;
  for (std::int64_t i = 1; i < batch.length && sorted; ++i) sorted = !less(i, i - 1);
  if (sorted) return {};
  std::vector<std::int64_t> order(static_cast<std::size_t>(batch.length));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  std::stable_sort(order.begin(), order.end(), less);
  return order;
}

void MysqlSink::Keep(const Rows& in) {
  Kept& k = kept_.emplace_back();
  k.id = taken_ = in.id();
  k.first_row = in.row(0);
  k.array = in.Keep();
  k.order = Sorted(k.array);
  k.more = in.more();
  for (std::uint64_t i = 0; i < in.mark_count(); ++i) {
    const etl_mark& m = in.marks()[i];
    k.marks.push_back({std::string(View(m.split)), std::string(View(m.position)), m.seq});
  }
  if (kept_.size() == 1 && batch.linger.count()) host.Wake(host.Now() + batch.linger);
}

/// Whatever fails in it: the transaction is undone, and all its rows are there for the next try.
template <class F>
void MysqlSink::Guarded(F&& f) {
  for (;;) {
    try {
      Resolve();
      f();
      link_.few() = 0;
      return;
    } catch (const Redo&) {
      Abandon();
    } catch (const Error& e) {
      const bool no_room = e.code == 1197 || e.code == 1206;   // the binary log's cache, the table of locks
      const bool smaller = no_room && next_kept_ > 0;
      if (smaller) most_rows_ = std::max<std::int64_t>(rows_ / 2, 1);
      Abandon();
      if (smaller) continue;
      if (no_room) throw Retry(std::string(e.what()) + "; if it stays so, one batch of the source is too much for a transaction of this server: make the source's batches smaller", e.code);
      throw;
    } catch (...) {
      Abandon();
      throw;
    }
  }
}

Written MysqlSink::Write(const Rows& in) {
  if (in.id() != taken_) Keep(in);   // the same again after a Retry
  Guarded([&] {
    while (Load()) Commit();
  });
  return Written::kPending;
}

void MysqlSink::Tick() {
  Guarded([&] {
    while (Load()) Commit();
    Commit();
  });
}

std::string MysqlSink::Flush() {
  Tick();
  return {};
}

/// What is loaded is enough for a transaction, and it may end here.
bool MysqlSink::Full() const {
  if (next_kept_ == 0 || kept_[next_kept_ - 1].more) return false;
  return rows_ >= std::min(batch.rows, most_rows_) || bytes_ >= batch.bytes.value;
}

/// Encodes what is kept, and sends each statement that is full.  True: commit, and call it again.
bool MysqlSink::Load() {
  for (; next_kept_ < kept_.size(); ++next_kept_, next_row_ = 0) {
    if (Full()) return true;
    Kept& k = kept_[next_kept_];
    if (encoding_ != next_kept_) {
      for (std::size_t i = 0; i < map_.size(); ++i) encoders_[i]->Begin(k.array, map_[i].from);
      encoding_ = next_kept_;
    }
    while (next_row_ < k.array.length) {
      const std::int64_t row = k.order.empty() ? next_row_ : k.order[static_cast<std::size_t>(next_row_)];
      ++next_row_;
      ++rows_;
      if (k.rejected.empty() || !k.rejected.count(row)) Encode(row);
    }
  }
  return Full();
}

std::optional<std::size_t> MysqlSink::EncodeRow(std::int64_t row, std::size_t at, Wrong& wrong) {
  std::size_t bytes = 0;
  const bool needs_key = !keys.empty() && ModeNamed() != Mode::kInsert;
  for (std::size_t i = 0; i < encoders_.size(); ++i) {
    const auto size = encoders_[i]->Put(row, cells_[i], at, arena_, wrong);
    if (!size) return std::nullopt;
    bytes += *size;
    if (needs_key && key_[i] && cells_[i].null[at]) {
      wrong = {1048, "Column '" + map_[i].to + "' cannot be null: it is a key"};
      return std::nullopt;
    }
  }
  if (bytes * (chosen_ == Way::kText ? 2 : 1) + wording_.prefix.size() + wording_.suffix.size() + 1024 > max_packet_) {
    wrong = {1153, "Got a packet bigger than 'max_allowed_packet' bytes (" + std::to_string(bytes) + " in this row)"};
    return std::nullopt;
  }
  return bytes;
}

void MysqlSink::Encode(std::int64_t row) {
  Wrong wrong;
  const auto bytes = EncodeRow(row, refs_.size(), wrong);
  if (!bytes) {
    static_cast<Wrong&>(kept_[next_kept_].rejected[row]) = wrong;
    return;
  }
  if (!refs_.empty() && cell_bytes_ + *bytes > statement_bytes_) {
    Deliver();
    return Encode(row);
  }
  refs_.push_back({next_kept_, row});
  cell_bytes_ += *bytes;
  bytes_ += static_cast<std::int64_t>(*bytes);
  if (refs_.size() == statement_rows_ || Enough()) Deliver();
}

/// The server is fastest with statements that fit its caches; of the numbers of rows that are prepared, the powers of two.
bool MysqlSink::Enough() const {
  const std::size_t n = refs_.size();
  return chosen_ == Way::kPrepared && !rows_per_statement && cell_bytes_ >= (64 << 10) && (n & (n - 1)) == 0;
}

void MysqlSink::BeginTransaction() {
  if (in_transaction_) return;
  Session& s = Connected();
  s.Run("START TRANSACTION", "cannot begin a transaction");
  in_transaction_ = true;
  if (positions_) checkpoint_.Enter(s);
}

void MysqlSink::Deliver() {
  if (refs_.empty()) return;
  BeginTransaction();
  DeliverRange(0, refs_.size(), false);
  refs_.clear();
  arena_.Clear();
  cell_bytes_ = 0;
}

/// False: at least one row of them was rejected.  `bad`: a statement with these rows and others failed, and the others are
/// fine: there is no need to try them all at once.
bool MysqlSink::DeliverRange(std::size_t first, std::size_t count, bool bad) {
  if (count == 0) return true;
  Suspect suspect;
  if (!bad || count == 1) {
    const std::optional<Wrong> wrong = Attempt(first, count, suspect);
    if (!wrong) return true;
    if (count == 1) {
      const Ref& r = refs_[first];
      static_cast<Wrong&>(kept_[r.kept].rejected[r.row]) = *wrong;
      return false;
    }
  }
  if (suspect.row) {
    const std::size_t before = suspect.row - 1;
    const bool fine = DeliverRange(first, before, false);
    if (DeliverRange(first + before, 1, false) && fine && !suspect.by_key) trust_row_numbers_ = false;   // it was another one
    DeliverRange(first + suspect.row, count - suspect.row, false);
    return false;
  }
  const std::size_t half = count / 2;
  const bool fine = DeliverRange(first, half, false);
  return DeliverRange(first + half, count - half, fine) && fine;
}

/// Which of these rows the server means, as far as it says so.
MysqlSink::Suspect MysqlSink::Suspected(Session& s, const Wrong& wrong, std::size_t first, std::size_t count) {
  if (count == 1) return {1, false};
  Suspect suspect;
  if (trust_row_numbers_) {
    const auto at = wrong.message.rfind(" at row ");
    if (at != std::string::npos) suspect.row = static_cast<std::size_t>(std::strtoull(wrong.message.c_str() + at + 8, nullptr, 10));
    if (!suspect.row && s.mariadb() && s.version() >= 100700) {
      s.Run("GET DIAGNOSTICS CONDITION 1 @etl_row = ROW_NUMBER");
      suspect.row = static_cast<std::size_t>(std::strtoull(s.Value("SELECT @etl_row").value_or("0").c_str(), nullptr, 10));
    }
    if (suspect.row > count) suspect.row = 0;
  }
  if (!suspect.row && wrong.code == 1062) suspect = {RowOfKey(wrong.message, first, count), true};
  return suspect;
}

/// "Duplicate entry '17' for key 'article.PRIMARY'": the first of these rows with that key; 0: none, or a key of several columns.
std::size_t MysqlSink::RowOfKey(const std::string& message, std::size_t first, std::size_t count) const {
  const auto open = message.find('\''), close = message.rfind("' for key '");
  if (open == std::string::npos || close == std::string::npos || close <= open) return 0;
  const std::string value = message.substr(open + 1, close - open - 1);
  std::string name = message.substr(close + 11);
  if (!name.empty()) name.pop_back();
  if (const auto dot = name.rfind('.'); dot != std::string::npos) name.erase(0, dot + 1);
  for (const UniqueKey& key : there_->unique) {
    if (key.name != name || key.columns.size() != 1) continue;
    for (std::size_t i = 0; i < map_.size(); ++i) {
      if (!SameName(map_[i].to, key.columns[0])) continue;
      for (std::size_t row = first; row < first + count; ++row) {
        if (cells_[i].Shows(row) == value) return row - first + 1;
      }
    }
  }
  return 0;
}

/// Writes these rows, or none of them and says why.
std::optional<Wrong> MysqlSink::Attempt(std::size_t first, std::size_t count, Suspect& suspect) {
  Session& s = *link_.current();
  const std::size_t most = std::min(writer_->MostRows(chosen_), statement_rows_);
  // A number of rows that nothing was prepared for goes as text, instead of as several statements.
  const Way with = chosen_ == Way::kPrepared && !wording_.one_row && count <= most && PreparedRows(most, count) != count ? Way::kText : chosen_;
  const bool one = count <= most;
  // A statement that failed has undone itself; but not one with mere warnings, nor those before it, nor a bulk array.
  const bool undoes = one && chosen_ != Way::kBulk;
  // A round trip that a clean load need not pay.
  const bool savepoint = there_->transactional && careful_ > 0 && (warned_ || !undoes);
  if (savepoint) s.Run("SAVEPOINT etl");
  for (std::size_t done = 0; done < count;) {
    std::size_t n = std::min(most, count - done);
    if (with == Way::kPrepared) n = PreparedRows(most, n);
    const Said said = writer_->Run(with, first + done, n);
    const std::optional<Wrong> wrong = Judge(s, said);
    if (wrong) {
      suspect = Suspected(s, *wrong, first + done, n);
      if (suspect.row) suspect.row += done;
      if (savepoint) s.Run("ROLLBACK TO SAVEPOINT etl");
      careful_ = kCareful;
      warned_ = warned_ || !said.code;
      if (there_->transactional && !savepoint && !(said.code && undoes)) throw Redo{};
      return wrong;
    }
    done += n;
  }
  return std::nullopt;
}

std::optional<Wrong> MysqlSink::Judge(Session& s, const Said& said) {
  if (said.code) {
    if (s.cut()) throw Cancelled();
    if (Classify(said.code, Side::kSink) == Fault::kRow) return Wrong{said.code, said.message};
    if (LosesConnection(said.code)) {
      link_.Drop();   // not before the message was read
      statement_bytes_ = std::max<std::size_t>(statement_bytes_ / 2, 64 << 10);
    }
    Throw(said.code, said.message, "writing into \"" + table + "\"", Side::kSink, &link_.few());
  }
  if (said.matched == 0) return Wrong{0, "no row of the table has this key"};
  if (!said.warnings) return std::nullopt;
  for (const TextRow& r : s.Rows("SHOW WARNINGS")) {
    const auto code = static_cast<unsigned>(std::strtoul(r[1].value_or("0").c_str(), nullptr, 10));
    if (code == 1592) continue;   // "unsafe statement" for the binary log: nothing about the rows
    if (!there_->transactional) throw Fatal("writing into \"" + table + "\": " + r[2].value_or("") + ", and engine " + there_->engine + " cannot undo it", code);
    return Wrong{code, r[2].value_or("")};
  }
  return std::nullopt;
}

void MysqlSink::Report() {
  for (Kept& k : kept_) {
    for (auto& [row, refused] : k.rejected) {
      if (refused.reported) continue;
      refused.reported = true;
      host.Reject(k.first_row + static_cast<std::uint64_t>(row), refused.message, refused.code);
    }
  }
}

/// What is loaded.
void MysqlSink::Commit() {
  if (next_kept_ == 0) return;
  Deliver();
  std::map<std::string, Mark> marks;
  for (std::size_t i = 0; i < next_kept_; ++i) {
    for (const Mark& m : kept_[i].marks) marks[m.split] = m;
  }
  Report();
  host.Durable();   // before the position passes the rejects
  if (positions_ && !marks.empty()) BeginTransaction();
  if (in_transaction_) {
    Session& s = *link_.current();
    if (positions_) checkpoint_.Save(s, marks);
    if (!(s.get()->server_status & SERVER_STATUS_IN_TRANS)) {
      throw Fatal("writing into \"" + table + "\": the transaction ended before its COMMIT; does a trigger of the table contain DDL?");
    }
    if (mysql_real_query(s.get(), "COMMIT", 6)) {
      if (Classify(s.error(), Side::kSink, true) == Fault::kUnknown) unknown_ = next_kept_;
      s.Fail("the answer to COMMIT");
    }
    in_transaction_ = false;
    checkpoint_.Next();
    host.Count("commits");
    if (careful_ > 0) --careful_;
  }
  Settle(next_kept_);
}

void MysqlSink::Settle(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    kept_[i].array.release(&kept_[i].array);
    host.Settled(kept_[i].id);
  }
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(count));
  host.Wake(kept_.empty() || !batch.linger.count() ? std::chrono::nanoseconds(0) : host.Now() + batch.linger);
  next_kept_ = 0;
  encoding_ = SIZE_MAX;
  next_row_ = rows_ = bytes_ = 0;
}

/// A COMMIT whose answer was lost: was it done?
void MysqlSink::Resolve() {
  if (!unknown_) return;
  if (!positions_) {
    host.Warn("the answer to a COMMIT was lost: its rows are written again; with exactly_once = true the sink would know");
  } else if (checkpoint_.Done(Connected())) {
    checkpoint_.Next();
    host.Count("commits");
    Settle(unknown_);
  }
  unknown_ = 0;
}

/// The transaction is no more; its rows are encoded again at the next call.
void MysqlSink::Abandon() noexcept {
  Session* s = link_.current();
  if (s && in_transaction_ && !s->lost() && !s->cut() && mysql_real_query(s->get(), "ROLLBACK", 8)) link_.Drop();
  in_transaction_ = false;
  for (Kept& k : kept_) {
    for (auto r = k.rejected.begin(); r != k.rejected.end();) r = r->second.reported ? std::next(r) : k.rejected.erase(r);
  }
  refs_.clear();
  arena_.Clear();
  cell_bytes_ = 0;
  next_kept_ = 0;
  encoding_ = SIZE_MAX;
  next_row_ = rows_ = bytes_ = 0;
}

}  // namespace etl::mysql
