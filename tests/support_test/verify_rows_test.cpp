#include <doctest/doctest.h>
#include <sqlite3.h>

#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

using etl::test::Finished;
using etl::test::RunProcess;
using etl::test::TempDir;

namespace {

const char kRows[] =
    "{\"id\":1,\"name\":\"Ada\",\"n\":1,\"x\":2.0,\"ok\":true,\"note\":null}\n"
    "{\"id\":2,\"name\":\"Grace\",\"n\":9007199254740993,\"x\":0.1,\"ok\":false,\"note\":\"\"}\n"
    "{\"id\":3,\"name\":\"Caf\u00e9\",\"n\":-9223372036854775808,\"x\":1e308,\"ok\":true,\"note\":"
    "\"a  b\"}\n"
    "{\"id\":4,\"name\":\"\u65e5\u672c "
    "\\\"x\\\"\",\"n\":18446744073709551615,\"x\":5e-324,\"ok\":null,\"note\":\"l\\ni\\u0000e\"}\n"
    "{\"id\":5,\"name\":\"tags\",\"n\":0,\"x\":-1.5,\"ok\":true,\"note\":{\"b\":[1,2,{\"c\":null}],"
    "\"a\":\"\"}}\n"
    "{\"id\":6,\"name\":\"NULL\",\"n\":null,\"x\":null,\"ok\":false,\"note\":\"0\"}\n"
    "{\"id\":7,\"name\":\"last\",\"n\":12345678901234567890123,\"x\":0.12345678901234567891,\"ok\":"
    "true,\"note\":\"end\"}\n";

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) {
    throw std::runtime_error("the mutation must meet one place: " + from);
  }
  return text.replace(at, from.size(), to);
}

/// A line by number from 0, with its line feed.
std::string Line(const std::string& text, int number) {
  std::size_t start = 0;
  while (number-- > 0) start = text.find('\n', start) + 1;
  return text.substr(start, text.find('\n', start) + 1 - start);
}

Finished Verify(const std::string& expected, const std::string& actual,
                std::vector<std::string> more = {}) {
  std::vector<std::string> argv = {ETL_VERIFY_ROWS, "--expected", expected, "--actual", actual};
  argv.insert(argv.end(), more.begin(), more.end());
  return RunProcess({.argv = argv});
}

Finished VerifyText(const std::string& expected, const std::string& actual,
                    std::vector<std::string> more = {}, const std::string& format = "ndjson") {
  const TempDir dir;
  more.insert(more.end(), {"--key", "id"});
  return Verify(dir.Write("expected." + format, expected), dir.Write("actual." + format, actual),
                more);
}

/// "lost duplicated changed invented", as in "1 0 0 1".
std::string Counts(const Finished& finished) {
  std::string counts;
  for (const char* word : {"\nlost ", "\nduplicated ", "\nchanged ", "\ninvented "}) {
    const std::size_t at = finished.out.find(word);
    if (at == std::string::npos) return "unusable: " + finished.err;
    const std::size_t start = at + std::string(word).size();
    counts += (counts.empty() ? "" : " ") +
              finished.out.substr(start, finished.out.find('\n', start) - start);
  }
  return counts;
}

void Sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  const bool ok = sqlite3_open(path.c_str(), &db) == SQLITE_OK &&
                  sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  const std::string message = sqlite3_errmsg(db);
  sqlite3_close(db);
  if (!ok) throw std::runtime_error(sql + ": " + message);
}

struct Mutation {
  const char* name;
  std::string rows;
  const char* counts;
};

}  // namespace

TEST_CASE("the verifier finds every mutation made by hand") {
  const std::string rows = kRows;
  const auto with = [&](const char* from, const char* to) { return Replace(rows, from, to); };
  const Mutation mutations[] = {
      {"first row deleted", with(Line(rows, 0).c_str(), ""), "1 0 0 0"},
      {"middle row deleted", with(Line(rows, 3).c_str(), ""), "1 0 0 0"},
      {"last row deleted", with(Line(rows, 6).c_str(), ""), "1 0 0 0"},
      {"all rows deleted", "", "7 0 0 0"},
      {"first row twice", Line(rows, 0) + rows, "0 1 0 0"},
      {"last row three times", rows + Line(rows, 6) + Line(rows, 6), "0 2 0 0"},
      {"a row twice, once changed", rows + Replace(Line(rows, 0), "Ada", "Eve"), "0 1 1 0"},
      {"a row appended", rows + "{\"id\":8}\n", "0 0 0 1"},
      {"a row deleted and another made up", with("\"id\":2", "\"id\":22"), "1 0 0 1"},
      {"one row in place of another", with(Line(rows, 1).c_str(), Line(rows, 0).c_str()),
       "1 1 0 0"},
      {"one character changed", with("Grace", "Grase"), "0 0 1 0"},
      {"case changed", with("Grace", "grace"), "0 0 1 0"},
      {"trailing space", with("\"end\"", "\"end \""), "0 0 1 0"},
      {"two spaces made one", with("a  b", "a b"), "0 0 1 0"},
      {"other Unicode normal form", with("Caf\u00e9", "Cafe\u0301"), "0 0 1 0"},
      {"mojibake", with("Caf\u00e9", "Caf\u00c3\u00a9"), "0 0 1 0"},
      {"text cut at a NUL", with("l\\ni\\u0000e", "l\\ni"), "0 0 1 0"},
      {"line feed made CR LF", with("l\\ni", "l\\r\\ni"), "0 0 1 0"},
      {"null made empty text", with("\"ok\":true,\"note\":null", "\"ok\":true,\"note\":\"\""),
       "0 0 1 0"},
      {"empty text made null", with("\"ok\":false,\"note\":\"\"", "\"ok\":false,\"note\":null"),
       "0 0 1 0"},
      {"null made the text NULL",
       with("\"ok\":true,\"note\":null", "\"ok\":true,\"note\":\"null\""), "0 0 1 0"},
      {"null made zero", with("\"n\":null", "\"n\":0"), "0 0 1 0"},
      {"2^53+1 rounded to a double", with("9007199254740993", "9007199254740992"), "0 0 1 0"},
      {"2^53+1 as a double", with("9007199254740993", "9007199254740992.0"), "0 0 1 0"},
      {"least integer wrapped", with("-9223372036854775808", "9223372036854775807"), "0 0 1 0"},
      {"uint64 made negative", with("18446744073709551615", "-1"), "0 0 1 0"},
      {"uint64 saturated", with("18446744073709551615", "9223372036854775807"), "0 0 1 0"},
      {"sign lost", with("-1.5", "1.5"), "0 0 1 0"},
      {"last bit of a double", with("\"x\":0.1,", "\"x\":0.10000000000000002,"), "0 0 1 0"},
      {"double made float", with("\"x\":0.1,", "\"x\":0.10000000149011612,"), "0 0 1 0"},
      {"denormal flushed to zero", with("5e-324", "0.0"), "0 0 1 0"},
      {"1.0 for 1", with("\"n\":1,", "\"n\":1.0,"), "0 0 1 0"},
      {"2 for 2.0", with("\"x\":2.0", "\"x\":2"), "0 0 1 0"},
      {"number made text", with("\"n\":1,", "\"n\":\"1\","), "0 0 1 0"},
      {"text made number", with("\"note\":\"0\"", "\"note\":0"), "0 0 1 0"},
      {"true made 1", with("\"n\":1,\"x\":2.0,\"ok\":true", "\"n\":1,\"x\":2.0,\"ok\":1"),
       "0 0 1 0"},
      {"true made false", with("\"n\":0,\"x\":-1.5,\"ok\":true", "\"n\":0,\"x\":-1.5,\"ok\":false"),
       "0 0 1 0"},
      {"digits of a long integer lost", with("12345678901234567890123", "12345678901234567890120"),
       "0 0 1 0"},
      {"digits of a decimal lost", with("0.12345678901234567891", "0.12345678901234568"),
       "0 0 1 0"},
      {"values of two rows swapped",
       Replace(Replace(Replace(rows, "\"Ada\"", "\"?\""), "\"Grace\"", "\"Ada\""), "\"?\"",
               "\"Grace\""),
       "0 0 2 0"},
      {"values of two columns swapped", with("\"n\":0,\"x\":-1.5", "\"n\":-1.5,\"x\":0"),
       "0 0 1 0"},
      {"column missing", with("\"name\":\"Ada\",", ""), "0 0 1 0"},
      {"null column missing", with(",\"x\":null", ""), "0 0 1 0"},
      {"column renamed", with("\"name\":\"Ada\"", "\"Name\":\"Ada\""), "0 0 1 0"},
      {"column added", with("\"name\":\"Ada\"", "\"name\":\"Ada\",\"y\":null"), "0 0 1 0"},
      {"nested value changed", with("\"c\":null", "\"c\":0"), "0 0 1 0"},
      {"nested list reordered", with("[1,2,", "[2,1,"), "0 0 1 0"},
      {"key made text of another length", with("\"id\":1,", "\"id\":\"01\","), "1 0 0 1"},
  };
  std::size_t found = 0;
  for (const Mutation& mutation : mutations) {
    CAPTURE(mutation.name);
    const Finished finished = VerifyText(rows, mutation.rows);
    CHECK(finished.exit_code == 1);
    CHECK(Counts(finished) == mutation.counts);
    found += finished.exit_code == 1;
  }
  CHECK(found == std::size(mutations));
  CHECK(found >= 20);
  MESSAGE(found << " of " << std::size(mutations) << " mutations found");
}

TEST_CASE("the verifier takes another spelling of the same rows for the same") {
  const std::string rows = kRows;
  const auto same = [&](const char* from, const char* to) {
    return Counts(VerifyText(rows, Replace(rows, from, to)));
  };
  CHECK(Counts(VerifyText(rows, rows)) == "0 0 0 0");
  CHECK(Counts(VerifyText(rows, rows.substr(0, rows.size() - 1))) == "0 0 0 0");
  CHECK(Counts(VerifyText(rows, Line(rows, 6) + Replace(rows, Line(rows, 6), ""))) == "0 0 0 0");
  CHECK(same("\u00e9", "\\u00e9") == "0 0 0 0");
  CHECK(same("\"id\":1,\"name\":\"Ada\"", "\"name\": \"Ada\", \"id\" : 1") == "0 0 0 0");
  CHECK(same("\"x\":0.1,", "\"x\":1e-1,") == "0 0 0 0");
  CHECK(same("1e308", "1.00E+308") == "0 0 0 0");
  CHECK(same("{\"b\":[1,2,{\"c\":null}],\"a\":\"\"}",
             "{ \"a\" : \"\", \"b\" : [1, 2, {\"c\": null}] }") == "0 0 0 0");
}

TEST_CASE("what counts as the same is a choice") {
  const std::string rows = kRows;
  const std::string real = Replace(rows, "\"n\":1,", "\"n\":1.0,");
  CHECK(Counts(VerifyText(rows, real)) == "0 0 1 0");
  CHECK(Counts(VerifyText(rows, real, {"--numbers", "value"})) == "0 0 0 0");
  const std::string rounded = Replace(rows, "9007199254740993", "9007199254740992.0");
  CHECK(Counts(VerifyText(rows, rounded, {"--numbers", "value"})) == "0 0 1 0");
  const std::string missing = Replace(rows, ",\"x\":null", "");
  CHECK(Counts(VerifyText(rows, missing, {"--missing", "null"})) == "0 0 0 0");
  const std::string renamed = Replace(rows, "Ada", "Eve");
  CHECK(Counts(VerifyText(rows, renamed, {"--ignore", "name"})) == "0 0 0 0");
  CHECK(Counts(VerifyText(rows, renamed, {"--columns", "n,x"})) == "0 0 0 0");
  CHECK(Counts(VerifyText(rows, renamed, {"--columns", "n,name"})) == "0 0 1 0");
}

TEST_CASE("the verifier names the first keys and what differs") {
  const std::string rows = kRows;
  const Finished finished =
      VerifyText(rows, Replace(Replace(rows, "Caf\u00e9", "Cafe\u0301"), Line(rows, 0), ""));
  CHECK(finished.out ==
        "expected 7 rows, actual 6 rows\nlost 1\n  1\nduplicated 0\nchanged 1\n"
        "  3: name: expected \"Caf\\xc3\\xa9\", found \"Cafe\\xcc\\x81\"\ninvented 0\n");
}

TEST_CASE("the verifier finds mutations in a database") {
  const TempDir dir;
  const std::string expected = dir / "expected.db";
  const std::string make =
      "CREATE TABLE t (id, a, b); INSERT INTO t VALUES (1, 'x', 1.5), (2, '', NULL), (3, x'00ff', "
      "9007199254740993), "
      "(4, 'caf\u00e9', 2), (5, '12', 1e300)";
  Sql(expected, make);
  const std::pair<const char*, const char*> mutations[] = {
      {"DELETE FROM t WHERE id = 3", "1 0 0 0"},
      {"INSERT INTO t SELECT * FROM t WHERE id = 3", "0 1 0 0"},
      {"INSERT INTO t VALUES (6, 1, 1)", "0 0 0 1"},
      {"UPDATE t SET a = 'X' WHERE id = 1", "0 0 1 0"},
      {"UPDATE t SET a = NULL WHERE id = 2", "0 0 1 0"},
      {"UPDATE t SET b = '' WHERE id = 2", "0 0 1 0"},
      {"UPDATE t SET a = x'00fe' WHERE id = 3", "0 0 1 0"},
      {"UPDATE t SET a = CAST(a AS TEXT) WHERE id = 3", "0 0 1 0"},
      {"UPDATE t SET b = b - 1 WHERE id = 3", "0 0 1 0"},
      {"UPDATE t SET b = b * 1.0 WHERE id = 3", "0 0 1 0"},
      {"UPDATE t SET b = 2.0 WHERE id = 4", "0 0 1 0"},
      {"UPDATE t SET a = 12 WHERE id = 5", "0 0 1 0"},
      {"UPDATE t SET id = id + 1", "1 0 4 1"},
  };
  for (std::size_t i = 0; i < std::size(mutations); ++i) {
    CAPTURE(mutations[i].first);
    const std::string actual = dir / ("actual" + std::to_string(i) + ".db");
    Sql(actual, make);
    CHECK(Counts(Verify(expected, actual, {"--table", "t", "--key", "id"})) == "0 0 0 0");
    Sql(actual, mutations[i].first);
    const Finished finished = Verify(expected, actual, {"--table", "t", "--key", "id"});
    CHECK(finished.exit_code == 1);
    CHECK(Counts(finished) == mutations[i].second);
  }
}

TEST_CASE("the verifier tells nothing from empty text in CSV") {
  const std::string rows = "id,a,b\n1,x,\n2,\"\",\"a,\"\"b\"\"\r\nc\"\n3,00,1.50\n";
  CHECK(Counts(VerifyText(rows, rows, {}, "csv")) == "0 0 0 0");
  CHECK(Counts(VerifyText(rows, Replace(rows, "1,x,\n", "1,\"x\",\r\n"), {}, "csv")) == "0 0 0 0");
  CHECK(Counts(VerifyText(rows, Replace(rows, "\"\",", ","), {}, "csv")) == "0 0 1 0");
  CHECK(Counts(VerifyText(rows, Replace(rows, "\"\",", ","), {"--csv-no-null"}, "csv")) ==
        "0 0 0 0");
  CHECK(Counts(VerifyText(rows, Replace(rows, "x,\n", "x,\\N\n"), {"--csv-null", "\\N"}, "csv")) ==
        "0 0 1 0");
  CHECK(Counts(VerifyText(rows, Replace(rows, "\r\nc", "\nc"), {}, "csv")) == "0 0 1 0");
  CHECK(Counts(VerifyText(rows, Replace(rows, "3,00", "3,0"), {}, "csv")) == "0 0 1 0");
  CHECK(Counts(VerifyText(rows, Replace(rows, "1.50", "1.5"), {}, "csv")) == "0 0 1 0");
}

TEST_CASE("a CSV field means what the other side's type says") {
  const TempDir dir;
  const std::string typed =
      dir.Write("a.ndjson", "{\"id\":1,\"n\":15,\"x\":1.5,\"ok\":true,\"t\":\"015\",\"z\":null}\n");
  const auto counts = [&](const std::string& csv) {
    return Counts(
        Verify(typed, dir.Write("b.csv", "id,n,x,ok,t,z\n" + csv + "\n"), {"--key", "id"}));
  };
  CHECK(counts("1,15,1.5,true,015,") == "0 0 0 0");
  CHECK(counts("1,15.0,1.5,true,015,") == "0 0 1 0");
  CHECK(counts("1,15,1.51,true,015,") == "0 0 1 0");
  CHECK(counts("1,15,1.5,false,015,") == "0 0 1 0");
  CHECK(counts("1,15,1.5,true,15,") == "0 0 1 0");
  CHECK(counts("1,15,1.5,true,015,\"\"") == "0 0 1 0");
  CHECK(counts("1,,1.5,true,015,") == "0 0 1 0");
}

TEST_CASE("a key may be several columns, or the whole row") {
  const TempDir dir;
  const std::string expected = dir.Write("a.ndjson", "{\"a\":1,\"b\":11}\n{\"a\":11,\"b\":1}\n");
  const std::string actual = dir.Write("b.ndjson", "{\"a\":11,\"b\":1}\n{\"a\":11,\"b\":1}\n");
  CHECK(Counts(Verify(expected, expected, {"--key", "a,b"})) == "0 0 0 0");
  CHECK(Counts(Verify(expected, actual, {"--key", "a,b"})) == "1 1 0 0");
  CHECK(Counts(Verify(expected, actual)) == "1 1 0 0");
  const std::string twice = dir.Write("c.ndjson", "{\"a\":1}\n{\"a\":1}\n");
  CHECK(Counts(Verify(twice, twice)) == "0 0 0 0");
  CHECK(Counts(Verify(twice, dir.Write("d.ndjson", "{\"a\":1}\n"))) == "1 0 0 0");
}

TEST_CASE("what cannot be judged is neither the same nor different") {
  const std::string good = "{\"id\":1}\n";
  const auto code = [&](const std::string& expected, const std::string& actual,
                        std::vector<std::string> more = {}) {
    return VerifyText(expected, actual, more).exit_code;
  };
  for (const char* bad :
       {"{\"id\":1", "{\"id\":01}", "{\"id\":1,}", "{\"id\":1} x", "[1]", "{\"id\":1,\"id\":1}",
        "{\"id\":.5}", "{\"id\":+1}", "{\"id\":NaN}", "{\"id\":\"\xff\"}",
        "{\"id\":\"\xed\xa0\x80\"}", "{\"id\":\"\\ud800\"}", "{\"id\":\"\t\"}", "{\"id\":\"\\x\"}",
        "{'id':1}", "{\"n\":1}", "", "{\"id\":1}\n\n{\"id\":2}"}) {
    CAPTURE(bad);
    if (*bad != '\0') CHECK(code(good, std::string(bad) + "\n") == 2);
  }
  CHECK(code("{\"id\":1}\n{\"id\":1}\n", good) == 2);
  CHECK(code(good, good, {"--numbers", "maybe"}) == 2);
  CHECK(code(good, good, {"--no-such-option", "x"}) == 2);
  CHECK(Verify("/nowhere/a.ndjson", "/nowhere/b.ndjson").exit_code == 2);
  CHECK(VerifyText("id,a\n1,2\n", "id,a\n1\n", {}, "csv").exit_code == 2);
  CHECK(VerifyText("id,a\n1,2\n", "id,a\n1,\"2\n", {}, "csv").exit_code == 2);
  const Finished message = VerifyText(good, good + "{\"id\":tru}\n");
  CHECK(message.err.find("actual.ndjson: line 2: column 7: expected true") != std::string::npos);
}
