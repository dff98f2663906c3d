// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"

#include <etl/compare.h>
#include <etl/take.h>

#include <algorithm>

namespace etl::mysql {
namespace {

constexpr std::size_t kMostJson = 1 << 20;   // of a query: every server takes that

std::string Joined(const std::vector<std::string>& parts, const char* between) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : between) + p;
  return out;
}

}  // namespace

detail::DeclaredList MysqlLookup::Options() {
  using L = MysqlLookup;
  return Join(
      ServerOptions<L>(),
      etl::Options(
          Option("table", &L::table, "Table to look in.").Required(),
          Option("on", &L::on, "Batch column = table column: what identifies a row there.").Required(),
          Option("columns", &L::columns, "New column = table column: what to add; null where there is no such row."),
          Option("only_missing", &L::only_missing, "Pass only rows whose key the table does not hold."),
          Option("only_changed", &L::only_changed, "Pass only rows that the table does not hold, or holds with other values in these columns."),
          Option("batch_keys", &L::batch_keys, "Most keys in a query.").Range("1..100000").Tuning().Advanced()));
}

MysqlLookup::Sent MysqlLookup::SentAs(Session& session, const Schema& in, const std::string& mine, const std::string& theirs, const char* option) {
  Sent out;
  const auto at = std::find_if(in.begin(), in.end(), [&](const Field& f) { return f.name == mine; });
  if (at == in.end()) throw ConfigError(option, "the rows have no column \"" + mine + "\"");
  out.from = static_cast<std::size_t>(at - in.begin());
  out.theirs = "t." + Quote(theirs, option);
  const auto rows = session.Rows("SELECT COLUMN_TYPE, LOWER(DATA_TYPE), CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS WHERE "
                                 "TABLE_SCHEMA = DATABASE() AND TABLE_NAME = " + session.Literal(table) + " AND COLUMN_NAME = " + session.Literal(theirs));
  if (rows.empty()) throw ConfigError(option, "table \"" + table + "\" has no column \"" + theirs + "\"");
  const std::string kind = rows[0][1].value_or("");
  for (const char* none : {"json", "geometry", "bit", "vector"}) {
    if (kind == none) throw ConfigError(option, "column \"" + theirs + "\" is of type " + kind + ", which cannot be compared here");
  }
  out.bytes = at->type.format == "z" || at->type.format == "Z" || at->type.format[0] == 'w';
  out.declared = out.bytes ? "LONGTEXT" : kind == "enum" || kind == "set" ? "VARCHAR(255)" : kind == "float" ? "DOUBLE" : rows[0][0].value_or("");
  // Under the column's own character set and collation the server finds the row by its index.
  if (rows[0][2] && !out.bytes) out.declared += " CHARACTER SET " + *rows[0][2] + " COLLATE " + *rows[0][3];
  return out;
}

void MysqlLookup::Prepare(const Schema& in) {
  if (on.empty()) throw ConfigError("on", "name at least one column");
  if (only_missing && !only_changed.empty()) throw ConfigError("only_changed", "only_missing and only_changed exclude each other");
  Session& session = link_.Get();
  keys_.clear();
  compared_.clear();
  read_.clear();
  added_.clear();
  for (const auto& [mine, theirs] : on) keys_.push_back(SentAs(session, in, mine, theirs, "on"));
  for (const std::string& c : only_changed) compared_.push_back(SentAs(session, in, c, c, "only_changed"));
  std::vector<std::string> select, declared, match, same;
  for (const auto& [mine, theirs] : columns) {
    if (std::any_of(in.begin(), in.end(), [&m = mine](const Field& f) { return f.name == m; })) {
      throw ConfigError("columns", "the rows have a column \"" + mine + "\" already");
    }
    const std::string sql = "SELECT " + Quote(theirs, "columns") + " FROM " + Quote(table) + " LIMIT 0";
    if (mysql_real_query(session.get(), sql.data(), sql.size())) {
      if (session.error() == 1054) throw ConfigError("columns", "table \"" + table + "\" has no column \"" + theirs + "\"");
      session.Fail("cannot read from \"" + table + "\"");
    }
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> result(mysql_store_result(session.get()), mysql_free_result);
    read_.push_back(ReadColumnOf(*mysql_fetch_field_direct(result.get(), 0), "", ZeroDates::kFail));
    added_.push_back({mine, read_.back().type, true});
    select.push_back("t." + Quote(theirs) + (read_.back().kind == Kind::kFloat ? " + 0e0" : ""));
  }
  const auto value = [](const Sent& s, const std::string& name) { return s.bytes ? "FROM_BASE64(x." + name + ")" : "x." + name; };
  std::size_t n = 0;
  const auto declare = [&](const Sent& s) {
    const std::string name = "c" + std::to_string(n);
    declared.push_back(name + " " + s.declared + " PATH '$[" + std::to_string(n++) + "]'");
    return value(s, name);
  };
  for (const Sent& s : keys_) match.push_back(s.theirs + " = " + declare(s));
  for (const Sent& s : compared_) same.push_back(s.theirs + " <=> " + declare(s));
  select.insert(select.begin(), {"x.n", same.empty() ? "1" : Joined(same, " AND ")});
  before_ = "SELECT " + Joined(select, ", ") + " FROM JSON_TABLE(";
  after_ = ", '$[*]' COLUMNS(n FOR ORDINALITY, " + Joined(declared, ", ") + ")) x STRAIGHT_JOIN " + Quote(table) + " t ON " + Joined(match, " AND ");
  session.Rows(before_ + "'[]'" + after_, "cannot look up in this table");
}

Schema MysqlLookup::Describe(const Schema& in) {
  Prepare(in);
  Schema out = in;
  out.insert(out.end(), added_.begin(), added_.end());
  return out;
}

void MysqlLookup::Open(const Schema& in) {
  Prepare(in);
  json_ = std::make_unique<JsonWriter>(in_schema());
}

/// Asks for the rows from `first` on, as many as one query takes; returns how many.
std::int64_t MysqlLookup::Ask(Session& session, const Rows& in, std::int64_t first, std::vector<Found>& found) {
  std::string text = "[";
  std::int64_t count = 0;
  for (; first + count < in.size() && count < batch_keys && text.size() < kMostJson; ++count) {
    text += count ? ",[" : "[";
    bool comma = false;
    for (const auto* list : {&keys_, &compared_}) {
      for (const Sent& s : *list) {
        if (comma) text += ',';
        comma = true;
        try {
          json_->Value(s.from, in.array(), first + count, text);
        } catch (const std::invalid_argument&) {
          text += "null";   // no value of SQL: NaN and its like are in no table
        }
        // An instant is written with a Z, which servers do not read; their session is in UTC.
        if (text.size() > 2 && text.compare(text.size() - 2, 2, "Z\"") == 0 && in.schema().children[s.from]->format[0] == 't') text.erase(text.size() - 2, 1);
      }
    }
    text += ']';
  }
  for (const TextRow& row : session.Rows(before_ + session.Literal(text + "]") + after_, "cannot look up in the table")) {
    Found& f = found[static_cast<std::size_t>(first + std::atoll(row[0].value_or("1").c_str()) - 1)];
    f.same |= row[1] == "1";
    if (f.there) continue;   // not a unique key: any of its rows
    f.there = true;
    f.values.assign(row.begin() + 2, row.end());
  }
  return count;
}

/// The new columns of a row that passes; or why they do not fit, and nothing then.
std::optional<std::string> MysqlLookup::AddFound(const Found& found, Batch& added) {
  const std::int64_t before = added.rows();
  std::string why;
  std::int64_t zeros = 0;
  for (std::size_t a = 0; a < read_.size(); ++a) {
    if (!found.there || !found.values[a]) {
      added[a].Null();
    } else if (!Append(read_[a], *found.values[a], added[a], why, zeros)) {
      added.Truncate(before);
      return "in \"" + table + "\", column \"" + columns[a].second + "\": " + why;
    }
  }
  return std::nullopt;
}

void MysqlLookup::Apply(const Rows& in) {
  Session& session = link_.Get();
  std::vector<Found> found(static_cast<std::size_t>(in.size()));
  for (std::int64_t first = 0; first < in.size();) first += Ask(session, in, first, found);
  Batch added(added_);
  std::vector<std::int64_t> rows;
  std::vector<std::uint64_t> origin;
  const bool comparing = Comparing(host);
  for (std::int64_t row = 0; row < in.size(); ++row) {
    const Found& f = found[static_cast<std::size_t>(row)];
    if (!comparing && (only_missing ? f.there : !only_changed.empty() && f.there && f.same)) continue;
    if (const auto unfit = AddFound(f, added)) {
      host.Reject(in.row(row), *unfit);
      continue;
    }
    rows.push_back(row + in.array().offset);
    origin.push_back(in.row(row));
  }
  if (rows.empty()) return;
  std::vector<ArrowArray> out_columns(static_cast<std::size_t>(in.columns()) + added_.size());
  std::size_t c = 0;
  for (; c < static_cast<std::size_t>(in.columns()); ++c) etl::Take(*in.schema().children[c], *in.array().children[c], rows, &out_columns[c]);
  for (std::size_t a = 0; a < added_.size(); ++a) added[a].Finish(&out_columns[c + a]);
  ArrowArray out;
  MakeBatch(out_columns, static_cast<std::int64_t>(rows.size()), &out);
  host.Emit(&out, origin.data());
}

}  // namespace etl::mysql
