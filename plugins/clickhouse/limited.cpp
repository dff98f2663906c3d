// SPDX-License-Identifier: Apache-2.0
// A store that gives at most so many rows a request: pieces of time, handed out, halved, and pulled page by page.
#include <etl/pack.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <utility>

#include "simulate.h"
#include "source.h"

namespace etl::clickhouse {
namespace {

constexpr std::size_t kMostShards = 256;
constexpr double kWorthHalving = 4;       // requests left

std::string Number(std::int64_t n) { return std::to_string(n); }

/// Is the last row of a page, as far as its plain columns say, in the page behind it?  Then they are two of a kind, or others came
/// before it and have moved it there.
bool Repeats(const Page& page, const Page& next, const std::vector<ReadColumn>& columns) {
  const auto plain = [](const CType& t) { return t.form != Form::kBool && t.form != Form::kNothing && t.items.empty(); };
  const auto same = [&](std::int64_t row) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const CType& t = columns[i].type;
      if (!plain(t.form == Form::kNullable ? t.items[0] : t)) continue;
      if (page.columns[i].Value(t, page.rows - 1) != next.columns[i].Value(t, row)) return false;
    }
    return true;
  };
  for (std::int64_t row = 0; row < next.rows; ++row) {
    if (same(row)) return true;
  }
  return false;
}

/// A number as the server writes it, if a column of integers of this type holds it.
std::optional<std::string> WholeNumber(const std::string& text, const std::string& type) {
  const char* const stop = text.data() + text.size();
  const auto parse = [&](auto& n) {
    const auto [end, fault] = std::from_chars(text.data(), stop, n);
    return fault == std::errc() && end == stop;
  };
  const int bits = std::atoi(type.c_str() + (type[0] == 'U' ? 4 : 3));
  std::uint64_t plain = 0;
  std::int64_t n = 0;
  if (type[0] == 'U') return parse(plain) && (bits == 64 || plain >> bits == 0) ? std::optional(std::to_string(plain)) : std::nullopt;
  return parse(n) && n >> (bits - 1) == n >> 63 ? std::optional(std::to_string(n)) : std::nullopt;
}

/// What is the same for two values that the server takes for one.
std::string Alike(std::string value, const std::string& type) {
  if (type == "UUID") {
    std::erase(value, '-');
    std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  if (type.rfind("FixedString", 0) == 0) value.erase(value.find_last_not_of('\0') + 1);
  return value;
}

}  // namespace

void ClickhouseSource::RefuseSecond(std::set<std::string>& seen, const std::string& shard_value) {
  if (!seen.insert(shard_value).second) throw ConfigError("shard_values", "\"" + shard_value + "\" is listed twice: its rows would come twice");
}

void ClickhouseSource::FindShards() {
  shard_names_.clear();
  table_.sharding.values.clear();
  if (shard_by.empty()) {
    shard_names_.push_back("");
    return;
  }
  std::vector<std::string> values = shard_values;
  if (values.empty()) {
    const std::string column = Quote(shard_by, "shard_by");
    Statement s = table_.Aggregate("DISTINCT toString(" + column + ")", want_.from, want_.to, "", true);
    s += " AND isNotNull(" + column + ") LIMIT " + std::to_string(kMostShards + 1);
    for (const auto& row : Connected().AskWhole(s, "cannot find the values of \"" + shard_by + "\"", "list shard_values", true)) values.push_back(row.at(0));
    std::sort(values.begin(), values.end());
  }
  if (values.size() > kMostShards) throw ConfigError("shard_by", "the column has more than " + std::to_string(kMostShards) + " values; name another, or the largest in shard_values");
  const std::string& type = table_.sharding.type;
  std::set<std::string> seen;
  for (std::string& v : values) {
    if (table_.sharding.column.kind == KeyColumn::Kind::kInt) {
      const auto n = WholeNumber(v, type);
      if (!n) throw ConfigError("shard_values", "\"" + v + "\" is no value of a column of type " + type);
      v = *n;
    }
    RefuseSecond(seen, Alike(v, type));
    shard_names_.push_back("=" + v);
  }
  table_.sharding.values = values;
  shard_names_.push_back("*");
}

/// What from and to say, in whole grains of the time column.
ClickhouseSource::Bounds ClickhouseSource::GivenBounds() const {
  const auto given = [this](const std::string& text, const char* option) -> std::optional<std::int64_t> {
    if (text.empty()) return std::nullopt;
    return AlignUp(ParseTime(text, option), table_.grain());
  };
  return {given(from, "from"), given(to, "to")};
}

/// The time that is to be read: as the options say, or as there are rows.  With expand it is to be done for good: it ends with the last
/// row, as the next ones may be written in an hour, and with the second (or day) that is not over on the server.
Interval ClickhouseSource::FindBounds(const Bounds& given) {
  if (given.from && given.to && !expand) return {*given.from, *given.to};
  std::int64_t now = 0;
  const auto there_is = [&](Interval in, bool bounded) -> std::optional<Interval> {
    const std::string column = Quote(time_column, "time_column");
    const auto rows = Connected().AskWhole(table_.Aggregate(table_.Sample(table_.key[0], "min(" + column + ")") + ", " + table_.Sample(table_.key[0], "max(" + column + ")") + ", " +
                                                                table_.Now() + ", count()", in.from, in.to, "", bounded),
                                           "cannot find the first and the last time of \"" + table + "\"", "give from and to, without expand");
    if (rows.empty() || rows[0].size() != 4) throw Retry("the server did not say the first and the last time of \"" + table + "\"");
    if (rows[0][0] == "N") throw ConfigError("time_column", "column \"" + time_column + "\" is Nullable: rows without a time would never be read");
    if (rows[0][3] == "0") return std::nullopt;
    const std::int64_t first = table_.TimeOf(rows[0][0]), last = table_.TimeOf(rows[0][1]);
    if (first < -kFar || last > kFar) throw ConfigError("time_column", "column \"" + time_column + "\" holds numbers that are no seconds since 1970");
    if (!bounded) now = table_.TimeOf(rows[0][2]);
    return Interval{first, last + table_.grain()};
  };
  std::optional<Interval> rows = there_is({}, false);
  const std::int64_t begin = given.from.value_or(rows ? rows->from : given.to.value_or(0));
  if (rows && expand && std::min(rows->to, given.to.value_or(rows->to)) > now) {
    host.Info("leaves rows from " + TimeText(now) + " on to later runs, as on the server that time is not over");
    rows = there_is({begin, now}, true);
  }
  std::int64_t end = given.to.value_or(rows ? rows->to : begin);
  if (expand) end = std::min(end, rows ? rows->to : begin);
  return given.from ? Interval{begin, std::max(begin, end)} : Interval{std::min(begin, end), end};
}

/// While nothing is known, a request covers a slice.
Rates ClickhouseSource::FirstRates() const { return Rates(static_cast<double>(max_rows_per_request) / (static_cast<double>(slice.count()) / 1e9)); }

void ClickhouseSource::PlanLimited(bool fresh, std::string_view state) {
  for (const KeyColumn& k : table_.key) {
    if (table_.read[k.at].type.form == Form::kNullable) {
      throw ConfigError(&k == &table_.key[0] ? "time_column" : "order_by", "column \"" + k.name + "\" is Nullable: rows without a value would never be read");
    }
  }
  LoadManifest();
  const std::lock_guard lock(mutex_);
  shards_.clear();
  queue_.clear();
  cuts_.clear();
  halves_.clear();
  ledger_ = Ledger(table_.grain());
  next_id_ = 0;
  std::vector<std::string> parts = state.empty() ? std::vector<std::string>() : Unpack(state);
  // What an earlier plan or pass says of each shard.
  std::size_t at = 6;
  std::map<std::string, Shard> known;
  for (; at + 3 < parts.size() && parts[at] == "shard"; at += 4) {
    Shard& s = known[parts[at + 1]];
    s.done = LoadIntervals(parts[at + 2]);
    s.rates = FirstRates();
    s.rates.Load(parts[at + 3]);
  }
  if (!parts.empty() && parts[0] != "1") throw Fatal("the saved plan is of another version of this source; start anew with 'etl state reset'");

  std::optional<Interval> wider;   // than the interrupted pass
  if (!fresh && parts.size() >= 6) {
    want_ = {std::atoll(parts[1].c_str()), std::atoll(parts[2].c_str())};
    next_id_ = std::atoll(parts[3].c_str());
    table_.sharding.values.clear();
    for (const std::string& name : Unpack(parts[4])) {
      shard_names_.push_back(name);
      if (name[0] == '=') table_.sharding.values.push_back(name.substr(1));
    }
    if (shard_by.empty()) shard_names_ = {""};
    const auto pieces = Unpack(parts[5]);
    for (std::size_t i = 0; i + 3 < pieces.size(); i += 4) {
      if (pieces[i + 1] == "cut") cuts_[pieces[i]] = std::atoll(pieces[i + 3].c_str());
      else queue_.push_back({pieces[i], pieces[i + 1].substr(1), std::atoll(pieces[i + 2].c_str()), std::atoll(pieces[i + 3].c_str()), 0, 0});
    }
    const Bounds given = GivenBounds();
    const bool other = given.from.value_or(want_.from) != want_.from || given.to.value_or(want_.to) != want_.to;
    if (other && !expand) {
      throw ConfigError(from.empty() ? "to" : "from", "the interrupted pass reads from " + TimeText(want_.from) + " to " + TimeText(want_.to) +
                                                          "; let it finish with these, or start anew with 'etl state reset'");
    }
    if (other) {
      const Interval found = FindBounds(given);
      wider = {given.from ? std::min(want_.from, found.from) : want_.from, given.to ? std::max(want_.to, found.to) : want_.to};
    }
  } else {
    want_ = FindBounds(GivenBounds());
    FindShards();
  }
  std::int64_t left = 0;
  for (const std::string& name : shard_names_) {
    Shard& shard = shards_.emplace(name, Shard()).first->second;
    shard.rates = FirstRates();
    if (const auto k = known.find(name); k != known.end()) shard = k->second;
    else if (const auto others = known.find("*"); fresh && others != known.end()) shard.done = others->second.done;   // a new value: its rows were read there
    Intervals missing;
    if (fresh) {
      if (!expand) shard.done.clear();
      missing = Missing(want_, shard.done, AlignUp(overlap.count() / 1'000'000'000, table_.grain()));
    } else if (wider) {
      Intervals planned = shard.done;
      Add(planned, want_);
      missing = Missing(*wider, planned, 0);
    }
    for (auto i = missing.rbegin(); i != missing.rend(); ++i) {
      queue_.push_back({"p" + Number(next_id_++), name, i->from, i->to, 0, 0});
      left += i->to - i->from;
    }
  }
  if (wider) want_ = *wider;
  if (fresh) {
    std::reverse(queue_.begin(), queue_.end());
    host.Info("reads " + std::to_string(queue_.size()) + (queue_.size() == 1 ? " piece" : " pieces") + " of time between " + TimeText(want_.from) + " and " + TimeText(want_.to) +
              ", at most " + Number(max_rows_per_request) + " rows a request" + (expand && left == 0 ? ": all of it has been read" : ""));
  }
}

/// With mutex_: what Plan finds of this pass.
std::vector<std::string> ClickhouseSource::SavePieces() const {
  std::vector<std::string> pieces;
  for (const auto& [id, to] : cuts_) {
    for (const std::string& s : {id, std::string("cut"), std::string("0"), Number(to)}) pieces.push_back(s);
  }
  for (const Ledger::Piece& p : queue_) {
    for (const std::string& s : {p.id, "=" + p.shard, Number(p.from), Number(p.to)}) pieces.push_back(s);
  }
  return {"1", Number(want_.from), Number(want_.to), Number(next_id_), Pack(shard_names_), Pack(pieces)};
}

/// With mutex_.
std::string ClickhouseSource::SavePlan() const {
  std::vector<std::string> parts = SavePieces();
  for (const auto& [name, shard] : shards_) {
    if (shard.done.empty()) continue;
    for (const std::string& s : {std::string("shard"), name, SaveIntervals(shard.done), std::string()}) parts.push_back(s);
  }
  return Pack(parts);
}

std::string ClickhouseSource::CarryOver() {
  if (mode_ != Mode::kLimited) return "";
  const std::lock_guard lock(mutex_);
  std::vector<std::string> parts = SavePieces();
  for (auto& [name, shard] : shards_) {
    Intervals done = shard.done;
    Add(done, want_);
    for (const std::string& s : {std::string("shard"), name, SaveIntervals(done), shard.rates.Save()}) parts.push_back(s);
  }
  return Pack(parts);
}

std::int64_t ClickhouseSource::SliceEnd(const std::string& shard, std::int64_t time) const {
  const auto s = manifest_.shards.find(shard.empty() || shard[0] != '=' ? shard : shard.substr(1));
  if (s == manifest_.shards.end()) return 0;
  const auto at = std::upper_bound(s->second.begin(), s->second.end(), time, [](std::int64_t t, const Slice& x) { return t < x.to; });
  return at == s->second.end() || time < at->from ? 0 : at->to;
}

/// Requests that a piece of time will take, about.  With mutex_.
double ClickhouseSource::Work(const std::string& shard, std::int64_t begin, std::int64_t end) const {
  const auto s = shards_.find(shard);
  if (s == shards_.end() || end <= begin) return 0;
  const auto expected = [&](std::int64_t a, std::int64_t b) {   // where nothing is, a week is a request
    return a < b ? s->second.rates.Expect(a, b) / static_cast<double>(max_rows_per_request) + static_cast<double>(b - a) / 86400 / 7 : 0.0;
  };
  if (has_manifest_) {   // slices that end there: so a piece is divided between two
    const auto m = manifest_.shards.find(shard.empty() || shard[0] != '=' ? shard : shard.substr(1));
    if (m != manifest_.shards.end()) {
      const auto after = [&](std::int64_t t) { return std::upper_bound(m->second.begin(), m->second.end(), t, [](std::int64_t x, const Slice& y) { return x < y.to; }); };
      double requests = expected(begin, std::min(end, manifest_.from)) + expected(std::max(begin, manifest_.to), end);
      for (auto i = after(begin); i != after(end); ++i) requests += static_cast<double>(i->rows / max_rows_per_request + 1);
      return requests;
    }
  }
  return expected(begin, end);
}

bool ClickhouseSource::NextPiece(Split& out, std::string& state) {
  const std::lock_guard lock(mutex_);
  Ledger::Piece piece;
  if (!queue_.empty()) {
    piece = queue_.back();
    queue_.pop_back();
    ledger_.Put(piece);
  } else {
    if (ledger_.pieces().empty()) return false;
    std::optional<Ledger::Piece> half;
    if (out.wanted) half = ledger_.Take([this](const std::string& s, std::int64_t a, std::int64_t b) { return Work(s, a, b); }, kWorthHalving, "p" + Number(next_id_));
    if (!half) {
      out.later = true;
      return true;
    }
    ++next_id_;
    piece = *half;
    for (const auto& [id, p] : ledger_.pieces()) {
      if (p.shard == piece.shard && p.to == piece.from && id != piece.id) {
        cuts_[id] = p.to;
        halves_[piece.id] = id;
      }
    }
    host.Count("pieces_halved");
  }
  out.id = piece.id;
  out.state = Pack({piece.shard, Number(piece.from), Number(piece.to)});
  state = SavePlan();
  return true;
}

void ClickhouseSource::OpenPiece(const Split& split, std::string_view position) {
  ClickhouseSource& head = Head();
  const auto parts = Unpack(split.state);
  if (parts.size() != 3) throw Fatal("the saved state is not one of this source's; start anew with 'etl state reset'");
  shard_ = parts[0];
  const std::int64_t begin = std::atoll(parts[1].c_str());
  Cursor cursor = position.empty() ? Cursor{Cursor::At::kTime, begin, {}, 0} : Cursor::Load(position);
  if (cursor.at == Cursor::At::kGroup && cursor.key.size() != head.table_.key.size()) {
    throw Fatal("the order of the table was another when the position was saved; start anew with 'etl state reset'");   // rows would be counted off in another order
  }
  const std::lock_guard lock(head.mutex_);
  if (!head.shards_.count(shard_)) head.shards_[shard_].rates = FirstRates();   // a split may be opened where none was planned
  const auto& pieces = head.ledger_.pieces();
  const auto known = pieces.find(id_);
  std::int64_t end = known != pieces.end() ? known->second.to : std::atoll(parts[2].c_str());
  if (const auto cut = head.cuts_.find(id_); cut != head.cuts_.end()) end = std::min(end, cut->second);
  head.ledger_.Put({id_, shard_, begin, end, cursor.time, cursor.time});
  head.halves_.erase(id_);
  walk_.reset();
  article_.reset();
  held_.clear();
  ready_.clear();
  doubted_ = -1;
  doubtful_ = false;
  if (strategy == "article") {
    article_ = std::make_unique<Article>(cursor.time, max_rows_per_request, slice.count() / 1'000'000'000, head.table_.grain());
    if (!cursor.key.empty()) {
      const std::int64_t to = std::atoll(cursor.key[0].c_str());
      article_->Resume(cursor.time, to, cursor.offset);
      head.ledger_.Claim(id_, to);
    }
  } else {
    const bool time_alone = head.table_.key.size() == 1 && head.table_.key[0].kind != KeyColumn::Kind::kDateTime64;
    walk_ = std::make_unique<Walk>(std::move(cursor), head.ordered_, head.table_.grain(), time_alone);
    if (!reach_) reach_ = std::make_unique<Reach>(kWindow, slice.count() / 1'000'000'000, head.table_.grain());
    const std::vector<KeyColumn>& key = head.table_.key;
    const bool sorts = !head.table_.binds;   // later servers read in the order of the key and stop at the limit
    if (sorts && !inside_ && key.size() > 1 && key[0].kind != KeyColumn::Kind::kDateTime64 && key[1].kind == KeyColumn::Kind::kInt) inside_ = std::make_unique<Inside>();
  }
  page_rows_ = max_rows_per_request;
}

/// A piece that was divided is not at its end before the other half has been seen: only then is it sure to be in the saved state.
void ClickhouseSource::WaitForHalves() {
  ClickhouseSource& head = Head();
  for (;;) {
    {
      const std::lock_guard lock(head.mutex_);
      if (std::none_of(head.halves_.begin(), head.halves_.end(), [this](const auto& h) { return h.second == id_; })) {
        head.ledger_.Close(id_);
        return;
      }
    }
    host.Wait(std::chrono::milliseconds(2));
  }
}

Got ClickhouseSource::Judge(const Page& page, std::int64_t limit) const {
  const Table& t = Head().table_;
  Got got;
  got.rows = page.rows;
  if (!page.rows) return got;
  got.first_time = t.TimeOf(t.KeyText(page, 0, 0));
  got.last = t.KeyOf(page, page.rows - 1);
  got.last_time = t.TimeOf(got.last[0]);
  // The first row of a second later than this one.
  const auto behind = [&](std::int64_t second) {
    std::int64_t low = 0;
    for (std::int64_t high = page.rows; low < high;) {
      const std::int64_t middle = low + (high - low) / 2;
      if (t.TimeOf(t.KeyText(page, 0, middle)) > second) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  got.in_first = behind(got.first_time);
  got.in_last = page.rows - behind(got.last_time - 1);
  if (page.rows < limit) return got;
  const auto cut = [&](std::size_t columns) {
    got.whole = page.rows - 1;
    while (got.whole > 0 && t.SameKey(page, got.whole - 1, page.rows - 1, columns)) --got.whole;
    return got.whole > 0;
  };
  // By the time alone where that will do, and behind it only inside of one second.
  if (strategy == "slices" && cut(1)) got.last.resize(1);
  else cut(t.key.size());
  return got;
}

std::int64_t ClickhouseSource::CountOf(const clickhouse::Ask& ask) {
  const Pace::Turn turn(Head().pace_, host);
  host.Count("requests");
  host.Count("counts");
  std::vector<std::vector<std::string>> rows;
  try {
    rows = Connected().Ask(Head().table_.Count(ask, shard_), "cannot count a slice of \"" + table + "\"");
  } catch (const TooMuch& fault) {
    Trouble(fault);
    throw;
  }
  if (rows.empty() || rows[0].empty()) throw Retry("the server did not say how many rows a slice of \"" + table + "\" has");
  return std::atoll(rows[0][0].c_str());
}

/// Fetches a page with as many rows as were asked for, or with all that there are; false: with as many as the store ever gives.
bool ClickhouseSource::FetchPage(const clickhouse::Ask& ask, bool all_columns, Page& page) {
  ClickhouseSource& head = Head();
  for (std::int64_t most = 0;;) {
    page = Page();
    try {
      Fetch(head.table_.Page(ask, shard_, all_columns), page, 0);
    } catch (const TooMuch& fault) {
      Trouble(fault);
      throw;
    }
    const std::int64_t rows = page.rows, seen = head.most_seen_;
    if (rows > ask.limit) throw Fatal("the store gave " + Number(rows) + " rows where at most " + Number(ask.limit) + " were asked for: it does not keep LIMIT");
    if (rows == 0 || (rows < seen && !head.store_limit_)) return true;
    // A store that gives fewer rows than it was said to would lose some here.  It is known to give as many as it has given once; when it
    // gives more than ever, its rows are counted.  Those of one that did so, always: it may do so at any number.
    std::int64_t counted = 0;
    if (rows == ask.limit || (counted = CountOf(ask) - ask.from.offset) <= rows) {
      head.most_seen_ = std::max(head.most_seen_.load(), rows);
      return true;
    }
    if (rows <= most) {   // asked again it gives no more, so that they did not come in between
      if (!head.store_limit_) {
        host.Warn("the store gives at most " + Number(rows) + " rows a request, not max_rows_per_request = " + Number(max_rows_per_request) +
                  ", and does not say so: " + Number(counted) + " were there");
      }
      head.store_limit_ = rows;
      page_rows_ = std::min(page_rows_, rows);
      return false;
    }
    most = rows;
  }
}

void ClickhouseSource::Trouble(const TooMuch& fault) {
  if (article_) {
    if (!fault.lasting()) return;
    throw Fatal(std::string(fault.what()) + "; strategy = \"article\" does not ask for less: make max_rows_per_request smaller, or use \"auto\"", fault.code);
  }
  host.Count("made_smaller");
  if (reach_ && reach_->factor() > 1.0 / 16) reach_->Smaller();
  else page_rows_ = std::max<std::int64_t>(1, page_rows_ / 2);
  if (fault.code == 396 || fault.code == 158 || fault.code == 307) page_rows_ = std::max<std::int64_t>(1, page_rows_ / 2);
  host.Debug(std::string("asks for less: ") + fault.what());
}

/// The time that an answer took steers as well.
void ClickhouseSource::Fine() {
  const double took = static_cast<double>(Connected().cost().elapsed.count()) / 1e9;
  const bool slow = typical_ > 0 && took > 3 * typical_ + 0.5;
  if (reach_) slow ? reach_->Smaller() : reach_->Larger();
  if (!slow && page_rows_ < max_rows_per_request) page_rows_ = std::min(max_rows_per_request, page_rows_ + page_rows_ / 4 + 1);
  typical_ = typical_ > 0 ? 0.9 * typical_ + 0.1 * took : took;
  if (const std::int64_t most = Head().store_limit_; most > 0) page_rows_ = std::min(page_rows_, most);
}

bool ClickhouseSource::NextLimited(ArrowArray* out, std::string& position) {
  ClickhouseSource& head = Head();
  for (;;) {
    clickhouse::Ask ask;
    bool manifest_slice = false;
    {
      const std::lock_guard lock(head.mutex_);
      const std::int64_t end = head.ledger_.End(id_);
      if (!walk_->Done(end)) {
        const Cursor& c = walk_->cursor();
        std::int64_t reach = head.has_manifest_ ? head.SliceEnd(shard_, c.time) : 0;
        manifest_slice = reach > 0;
        if (!reach) reach = reach_->Next(head.shards_.at(shard_).rates, c, page_rows_, end);
        if (c.at == Cursor::At::kGroup) reach = c.time + head.table_.grain();
        ask = walk_->Next(head.ledger_.Claim(id_, reach), page_rows_);
        if (inside_) ask.below = inside_->Below(c, page_rows_);
      }
    }
    if (!ask.limit) {
      WaitForHalves();
      return false;
    }
    Page page;
    if (!FetchPage(ask, head.ordered_ || ask.from.at == Cursor::At::kGroup, page)) ask.limit = page.rows;
    Got got = Judge(page, ask.limit);
    if (inside_ && got.rows) {
      const auto within = [&](std::int64_t row) { return std::strtod(head.table_.KeyText(page, 1, row).c_str(), nullptr); };
      got.first_within = within(got.rows - got.in_last);
      got.last_within = within(got.rows - 1);
      got.least_within = got.most_within = within(0);
      for (std::int64_t i = 1; i < got.rows; ++i) {
        got.least_within = std::min(got.least_within, within(i));
        got.most_within = std::max(got.most_within, within(i));
      }
    }
    host.Debug(shard_ + " " + TimeText(ask.from.time) + " to " + TimeText(ask.to) + (ask.from.offset ? " from row " + Number(ask.from.offset) : "") + ": " + Number(page.rows) +
               " rows of " + Number(ask.limit) + (Connected().cost().walked >= 0 ? ", " + Number(Connected().cost().walked) + " walked" : ""));
    std::int64_t rows = 0;
    {
      const std::lock_guard lock(head.mutex_);
      rows = walk_->Take(ask, got, &head.shards_.at(shard_).rates);
      head.ledger_.Advance(id_, walk_->cursor().time);
    }
    if (!manifest_slice) reach_->Took(ask, got);
    if (inside_) inside_->Took(ask, got);
    if (manifest_slice && got.rows >= ask.limit && got.whole > 0 && ask.to > ask.from.time + head.table_.grain()) host.Count("slices_recut");
    Fine();
    if (ask.from.at == Cursor::At::kGroup && ask.from.offset) host.Count("pages_by_offset");
    if (!rows && walk_->cursor().at == Cursor::At::kGroup && got.rows) {
      host.Info("more than " + Number(ask.limit) + " rows have one key at " + TimeText(got.last_time) + ": they are read by offset");
      continue;
    }
    Give(page, rows, out);
    position = walk_->cursor().Save();
    return true;
  }
}

bool ClickhouseSource::NextArticle(ArrowArray* out, std::string& position) {
  ClickhouseSource& head = Head();
  while (ready_.empty()) {
    std::optional<Article::Question> q;
    {
      const std::lock_guard lock(head.mutex_);
      q = article_->Next(head.shards_.at(shard_).statistics, head.ledger_.End(id_));
      if (q) head.ledger_.Claim(id_, q->to);
    }
    if (!q) {
      WaitForHalves();
      return false;
    }
    const clickhouse::Ask ask{{Cursor::At::kTime, q->from, {}, q->offset}, q->to, max_rows_per_request};
    if (q->count) {
      article_->TookCount(CountOf(ask));
      continue;
    }
    Page page;
    const bool sure = FetchPage(ask, true, page);
    const std::int64_t rows = page.rows;
    if (!sure) throw Fatal("the store gives fewer rows than max_rows_per_request; make that " + Number(rows));
    // Rows that come into a slice while it is paged move those behind them.  All of it is held yet, and is asked for once more: if it has
    // not grown since, it does hold rows of a kind, else its halves are asked for, which take fewer pages.
    doubtful_ |= rows > 0 && !held_.empty() && Repeats(held_.back().first, page, head.table_.read);
    if (rows < ask.limit) {
      const std::int64_t before = std::exchange(doubted_, -1), all = q->offset + rows;
      if (std::exchange(doubtful_, false) && before != all) {
        if (before < 0) doubted_ = all;
        held_.clear();
        article_->Again(before >= 0);
        host.Count("slices_again");
        continue;
      }
    }
    Article::Then then;
    {
      const std::lock_guard lock(head.mutex_);
      then = article_->TookRows(rows, head.shards_.at(shard_).statistics);
      head.ledger_.Advance(id_, article_->done());
    }
    if (q->offset) host.Count("pages_by_offset");
    if (article_->huge()) host.Info("a slice at " + TimeText(q->from) + " held " + Number(article_->huge()) + " rows: huge, and kept out of the statistics");
    if (then == Article::Then::kDrop) {
      doubtful_ = false;
      doubted_ = -1;
      held_.clear();
      continue;
    }
    // Where a run that is interrupted behind this page goes on: inside the slice, or behind it.
    const Cursor after = rows >= ask.limit ? Cursor{Cursor::At::kTime, q->from, {Number(q->to)}, q->offset + rows} : Cursor{Cursor::At::kTime, article_->done(), {}, 0};
    held_.push_back({std::move(page), after.Save()});
    if (then == Article::Then::kHold) continue;
    std::move(held_.begin(), held_.end(), std::back_inserter(ready_));
    held_.clear();
  }
  Give(ready_.front().first, ready_.front().first.rows, out);
  position = ready_.front().second;
  ready_.pop_front();
  return true;
}

}  // namespace etl::clickhouse
