// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <etl/pack.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace etl::clickhouse {
namespace {

/// By which a page walks fewer rows on servers that read in the order of a key: in large blocks they walk on where a page has ended, and with
/// lazy columns they walk it twice.
std::vector<std::pair<std::string, std::string>> PageSettings(std::int64_t limit) {
  return {{"max_block_size", std::to_string(std::clamp<std::int64_t>(limit, 1024, 65'409))}, {"query_plan_optimize_lazy_materialization", "0"}};
}

/// Refuses what would make a query end early and look complete.
void RefuseCut(const std::string& setting, const std::string& value) {
  const bool mode = setting.find("_overflow_mode") != std::string::npos;
  if (mode ? value == "throw" : (setting != "limit" && setting != "offset") || value == "0") return;
  throw ConfigError("settings", "the server's setting " + setting + " = " + value + " cuts results without a word; write settings = {" + setting + " = \"" + (mode ? "throw" : "0") +
                                    "\"}, or ask for another profile");
}

}  // namespace

detail::DeclaredList ClickhouseSource::Options() {
  using S = ClickhouseSource;
  return Join(
      ServerOptions<S>(),
      etl::Options(
          Option("table", &S::table, "Table to read. Give this or query."),
          Option("columns", &S::columns, "Columns to read; all of them if not given."),
          Option("where", &S::where, "SQL condition on the rows of the table."),
          Option("final", &S::final, "Read the table with FINAL: rows that replace each other once."),
          Option("query", &S::query, "A SELECT of your own, read in one stream; it cannot be resumed safely without an ORDER BY over all that it gives."),
          Option("params", &S::params, "Values for {name:Type} in where and query."),
          Option("max_rows_per_request", &S::max_rows_per_request, "Rows that the store gives a request at most; 0: as many as there are.").Range("0..10000000"),
          Option("time_column", &S::time_column, "A date, a time or seconds since 1970, in slices of which a limited store is read."),
          Option("from", &S::from, "Read rows from this time on, in UTC; from the earliest if not given.").Tuning(),
          Option("to", &S::to, "Read rows before this time, in UTC; to the latest there is if not given.").Tuning(),
          Option("strategy", &S::strategy,
                 "auto: by the order of order_by or of the table's sorting key, slices that adapt; slices: by time alone; article: slices by the statistics of "
                 "the minute of the day, paged by offset, counted and halved when they are deep.")
              .Choices({"auto", "slices", "article"}),
          Option("order_by", &S::order_by, "Columns that identify a row together with time_column, in the order in which the table is sorted."),
          Option("slice", &S::slice, "How much time the first request covers, while nothing is known.").Range("1s..365d").Tuning(),
          Option("shard_by", &S::shard_by, "A column by whose values the table is read in parts, besides time."),
          Option("shard_values", &S::shard_values, "Its values; the server is asked if not given. Rows with others are read as one more part."),
          Option("manifest", &S::manifest, "Slices that 'etl plan --write' has found, to be followed; what lies outside of them is read as well.").Path().Tuning(),
          Option("expand", &S::expand, "Read only the time that no complete run has read yet, up to the last row that is over by the server's clock."),
          Option("overlap", &S::overlap, "With expand: how much before each end of what was read is read again, for rows that came late; of dates whole days.").Range("0s..365d").Tuning(),
          Option("requests_per_second", &S::requests_per_second, "Most requests a second, of all readers; 0: no limit.").Range("0..100000").Tuning(),
          Option("concurrency", &S::concurrency, "Most requests at a time, of all readers; 0: one for each reader.").Range("0..1024").Tuning(),
          Option("retry_pause", &S::retry_pause, "Least wait before a failed request is tried again; 10s with strategy = \"article\" if not given.").Range("0s..1h").Tuning().Advanced(),
          Option("strings", &S::strings, "What String columns hold: text, or bytes that need not be text (binary).").Choices({"text", "binary"}),
          Option("fixed_strings", &S::fixed_strings, "What FixedString columns hold: bytes, or text without the zeros at its end.").Choices({"binary", "text"}),
          Option("page_bytes", &S::page_bytes, "Bytes that a reader asks for at once, about, where the store has no limit; at most an eighth of memory_limit.").Range("64KiB..1GiB").Tuning().Advanced(),
          Option("max_row_bytes", &S::max_row_bytes, "Longest text that is taken.").Range("1KiB..1GiB").Advanced()));
}

void ClickhouseSource::Interrupt() noexcept {
  const std::lock_guard lock(connection_mutex_);
  if (connection_) connection_->Interrupt();
}

Connection& ClickhouseSource::Connected() {
  if (!connection_) {
    auto fresh = std::make_unique<Connection>(*this, host);
    if (is_worker()) fresh->SetCoding(HeadAs<ClickhouseSource>().coding_);
    const std::lock_guard lock(connection_mutex_);
    connection_ = std::move(fresh);
  }
  return *connection_;
}

void ClickhouseSource::Check() {
  CheckOptions();
  LoadManifest();
}

void ClickhouseSource::LoadManifest() {
  if (manifest.empty()) return;
  std::ifstream file(manifest, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) throw ConfigError("manifest", "\"" + manifest + "\" cannot be read");
  manifest_ = FromJson(text.str());
  if (manifest_.table != table || manifest_.time_column != time_column || manifest_.shard_by != shard_by) {
    throw ConfigError("manifest", "it was made for table \"" + manifest_.table + "\" by \"" + manifest_.time_column + "\"" +
                                      (manifest_.shard_by.empty() ? "" : " in parts of \"" + manifest_.shard_by + "\"") + ", and this is another");
  }
  if (manifest_.limit > max_rows_per_request) throw ConfigError("manifest", "its slices hold up to " + std::to_string(manifest_.limit) + " rows, and max_rows_per_request is smaller");
  has_manifest_ = true;
}

std::string ClickhouseSource::Identity() {
  Prepare();
  std::string list;
  for (std::size_t i = 0; i < table_.delivered; ++i) list += (i ? ", " : "") + table_.read[i].name + " " + table_.read[i].type.name;
  return "columns=" + list + "\n";
}

void ClickhouseSource::CheckOptions() const {
  if (table.empty() == query.empty()) throw ConfigError(table.empty() ? "table" : "query", "give either table or query");
  if (!query.empty() && (!where.empty() || !columns.empty() || final || !time_column.empty() || max_rows_per_request)) {
    throw ConfigError("query", "where, columns, final, time_column and max_rows_per_request belong to table; write them into the query");
  }
  http::MakeTarget(*this);
  if (max_rows_per_request && time_column.empty()) {
    throw ConfigError("time_column", "a store that gives at most so many rows a request is read in slices of time: name the column");
  }
  const auto needs = [&](bool given, const char* option) {
    if (given && !max_rows_per_request) throw ConfigError(option, std::string(option) + " belongs to max_rows_per_request, which says how many rows a request gives at most");
  };
  needs(!manifest.empty(), "manifest");
  needs(!shard_by.empty(), "shard_by");
  needs(expand, "expand");
  needs(!order_by.empty(), "order_by");
  needs(!from.empty(), "from");
  needs(!to.empty(), "to");
  needs(strategy != "auto", "strategy");
  const auto first = from.empty() ? -kFar : ParseTime(from, "from"), last = to.empty() ? kFar : ParseTime(to, "to");
  if (first > last) throw ConfigError("to", "it lies before from");
  if (!shard_values.empty() && shard_by.empty()) throw ConfigError("shard_values", "they are values of shard_by, which is not given");
  std::set<std::string> seen;   // and FindShards() looks whether two mean the same
  for (const std::string& v : shard_values) RefuseSecond(seen, v);
  if (overlap.count() && !expand) throw ConfigError("overlap", "it belongs to expand = true");
  for (const auto& [name, value] : settings) RefuseCut(name, value);   // not all of them are seen in system.settings
  if (strategy == "article" && !manifest.empty()) throw ConfigError("manifest", "a manifest is followed by strategy = \"auto\" or \"slices\"");
  if (strategy == "article" && !order_by.empty()) throw ConfigError("order_by", "strategy = \"article\" pages by offset; leave it out");
}

/// Refuses profiles that cut, and does without compression where it may not be asked for.  Remembers which settings of pages the server knows.
void ClickhouseSource::CheckSettings() {
  Statement s;
  s.binds = table_.binds;
  s += "SELECT name, value FROM system.settings WHERE name LIKE '%_overflow_mode%' OR name IN ('readonly', 'limit', 'offset'";
  const auto wanted = max_rows_per_request && table_.binds ? PageSettings(max_rows_per_request) : decltype(table_.page_settings)();
  for (const auto& [name, value] : wanted) s += ", " + Literal(name);
  s += ")";
  const auto rows = Connected().AskIfAllowed(s, "cannot look at the settings");
  if (!rows) return;
  for (const auto& r : *rows) {
    if (r.size() != 2) continue;
    const auto named = [&](const auto& setting) { return setting.first == r[0]; };
    if (const auto want = std::find_if(wanted.begin(), wanted.end(), named); want != wanted.end()) {
      if (std::none_of(settings.begin(), settings.end(), named)) table_.page_settings.push_back(*want);
      continue;
    }
    if (r[0] == "readonly" && r[1] == "1" && coding_ != "none") {
      host.Warn("is not compressed: compression = \"" + compression + "\" is a setting of the server, and this user, who has readonly = 1, may not set any");
      coding_ = "none";
      Connected().SetCoding(coding_);
    }
    RefuseCut(r[0], r[1]);
  }
}

/// Leaves them away where this user may not set any.
void ClickhouseSource::TryPageSettings() {
  Statement probe;
  probe.text = "SELECT 1";
  probe.settings = table_.page_settings;
  try {
    Connected().Ask(probe, "cannot set anything");
  } catch (const Error& e) {
    if (e.status == ETL_RETRY || e.status == ETL_CANCELLED) throw;
    table_.page_settings.clear();
    host.Debug(std::string("pages cost the server more than they need to: ") + e.what());
  }
}

void ClickhouseSource::WarnOfStream(const std::string& why) {
  host.Warn("is read in one stream, as " + why + ": one reader only, and an interrupted run counts the rows off again, which is right only if they come in the same "
            "order and nothing has changed");
}

void ClickhouseSource::Prepare() {
  if (prepared_) return;
  CheckOptions();
  Statement ask;
  ask.text = "SELECT version()";
  const auto version = Connected().Ask(ask, "cannot ask the server for its version");
  if (version.empty() || version[0][0].empty() || !std::isdigit(static_cast<unsigned char>(version[0][0][0]))) {
    throw Retry("what answers is no ClickHouse server: it says \"" + Shown(version.empty() ? "" : version[0][0].substr(0, 80)) + "\" where its version is due");
  }
  version_ = version[0][0];
  const int major = std::atoi(version_.c_str());
  table_ = Table();
  table_.binds = major >= 20;
  table_.params = params;
  table_.types = {strings == "binary", fixed_strings == "binary"};
  table_.name = table;
  table_.where = where;
  table_.final = final;
  table_.wanted = columns;
  if (compression != "none" && major < 22) {
    host.Warn("is sent in gzip: version " + version_ + " of the server does not know " + compression);
    coding_ = "gzip";
  } else {
    coding_ = compression;
  }
  CheckSettings();
  if (!query.empty()) {
    table_.FindQuery(Connected(), query);
    mode_ = Mode::kStream;
    WarnOfStream("a query has no key");
  } else {
    table_.FindColumns(Connected());
    if (max_rows_per_request) {
      mode_ = Mode::kLimited;
      table_.SetKey(Connected(), time_column, order_by, strategy != "article" && order_by.empty());
      ordered_ = table_.key.size() == 1;   // a page of one key is rare where there are several columns, and sorting by all is dear
      if (!shard_by.empty()) table_.SetSharding(Connected(), shard_by);
      if (table_.binds) TryPageSettings();
    } else {
      table_.SetSortingKey(Connected());
      mode_ = table_.key.empty() ? Mode::kStream : Mode::kRanges;
      if (mode_ == Mode::kStream) WarnOfStream("the table has no sorting key that can be compared");
    }
  }
  for (const ReadColumn& c : table_.read) given_types_.push_back(c.type);
  if (!tls.verify) host.Warn("tls.verify is false: whoever is on the way to the server can read and change everything");
  pace_.Set(requests_per_second, concurrency);
  prepared_ = true;
}

Schema ClickhouseSource::Describe() {
  Prepare();
  Schema schema;
  for (std::size_t i = 0; i < table_.delivered; ++i) {
    const CType& t = table_.read[i].type;
    schema.push_back({table_.read[i].name, t.arrow, t.form == Form::kNullable || t.form == Form::kNothing});
  }
  return schema;
}

void ClickhouseSource::Plan(bool fresh, std::string_view state) {
  Prepare();
  if (mode_ == Mode::kLimited) return PlanLimited(fresh, state);
  stream_planned_ = !fresh && !state.empty();
  if (mode_ == Mode::kRanges) {
    ranges_.clear();
    next_range_ = 0;
    if (fresh) return PlanRanges({});
    if (state.empty()) return;   // all of it was planned
    const auto parts = Unpack(state);
    if (parts.empty() || parts.size() > 2) throw Fatal("the saved plan is of another version of this source; start anew with 'etl state reset'");
    next_range_ = static_cast<std::size_t>(std::atoll(parts[0].c_str()));
    ranges_.resize(next_range_);   // handed out
    if (parts.size() == 2) PlanRanges(Unpack(parts[1]));
  }
}

bool ClickhouseSource::PlanNext(Split& out, std::string& state) {
  if (mode_ == Mode::kLimited) return NextPiece(out, state);
  if (mode_ == Mode::kRanges) return NextRanges(out, state);
  if (stream_planned_) return false;
  stream_planned_ = true;
  out.id = state = "all";
  return true;
}

void ClickhouseSource::Open(const Split& split, std::string_view position) {
  ClickhouseSource& head = Head();
  if (connection_) connection_->Abandon();
  streaming_ = ended_ = false;
  id_ = split.id;
  if (head.mode_ == Mode::kLimited) return OpenPiece(split, position);
  if (head.mode_ == Mode::kRanges) return OpenRanges(split, position);
  skip_ = std::atoll(std::string(position).c_str());
}

bool ClickhouseSource::NextArray(ArrowArray* out, std::string& position) {
  switch (Head().mode_) {
    case Mode::kLimited: return article_ ? NextArticle(out, position) : NextLimited(out, position);
    case Mode::kRanges: return NextRange(out, position);
    default: return NextStreamed(out, position);
  }
}

/// The delivered columns of the first rows of a page.
void ClickhouseSource::Give(Page& page, std::int64_t rows, ArrowArray* out) {
  const ClickhouseSource& head = Head();
  if (page.columns.empty()) {
    page.columns.resize(head.table_.read.size());
    for (std::size_t i = 0; i < page.columns.size(); ++i) Shape(page.columns[i], head.given_types_[i]);
  }
  page.Finish(head.given_types_, head.table_.delivered, rows, out);
}

void ClickhouseSource::Fetch(const Statement& statement, Page& page, std::int64_t most_bytes) {
  ClickhouseSource& head = Head();
  const Pace::Turn turn(head.pace_, host);
  host.Count("requests");
  ++asked_;
  try {
    Connection& c = Connected();
    c.Begin(statement, most_bytes == 0, "cannot read from \"" + table + "\"");
    const Caps caps{max_row_bytes.value, 1 << 24};
    while (c.Next(head.table_.read, caps, page)) {
      if (most_bytes && page.bytes() > most_bytes) {
        c.Abandon();
        throw TooMuch("a range of \"" + table + "\" holds more than was expected");
      }
    }
    if (c.cost().walked >= 0) host.Count("rows_walked", static_cast<double>(c.cost().walked));
  } catch (Error& e) {
    Connected().Abandon();
    const auto pause = retry_pause.count() ? retry_pause : strategy == "article" ? std::chrono::seconds(10) : std::chrono::nanoseconds(0);
    if (e.status == ETL_RETRY) e.retry_after_ns = std::max<std::int64_t>(e.retry_after_ns, pause.count());
    throw;
  }
}

}  // namespace etl::clickhouse
