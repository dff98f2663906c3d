#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "fake_host.h"
#include "support/temp_dir.h"

using namespace etl::test;
using Lines = std::vector<std::string>;

namespace {

std::string Quote(const std::string& path) { return "\"" + path + "\""; }

TestSource Read(const std::string& path, TomlOptions options = {}) {
  options.insert(options.begin(), {"path", Quote(path)});
  return TestSource("ndjson", options);
}

std::string Gzip(const std::string& text) {
  z_stream s{};
  deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data());
  s.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&s, Z_FINISH) == Z_STREAM_END);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}

std::string Zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

Lines RowsOf(const std::vector<ReadBatch>& batches) {
  Lines rows;
  for (const ReadBatch& b : batches) rows.insert(rows.end(), b.rows.begin(), b.rows.end());
  return rows;
}

}  // namespace

TEST_CASE("types follow from the values, and every value stays what it is") {
  TempDir dir;
  const std::string file = dir.Write("a.ndjson",
      R"({"b":true,"i":1,"u":18446744073709551615,"f":1.5,"m":2,"s":"x","j":{"k":[1, 2.50]},"t":1,"big":12345678901234567890123,"huge":1e400,"n":null,"q":-1})" "\n"
      R"({"b":false,"i":-9223372036854775808,"u":0,"f":-0.0,"m":2.5,"s":"y","j":[ ],"t":"one","big":1,"huge":1,"n":null,"q":18446744073709551615})" "\n");
  TestSource source = Read(file);
  CHECK(source.Describe() ==
        "b:b i:l u:L f:g m:g s:u j:json t:json big:json huge:json n:json q:json");
  const Lines rows = source.ReadAll();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] ==
        R"({"b":true,"i":1,"u":18446744073709551615,"f":1.5,"m":2,"s":"x","j":{"k":[1, 2.50]},"t":1,"big":12345678901234567890123,"huge":1e400,"n":null,"q":-1})");
  CHECK(rows[1] ==
        R"({"b":false,"i":-9223372036854775808,"u":0,"f":-0,"m":2.5,"s":"y","j":[ ],"t":"one","big":1,"huge":1,"n":null,"q":18446744073709551615})");
  CHECK(source.rejects.empty());
}

TEST_CASE("an integer that no double holds keeps a column of mixed numbers as JSON") {
  TempDir dir;
  CHECK(Read(dir.Write("a", "{\"x\":9007199254740993}\n{\"x\":0.5}\n")).Describe() == "x:json");
  CHECK(Read(dir.Write("b", "{\"x\":9007199254740992}\n{\"x\":0.5}\n")).Describe() == "x:g");
  CHECK(Read(dir.Write("c", "{\"x\":9007199254740993}\n")).Describe() == "x:l");
}

TEST_CASE("keys come in any order, may be missing, may hold escapes") {
  TempDir dir;
  const std::string file = dir.Write("a", "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"a\":2}\n\n  \r\n{}\r\n{\"\\u0061\":3}\n{\"b\":null}");
  TestSource source = Read(file);
  CHECK(source.ReadAll() == Lines{R"({"a":1,"b":"x"})", R"({"a":2,"b":"y"})", R"({"a":null,"b":null})",
                                  R"({"a":3,"b":null})", R"({"a":null,"b":null})"});
  CHECK(source.rejects.empty());
}

TEST_CASE("strings with escapes, NUL and characters beyond the first plane are decoded") {
  TempDir dir;
  TestSource source = Read(dir.Write("a", R"({"s":"a\u0000b\n\"\\\/\ud83d\ude00é\t"})" "\n"));
  CHECK(source.ReadAll() == Lines{"{\"s\":\"a\\u0000b\\n\\\"\\\\/\xF0\x9F\x98\x80\xC3\xA9\\t\"}"});
}

TEST_CASE("lines that are no row are rejected with file, line, text and reason") {
  TempDir dir;
  const std::string file = dir.Write("a",
      "{\"a\":1,\"s\":\"x\"}\n"
      "{\"a\":1\n"
      "[1]\n"
      "{\"a\":1,\"a\":2}\n"
      "{\"a\":\"x\"}\n"
      "{\"a\":1.5}\n"
      "{\"a\":18446744073709551615}\n"
      "{\"a\":01}\n"
      "{\"a\":1,\"new\":true}\n"
      "{\"a\":1} x\n"
      "{\"a\":1}}\n"
      "{\"a\":1,}\n"
      "{\"s\":\"\\ud800\"}\n"
      "{\"s\":\"\xFF\"}\n"
      "{\"s\":5}\n"
      "{\"s\":\"\x01\"}\n"
      "{\"s\":tru}\n"
      "null\n"
      "{\"a\":2}\n");
  TestSource source = Read(file, {{"sample", "{ rows = 1 }"}});
  CHECK(source.Describe() == "a:l s:u");
  CHECK(source.ReadAll() == Lines{R"({"a":1,"s":"x"})", R"({"a":2,"s":null})"});
  REQUIRE(source.rejects.size() == 17);
  for (std::size_t i = 0; i < 17; ++i) CHECK(source.rejects[i].where == file + ":" + std::to_string(i + 2));
  CHECK(source.rejects[0].raw == "{\"a\":1");
  CHECK(source.rejects[1].reason == "not a JSON object");
  CHECK(source.rejects[2].reason == "key \"a\" is there twice");
  CHECK(source.rejects[3].reason == "column \"a\" is int64, but the value is \"x\"; write \"a\" = \"json\" in columns");
  CHECK(source.rejects[4].reason == "column \"a\" is int64, but the value is 1.5; write \"a\" = \"float64\" in columns");
  CHECK(source.rejects[5].reason ==
        "column \"a\" is int64, but the value is 18446744073709551615; write \"a\" = \"uint64\" in columns");
  CHECK(source.rejects[6].reason.rfind("malformed JSON: ", 0) == 0);
  CHECK(source.rejects[7].reason ==
        "key \"new\" is none of the columns; write \"new\" = \"bool\" in columns, or on_unknown_key = \"ignore\"");
  CHECK(source.rejects[8].reason.rfind("malformed JSON: ", 0) == 0);
  CHECK(source.rejects[13].reason == "column \"s\" is utf8, but the value is 5; write \"s\" = \"json\" in columns");
  for (const std::size_t i : {9, 10, 11, 12, 14, 15}) CHECK(source.rejects[i].reason.rfind("malformed JSON: ", 0) == 0);
  CHECK(source.rejects[16].reason == "not a JSON object");
}

TEST_CASE("unknown keys can be ignored, but not what is malformed in them") {
  TempDir dir;
  const std::string file = dir.Write("a", "{\"a\":1}\n{\"x\":{\"y\":[1,null]},\"a\":2}\n{\"x\":[1 2],\"a\":3}\n{\"x\":nul}\n");
  TestSource source = Read(file, {{"sample", "{ rows = 1 }"}, {"on_unknown_key", "\"ignore\""}});
  CHECK(source.ReadAll() == Lines{R"({"a":1})", R"({"a":2})"});
  CHECK(source.rejects.size() == 2);
}

TEST_CASE("JSON text is checked in full before it goes on") {
  TempDir dir;
  std::string deep = "{\"j\":";
  for (int i = 0; i < 600; ++i) deep += '[';
  for (int i = 0; i < 600; ++i) deep += ']';
  const std::string file = dir.Write("a", "{\"j\":[{\"k\":\"\\u00e9\"}, -0.5e+3 ,\"\",{}] }\n{\"j\":[1,]}\n{\"j\":[01]}\n"
                                          "{\"j\":[\"\\x\"]}\n{\"j\":{\"a\" 1}}\n{\"j\":1.}\n" + deep + "}\n{\"j\":\"s\"}\n");
  TestSource source = Read(file, {{"columns", "{ j = \"json\" }"}});
  CHECK(source.ReadAll() == Lines{"{\"j\":[{\"k\":\"\\u00e9\"}, -0.5e+3 ,\"\",{}]}", R"({"j":"s"})"});
  CHECK(source.rejects.size() == 6);
}

TEST_CASE("declared columns decide, in their order behind those found") {
  TempDir dir;
  const std::string file = dir.Write("a",
      R"({"id":1,"at":"2024-02-29T23:59:59.5+01:00","d":"2024-02-29","p":12.50,"t":"01:02:03","b":"AAEC","l":"2024-01-01 00:00","n":7,"f":3})" "\n"
      R"({"id":2,"at":"2023-02-29T00:00:00Z"})" "\n"
      R"({"id":3,"at":"2024-01-01T00:00:00"})" "\n"
      R"({"id":4,"p":1.234})" "\n"
      R"({"id":5,"b":"A"})" "\n"
      R"({"id":6,"n":128})" "\n"
      R"({"id":7,"p":"-0.05","b":""})" "\n"
      R"({"id":8,"p":123456789012})" "\n"
      R"({"id":9,"f":9007199254740993})" "\n");
  TestSource source = Read(file, {{"columns", "{ at = \"timestamp\", d = \"date\", p = \"decimal(12,2)\", t = \"time\", "
                                              "b = \"binary\", l = \"timestamp_local\", n = \"int8\", f = \"float64\", zz = \"uint16\" }"}});
  CHECK(source.Describe() == "id:l at:tsu:UTC d:tdD p:d:12,2 t:ttu b:z l:tsu: n:c f:g zz:S");
  CHECK(source.ReadAll() ==
        Lines{R"({"id":1,"at":"2024-02-29T22:59:59.500000Z","d":"2024-02-29","p":12.50,"t":"01:02:03.000000","b":"AAEC",)"
              R"("l":"2024-01-01T00:00:00.000000","n":7,"f":3,"zz":null})",
              R"({"id":7,"at":null,"d":null,"p":-0.05,"t":null,"b":"","l":null,"n":null,"f":null,"zz":null})"});
  CHECK(source.rejects.size() == 7);
}

TEST_CASE("a misspelt type is the user's to repair") {
  TempDir dir;
  TestSource source = Read(dir.Write("a", "{}\n"), {{"columns", "{ a = \"int\" }"}});
  CHECK_THROWS_WITH_AS(source.Describe(),
                       "column \"a\" has the type \"int\", which is none of bool, int8, int16, int32, int64, uint8, uint16, "
                       "uint32, uint64, float32, float64, utf8, json, binary, date, time, timestamp, timestamp_local, "
                       "decimal(PRECISION,SCALE)", Failure);
}

TEST_CASE("from every position the rest comes once, whatever the batches, the file and its compression") {
  TempDir dir;
  std::string text = "\xEF\xBB\xBF";
  Lines all;
  for (int i = 0; i < 50; ++i) {
    const std::string row = "{\"i\":" + std::to_string(i) + ",\"s\":\"" + std::string(static_cast<std::size_t>(i * 7 % 40), 'x') + "\"}";
    all.push_back(row);
    text += row + (i % 3 ? "\n" : "\r\n") + (i % 5 ? "" : "\n");
  }
  text += "{bad\n";
  for (const std::string& content : {text, Gzip(text), Zstd(text), Gzip(text.substr(0, 500)) + Gzip(text.substr(500)),
                                     Zstd(text.substr(0, 500)) + Zstd(text.substr(500)), Gzip(text) + std::string(5, '\0')}) {
    TestSource source = Read(dir.Write("a", content), {{"batch", "{ rows = 3 }"}});
    const auto splits = source.Plan();
    REQUIRE(splits.size() == 1);
    const auto batches = source.ReadBatches(splits[0]);
    CHECK(RowsOf(batches) == all);
    REQUIRE(source.rejects.size() == 1);
    CHECK(source.rejects[0].where == splits[0].id + ":61");
    Lines before;
    for (const ReadBatch& b : batches) {
      before.insert(before.end(), b.rows.begin(), b.rows.end());
      Lines both = before;
      for (const std::string& row : RowsOf(source.ReadBatches(splits[0], b.position))) both.push_back(row);
      CHECK(both == all);
    }
  }
}

TEST_CASE("parts of a file hold every line once, at whatever bytes they begin") {
  TempDir dir;
  std::string text;
  Lines all;
  for (int i = 0; i < 400; ++i) {
    const std::string row = "{\"i\":" + std::to_string(i) + ",\"s\":\"" + std::string(static_cast<std::size_t>(i * 31 % 101), 'x') + "\"}";
    all.push_back(row);
    text += row + "\n";
  }
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}}) {  // with and without a newline at the end
    const std::string file = dir.Write("a", text.substr(0, text.size() - cut));
    for (const int size : {1000, 1001, 1024, 4096, 60}) {
      CAPTURE(size);
      TestSource source = Read(file, {{"split_bytes", std::to_string(size)}, {"batch", "{ rows = 7 }"}});
      const auto splits = source.Plan();
      CHECK(splits.size() > 1);
      Lines rows;
      for (const auto& split : splits) {
        const auto batches = source.ReadBatches(split);
        const Lines its = RowsOf(batches);
        rows.insert(rows.end(), its.begin(), its.end());
        Lines before;
        for (const ReadBatch& b : batches) {
          before.insert(before.end(), b.rows.begin(), b.rows.end());
          Lines both = before;
          for (const std::string& row : RowsOf(source.ReadBatches(split, b.position))) both.push_back(row);
          CHECK(both == its);
        }
      }
      CHECK(rows == all);
      // Planning goes on from any point as if it had never stopped.
      for (std::size_t i = 0; i < splits.size(); ++i) {
        const auto rest = source.Plan(false, splits[i].plan_state);
        REQUIRE(rest.size() == splits.size() - i - 1);
        for (std::size_t k = 0; k < rest.size(); ++k) {
          CHECK(rest[k].id == splits[i + 1 + k].id);
          CHECK(rest[k].state == splits[i + 1 + k].state);
        }
      }
    }
  }
}

TEST_CASE("standard input is sampled and read once, and never from its middle") {
  TempDir dir;
  const std::string text = "{\"i\":1}\n{\"i\":2}\n{\"i\":3}";
  for (const std::string& content : {text, Gzip(text)}) {
    const int kept = ::dup(0);
    const int file = ::open(dir.Write("in", content).c_str(), O_RDONLY);
    ::dup2(file, 0);
    ::close(file);
    TestSource source = Read("-", {{"batch", "{ rows = 2 }"}});
    CHECK(source.Describe() == "i:l");
    const auto splits = source.Plan();
    REQUIRE(splits.size() == 1);
    CHECK(splits[0].id == "-");
    const auto batches = source.ReadBatches(splits[0]);
    CHECK(RowsOf(batches) == Lines{R"({"i":1})", R"({"i":2})", R"({"i":3})"});
    CHECK(batches[0].position == "16:3");
    for (const char* const again : {"16:3", "0:1"}) {
      CHECK_THROWS_WITH_AS(source.ReadBatches(splits[0], again),
                           (std::string("standard input can be read only once, and byte ") + (again[0] == '1' ? "16" : "0") +
                            " of it was asked for again; write it to a file and read that, or reset the state and give the "
                            "whole input anew").c_str(), Failure);
    }
    ::dup2(kept, 0);
    ::close(kept);
  }
  TestSource both("ndjson", {{"path", "[\"-\", \"" + dir / "in" + "\"]"}});
  CHECK_THROWS_AS(both.Describe(), Failure);
}

TEST_CASE("patterns and lists name files in order, none twice") {
  TempDir dir;
  dir.Write("b.ndjson", "{\"i\":2}\n");
  dir.Write("a.ndjson", "{\"i\":1}");
  dir.Write("c.ndjson", "{\"i\":3}\n");
  dir.Write("d.txt", "{\"i\":4}\n");
  TestSource source("ndjson", {{"path", "[\"" + dir / "c.ndjson" + "\", \"" + dir / "*.ndjson" + "\"]"}});
  CHECK(source.ReadAll() == Lines{R"({"i":3})", R"({"i":1})", R"({"i":2})"});
  const std::string none = dir / "*.csv";
  CHECK_THROWS_WITH_AS(Read(none).Describe(), ("no file matches \"" + none + "\"").c_str(), Failure);
  const std::string missing = dir / "nope";
  CHECK_THROWS_WITH_AS(Read(missing).Describe(), ("cannot read " + missing + ": No such file or directory").c_str(), Failure);
  try {
    Read(missing).Describe();
  } catch (const Failure& f) {
    CHECK(f.status == ETL_CONFIG);
    CHECK(f.option == "path");
  }
  const std::string folder = dir.path().string();
  CHECK_THROWS_WITH_AS(Read(folder).Describe(),
                       (folder + " is a directory; name its files, as in \"" + folder + "/*\"").c_str(), Failure);
}

TEST_CASE("a file that became shorter than its position stops the run") {
  TempDir dir;
  for (const bool zipped : {false, true}) {
    const std::string text = "{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n", less = "{\"i\":1}\n";
    const std::string file = dir.Write("a", zipped ? Gzip(text) : text);
    TestSource source = Read(file, {{"batch", "{ rows = 2 }"}});
    const auto splits = source.Plan();
    CHECK(source.ReadBatches(splits[0])[0].position == "16:3");
    dir.Write("a", zipped ? Gzip(less) : less);
    CHECK_THROWS_WITH_AS(source.ReadBatches(splits[0], "16:3"),
                         (file + " has only 8 bytes, but was read up to byte 16 before: it is not the file it was; put it "
                                 "back, or reset the state to read everything again").c_str(), Failure);
  }
}

TEST_CASE("damaged and cut compressed files stop the run after their whole rows") {
  TempDir dir;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "{\"i\":" + std::to_string(i * 7919) + "}\n";
  const std::string zipped = Gzip(text), zstd = Zstd(text);
  for (const std::string& cut : {zipped.substr(0, zipped.size() - 20), zstd.substr(0, zstd.size() - 20)}) {
    TestSource source = Read(dir.Write("a", cut), {{"sample", "{ rows = 1 }"}});
    CHECK_THROWS_WITH_AS(source.ReadAll(),
                         (dir / "a" + " ends in the middle of its compressed data; restore the file or take it out of path").c_str(),
                         Failure);
  }
  std::string bad = zipped;
  bad[zipped.size() / 2] ^= 0x55;
  TestSource source = Read(dir.Write("a", bad), {{"sample", "{ rows = 1 }"}});
  CHECK_THROWS_AS(source.ReadAll(), Failure);
}

TEST_CASE("lines longer than max_row_bytes are rejected, the next ones are read") {
  TempDir dir;
  const std::string longer = "{\"s\":\"" + std::string(3'000'000, 'x') + "\"}";
  const std::string file = dir.Write("a", "{\"s\":\"a\"}\n" + longer + "\n{\"s\":\"b\"}\n" + longer);
  for (const char* const most : {"\"1MiB\"", "2999999"}) {
    TestSource source = Read(file, {{"max_row_bytes", most}, {"batch", "{ rows = 1 }"}});
    const auto splits = source.Plan();
    const auto batches = source.ReadBatches(splits[0]);
    CHECK(RowsOf(batches) == Lines{R"({"s":"a"})", R"({"s":"b"})"});
    REQUIRE(source.rejects.size() == 2);
    CHECK(source.rejects[0].where == file + ":2");
    CHECK(source.rejects[1].where == file + ":4");
    for (const ReadBatch& b : batches) source.ReadBatches(splits[0], b.position);
  }
  TestSource all = Read(file, {{"max_row_bytes", "\"4MiB\""}});
  CHECK(all.ReadAll().size() == 4);
}

TEST_CASE("an empty file has no rows, and no sample needs declared columns") {
  TempDir dir;
  const std::string file = dir.Write("a", "");
  TestSource source = Read(file);
  CHECK(source.Describe().empty());
  CHECK(source.ReadAll().empty());
  TestSource none = Read(file, {{"sample", "{ rows = 0 }"}});
  CHECK_THROWS_WITH_AS(none.Describe(), "with sample.rows = 0 the columns must be declared, as in columns = { id = \"int64\" }", Failure);
}
