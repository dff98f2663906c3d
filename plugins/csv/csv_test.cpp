#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "fake_host.h"
#include "support/temp_dir.h"

using namespace etl::test;
using Lines = std::vector<std::string>;

namespace {

TestSource Read(const std::string& path, TomlOptions options = {}) {
  options.insert(options.begin(), {"path", "\"" + path + "\""});
  return TestSource("csv", options);
}

Lines RowsOf(const std::vector<ReadBatch>& batches) {
  Lines rows;
  for (const ReadBatch& b : batches) rows.insert(rows.end(), b.rows.begin(), b.rows.end());
  return rows;
}

/// What a field is in a file, one character after the other.
std::string Field(const std::string& text, char delimiter, const std::string& null) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  const bool special = text.find_first_of(std::string("\"\n\r") + delimiter) != text.npos;
  return special || text == null ? quoted + "\"" : text;
}

}  // namespace

TEST_CASE("a column has a narrower type only if each value reads the same when written again") {
  TempDir dir;
  const std::string file = dir.Write("a.csv",
                                     "i,zeros,plus,u,f,mixed,b,B,t,dot,neg0,big,empty,digits,space\n"
                                     "1,007,+1,18446744073709551615,1.5,1,true,TRUE,2024-01-01T00:00:00Z,1.,-0,1e400,,0.1234567890123456789, 1\n"
                                     "-2,1,2,0,-0.25e3,2.50,false,false,x,2.5,1,1,,1,2\n");
  TestSource source = Read(file);
  CHECK(source.Describe() ==
        "i:l zeros:u plus:u u:L f:g mixed:g b:b B:u t:u dot:u neg0:g big:u empty:u digits:u space:u");
  const Lines rows = source.ReadAll();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == R"({"i":1,"zeros":"007","plus":"+1","u":18446744073709551615,"f":1.5,"mixed":1,"b":true,"B":"TRUE",)"
                   R"("t":"2024-01-01T00:00:00Z","dot":"1.","neg0":-0,"big":"1e400","empty":null,)"
                   R"("digits":"0.1234567890123456789","space":" 1"})");
  TestSource text = Read(file, {{"types", "\"text\""}, {"columns", "{ i = \"int8\" }"}});
  CHECK(text.Describe() == "i:c zeros:u plus:u u:u f:u mixed:u b:u B:u t:u dot:u neg0:u big:u empty:u digits:u space:u");
}

TEST_CASE("quotes, delimiters, newlines, CRLF, NUL and the byte order mark are read as they are meant") {
  TempDir dir;
  const std::string text = std::string("\xEF\xBB\xBF") + "a,b\r\n\"x,\"\"y\"\"\",\"line 1\r\nline 2\n\"\r\n\"\",\r\n\r\n n , m\r\nlast,\"q\"";
  const std::string nul = std::string("a,b\nx") + '\0' + "y,\"" + '\0' + "\"\n";
  TestSource source = Read(dir.Write("a", text));
  CHECK(source.Describe() == "a:u b:u");
  CHECK(source.ReadAll() == Lines{R"({"a":"x,\"y\"","b":"line 1\r\nline 2\n"})", R"({"a":"","b":null})",
                                  R"({"a":" n ","b":" m"})", R"({"a":"last","b":"q"})"});
  CHECK(source.rejects.empty());
  CHECK(Read(dir.Write("b", nul)).ReadAll() == Lines{R"({"a":"x\u0000y","b":"\u0000"})"});
}

TEST_CASE("another delimiter, quote and other nulls; a header may be missing") {
  TempDir dir;
  TestSource source = Read(dir.Write("a", "1\t'a\tb'\tNA\n2\t''\t\\N\n3\t\tx\n"),
                           {{"delimiter", "\"\\t\""}, {"quote", "\"'\""}, {"header", "false"}, {"nulls", "[\"NA\", \"\\\\N\"]"}});
  CHECK(source.Describe() == "column1:l column2:u column3:u");
  CHECK(source.ReadAll() == Lines{R"({"column1":1,"column2":"a\tb","column3":null})",
                                  R"({"column1":2,"column2":"","column3":null})",
                                  R"({"column1":3,"column2":"","column3":"x"})"});
  TestSource named = Read(dir / "a", {{"delimiter", "\"\\t\""}, {"quote", "\"'\""}, {"header", "false"},
                                      {"columns", "{ id = \"int64\", n = \"utf8\", s = \"utf8\" }"}});
  CHECK(named.Describe() == "id:l n:u s:u");
  CHECK(named.ReadAll().size() == 3);
  TestSource wrong = Read(dir / "a", {{"delimiter", "\"::\""}});
  CHECK_THROWS_WITH_AS(wrong.Describe(), "must be one character of ASCII, not \"::\"", Failure);
}

TEST_CASE("bad rows are rejected with file, line, text and reason, and cost no other row") {
  TempDir dir;
  const std::string file = dir.Write("a",
                                     "id,s\n"
                                     "1,a\n"
                                     "2\n"
                                     "3,b,c\n"
                                     "4,\"x\"y\n"
                                     "5,x\"y\n"
                                     "x,d\n"
                                     "007,d\n"
                                     "6,\"two\nlines\"\n"
                                     "7,\xFF\n"
                                     "8,\"open\n"
                                     "9,e\n"
                                     "10,f");
  TestSource source = Read(file, {{"sample", "{ rows = 1 }"}});
  CHECK(source.ReadAll() == Lines{R"({"id":1,"s":"a"})", R"({"id":6,"s":"two\nlines"})", R"({"id":9,"s":"e"})",
                                  R"({"id":10,"s":"f"})"});
  REQUIRE(source.rejects.size() == 8);
  const auto check = [&](std::size_t i, int line, const std::string& raw, const std::string& reason) {
    CHECK(source.rejects[i].where == file + ":" + std::to_string(line));
    CHECK(source.rejects[i].raw == raw);
    CHECK(source.rejects[i].reason == reason);
  };
  const std::string quotes = "a quote stands inside an unquoted field, or something other than a delimiter follows a closing quote";
  check(0, 3, "2", "the row has 1 fields, but there are 2 columns");
  check(1, 4, "3,b,c", "the row has 3 fields, but there are 2 columns");
  check(2, 5, "4,\"x\"y", quotes);
  check(3, 6, "5,x\"y", quotes);
  check(4, 7, "x,d", "column \"id\" is int64, but the field is \"x\"; write \"id\" = \"utf8\" in columns");
  check(5, 8, "007,d", "column \"id\" is int64, but the field is \"007\"; write \"id\" = \"utf8\" in columns");
  check(6, 11, "7,\xFF", "byte 2 of the row is not valid UTF-8; convert the file");
  check(7, 12, "8,\"open", "a quote is opened and not closed before the end of the file, or of max_row_bytes");
}

TEST_CASE("a quote left open within max_row_bytes costs one line only") {
  TempDir dir;
  std::string text = "id,s\n1,\"open\n";
  for (int i = 2; i < 3000; ++i) text += std::to_string(i) + ",x\n";
  TestSource source = Read(dir.Write("a", text), {{"max_row_bytes", "\"1KiB\""}, {"batch", "{ rows = 100 }"}});
  CHECK(source.ReadAll().size() == 2998);
  CHECK(source.rejects.size() == 1);
}

TEST_CASE("from every position the rest comes once, quoted newlines or not, compressed or not") {
  TempDir dir;
  std::string text = "\xEF\xBB\xBFid,s\r\n";
  Lines all;
  for (int i = 0; i < 60; ++i) {
    const std::string lines(static_cast<std::size_t>(i % 4), '\n');
    text += std::to_string(i) + ",\"" + lines + "\"" + (i % 3 ? "\n" : "\r\n") + (i % 5 ? "" : "\n");
    std::string escaped;
    for (std::size_t k = 0; k < lines.size(); ++k) escaped += "\\n";
    all.push_back("{\"id\":" + std::to_string(i) + ",\"s\":\"" + escaped + "\"}");
  }
  text += "60\n";
  const std::string zipped = dir / "a.csv.gz";
  {
    TestSource plain = Read(dir.Write("plain", text));
    REQUIRE(plain.ReadAll() == all);
    REQUIRE(::system(("gzip -c '" + dir / "plain" + "' > '" + zipped + "'").c_str()) == 0);
  }
  for (const std::string& file : {dir / "plain", zipped}) {
    TestSource source = Read(file, {{"batch", "{ rows = 7 }"}});
    const auto splits = source.Plan();
    REQUIRE(splits.size() == 1);
    const auto batches = source.ReadBatches(splits[0]);
    CHECK(RowsOf(batches) == all);
    Lines before;
    for (const ReadBatch& b : batches) {
      before.insert(before.end(), b.rows.begin(), b.rows.end());
      Lines both = before;
      for (const std::string& row : RowsOf(source.ReadBatches(splits[0], b.position))) both.push_back(row);
      CHECK(both == all);
    }
    for (const Rejected& r : source.rejects) CHECK(r.where == source.rejects[0].where);
  }
}

TEST_CASE("files may order their columns differently, but must have the same") {
  TempDir dir;
  const std::string a = dir.Write("a.csv", "x,y\n1,a\n"), b = dir.Write("b.csv", "y,x\nb,2\n"), c = dir.Write("c.csv", "x,z\n3,c\n");
  TestSource source("csv", {{"path", "[\"" + a + "\", \"" + b + "\"]"}});
  CHECK(source.ReadAll() == Lines{R"({"x":1,"y":"a"})", R"({"x":2,"y":"b"})"});
  TestSource other("csv", {{"path", "[\"" + a + "\", \"" + c + "\"]"}, {"sample", "{ rows = 1 }"}});
  CHECK_THROWS_WITH_AS(other.ReadAll(),
                       (c + " has the columns x, z, but those of this source are x, y; read such files apart").c_str(), Failure);
  TestSource unknown = Read(a, {{"columns", "{ q = \"int64\" }"}});
  CHECK_THROWS_WITH_AS(unknown.Describe(), "\"q\" is none of the columns of the file, which are x, y", Failure);
  TestSource twice = Read(dir.Write("d", "x,x\n"));
  CHECK_THROWS_WITH_AS(twice.Describe(), ("the header of " + dir / "d" + " has the column \"x\" twice; rename one, or read it "
                                          "with header = false and columns").c_str(), Failure);
}

TEST_CASE("in a file of one column an empty line is a null") {
  TempDir dir;
  CHECK(Read(dir.Write("a", "x\n1\n\n2\n")).ReadAll() == Lines{R"({"x":1})", R"({"x":null})", R"({"x":2})"});
}

TEST_CASE("declared columns take their type from text") {
  TempDir dir;
  TestSource source = Read(dir.Write("a", "d,t,p,j,b,n\n2024-02-29,2024-01-01 00:00:00.25Z,-1.5,\"{\"\"a\"\":[1, 2]}\",AAEC,+007\n"
                                          "2023-02-29,,,,,\n,,,{,,\n,,,1 2,,\n,,,,,\n"),
                           {{"columns", "{ d = \"date\", t = \"timestamp\", p = \"decimal(10,3)\", j = \"json\", b = \"binary\", n = \"int16\" }"}});
  CHECK(source.ReadAll() == Lines{R"({"d":"2024-02-29","t":"2024-01-01T00:00:00.250000Z","p":-1.500,"j":{"a":[1, 2]},"b":"AAEC","n":7})",
                                  R"({"d":null,"t":null,"p":null,"j":null,"b":null,"n":null})"});
  CHECK(source.rejects.size() == 3);
}

TEST_CASE("the sink writes what the source reads back") {
  TempDir dir;
  const etl::Schema schema{{"id", etl::UInt64()}, {"s", etl::Utf8()}, {"f", etl::Float64()}, {"b", etl::Bool()},
                           {"bin", etl::Binary()}, {"d", etl::Date32()}, {"l", etl::List(etl::Int32())}, {"h,i", etl::Decimal128(10, 2)}};
  const std::string file = dir / "a.csv";
  TestSink sink("csv", {{"path", "\"" + file + "\""}}, schema);
  sink.Begin();
  sink.Open();
  etl::Batch batch(schema);
  batch[0].Append(std::uint64_t{18446744073709551615u});
  batch[1].Append("a \"quoted\", and\nbroken");
  batch[2].Append(0.1);
  batch[3].Append(true);
  batch[4].Append(std::string("\0\1\2", 3));
  batch[5].Append(19782);
  batch[6].child(0).Append(1);
  batch[6].child(0).Append(2);
  batch[6].EndRow();
  const char decimal[16] = {static_cast<char>(0xE2), 4};
  batch[7].Append(std::string_view(decimal, 16));
  for (std::size_t c = 0; c < schema.size(); ++c) c == 1 ? batch[c].Append("") : batch[c].Null();
  CHECK(sink.Write(batch) == ETL_PENDING);
  const std::string text = "id,s,f,b,bin,d,l,\"h,i\"\n"
                           "18446744073709551615,\"a \"\"quoted\"\", and\nbroken\",0.1,true,AAEC,2024-02-29,\"[1,2]\",12.50\n"
                           ",\"\",,,,,,\n";
  CHECK(sink.Flush() == std::to_string(text.size()) + " " + file);
  CHECK(ReadFile(file) == text);
  TestSource source = Read(file, {{"columns", "{ bin = \"binary\", d = \"date\", l = \"json\", \"h,i\" = \"decimal(10,2)\" }"}});
  CHECK(source.ReadAll()[0] ==
        R"({"id":18446744073709551615,"s":"a \"quoted\", and\nbroken","f":0.1,"b":true,"bin":"AAEC","d":"2024-02-29","l":[1,2],"h,i":12.50})");
}

TEST_CASE("the header is written once, whatever the passes") {
  TempDir dir;
  const etl::Schema schema{{"x", etl::Int32()}, {"y", etl::Utf8()}};
  const std::string file = dir / "a.csv";
  const TomlOptions options{{"path", "\"" + file + "\""}, {"delimiter", "\";\""}, {"null", "\"NULL\""}};
  const auto write = [&](std::uint32_t flags, const std::string& state, int x) {
    TestSink sink("csv", options, schema);
    sink.Begin(flags);
    sink.Open(state);
    etl::Batch batch(schema);
    batch[0].Append(x);
    x == 1 ? batch[1].Null() : batch[1].Append("NULL");
    sink.Write(batch);
    return sink.Flush();
  };
  const std::string state = write(0, "", 1);
  CHECK(ReadFile(file) == "x;y\n1;NULL\n");
  write(ETL_RESUMED, state, 2);
  CHECK(ReadFile(file) == "x;y\n1;NULL\n2;\"NULL\"\n");
  write(ETL_RESUMED, state, 3);
  CHECK(ReadFile(file) == "x;y\n1;NULL\n3;\"NULL\"\n");
  write(ETL_REPLAY, "", 4);
  CHECK(ReadFile(file) == "x;y\n1;NULL\n3;\"NULL\"\n4;\"NULL\"\n");
  write(ETL_RESUMED, "", 5);
  CHECK(ReadFile(file) == "x;y\n5;\"NULL\"\n");
}

TEST_CASE("text that is not UTF-8 is rejected or replaced") {
  TempDir dir;
  const etl::Schema schema{{"x", etl::Utf8()}};
  const std::string file = dir / "a.csv";
  for (const bool replace : {false, true}) {
    TestSink sink("csv", {{"path", "\"" + file + "\""}, {"on_invalid_utf8", replace ? "\"replace\"" : "\"error\""}}, schema);
    sink.Begin();
    sink.Open();
    etl::Batch batch(schema);
    batch[0].Append("a");
    batch[0].Append("b\xFFz");
    sink.Write(batch);
    sink.Flush();
    CHECK(ReadFile(file) == (replace ? "x\na\nb\xEF\xBF\xBDz\n" : "x\na\n"));
    CHECK(sink.worker().host.rejects.size() == (replace ? 0 : 1));
  }
}

TEST_CASE("random rows, whole or a slice of a batch, are quoted where they must be and nowhere else") {
  const std::uint64_t seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t n) { return random() % n; };
  TempDir dir;
  const etl::Schema schema{{"i", etl::Int32()}, {"u", etl::UInt64()}, {"d", etl::Date32()}, {"s", etl::Utf8()}};
  for (int round = 0; round < 300; ++round) {
    const char delimiter = ",;|1-"[below(5)];
    const std::string null = std::vector<std::string>{"", "NULL", "1", "2024-02-29"}[below(4)];
    const std::string file = dir / "a.csv";
    TestSink sink("csv", {{"path", "\"" + file + "\""}, {"delimiter", std::string("\"") + delimiter + "\""}, {"header", "false"},
                          {"null", "\"" + null + "\""}}, schema);
    sink.Begin();
    sink.Open();
    etl::Batch batch(schema);
    using Fields = std::vector<std::optional<std::string>>;   // without: null
    std::vector<Fields> rows;
    std::vector<std::size_t> bad;
    const std::string alphabets[] = {"abcxyz019_", "ab\",;|\n\r\\", "\"", std::string("a\0\x7f\"", 4)};
    for (std::size_t r = 0; r < 40; ++r) {
      const auto i = static_cast<std::int32_t>(random() >> below(64));
      const std::uint64_t u = random() >> below(64);
      const bool leap = below(2) == 0;
      std::string text;
      const std::string& alphabet = alphabets[below(4)];
      for (std::size_t n = below(2) ? below(20) : below(200); n > 0; --n) text += alphabet[below(alphabet.size())];
      if (below(4) == 0) text.insert(below(text.size() + 1), "\xC3\xA9");
      if (below(8) == 0) text = null;
      if (below(16) == 0) {
        text.insert(below(text.size() + 1), "\xFF");
        bad.push_back(r);
      }
      Fields fields{std::to_string(i), std::to_string(u), leap ? "2024-02-29" : "1969-12-31", text};
      batch[0].Append(i);
      batch[1].Append(u);
      batch[2].Append(leap ? 19782 : -1);
      if (below(8) == 0 && (bad.empty() || bad.back() != r)) {
        batch[3].Null();
        fields[3].reset();
      } else {
        batch[3].Append(text);
      }
      rows.push_back(fields);
    }
    ArrowArray array;
    batch.Finish(&array);
    const std::size_t first = below(rows.size()), count = below(rows.size() - first) + 1;
    array.offset = static_cast<std::int64_t>(first);
    array.length = static_cast<std::int64_t>(count);
    etl_batch slice{sizeof slice, 0, 1, 0, &array, nullptr, 0};
    etl_error error{};
    CHECK(FindComponent('k', "csv").sink->write(sink.worker().self(), &slice, &error) == ETL_PENDING);
    if (array.release) array.release(&array);
    sink.Flush();
    std::string expected;
    std::vector<std::uint64_t> rejected;
    for (std::size_t r = first; r < first + count; ++r) {
      if (std::find(bad.begin(), bad.end(), r) != bad.end()) {
        rejected.push_back(r - first);
        continue;
      }
      for (std::size_t c = 0; c < 4; ++c) {
        if (c) expected += delimiter;
        expected += rows[r][c] ? Field(*rows[r][c], delimiter, null) : null;
      }
      expected += '\n';
    }
    REQUIRE(ReadFile(file) == expected);
    std::vector<std::uint64_t> said;
    for (const Rejected& r : sink.worker().host.rejects) said.push_back(r.row);
    REQUIRE(said == rejected);
  }
}
