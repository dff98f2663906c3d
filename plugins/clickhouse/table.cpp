// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace etl::clickhouse {
namespace {

constexpr std::size_t kMostColumns = 4096;

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
std::int64_t CeilDiv(std::int64_t a, std::int64_t b) { return -FloorDiv(-a, b); }

std::int64_t DaysOf(int year, int month, int day) {   // of the civil calendar
  year -= month <= 2;
  const int era = (year >= 0 ? year : year - 399) / 400;
  const int yoe = year - era * 400, doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return static_cast<std::int64_t>(era) * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

std::string Head(const std::string& type) { return type.substr(0, type.find('(')); }

/// The second of the earliest time that a column can hold, and of the latest.
std::pair<std::int64_t, std::int64_t> EndsOf(const KeyColumn& k) {
  switch (k.kind) {
    case KeyColumn::Kind::kDate: return {0, std::int64_t{0xffff} * 86400};
    case KeyColumn::Kind::kDateTime: return {0, 0xffffffff};
    case KeyColumn::Kind::kDate32: case KeyColumn::Kind::kDateTime64: {
      const std::int64_t first = DaysOf(1900, 1, 1) * 86400, last = DaysOf(2300, 1, 1) * 86400 - 1;
      return {first, k.precision < 9 ? last : std::min(last, std::numeric_limits<std::int64_t>::max() / 1'000'000'000)};   // of Int64 nanoseconds
    }
    default: break;
  }
  const bool plain = k.type[0] == 'U';
  const int bits = std::atoi(k.type.c_str() + (plain ? 4 : 3));
  const std::int64_t last = bits == 64 ? std::numeric_limits<std::int64_t>::max() : (std::int64_t{1} << (plain ? bits : bits - 1)) - 1;
  return {plain ? 0 : -last - 1, last};
}

}  // namespace

std::string TimeText(std::int64_t seconds) {
  const std::int64_t days = FloorDiv(seconds, 86400), rest = seconds - days * 86400;
  std::int64_t z = days + 719468;
  const std::int64_t era = FloorDiv(z, 146097), doe = z - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153, day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", static_cast<int>(yoe + era * 400 + (month <= 2)), static_cast<int>(month),
                static_cast<int>(day), static_cast<int>(rest / 3600), static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return text;
}

std::int64_t ParseTime(const std::string& text, const char* option) {
  char* end = nullptr;
  const long long number = std::strtoll(text.c_str(), &end, 10);
  if (!text.empty() && *end == 0) {
    if (number < -kFar || number > kFar) throw ConfigError(option, "\"" + text + "\" is too far away");
    return number;
  }
  int y = 0, m = 0, d = 0, h = 0, min = 0, s = 0, used = 0;
  char separator = 0;
  const bool date = std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &y, &m, &d, &used) == 3;
  bool good = date && m >= 1 && m <= 12 && d >= 1 && d <= 31;
  if (good && text[static_cast<std::size_t>(used)]) {
    int more = 0;
    good = std::sscanf(text.c_str() + used, "%c%2d:%2d:%2d%n", &separator, &h, &min, &s, &more) == 4 && (separator == ' ' || separator == 'T');
    used += more;
    if (good && text[static_cast<std::size_t>(used)] == 'Z') ++used;
    good = good && !text[static_cast<std::size_t>(used)] && h < 24 && min < 60 && s < 60;
  }
  good = good && d <= DaysOf(m == 12 ? y + 1 : y, m % 12 + 1, 1) - DaysOf(y, m, 1);   // days of that month
  if (!good) throw ConfigError(option, "\"" + text + "\" is no time; write it in UTC, as 2024-03-01 or 2024-03-01 12:00:00");
  return DaysOf(y, m, d) * 86400 + h * 3600 + min * 60 + s;
}

bool FitsKey(const std::string& type, KeyColumn& out) {
  using Kind = KeyColumn::Kind;
  out.type = type;
  const std::string head = Head(type);
  if (head == "LowCardinality") return FitsKey(type.substr(15, type.size() - 16), out);
  if (head.rfind("Int", 0) == 0 || head.rfind("UInt", 0) == 0) {
    out.kind = Kind::kInt;
    return head.find("128") == std::string::npos && head.find("256") == std::string::npos && head.rfind("Interval", 0) != 0;
  }
  if (head == "String" || head == "FixedString") {
    out.kind = Kind::kText;
    out.type = "String";
    if (head == "FixedString") out.fixed = type.substr(12, type.size() - 13);
    return true;
  }
  if (head == "Date") out.kind = Kind::kDate;
  else if (head == "Date32") out.kind = Kind::kDate32;
  else if (head == "DateTime") out.kind = Kind::kDateTime;
  else if (head == "DateTime64") {
    out.kind = Kind::kDateTime64;
    out.precision = std::atoi(type.c_str() + 11);
  } else {
    return false;
  }
  return true;
}

// ---- what there is ----

namespace {

/// What is wrong with it is wrong with the option.
std::vector<std::vector<std::string>> AskFor(Connection& connection, const Statement& statement, const std::string& doing, const char* option) {
  try {
    return connection.Ask(statement, doing);
  } catch (Error& e) {
    if (e.status == ETL_CONFIG) e.option = option;
    throw;
  }
}

}  // namespace

void Table::Take(Connection& connection, const std::string& sql, const char* option) {
  Statement s;
  s.binds = binds;
  s.text = sql;
  if (binds) s.parameters = params;
  else s.text = Inline(sql, params);
  s += " FORMAT TabSeparatedWithNamesAndTypes";
  std::vector<std::vector<std::string>> rows;
  try {
    rows = connection.Ask(s, "cannot look at the columns");
  } catch (Error& e) {
    if (const auto dot = name.find('.'); CodeOf(e.what()) == 60 && dot != std::string::npos) {
      throw ConfigError("table", std::string(e.what()) + "; a database has an option of its own: database = \"" + name.substr(0, dot) + "\"");
    }
    if (e.status == ETL_CONFIG && e.option.empty()) e.option = option;
    throw;
  }
  if (rows.size() < 2 || rows[0].size() != rows[1].size()) throw Retry("the server did not say which columns there are, but \"" + Shown(rows.empty() ? "" : rows[0][0].substr(0, 80)) + "\"");
  if (rows[0].size() > kMostColumns) throw ConfigError(option, "there are " + std::to_string(rows[0].size()) + " columns; name at most " + std::to_string(kMostColumns));
  for (std::size_t i = 0; i < rows[0].size(); ++i) {
    try {
      Asked asked = Understand(rows[1][i], types);
      read.push_back({rows[0][i], std::move(asked.type)});
      casts.push_back(asked.cast);
    } catch (const Error& e) {
      throw ConfigError(option, "column \"" + rows[0][i] + "\" cannot be read: " + e.what());
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (read[j].name == read[i].name) throw ConfigError(option, "two columns have the name \"" + read[i].name + "\"; give one another name with AS");
    }
  }
}

void Table::FindColumns(Connection& connection) {
  std::string list;
  for (const std::string& c : wanted) list += (list.empty() ? "" : ", ") + Quote(c);
  Statement s = Begin();
  read.clear();
  casts.clear();
  Take(connection, "SELECT " + (list.empty() ? "*" : list) + " FROM " + Quote(name, "table") + " WHERE 0 LIMIT 0", wanted.empty() ? "table" : "columns");
  delivered = read.size();
  if (where.empty()) return;
  Statement check = Begin();
  check += "SELECT count() FROM " + Quote(name, "table") + " WHERE (" + (binds ? Plain(where) : Inline(Plain(where), params)) + "\n) AND 0";
  AskFor(connection, check, "cannot use where", "where");
}

void Table::FindQuery(Connection& connection, const std::string& query) {
  read.clear();
  casts.clear();
  Take(connection, "SELECT * FROM (" + Plain(query) + "\n) LIMIT 0", "query");
  delivered = read.size();
}

std::string Table::TypeOf(Connection& connection, const std::string& column, const char* option) const {
  Statement s = Begin();
  s += "SELECT " + Quote(column, option) + " FROM " + Quote(name, "table") + " WHERE 0 LIMIT 0 FORMAT TabSeparatedWithNamesAndTypes";
  const auto rows = AskFor(connection, s, "cannot look at column \"" + column + "\"", option);
  if (rows.size() < 2 || rows[1].empty()) throw Retry("the server did not say what column \"" + column + "\" is");
  return rows[1][0];
}

std::size_t Table::NeedColumn(Connection& connection, const std::string& column, const char* option, std::string& type) {
  type = TypeOf(connection, column, option);
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (read[i].name == column) return i;
  }
  Asked asked = Understand(type, {true, true});
  read.push_back({column, std::move(asked.type)});
  casts.push_back(asked.cast);
  return read.size() - 1;
}

void Table::SetKey(Connection& connection, const std::string& time, const std::vector<std::string>& more, bool sorting) {
  key.clear();
  const auto add = [&](const std::string& column, const char* option, bool must) {
    KeyColumn k;
    k.name = column;
    std::string type;
    const std::size_t known = read.size();
    k.at = NeedColumn(connection, column, option, type);
    if (!FitsKey(type, k)) {
      read.resize(known);
      casts.resize(known);
      if (must && type.rfind("Nullable(", 0) == 0) throw ConfigError(option, "column \"" + column + "\" is Nullable: rows without a value would never be read");
      if (must) throw ConfigError(option, "column \"" + column + "\" is of type " + type + ", which gives no certain order here");
      return false;
    }
    key.push_back(std::move(k));
    return true;
  };
  add(time, "time_column", true);
  if (key[0].kind == KeyColumn::Kind::kText) throw ConfigError("time_column", "column \"" + time + "\" is text; a date, a time or seconds since 1970 are needed");
  for (const std::string& c : more) {
    if (c != time) add(c, "order_by", true);
  }
  if (!sorting) return;
  Table sorted;
  sorted.name = name;
  sorted.binds = binds;
  sorted.SetSortingKey(connection);
  if (sorted.key.empty() || sorted.key[0].name != time) return;
  for (std::size_t i = 1; i < sorted.key.size(); ++i) {
    if (!add(sorted.key[i].name, "time_column", false)) break;
  }
}

void Table::SetSharding(Connection& connection, const std::string& column) {
  std::string type = TypeOf(connection, column, "shard_by");
  while (type.rfind("Nullable(", 0) == 0 || type.rfind("LowCardinality(", 0) == 0) type = type.substr(type.find('(') + 1, type.size() - type.find('(') - 2);
  sharding.column = KeyColumn();
  sharding.column.name = column;
  sharding.type = type;
  const bool number = FitsKey(type, sharding.column) && sharding.column.kind == KeyColumn::Kind::kInt;
  const std::string head = Head(type);
  if (!number && head != "String" && head != "FixedString" && head != "Enum8" && head != "Enum16" && head != "UUID") {
    throw ConfigError("shard_by", "column \"" + column + "\" is of type " + type + "; a number, text, Enum or UUID is needed");
  }
  if (!number) {
    sharding.column.kind = KeyColumn::Kind::kText;
    sharding.column.type = "String";
  }
}

void Table::SetSortingKey(Connection& connection) {
  key.clear();
  Statement s = Begin();
  s += "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = ";
  s.Bind("String", name);
  const auto rows = connection.AskIfAllowed(s, "cannot read the table's sorting key");
  if (!rows || rows->empty() || (*rows)[0].empty()) return;
  const std::string all = (*rows)[0][0];
  std::string text = all, column;
  if (text.find_first_of("('\"") != std::string::npos) text = text.substr(0, text.find_first_of("('\""));   // up to the first expression
  const bool cut = text.size() != all.size();
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    column = text.substr(at, comma - at);
    while (!column.empty() && column.front() == ' ') column.erase(0, 1);
    while (!column.empty() && column.back() == ' ') column.pop_back();
    if (comma == text.size() && cut) break;
    if (column.size() > 1 && column[0] == '`') column = column.substr(1, column.size() - 2);
    if (column.empty() || column.find_first_of("`\\ +-*/%") != std::string::npos) break;
    names.push_back(column);
    at = comma + 1;
  }
  for (const std::string& c : names) {
    KeyColumn k;
    k.name = c;
    std::string type;
    const std::size_t known = read.size();
    k.at = NeedColumn(connection, c, "table", type);
    if (!FitsKey(type, k)) {
      read.resize(known);
      casts.resize(known);
      return;
    }
    key.push_back(std::move(k));
  }
}

// ---- SQL ----

Statement Table::Begin() const {
  Statement s;
  s.binds = binds;
  if (binds) s.parameters = params;
  return s;
}

std::string Table::List() const {
  std::string out;
  for (const ReadColumn& c : read) out += (out.empty() ? "" : ", ") + Quote(c.name);
  return out;
}

/// The casts stand outside, so that conditions and the order see the columns as they are.
std::string Table::Outer(const std::string& inner) const {
  if (std::all_of(casts.begin(), casts.end(), [](const std::string& c) { return c.empty(); })) return inner;
  std::string list;
  for (std::size_t i = 0; i < read.size(); ++i) {
    const std::string q = Quote(read[i].name);
    if (i) list += ", ";
    if (casts[i].empty()) list += q;
    else if (casts[i] == "JSON") list += "toJSONString(" + q + ") AS " + q;
    else list += "CAST(" + q + ", " + Literal(casts[i]) + ") AS " + q;
  }
  return "SELECT " + list + " FROM (" + inner + "\n)";
}

void Table::AddFrom(Statement& s) const { s += " FROM " + Quote(name, "table") + (final ? " FINAL" : ""); }

void Table::AddWhere(Statement& s, const std::string& shard) const {
  s += " WHERE 1";
  if (!where.empty()) s += " AND (" + (binds ? Plain(where) : Inline(Plain(where), params)) + "\n)";
  if (shard.empty()) return;
  const std::string column = Quote(sharding.column.name, "shard_by");
  if (shard[0] == '=') {
    s += " AND " + column + " = ";
    AddBound(s, sharding.column, shard.substr(1));
    return;
  }
  // Nobody's rows, and those without a value.
  s += " AND (isNull(" + column + ")";
  if (sharding.values.empty()) s += " OR 1";
  else s += " OR " + column + " NOT IN (";
  for (std::size_t i = 0; i < sharding.values.size(); ++i) {
    if (i) s += ", ";
    const KeyColumn& c = sharding.column;
    s += c.kind == KeyColumn::Kind::kInt ? sharding.values[i] : c.fixed.empty() ? Literal(sharding.values[i]) : "toFixedString(" + Literal(sharding.values[i]) + ", " + c.fixed + ")";
  }
  s += sharding.values.empty() ? ")" : "))";
}

void Table::AddBound(Statement& s, const KeyColumn& k, const std::string& value) const {
  switch (k.kind) {
    case KeyColumn::Kind::kInt: s.Bind(k.type, value); break;
    case KeyColumn::Kind::kText:
      if (!k.fixed.empty()) s += "toFixedString(";
      s.Bind("String", value);
      if (!k.fixed.empty()) s += ", " + k.fixed + ")";
      break;
    case KeyColumn::Kind::kDate: s += "toDate("; s.Bind("UInt16", value); s += ")"; break;
    case KeyColumn::Kind::kDate32: s += "toDate32("; s.Bind("String", TimeText(std::atoll(value.c_str()) * 86400).substr(0, 10)); s += ")"; break;
    case KeyColumn::Kind::kDateTime: s += "toDateTime("; s.Bind("UInt32", value); s += ")"; break;
    case KeyColumn::Kind::kDateTime64: s += "toDateTime64("; s.Bind("String", value); s += ", " + std::to_string(k.precision) + ", 'UTC')"; break;
  }
}

/// A time that the column can hold.
void Table::AddTime(Statement& s, std::int64_t seconds) const {
  const KeyColumn& k = key[0];
  if (k.kind == KeyColumn::Kind::kDateTime64) return AddBound(s, k, TimeText(seconds));
  AddBound(s, k, std::to_string(CeilDiv(seconds, grain())));
}

/// A literal beyond the times that the column can hold would be another time: where all of them meet a condition it is left out, and
/// where none does, there are no rows.
void Table::AddWindow(Statement& s, std::int64_t from, std::int64_t to) const {
  const std::string time = Quote(key[0].name);
  const auto [first, last] = EndsOf(key[0]);
  if (from > last || to <= first) {
    s += " AND 0";
    return;
  }
  if (from > first) {
    s += " AND " + time + " >= ";
    AddTime(s, from);
  }
  if (to <= last) {
    s += " AND " + time + " < ";
    AddTime(s, to);
  }
}

/// Keys above (or equal to) `values` in the columns from `from` on: a > x OR (a = x AND (b > y ...)).
void Table::AddAbove(Statement& s, const Key& values, std::size_t from, bool equal) const {
  const std::string q = Quote(key[from].name);
  const bool last = from + 1 == values.size();
  s += q + (last && equal ? " >= " : " > ");
  AddBound(s, key[from], values[from]);
  if (last) return;
  s += " OR (" + q + " = ";
  AddBound(s, key[from], values[from]);
  s += " AND (";
  AddAbove(s, values, from + 1, equal);
  s += "))";
}

void Table::AddBelow(Statement& s, const Key& values, std::size_t from) const {
  const std::string q = Quote(key[from].name);
  s += q + " < ";
  AddBound(s, key[from], values[from]);
  if (from + 1 == values.size()) return;
  s += " OR (" + q + " = ";
  AddBound(s, key[from], values[from]);
  s += " AND (";
  AddBelow(s, values, from + 1);
  s += "))";
}

void Table::AddCursor(Statement& s, const Ask& ask) const {
  if (ask.from.at == Cursor::At::kGroup) {
    for (std::size_t i = 0; i < key.size(); ++i) {
      s += " AND " + Quote(key[i].name) + " = ";
      AddBound(s, key[i], ask.from.key.at(i));
    }
    return;
  }
  if (ask.from.at != Cursor::At::kTime) {
    s += " AND " + Quote(key[0].name) + " >= ";
    AddBound(s, key[0], ask.from.key.at(0));   // for the index, besides what follows
    s += " AND (";
    AddAbove(s, ask.from.key, 0, ask.from.at == Cursor::At::kKey);
    s += ")";
  }
  AddWindow(s, ask.from.at == Cursor::At::kTime ? ask.from.time : std::numeric_limits<std::int64_t>::min(), ask.to);
  if (ask.below.empty()) return;
  s += " AND (";
  AddBelow(s, ask.below, 0);
  s += ")";
}

void Table::AddOrder(Statement& s, bool all_columns) const {
  s += " ORDER BY ";
  for (std::size_t i = 0; i < key.size(); ++i) s += (i ? ", " : "") + Quote(key[i].name);
  for (std::size_t i = 0; all_columns && i < read.size(); ++i) {
    if (std::any_of(key.begin(), key.end(), [i](const KeyColumn& k) { return k.at == i; })) continue;
    const CType& t = read[i].type;
    const bool plain = (casts[i].empty() || casts[i] == t.name) && casts[i] != "JSON" && t.form != Form::kMap && t.form != Form::kTuple && t.form != Form::kNothing;
    s += plain ? ", " + Quote(read[i].name) : ", toString(" + Quote(read[i].name) + ")";
  }
}

Statement Table::Page(const Ask& ask, const std::string& shard, bool all_columns) const {
  Statement s = Begin();
  s.settings = page_settings;
  s += "SELECT " + List();
  AddFrom(s);
  AddWhere(s, shard);
  AddCursor(s, ask);
  AddOrder(s, all_columns);
  s += " LIMIT " + (ask.from.offset ? std::to_string(ask.from.offset) + ", " : "") + std::to_string(ask.limit);
  s.text = Outer(s.text);
  return s;
}

Statement Table::Count(const Ask& ask, const std::string& shard) const {
  Statement s = Begin();
  s += "SELECT count()";
  AddFrom(s);
  AddWhere(s, shard);
  AddCursor(s, ask);
  return s;
}

void Table::AddRange(Statement& s, const Key& from, const Key& to, bool equal) const {
  if (!from.empty()) {
    s += " AND " + Quote(key[0].name) + " >= ";
    AddBound(s, key[0], from[0]);
    if (from.size() > 1 || !equal) {
      s += " AND (";
      AddAbove(s, from, 0, equal);
      s += ")";
    }
  }
  if (!to.empty()) {
    s += " AND " + Quote(key[0].name) + (to.size() > 1 ? " <= " : " < ");
    AddBound(s, key[0], to[0]);
    if (to.size() > 1) {
      s += " AND (";
      AddBelow(s, to, 0);
      s += ")";
    }
  }
}

Statement Table::Ordered(const Key& from, const Key& to, std::int64_t offset, bool group, std::int64_t limit) const {
  Statement s = Begin();
  s += "SELECT " + List();
  AddFrom(s);
  AddWhere(s, "");
  if (group) AddCursor(s, {{Cursor::At::kGroup, 0, from, offset}, 0, limit});
  else AddRange(s, from, to, offset >= 0);
  AddOrder(s, true);
  s += " LIMIT " + (offset > 0 ? std::to_string(offset) + ", " : "") + std::to_string(limit);
  s.text = Outer(s.text);
  return s;
}

Statement Table::Query(const std::string& query) const {
  Statement s = Begin();
  const std::string sql = binds ? Plain(query) : Inline(Plain(query), params);
  const bool as_it_is = std::all_of(casts.begin(), casts.end(), [](const std::string& c) { return c.empty(); });
  s += as_it_is ? sql : Outer(sql);
  return s;
}

std::string Table::Sample(const KeyColumn& k, const std::string& of) const {
  switch (k.kind) {
    case KeyColumn::Kind::kDate: return "toUInt16(" + of + ")";
    case KeyColumn::Kind::kDate32: return "toInt32(" + of + ")";
    case KeyColumn::Kind::kDateTime: return "toUInt32(" + of + ")";
    case KeyColumn::Kind::kDateTime64: return "toString(" + of + ", 'UTC')";
    default: return of;
  }
}

std::string Table::Now() const {
  switch (key[0].kind) {
    case KeyColumn::Kind::kDate: case KeyColumn::Kind::kDate32: return "toUInt16(toDate(now()))";   // its own day, not UTC's
    case KeyColumn::Kind::kDateTime64: return "toString(now(), 'UTC')";
    default: return "toUInt32(now())";
  }
}

std::int64_t Table::grain() const { return key[0].kind == KeyColumn::Kind::kDate || key[0].kind == KeyColumn::Kind::kDate32 ? 86400 : 1; }

Statement Table::Range(const Key& from, const Key& to, std::int64_t limit) const {
  Statement s = Begin();
  s += "SELECT " + List();
  AddFrom(s);
  AddWhere(s, "");
  AddRange(s, from, to, true);
  if (limit > 0) s += " LIMIT " + std::to_string(limit);
  s.text = Outer(s.text);
  return s;
}

Statement Table::Select() const { return Range({}, {}, 0); }

Statement Table::Aggregate(const std::string& what, std::int64_t from, std::int64_t to, const std::string& shard, bool bounded) const {
  Statement s = Begin();
  s += "SELECT " + what;
  AddFrom(s);
  AddWhere(s, shard);
  if (bounded) AddCursor(s, {{Cursor::At::kTime, from, {}, 0}, to, 0});
  return s;
}

Statement Table::Sampled(const std::string& what, const Key& from) const {
  Statement s = Aggregate(what, 0, 0, "", false);
  AddRange(s, from, {}, true);
  return s;
}

std::string Table::Seconds(const std::string& of) const {
  switch (key[0].kind) {
    case KeyColumn::Kind::kDate: case KeyColumn::Kind::kDate32: return "toInt64(toInt32(" + of + ")) * 86400";
    case KeyColumn::Kind::kDateTime64: return "toInt64(floor(toFloat64(" + of + ")))";
    default: return "toInt64(" + of + ")";
  }
}

// ---- values ----

std::string Table::KeyText(const clickhouse::Page& page, std::size_t k, std::int64_t row) const {
  const KeyColumn& column = key[k];
  const CType& type = read[column.at].type;
  const std::string_view v = page.columns[column.at].Value(type, row);
  if (column.kind == KeyColumn::Kind::kText) return std::string(v);
  std::int64_t n = 0;
  const char f = type.arrow.format[0];
  std::uint64_t raw = 0;
  std::memcpy(&raw, v.data(), std::min<std::size_t>(v.size(), 8));
  if (f == 'L') return std::to_string(raw);
  if (f == 'C' || f == 'S' || f == 'I') return std::to_string(raw);
  const int bits = static_cast<int>(v.size()) * 8;
  n = bits >= 64 ? static_cast<std::int64_t>(raw) : static_cast<std::int64_t>(raw << (64 - bits)) >> (64 - bits);
  if (column.kind != KeyColumn::Kind::kDateTime64) return std::to_string(n);
  const char unit = type.arrow.format[2];
  const int digits = unit == 's' ? 0 : unit == 'm' ? 3 : unit == 'u' ? 6 : 9;
  std::int64_t scale = 1;
  for (int i = 0; i < digits; ++i) scale *= 10;
  const std::int64_t seconds = FloorDiv(n, scale);
  std::string text = TimeText(seconds);
  if (digits) {
    const std::string fraction = std::to_string(n - seconds * scale);
    text += "." + std::string(static_cast<std::size_t>(digits) - fraction.size(), '0') + fraction;
  }
  return text;
}

Key Table::KeyOf(const clickhouse::Page& page, std::int64_t row) const {
  Key out;
  for (std::size_t k = 0; k < key.size(); ++k) out.push_back(KeyText(page, k, row));
  return out;
}

std::int64_t Table::TimeOf(const std::string& text) const {
  switch (key[0].kind) {
    case KeyColumn::Kind::kDate: case KeyColumn::Kind::kDate32: return std::atoll(text.c_str()) * 86400;
    case KeyColumn::Kind::kDateTime64: return ParseTime(text.substr(0, 19), "time_column");
    default: return std::atoll(text.c_str());
  }
}

bool Table::SameKey(const clickhouse::Page& page, std::int64_t a, std::int64_t b, std::size_t columns) const {
  for (std::size_t k = 0; k < columns; ++k) {
    const CType& type = read[key[k].at].type;
    const Col& col = page.columns[key[k].at];
    if (col.Value(type, a) != col.Value(type, b)) return false;
  }
  return true;
}

}  // namespace etl::clickhouse
