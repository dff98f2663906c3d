// SPDX-License-Identifier: Apache-2.0
#include "key.h"

#include <etl/pack.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "types.h"

namespace etl::mysql {
namespace {

/// Only these go into SQL bare or in plain quotes: a state file may have been edited.
void OnlyOf(const std::string& value, const char* letters) {
  if (value.empty() || value.find_first_not_of(letters) != std::string::npos) {
    throw Fatal("the saved position holds \"" + value.substr(0, 40) + "\", which is no value of the key; start anew with 'etl state reset'");
  }
}

// ---- what lies between ----

__extension__ typedef __int128 Wide;

std::optional<std::string> MiddleInteger(const std::string& a, const std::string& b) {
  const auto parse = [](const std::string& s) {
    const bool minus = s[0] == '-';
    std::uint64_t v = 0;
    std::from_chars(s.data() + minus, s.data() + s.size(), v);
    return minus ? -static_cast<Wide>(v) : static_cast<Wide>(v);
  };
  const Wide low = parse(a), high = parse(b), middle = low + (high - low) / 2;
  if (high - low < 2) return std::nullopt;
  return middle < 0 ? "-" + std::to_string(static_cast<std::uint64_t>(-middle)) : std::to_string(static_cast<std::uint64_t>(middle));
}

std::optional<std::string> MiddleNumber(const std::string& a, const std::string& b) {
  const long double low = std::strtold(a.c_str(), nullptr), high = std::strtold(b.c_str(), nullptr);
  const long double middle = low + (high - low) / 2;
  if (!(low < middle && middle < high)) return std::nullopt;
  char text[128];
  std::snprintf(text, sizeof text, "%.10Lf", middle);
  return text;
}

/// Letters of a text as numbers; bytes of bytes.
std::vector<std::uint32_t> Letters(std::string_view text, bool bytes) {
  std::vector<std::uint32_t> out;
  while (!text.empty()) {
    const std::size_t n = bytes ? 1 : std::max<std::size_t>(1, detail::CharacterSize(text));
    std::uint32_t c = static_cast<unsigned char>(text[0]);
    if (n > 1) {
      c &= 0xFFu >> (n + 1);
      for (std::size_t i = 1; i < n; ++i) c = c << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
    } else if (!bytes && c >= 'A' && c <= 'Z') {
      c += 'a' - 'A';   // most collations order letters without their case
    }
    out.push_back(c);
    text.remove_prefix(n);
  }
  return out;
}

std::string Written(const std::vector<std::uint32_t>& letters, bool bytes) {
  std::string out;
  for (const std::uint32_t c : letters) {
    if (bytes || c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
      out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    } else {
      out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
              static_cast<char>(0x80 | (c & 0x3F))};
    }
  }
  return out;
}

/// The letters that a text's middle is made of: the fewest that both ends are made of, so that the middle is one that
/// texts of this kind have.
struct Alphabet {
  std::string letters;   ///< in order; empty: all from `first` to `last`
  std::uint32_t first = 0x20, last = 0xFFFF;
  std::uint64_t size() const { return letters.empty() ? last - first + 1 : letters.size(); }
  std::uint64_t Rank(std::uint32_t c) const {
    if (letters.empty()) return std::clamp(c, first, last) - first;
    const auto at = std::upper_bound(letters.begin(), letters.end(), static_cast<char>(std::min<std::uint32_t>(c, 0x7F)));
    return at == letters.begin() ? 0 : static_cast<std::uint64_t>(at - letters.begin() - 1);
  }
  std::uint32_t Letter(std::uint64_t rank) const {
    if (!letters.empty()) return static_cast<unsigned char>(letters[rank]);
    const auto c = static_cast<std::uint32_t>(rank) + first;
    return c >= 0xD800 && c < 0xE000 ? 0xD7FF : c;
  }
};

Alphabet AlphabetOf(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b, bool bytes) {
  if (bytes) return {"", 0, 0xFF};
  std::string letters;
  for (const char* more : {"0123456789", "abcdef", "ghijklmnopqrstuvwxyz"}) {
    letters += more;
    const auto known = [&](std::uint32_t c) { return c == '-' || (c < 0x80 && letters.find(static_cast<char>(c)) != std::string::npos); };
    if (std::all_of(a.begin(), a.end(), known) && std::all_of(b.begin(), b.end(), known)) return {letters, 0, 0};
  }
  const auto plain = [](std::uint32_t c) { return c < 0x7F; };
  const bool ascii = std::all_of(a.begin(), a.end(), plain) && std::all_of(b.begin(), b.end(), plain);
  return {"", 0x20, ascii ? 0x7Eu : 0xFFFFu};
}

/// The common beginning, and then the middle of what follows, taken as a number of three letters.
std::optional<std::string> MiddleText(const std::string& a, const std::string& b, bool bytes) {
  const auto low = Letters(a, bytes), high = Letters(b, bytes);
  std::size_t same = 0;
  while (same < low.size() && same < high.size() && low[same] == high[same]) ++same;
  const Alphabet alphabet = AlphabetOf(low, high, bytes);
  const auto number = [&](const std::vector<std::uint32_t>& letters) {
    std::uint64_t v = 0;
    for (std::size_t i = same; i < same + 3; ++i) v = v * alphabet.size() + (i < letters.size() ? alphabet.Rank(letters[i]) : 0);
    return v;
  };
  const std::uint64_t from = number(low), to = number(high);
  if (from + 1 >= to) return std::nullopt;
  std::uint64_t middle = from + (to - from) / 2;
  std::vector<std::uint32_t> letters(low.begin(), low.begin() + static_cast<std::ptrdiff_t>(same));
  letters.resize(same + 3);
  for (std::size_t i = same + 3; i-- > same; middle /= alphabet.size()) letters[i] = alphabet.Letter(middle % alphabet.size());
  while (letters.size() > same + 1 && alphabet.Rank(letters.back()) == 0) letters.pop_back();
  return Written(letters, bytes);
}

std::int64_t SecondsOf(const std::string& text) {
  const auto at = [&text](std::size_t i, std::size_t n) {
    std::int64_t v = 0;
    if (text.size() >= i + n) std::from_chars(text.data() + i, text.data() + i + n, v);
    return v;
  };
  const auto month = std::max<std::int64_t>(1, at(5, 2)), day = std::max<std::int64_t>(1, at(8, 2));
  return ((DaysFromCivil(at(0, 4), static_cast<unsigned>(month), static_cast<unsigned>(day)) * 24 + at(11, 2)) * 60 + at(14, 2)) * 60 + at(17, 2);
}

std::optional<std::string> MiddleMoment(const std::string& a, const std::string& b) {
  if (a.size() < 10 || b.size() < 10 || a[4] != '-' || b[4] != '-') return std::nullopt;   // a TIME
  const std::int64_t low = SecondsOf(a), high = SecondsOf(b), unit = a.size() == 10 ? 86'400 : 1;
  if (high - low < 2 * unit) return std::nullopt;
  const std::int64_t middle = low + (high - low) / 2;
  const std::int64_t day = middle >= 0 ? middle / 86'400 : -((86'399 - middle) / 86'400);
  const auto second = static_cast<int>(middle - day * 86'400);
  const Civil c = CivilFromDays(day);
  char text[64];
  std::snprintf(text, sizeof text, a.size() == 10 ? "%04d-%02u-%02u" : "%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(c.year), c.month,
                c.day, second / 3600, second / 60 % 60, second % 60);
  return text;
}

std::optional<std::string> MiddleOf(Form form, const std::string& a, const std::string& b) {
  switch (form) {
    case Form::kInteger: return MiddleInteger(a, b);
    case Form::kNumber: return MiddleNumber(a, b);
    case Form::kText: return MiddleText(a, b, false);
    case Form::kBytes: return MiddleText(a, b, true);
    case Form::kMoment: return MiddleMoment(a, b);
  }
  return std::nullopt;
}

/// The form of a column by its declared type; nothing for those whose order or equality is not that of their text.
std::optional<Form> FormOf(const std::string& type) {
  const auto is = [&type](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [&type](const char* n) { return type == n; });
  };
  if (is({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})) return Form::kInteger;
  if (is({"decimal", "numeric"})) return Form::kNumber;
  if (is({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "uuid", "inet4", "inet6"})) return Form::kText;
  if (is({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})) return Form::kBytes;
  if (is({"date", "datetime", "timestamp", "time"})) return Form::kMoment;
  return std::nullopt;
}

}  // namespace

std::string Key::List() const {
  std::string out;
  for (const KeyColumn& c : columns) out += (out.empty() ? "" : ", ") + Quote(c.name);
  return out;
}

std::string Key::Order(bool descending) const {
  std::string out;
  for (const KeyColumn& c : columns) out += (out.empty() ? " ORDER BY " : ", ") + Quote(c.name) + (descending ? " DESC" : "");
  return out;
}

std::string Key::Hint(const char* how) const { return index.empty() ? "" : " " + std::string(how) + " INDEX (" + Quote(index) + ")"; }

std::string Key::Literal(std::size_t i, const std::string& value) const {
  switch (columns[i].form) {
    case Form::kInteger: OnlyOf(value, "-0123456789"); return value;
    case Form::kNumber: OnlyOf(value, "-+.eE0123456789"); return value;
    case Form::kMoment: OnlyOf(value, "-: .0123456789"); return "'" + value + "'";
    case Form::kBytes: return HexLiteral(value);
    case Form::kText: break;
  }
  return "_utf8mb4 " + HexLiteral(value);
}

std::string Key::Compare(const std::string& op, const KeyValue& value) const {
  if (value.empty() || value.size() > columns.size()) throw Fatal("the saved position is of another key; start anew with 'etl state reset'");
  const std::string strict = op.substr(0, 1);
  std::string all, equal;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string name = Quote(columns[i].name), literal = Literal(i, value[i]);
    const bool last = i + 1 == value.size();
    all += (i ? " OR (" : "(") + equal + name + " " + (last ? op : strict) + " " + literal + ")";
    equal += name + " = " + literal + " AND ";
  }
  if (value.size() == 1) return all;
  // The first column's bound by itself lets every optimizer find the range.
  return "(" + Quote(columns[0].name) + " " + strict + "= " + Literal(0, value[0]) + " AND (" + all + "))";
}

std::string Key::Condition(const Range& range) const {
  std::string out = range.from ? Compare(">", *range.from) : "";
  if (range.to) out += (out.empty() ? "" : " AND ") + Compare("<=", *range.to);
  if (!range.from && nullable) out += (out.empty() ? "" : " AND ") + Quote(columns[0].name) + " IS NOT NULL";
  return out.empty() ? "TRUE" : out;
}

std::optional<KeyValue> Key::Middle(const KeyValue& from, const KeyValue& to) const {
  std::size_t i = 0;
  while (i < columns.size() && from[i] == to[i]) ++i;
  if (i == columns.size()) return std::nullopt;
  const auto middle = MiddleOf(columns[i].form, from[i], to[i]);
  if (!middle) return std::nullopt;
  KeyValue out(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(i));
  out.push_back(*middle);
  return out;
}

std::string Key::Show(const KeyValue& value) const {
  std::string out;
  for (std::size_t i = 0; i < columns.size() && i < value.size(); ++i) {
    out += (i ? ", " : "") + columns[i].name + " = " + (columns[i].form == Form::kBytes ? HexLiteral(value[i]) : value[i]);
  }
  return out;
}

Key FindKey(Session& session, const std::string& table, const std::vector<std::string>& split_by, std::string& why) {
  const auto rows = session.Rows(
      "SELECT s.INDEX_NAME, s.COLUMN_NAME, LOWER(c.DATA_TYPE), c.IS_NULLABLE, s.SUB_PART FROM information_schema.STATISTICS s JOIN "
      "information_schema.COLUMNS c ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME AND c.COLUMN_NAME = s.COLUMN_NAME "
      "WHERE s.TABLE_SCHEMA = DATABASE() AND s.TABLE_NAME = " + session.Literal(table) + " AND s.NON_UNIQUE = 0 ORDER BY s.INDEX_NAME = "
      "'PRIMARY' DESC, s.INDEX_NAME, s.SEQ_IN_INDEX", "cannot read the table's indexes");
  struct Found {
    Key key;
    std::string unfit;
    bool nullable = false;
  };
  std::vector<Found> indexes;
  for (const TextRow& row : rows) {
    if (indexes.empty() || indexes.back().key.index != *row[0]) indexes.push_back({{{}, *row[0]}, "", false});
    Found& f = indexes.back();
    const auto form = FormOf(row[2].value_or(""));
    if (!form) f.unfit = "column \"" + row[1].value_or("") + "\" is of type " + row[2].value_or("?");
    if (row[4]) f.unfit = "it holds only the beginning of column \"" + row[1].value_or("") + "\"";
    f.nullable |= row[3] == "YES";
    f.key.nullable = f.nullable;
    f.key.columns.push_back({row[1].value_or(""), form.value_or(Form::kText)});
  }
  if (split_by.empty()) {
    if (indexes.empty() || indexes[0].key.index != "PRIMARY") {
      why = "the table has no primary key";
      return {};
    }
    if (!indexes[0].unfit.empty()) {
      why = "ranges of the primary key cannot be made: " + indexes[0].unfit;
      return {};
    }
    return indexes[0].key;
  }
  for (const Found& f : indexes) {
    if (f.key.columns.size() != split_by.size()) continue;
    bool all = true;
    for (std::size_t i = 0; i < split_by.size(); ++i) all = all && SameName(f.key.columns[i].name, split_by[i]);
    if (!all) continue;
    if (!f.unfit.empty()) throw ConfigError("split_by", "ranges of it cannot be made: " + f.unfit);
    if (f.nullable) {
      std::string null;
      for (const KeyColumn& c : f.key.columns) null += (null.empty() ? "" : " OR ") + Quote(c.name) + " IS NULL";
      if (!session.Rows("SELECT 1 FROM " + Quote(table) + " WHERE " + null + " LIMIT 1").empty()) {
        throw ConfigError("split_by", "\"" + f.key.columns[0].name + "\" holds NULL, which is in no range; split by another key, or leave those rows out with a view");
      }
    }
    return f.key;
  }
  throw ConfigError("split_by", "table \"" + table + "\" has no unique index over just these columns, in this order; rows could be read twice or not at all");
}

std::string PackKey(const std::optional<KeyValue>& value) { return value ? "k" + Pack(*value) : ""; }
std::optional<KeyValue> UnpackKey(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return Unpack(text.substr(1));
}

}  // namespace etl::mysql
