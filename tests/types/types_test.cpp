// Every type through the real plugins: nothing arrives changed, and docs/types.md says what becomes
// of it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "observe.h"

using namespace etl;
using namespace etl::test;

namespace {

bool IsText(const std::string& value) { return value[0] == '"'; }
bool IsFinite(const std::string& value) {
  return value != "\"NaN\"" && value != "\"Infinity\"" && value != "\"-Infinity\"";
}
bool IsFloat(const Sample& s) {
  return s.type.format == "e" || s.type.format == "f" || s.type.format == "g";
}

std::string Unquoted(const std::string& value) {
  if (!IsText(value)) return value;
  std::string out;
  for (std::size_t i = 1; i + 1 < value.size(); ++i) {
    if (value[i] != '\\') {
      out += value[i];
    } else {
      ++i;
      out += value[i] == 'n' ? '\n' : value[i];
    }
  }
  return out;
}

/// The value of "v" in {"n":i,"v":...}, and i.
std::pair<std::int64_t, std::string> Taken(const std::string& row) {
  const auto v = row.find(",\"v\":");
  REQUIRE(v != std::string::npos);
  return {std::stoll(row.substr(5)), row.substr(v + 5, row.size() - v - 6)};
}

std::map<std::int64_t, std::string> ByNumber(const std::vector<std::string>& rows) {
  std::map<std::int64_t, std::string> out;
  for (const std::string& row : rows) CHECK(out.insert(Taken(row)).second);
  return out;
}

std::vector<std::string> Lines(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

/// "rejects `NaN`": the values of the sample that are not among those that arrived.
template <class Map>
std::string Rejected(const Sample& sample, const Map& arrived, const host::RunResult& result) {
  std::string out;
  std::int64_t n = 0;
  for (std::size_t i = 0; i < sample.values.size(); ++i) {
    if (arrived.count(static_cast<std::int64_t>(i))) continue;
    ++n;
    out += (out.empty() ? "; rejects " : ", ") + ("`" + Unquoted(sample.values[i]) + "`");
  }
  CHECK(result.status.rows_rejected == n);  // none is just gone
  return out;
}

/// The sample's last accepted value as a cell shows it.
template <class Map>
std::string Example(const Map& arrived) {
  std::string text;
  for (const auto& [n, value] : arrived) {
    if (value != "null" && !value.empty() && value.size() <= 48) text = value;
  }
  for (auto at = text.find('\n'); at != text.npos; at = text.find('\n')) text.replace(at, 1, "\\n");
  return text.empty() ? "null" : "`" + text + "`";
}

struct Cells {
  std::string type, csv_source, ndjson_source, sqlite_source, csv_sink, ndjson_sink, sqlite_sink,
      sql, expression, lookup;
};

/// Files do not say what is never null.
std::string Nullable(std::string types) {
  for (auto at = types.find(" not null"); at != types.npos; at = types.find(" not null"))
    types.erase(at, 9);
  return types;
}

std::string SourceCell(Bench& bench, const std::string& keys, const std::string& option,
                       const std::string& declared) {
  const auto like = [&](const Arrived& a) {
    return a.result.exit == host::Exit::kOk && Nullable(a.types) == Nullable(bench.types()) &&
           ByNumber(a.rows) == ByNumber(bench.rows());
  };
  if (like(bench.Read(keys))) return "found";
  if (declared.empty()) return "–";
  const Arrived told = bench.Read(keys + option + " = { v = \"" + declared + "\" }\n");
  if (told.result.message.find("unknown type") != std::string::npos)
    return "–";  // the source does not know the type
  INFO(told.types, told.result.message);
  CHECK(like(told));
  return "declared";
}

/// The finite values of the sample, written to a file or table, and read again.
void ObserveSources(const Sample& sample, Cells& cells) {
  Sample finite = sample;
  if (IsFloat(sample)) {
    finite.values.erase(std::remove_if(finite.values.begin(), finite.values.end(),
                                       [](const auto& v) { return !IsFinite(v); }),
                        finite.values.end());
  }
  Bench bench(finite);
  REQUIRE(bench.Write("type = \"csv\"\npath = \"f.csv\"\n").exit == host::Exit::kOk);
  REQUIRE(bench.Write("type = \"ndjson\"\npath = \"f.ndjson\"\n").exit == host::Exit::kOk);
  cells.csv_source =
      SourceCell(bench, "type = \"csv\"\npath = \"f.csv\"\n", "columns", sample.declared);
  cells.ndjson_source =
      SourceCell(bench, "type = \"ndjson\"\npath = \"f.ndjson\"\n", "columns", sample.declared);
  if (bench.Write("type = \"sqlite\"\npath = \"f.db\"\ntable = \"t\"\n").exit != host::Exit::kOk) {
    cells.sqlite_source = "–";
    return;
  }
  cells.sqlite_source = SourceCell(bench, "type = \"sqlite\"\npath = \"f.db\"\ntable = \"t\"\n",
                                   "types", sample.declared);
}

void ObserveNdjsonSink(Bench& bench, Cells& cells) {
  const host::RunResult result = bench.Write("type = \"ndjson\"\npath = \"o.ndjson\"\n");
  const auto written = ByNumber(Lines(bench.File("o.ndjson")));
  for (const auto& [n, value] : written)
    CHECK(value == bench.sample().values[static_cast<std::size_t>(n)]);
  cells.ndjson_sink = Example(written) + Rejected(bench.sample(), written, result);
}

void ObserveCsvSink(Bench& bench, Cells& cells) {
  const host::RunResult result = bench.Write("type = \"csv\"\npath = \"o.csv\"\n");
  const Arrived texts = bench.Read(
      "type = \"csv\"\npath = \"o.csv\"\ntypes = \"text\"\ncolumns = { n = \"int64\" }\n");
  static const std::map<std::string, std::string> kNot = {
      {"NaN", "nan"}, {"Infinity", "inf"}, {"-Infinity", "-inf"}};
  std::map<std::int64_t, std::string> written;
  for (const auto& [n, value] : ByNumber(texts.rows)) {
    written[n] = Unquoted(value);
    std::string expected = Unquoted(bench.sample().values[static_cast<std::size_t>(n)]);
    if (bench.sample().type == Json())
      expected = bench.sample().values[static_cast<std::size_t>(n)];
    if (IsFloat(bench.sample()) && kNot.count(expected)) expected = kNot.at(expected);
    CHECK(written[n] == expected);
  }
  cells.csv_sink = Example(written) + Rejected(bench.sample(), written, result);
}

/// Is the number or text that SQLite holds the value?
bool Holds(const Sample& sample, const std::string& value, const SqliteValue& got) {
  if (got.storage == "REAL") {
    const std::string text = Unquoted(value);
    const double d = std::strtod(text.c_str(), nullptr);
    return std::strtod(got.text.c_str(), nullptr) ==
           (sample.type.format == "f" ? static_cast<double>(std::strtof(text.c_str(), nullptr))
                                      : d);
  }
  if (sample.type.format == "b")
    return got.text == (value == "true" ? "1" : value == "false" ? "0" : value);
  return got.text == (sample.type == Json() ? value : Unquoted(value));
}

void ObserveSqliteSink(Bench& bench, Cells& cells) {
  const host::RunResult result = bench.Write("type = \"sqlite\"\npath = \"o.db\"\ntable = \"t\"\n");
  if (result.exit != host::Exit::kOk && result.exit != host::Exit::kRejected) {
    INFO(result.message);
    CHECK(result.message.empty());
    cells.sqlite_sink = "refused";
    return;
  }
  const auto written = bench.SqliteValues("o.db");
  std::map<std::int64_t, std::string> texts;
  std::set<std::string> storages;
  for (const auto& [n, got] : written) {
    const std::string& value = bench.sample().values[static_cast<std::size_t>(n)];
    const std::string became = got.storage + " " + got.text;
    INFO(value, " became ", became);
    CHECK(Holds(bench.sample(), value, got));
    texts[n] = got.storage == "BLOB" ? "" : got.text;
    if (got.storage != "NULL") storages.insert(got.storage);
  }
  CHECK(storages.size() <= 1);
  const std::string storage = storages.empty() ? "NULL" : *storages.begin();
  cells.sqlite_sink = storage + (storage == "TEXT" ? " " + Example(texts) : "") +
                      Rejected(bench.sample(), written, result);
}

void ObserveSql(Bench& bench, Cells& cells) {
  const Arrived passed = bench.Through(
      "[[transform]]\ntype = \"sql\"\nquery = \"SELECT n, v FROM batch WHERE n >= 0\"\n");
  INFO(passed.result.message);
  CHECK(passed.types == bench.types());
  CHECK(passed.rows == bench.rows());
  cells.sql = "exact";
  const Arrived seen = bench.Through(
      "[[transform]]\ntype = \"sql\"\ntypes = { v = \"utf8\" }\nquery = \"\"\"SELECT n, typeof(v) "
      "|| ' ' || CASE typeof(v) WHEN 'blob' THEN hex(v) "
      "ELSE CAST(v AS TEXT) END AS v FROM batch\"\"\"\n");
  CHECK(seen.all_well());
  const auto values = ByNumber(seen.rows);
  std::set<std::string> storages;
  bool rounded = false;
  const Arrived reals = bench.Through(
      "[[transform]]\ntype = \"sql\"\ntypes = { v = \"float64\" }\nquery = \"SELECT n, CASE "
      "typeof(v) WHEN 'real' THEN v END AS v FROM batch\"\n");
  const auto real = ByNumber(reals.rows);
  for (const auto& [n, value] : values) {
    if (value == "null") continue;
    const std::string text = Unquoted(value),
                      original = bench.sample().values[static_cast<std::size_t>(n)];
    std::string storage = text.substr(0, text.find(' '));
    std::transform(storage.begin(), storage.end(), storage.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    storages.insert(storage);
    const SqliteValue got{
        storage, storage == "REAL" ? Unquoted(real.at(n)) : text.substr(text.find(' ') + 1)};
    INFO(original, " is seen as ", text);
    if (storage == "BLOB") continue;
    if (storage == "REAL" && !IsFinite(original)) continue;
    CHECK(Holds(bench.sample(), original, got));
    rounded |= storage == "REAL" && bench.sample().type.format[0] == 'd';
  }
  CHECK(storages.size() <= 1);
  cells.expression = (storages.empty() ? "NULL" : *storages.begin()) +
                     (rounded ? ", rounded" : "") + Rejected(bench.sample(), values, seen.result);
}

void ObserveLookup(Bench& bench, Cells& cells) {
  const std::string lookup =
      "[[transform]]\ntype = \"sqlite_lookup\"\npath = \"o.db\"\ntable = \"t\"\ncolumns = { m = "
      "\"n\" }\n";
  const Arrived passed = bench.Through(lookup + "on = { n = \"n\" }\n");
  INFO(passed.result.message);
  CHECK(passed.types.substr(0, bench.types().size()) == bench.types());
  REQUIRE(passed.rows.size() == bench.rows().size());
  for (std::size_t i = 0; i < passed.rows.size(); ++i) {
    const std::string& row = bench.rows()[i];
    CHECK(passed.rows[i].substr(0, row.size() - 1) == row.substr(0, row.size() - 1));
  }
  const Arrived found = bench.Through(lookup + "on = { v = \"v\" }\n");
  std::map<std::int64_t, std::string> by_number;
  for (const std::string& row : found.rows) {
    const std::int64_t n = std::stoll(row.substr(5));
    const bool null = bench.sample().values[static_cast<std::size_t>(n)] == "null";
    INFO(row);
    CHECK(row.substr(row.rfind(",\"m\":") + 5) == (null ? "null}" : std::to_string(n) + "}"));
    by_number[n] = row;
  }
  cells.lookup = "exact" + Rejected(bench.sample(), by_number, found.result);
}

Cells Observe(const Sample& sample) {
  Cells cells;
  Bench bench(sample);
  const host::SchemaHandle schema = SchemaOf(sample);
  cells.type = sample.type == Json() ? "utf8 with extension arrow.json"
                                     : host::TypeText(*schema->children[1]);
  INFO(cells.type);
  const Arrived as_is = bench.Through("");
  CHECK(as_is.types == bench.types());
  CHECK(as_is.rows == bench.rows());
  ObserveSources(sample, cells);
  ObserveCsvSink(bench, cells);
  ObserveNdjsonSink(bench, cells);
  ObserveSqliteSink(bench, cells);
  ObserveSql(bench, cells);
  ObserveLookup(bench, cells);
  return cells;
}

std::string Table() {
  std::string out =
      "| type | csv source | ndjson source | sqlite source | csv sink | ndjson sink | sqlite sink "
      "| sql, passed through | sql, in an expression | "
      "sqlite_lookup |\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Sample& sample : Samples()) {
    const Cells c = Observe(sample);
    out += "| " + c.type;
    for (const std::string* cell :
         {&c.csv_source, &c.ndjson_source, &c.sqlite_source, &c.csv_sink, &c.ndjson_sink,
          &c.sqlite_sink, &c.sql, &c.expression, &c.lookup}) {
      out += " | " + *cell;
    }
    out += " |\n";
  }
  return out;
}

}  // namespace

TEST_CASE("docs/types.md says what becomes of every type") {
  const std::string path = ETL_SOURCE_DIR "/docs/types.md";
  const std::string page = ReadFile(path), begin = "<!-- made by the tests: types -->\n",
                    end = "<!-- end -->\n";
  const auto from = page.find(begin), to = page.find(end);
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  const std::string table = Table(),
                    kept = page.substr(from + begin.size(), to - from - begin.size());
  if (std::getenv("ETL_UPDATE_DOCS")) {
    std::ofstream(path) << page.substr(0, from + begin.size()) << table << page.substr(to);
    return;
  }
  INFO(
      "docs/types.md is out of date: run this test with ETL_UPDATE_DOCS=1, and read what has "
      "changed");
  CHECK(kept == table);
}
