// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"

#include <etl/compare.h>
#include <etl/take.h>

#include <algorithm>

namespace etl::sqlite {
namespace {

std::size_t Find(const Schema& in, const std::string& name, const char* option) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].name == name) return i;
  }
  throw ConfigError(option, "the rows have no column \"" + name + "\"");
}

/// "a", "b": the table's columns of `on`.
std::string Quoted(const std::vector<std::pair<std::string, std::string>>& on) {
  std::string text;
  for (const auto& [mine, theirs] : on) text += (text.empty() ? "\"" : ", \"") + theirs + "\"";
  return text;
}

}  // namespace

detail::DeclaredList SqliteLookup::Options() {
  using L = SqliteLookup;
  return etl::Options(
      Option("path", &L::path, "Database file; opened read-only.").Path().Required(),
      Option("table", &L::table, "Table to look in.").Required(),
      Option("on", &L::on, "Batch column = table column: what identifies a row there.").Required(),
      Option("columns", &L::columns, "New column = table column: what to add; null where there is no such row."),
      Option("only_missing", &L::only_missing, "Pass only rows whose key the table does not hold."),
      Option("only_changed", &L::only_changed, "Pass only rows that the table does not hold, or holds with other values in these columns."));
}

void SqliteLookup::Check() { Database(path, false); }

void SqliteLookup::Prepare(const Schema& in) {
  db_ = std::make_unique<Database>(path, false);
  const std::vector<TableColumn> there = db_->Columns(table);
  if (there.empty()) throw ConfigError("table", path + " has no table \"" + table + "\"");
  const auto declared = [&](const std::string& name, const char* option) {
    for (const TableColumn& c : there) {
      if (sqlite3_stricmp(c.name.c_str(), name.c_str()) == 0) return c.type;
    }
    throw ConfigError(option, "table \"" + table + "\" has no column \"" + name + "\"");
  };
  if (on.empty()) throw ConfigError("on", "name at least one column");
  if (only_missing && !only_changed.empty()) throw ConfigError("only_changed", "only_missing and only_changed exclude each other");
  std::string where, list, same;
  keys_.clear();
  compared_.clear();
  added_.clear();
  shapes_.clear();
  for (const auto& [mine, theirs] : on) {
    declared(theirs, "on");
    keys_.push_back(Find(in, mine, "on"));
    where += (where.empty() ? "" : " AND ") + Quote(theirs) + " = ?";
  }
  for (const auto& [mine, theirs] : columns) {
    shapes_.push_back(ShapeOf(declared(theirs, "columns")));
    added_.push_back({mine, TypeOf(shapes_.back()), true});
    list += (list.empty() ? "" : ", ") + Quote(theirs);
    if (std::any_of(in.begin(), in.end(), [&m = mine](const Field& f) { return f.name == m; })) {
      throw ConfigError("columns", "the rows have a column \"" + mine + "\" already");
    }
  }
  for (const std::string& c : only_changed) {
    declared(c, "only_changed");
    compared_.push_back(Find(in, c, "only_changed"));
    same += (same.empty() ? "" : " AND ") + Quote(c) + " IS ?";
  }
  lookup_ = Statement(db_->get(), "SELECT " + (list.empty() ? "1" : list) + " FROM " + Quote(table) + " WHERE " + where + " LIMIT 1");
  if (!same.empty()) compare_ = Statement(db_->get(), "SELECT 1 FROM " + Quote(table) + " WHERE " + where + " AND " + same + " LIMIT 1");
}

void SqliteLookup::WarnOfScan() const {
  const Statement plan(db_->get(), "EXPLAIN QUERY PLAN " + std::string(sqlite3_sql(lookup_.get())));
  while (plan.Step()) {
    if (plan.Text(3).substr(0, 5) != "SCAN ") continue;
    host.Warn("reads table \"" + table + "\" from its beginning for each row: it has no index over " + Quoted(on));
    return;
  }
}

Schema SqliteLookup::Describe(const Schema& in) {
  Prepare(in);
  WarnOfScan();
  Schema out = in;
  out.insert(out.end(), added_.begin(), added_.end());
  return out;
}

void SqliteLookup::Open(const Schema& in) {
  Prepare(in);
  binder_ = std::make_unique<Binder>(in_schema());
}

bool SqliteLookup::Changed(std::int64_t row) {
  int i = 0;
  for (const std::size_t k : keys_) binder_->Bind(compare_.get(), ++i, k, row);  // as for the lookup
  for (const std::size_t c : compared_) {
    if (binder_->Bind(compare_.get(), ++i, c, row)) return true;  // the table cannot hold such a value
  }
  const bool same = compare_.Step();
  compare_.Reset();
  return !same;
}

void SqliteLookup::Apply(const Rows& in) {
  binder_->Begin(in.array());
  const bool comparing = Comparing(host);
  Batch added(added_);
  std::vector<std::int64_t> rows;
  std::vector<std::uint64_t> origin;
  for (std::int64_t row = 0; row < in.size(); ++row) {
    int i = 0;
    bool fits = true;
    for (const std::size_t k : keys_) {
      if (const auto wrong = binder_->Bind(lookup_.get(), ++i, k, row)) {
        host.Reject(in.row(row), *wrong);
        fits = false;
        break;
      }
    }
    if (!fits) continue;
    const bool found = lookup_.Step();
    if (comparing || (only_missing ? !found : only_changed.empty() || !found || Changed(row))) {
      if (const auto unfit = AddFound(found, added)) {
        host.Reject(in.row(row), *unfit);
      } else {
        rows.push_back(row + in.array().offset);
        origin.push_back(in.row(row));
      }
    }
    lookup_.Reset();
  }
  if (rows.empty()) return;
  std::vector<ArrowArray> columns(static_cast<std::size_t>(in.columns()) + added_.size());
  std::size_t c = 0;
  for (; c < static_cast<std::size_t>(in.columns()); ++c) {
    Take(*in.schema().children[c], *in.array().children[c], rows, &columns[c]);
  }
  for (std::size_t a = 0; a < added_.size(); ++a) added[a].Finish(&columns[c + a]);
  ArrowArray out;
  MakeBatch(columns, static_cast<std::int64_t>(rows.size()), &out);
  host.Emit(&out, origin.data());
}

/// The new columns of a row that passes, from the statement's current row; or why they do not fit, and nothing then.
std::optional<std::string> SqliteLookup::AddFound(bool found, Batch& added) {
  const std::int64_t before = added.rows();
  for (std::size_t a = 0; a < added_.size(); ++a) {
    const int c = static_cast<int>(a);
    if (!found) {
      added[a].Null();
    } else if (!values_.Append(lookup_.get(), c, shapes_[a], added[a])) {
      added.Truncate(before);
      return "in \"" + table + "\", " + ValueReader::Unfit(lookup_.get(), c, columns[a].second, shapes_[a]);
    }
  }
  return std::nullopt;
}

}  // namespace etl::sqlite
