#include "row_gen.h"

#include <sqlite3.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace etl::test {
namespace {

/// The same numbers on every machine, which the distributions of <random> do not promise.
class Random {
 public:
  Random(std::int64_t id, std::uint64_t seed)
      : state_(seed * 0xd1342543de82ef95u + static_cast<std::uint64_t>(id)) {
    Next();
  }
  std::uint64_t Next() {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  std::size_t Below(std::size_t end) { return static_cast<std::size_t>(Next() % end); }
  bool OneIn(std::size_t n) { return Below(n) == 0; }
  template <typename Array>
  const auto& Of(const Array& array) {
    return array[Below(std::size(array))];
  }

 private:
  std::uint64_t state_;
};

constexpr std::string_view kWords[] = {
    "package", "library", "system", "data",    "the",    "of",     "for",    "with",    "support",
    "files",   "tools",   "common", "network", "server", "client", "python", "runtime", "small",
    "module",  "fast",    "simple", "a",       "and",    "to",     "on",     "image",   "text",
    "editor",  "kernel",  "audio",  "shared",  "debug",  "header", "user",   "in",      "is"};

constexpr std::string_view kNasty[] = {"NULL",
                                       "null",
                                       "\\N",
                                       "true",
                                       "1e5",
                                       "0x1F",
                                       "-0",
                                       "00017",
                                       "NaN",
                                       "Infinity",
                                       "2024-02-30",
                                       "'; DROP TABLE rows; --",
                                       "\"quoted\"",
                                       "O'Brien",
                                       "a,b;c\tTab",
                                       "line\nfeed",
                                       "carriage\r\nreturn",
                                       "\r",
                                       "back\\slash\\",
                                       "\\u0041",
                                       "{\"json\": [1, 2]}",
                                       "<b>&amp;</b>",
                                       "=1+1",
                                       "@cmd",
                                       "${env:HOME}",
                                       "%s%n",
                                       "#",
                                       " leading",
                                       "trailing ",
                                       "  ",
                                       "\t",
                                       "\n",
                                       "\x01\x02\x1f",
                                       "\x7f",
                                       "-",
                                       "--",
                                       "/*",
                                       "`tick`",
                                       "[x]",
                                       "?1",
                                       ":a",
                                       "\u00e9 composed",
                                       "e\u0301 combined",
                                       "\ufb01 ligature",
                                       "\u212b Angstrom",
                                       "\u00c5",
                                       "\u0130I\u0131i",
                                       "stra\u00dfe",
                                       "\u4e2d\u6587\u5b57\u7b26",
                                       "\u65e5\u672c\u8a9e",
                                       "\u0440\u0443\u0441\u0441\u043a\u0438\u0439",
                                       "\u05e9\u05dc\u05d5\u05dd",
                                       "\u202eright to left\u202c",
                                       "\u0e44\u0e17\u0e22",
                                       "\U0001f600",
                                       "\U0001f469\u200d\U0001f469\u200d\U0001f467",
                                       "\U0001f1e9\U0001f1ea",
                                       "\U0010ffff",
                                       "\uffff",
                                       "\ufffd",
                                       "\ufeffmark",
                                       "zero\u200bwidth",
                                       "\u2028\u2029",
                                       "\u0085",
                                       "\u00a0",
                                       "\U00020bb7",
                                       "z\u0351\u036b\u0343"};

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kIntegers[] = {0,
                                      1,
                                      -1,
                                      127,
                                      -128,
                                      255,
                                      256,
                                      32767,
                                      -32768,
                                      65535,
                                      65536,
                                      2147483647,
                                      -2147483648,
                                      2147483648,
                                      4294967295,
                                      4294967296,
                                      9007199254740991,
                                      9007199254740992,
                                      9007199254740993,
                                      -9007199254740993,
                                      kGreatest,
                                      kGreatest - 1,
                                      kLeast,
                                      kLeast + 1,
                                      999999999999999999,
                                      1000000000000000000};
constexpr double kReals[] = {0.0,
                             1.0,
                             -1.0,
                             0.1,
                             0.2,
                             0.30000000000000004,
                             1.0 / 3.0,
                             1e-7,
                             5e-324,
                             2.2250738585072014e-308,
                             1.7976931348623157e308,
                             -1.7976931348623157e308,
                             1e15,
                             1e16,
                             1e21,
                             1e22,
                             123456789.123456789,
                             9007199254740993.0,
                             4.35,
                             0.5,
                             1e23,
                             2.5e-5};

std::string Words(Random& random, std::size_t least) {
  std::string text;
  while (text.size() < least) {
    if (!text.empty()) text += ' ';
    text += random.Of(kWords);
  }
  return text;
}

std::string NastyText(Random& random, std::size_t most_parts) {
  std::string text;
  for (std::size_t parts = random.Below(most_parts + 1); parts > 0; --parts) {
    text += random.OneIn(3) ? random.Of(kWords) : random.Of(kNasty);
    if (random.OneIn(4)) text += ' ';
  }
  return text;
}

/// Gregorian date of a day since 1970-01-01.
std::string Day(std::int64_t days) {
  const std::int64_t z = days + 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t day_of_era = z - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1);
  const auto month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  const auto year = static_cast<int>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
  return text;
}

std::string Time(Random& random) {
  char text[48];
  std::snprintf(text, sizeof text, "T%02d:%02d:%02d.%06dZ", static_cast<int>(random.Below(24)),
                static_cast<int>(random.Below(60)), static_cast<int>(random.Below(60)),
                static_cast<int>(random.Below(1'000'000)));
  return text;
}

GeneratedRow MakeNasty(Random& random) {
  GeneratedRow row;
  row.name = NastyText(random, 3);
  if (!random.OneIn(8)) row.note = NastyText(random, 2);
  if (!random.OneIn(8))
    row.count = random.OneIn(2) ? random.Of(kIntegers) : static_cast<std::int64_t>(random.Next());
  if (!random.OneIn(8)) {
    row.ratio = random.OneIn(3)
                    ? random.Of(kReals)
                    : static_cast<double>(static_cast<std::int64_t>(random.Next())) / 1e12;
  }
  if (!random.OneIn(8)) row.active = random.OneIn(2);
  // From 0001-01-01 to 9999-12-31, half of the time within the years that are in use.
  constexpr std::int64_t kFirstDay = -719162, kLastDay = 2932896;
  const auto days =
      random.OneIn(2)
          ? static_cast<std::int64_t>(random.Below(20'000))
          : kFirstDay + static_cast<std::int64_t>(random.Below(kLastDay - kFirstDay + 1));
  row.day = Day(days);
  row.created_at = row.day + Time(random);
  row.body = random.OneIn(500) ? Words(random, random.Below(20'000)) : NastyText(random, 12);
  return row;
}

GeneratedRow MakePlain(Random& random) {
  GeneratedRow row;
  row.name = Words(random, 8 + random.Below(16));
  if (!random.OneIn(8)) row.note = Words(random, random.Below(30));
  row.count = static_cast<std::int64_t>(random.Below(1'000'000));
  row.ratio = static_cast<double>(random.Below(10'000'000)) / 1000.0 + 0.0005;
  row.active = random.OneIn(2);
  row.day = Day(14'000 + static_cast<std::int64_t>(random.Below(6'000)));
  row.created_at = row.day + Time(random);
  row.body = Words(random, 10 + random.Below(120));
  if (random.OneIn(20))
    row.body += random.OneIn(2) ? " \u00e9t\u00e9 na\u00efve" : " \u4e2d\u6587 \"quoted\", \\";
  return row;
}

void AppendReal(double value, std::string& out) {
  char buffer[40];
  const char* end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void AppendInt(std::int64_t value, std::string& out) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

void AppendJsonText(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  out += '"';
}

void AppendCsvText(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

template <typename Append>
void WriteFile(const RowRange& rows, const std::string& path, std::string buffer, Append append) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    append(MakeRow(rows.first + i, rows.seed, rows.profile), buffer);
    if (buffer.size() < 1 << 20) continue;
    file << buffer;
    buffer.clear();
  }
  file << buffer;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

}  // namespace

const char kCsvHeader[] = "id,name,note,count,ratio,active,day,created_at,body\n";

GeneratedRow MakeRow(std::int64_t id, std::uint64_t seed, Profile profile) {
  Random random(id, seed);
  GeneratedRow row = profile == Profile::kNasty ? MakeNasty(random) : MakePlain(random);
  row.id = id;
  return row;
}

void AppendNdjson(const GeneratedRow& row, std::string& out) {
  const auto text = [&](const char* name, const std::string* value) {
    out += name;
    value != nullptr ? AppendJsonText(*value, out) : void(out += "null");
  };
  out += "{\"id\":";
  AppendInt(row.id, out);
  text(",\"name\":", &row.name);
  text(",\"note\":", row.note ? &*row.note : nullptr);
  out += ",\"count\":";
  row.count ? AppendInt(*row.count, out) : void(out += "null");
  out += ",\"ratio\":";
  row.ratio ? AppendReal(*row.ratio, out) : void(out += "null");
  out += ",\"active\":";
  out += row.active ? (*row.active ? "true" : "false") : "null";
  text(",\"day\":", &row.day);
  text(",\"created_at\":", &row.created_at);
  text(",\"body\":", &row.body);
  out += "}\n";
}

void AppendCsv(const GeneratedRow& row, std::string& out) {
  AppendInt(row.id, out);
  out += ',';
  AppendCsvText(row.name, out);
  out += ',';
  if (row.note) AppendCsvText(*row.note, out);
  out += ',';
  if (row.count) AppendInt(*row.count, out);
  out += ',';
  if (row.ratio) AppendReal(*row.ratio, out);
  out += ',';
  if (row.active) out += *row.active ? "true" : "false";
  for (const std::string* value : {&row.day, &row.created_at, &row.body}) {
    out += ',';
    AppendCsvText(*value, out);
  }
  out += '\n';
}

void WriteNdjson(const RowRange& rows, const std::string& path) {
  WriteFile(rows, path, "", AppendNdjson);
}

void WriteCsv(const RowRange& rows, const std::string& path) {
  WriteFile(rows, path, kCsvHeader, AppendCsv);
}

void WriteSqlite(const RowRange& rows, const std::string& path, const std::string& table) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open(path.c_str(), &raw);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(raw, &sqlite3_close);
  const auto check = [&](int code) {
    if (code != SQLITE_OK && code != SQLITE_DONE)
      throw std::runtime_error(path + ": " + sqlite3_errmsg(raw));
  };
  check(opened);
  const auto execute = [&](const std::string& sql) {
    check(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr));
  };
  execute("PRAGMA synchronous = OFF; BEGIN; CREATE TABLE IF NOT EXISTS \"" + table +
          "\" (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, count INTEGER, ratio REAL, "
          "active INTEGER, "
          "day TEXT NOT NULL, created_at TEXT NOT NULL, body TEXT NOT NULL)");
  sqlite3_stmt* statement = nullptr;
  const std::string insert = "INSERT INTO \"" + table + "\" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
  check(sqlite3_prepare_v2(raw, insert.c_str(), -1, &statement, nullptr));
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> done(statement,
                                                                        &sqlite3_finalize);
  const auto text = [&](int at, const std::string& value) {
    check(sqlite3_bind_text(statement, at, value.c_str(), static_cast<int>(value.size()),
                            SQLITE_STATIC));
  };
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const GeneratedRow row = MakeRow(rows.first + i, rows.seed, rows.profile);
    sqlite3_clear_bindings(statement);
    check(sqlite3_bind_int64(statement, 1, row.id));
    text(2, row.name);
    if (row.note) text(3, *row.note);
    if (row.count) check(sqlite3_bind_int64(statement, 4, *row.count));
    if (row.ratio) check(sqlite3_bind_double(statement, 5, *row.ratio));
    if (row.active) check(sqlite3_bind_int(statement, 6, *row.active ? 1 : 0));
    text(7, row.day);
    text(8, row.created_at);
    text(9, row.body);
    check(sqlite3_step(statement));
    check(sqlite3_reset(statement));
  }
  execute("COMMIT");
}

}  // namespace etl::test
