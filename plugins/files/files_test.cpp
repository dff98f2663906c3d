#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>
#include <string>
#include <thread>

#include "files/calendar.h"
#include "files/encoder.h"
#include "files/file_source.h"
#include "files/input.h"
#include "files/json_check.h"
#include "files/line_reader.h"
#include "files/output.h"
#include "files/value_type.h"
#include "support/temp_dir.h"

using namespace etl::files;
using etl::test::ReadFile;
using etl::test::TempDir;

TEST_CASE("a place reads back as it was written") {
  for (const std::string text : {"0:1", "17:3", "17:3-40", "64-128", "64-", "0:1-64"}) CHECK(ToText(PlaceOf(text)) == text);
  CHECK(ToText(PlaceOf("")) == "0:1");
  for (const std::string text : {"x", "-5", "1:x", "1-2-3", "1 "}) CHECK_THROWS_AS(PlaceOf(text), etl::Fatal);
}

TEST_CASE("numbers are told from texts that only look like them") {
  for (const char* t : {"0", "-1", "9223372036854775807", "10"}) CHECK(IsCanonicalInteger(t));
  for (const char* t : {"", "-", "-0", "01", "+1", "1.0", " 1", "1e3"}) CHECK_FALSE(IsCanonicalInteger(t));
  for (const char* t : {"0", "-0", "1.5", "1e5", "-1.25E-10", "0.0"}) CHECK(IsJsonNumber(t));
  for (const char* t : {"", "-", "01", "1.", ".5", "1e", "+1", "0x1", "1e+", "NaN"}) CHECK_FALSE(IsJsonNumber(t));
  for (const char* t : {"0.1", "1e22", "9007199254740992", "1152921504606846976", "0.30000000000000004", "1.50", "5e-324", "-0.0"}) {
    CAPTURE(t);
    CHECK(IsExactDouble(t));
  }
  for (const char* t : {"9007199254740993", "1e400", "0.1234567890123456789", "12345678901234567890", "1e-400"}) {
    CAPTURE(t);
    CHECK_FALSE(IsExactDouble(t));
  }
}

TEST_CASE("decimals fit only without rounding") {
  const auto fits = [](const char* type, const char* text) {
    const FileColumn column = ColumnOf("x", type);
    etl::Column out(ArrowType(column));
    return AppendText(column, text, out);
  };
  CHECK(fits("decimal(5,2)", "999.99"));
  CHECK(fits("decimal(5,2)", "-000999.990"));
  CHECK_FALSE(fits("decimal(5,2)", "1000"));
  CHECK_FALSE(fits("decimal(5,2)", "0.001"));
  CHECK_FALSE(fits("decimal(5,2)", "1e2"));
  CHECK_FALSE(fits("decimal(5,2)", "."));
  CHECK(fits("decimal(76, 0)", "9999999999999999999999999999999999999999999999999999999999999999999999999999"));
  CHECK_THROWS_AS(ColumnOf("x", "decimal(77,0)"), etl::ConfigError);
  CHECK_THROWS_AS(ColumnOf("x", "decimal(5,6)"), etl::ConfigError);
  CHECK_THROWS_AS(ColumnOf("x", ""), etl::ConfigError);
}

TEST_CASE("base64 is decoded strictly") {
  std::string out;
  CHECK((DecodeBase64("", out) && out.empty()));
  CHECK((DecodeBase64("AA==", out) && out == std::string(1, '\0')));
  CHECK((DecodeBase64("AAE=", out) && out == std::string("\0\1", 2)));
  CHECK((DecodeBase64("+/+/", out) && out == "\xFB\xFF\xBF"));
  for (const char* t : {"A", "AAA", "AB==", "AAF=", "A===", "====", "AA=A", "A A="}) CHECK_FALSE(DecodeBase64(t, out));
}

TEST_CASE("JSON is checked to its last token") {
  JsonChecker checker;
  for (const char* t : {"1", "null", "\"a\\n\"", "{\"a\":[1,{}]}", " [ ] "}) CHECK(checker.IsJson(t));
  for (const char* t : {"", "1 2", "1,2", "{", "[1,]", "nul", "01", "\"\\x\"", "\"a", "1]", "]["}) {
    CAPTURE(t);
    CHECK_FALSE(checker.IsJson(t));
  }
}

TEST_CASE("the time in a path is UTC") {
  CHECK(ExpandTime("a-%Y%m%dT%H%M%S-%%", 1709251199) == "a-20240229T235959-%");
  CHECK_THROWS_AS(ExpandTime("%", 0), etl::ConfigError);
  CHECK_THROWS_AS(ExpandTime("%q", 0), etl::ConfigError);
}

TEST_CASE("lines can be held and returned to, over any size of reads") {
  TempDir dir;
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "line " + std::to_string(i) + "\n";
  const auto input = std::make_shared<Input>(dir.Write("a", text), Compression::kAuto, nullptr);
  LineReader reader(input, 0, 1, 1 << 20);
  Line line;
  for (int i = 0; i < 10; ++i) REQUIRE(reader.Next(line));
  const std::int64_t place = reader.offset();
  reader.Hold(place);
  for (int i = 10; i < 100'000; ++i) REQUIRE(reader.Next(line));
  CHECK(line.text == "line 99999");
  CHECK(line.number == 100'000);
  CHECK(reader.Held(place, place + 7) == "line 10");
  reader.Return(place, 11);
  for (int i = 10; i < 200'000; ++i) REQUIRE(reader.Next(line));
  CHECK(line.text == "line 199999");
  CHECK(line.number == 200'000);
  CHECK(line.newline);
  CHECK_FALSE(reader.Next(line));
  CHECK(reader.offset() == static_cast<std::int64_t>(text.size()));
}

TEST_CASE("a read that waits is ended by an interruption") {
  TempDir dir;
  const std::string fifo = dir / "pipe";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int writer = ::open(fifo.c_str(), O_RDWR);
  const auto interruption = std::make_shared<Interruption>();
  Input input(fifo, Compression::kNone, interruption);
  CHECK_FALSE(input.regular());
  CHECK_FALSE(input.Ready(0));
  REQUIRE(::write(writer, "ab", 2) == 2);
  CHECK(input.Ready(0));
  char bytes[8];
  CHECK(input.Read(bytes, sizeof bytes) == 2);
  std::thread other([&] { interruption->Fire(); });
  CHECK_THROWS_AS(input.Read(bytes, sizeof bytes), etl::Cancelled);
  other.join();
  ::close(writer);
}

TEST_CASE("what an encoder writes in several members, a decoder reads as one") {
  TempDir dir;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919) + "\n";
  for (const Compression how : {Compression::kGzip, Compression::kZstd}) {
    std::string packed;
    const auto encoder = MakeEncoder(how, 1);
    for (int i = 0; i < 3; ++i) {
      encoder->Encode(text, packed);
      encoder->End(packed);
    }
    Input input(dir.Write("a", packed), Compression::kAuto, nullptr);
    CHECK(input.compression() == how);
    CHECK_FALSE(input.seekable());
    std::string back;
    char piece[10'007];
    while (const std::size_t n = input.Read(piece, sizeof piece)) back.append(piece, n);
    CHECK(back == text + text + text);
  }
  CHECK(CompressionOfName("x.ndjson.gz") == Compression::kGzip);
  CHECK(CompressionOfName("x.zst") == Compression::kZstd);
  CHECK(CompressionOfName("gz") == Compression::kNone);
}

TEST_CASE("random pieces stand in the file after each flush, and behind the length that a run goes on from") {
  const std::uint64_t seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t n) { return static_cast<std::size_t>(random() % n); };
  TempDir dir;
  const std::string file = dir / "a";
  std::string all;
  for (int run = 0; run < 12; ++run) {
    all.resize(below(all.size() + 1));
    Output output(file, Compression::kNone, 0, Output::Mode::kResume,
                              static_cast<std::int64_t>(all.size()));
    for (int flush = 0; flush < 4; ++flush) {
      for (std::size_t n = below(8); n > 0; --n) {
        const std::string piece(below(2) ? below(5000) : below(900'000), static_cast<char>('a' + below(26)));
        output.Append([&piece](etl::json_detail::Tail& out) { out.Append(piece); });
        output.Drain();
        all += piece;
      }
      CHECK(output.Flush() == static_cast<std::int64_t>(all.size()));
      REQUIRE((ReadFile(file) == all));   // without its megabytes in a message
    }
    output.Append([](etl::json_detail::Tail& out) { out.Append(std::string(600'000, '#')); });
    output.Drain();   // a run that stops here
  }
}
