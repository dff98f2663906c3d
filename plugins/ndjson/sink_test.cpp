#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <limits>
#include <string>

#include "fake_host.h"
#include "support/temp_dir.h"

using namespace etl::test;

namespace {

const etl::Schema kIdAndText{{"id", etl::Int64()}, {"s", etl::Utf8()}};

etl::Batch Rows(std::int64_t first, std::int64_t count, const std::string& text = "x") {
  etl::Batch batch(kIdAndText);
  for (std::int64_t i = first; i < first + count; ++i) {
    batch[0].Append(i);
    batch[1].Append(text);
  }
  return batch;
}

std::string Lines(std::int64_t first, std::int64_t count, const std::string& text = "x") {
  std::string out;
  for (std::int64_t i = first; i < first + count; ++i) out += "{\"id\":" + std::to_string(i) + ",\"s\":\"" + text + "\"}\n";
  return out;
}

std::string Unpacked(const std::string& path) {
  TestSource source("ndjson", {{"path", "\"" + path + "\""}});
  std::string out;
  for (const std::string& row : source.ReadAll()) out += row + "\n";
  return out;
}

etl_status Write(TestSink& sink, etl::Batch batch) { return sink.Write(batch); }

}  // namespace

TEST_CASE("rows are pending until they are on disk, and the state says up to which byte") {
  TempDir dir;
  const std::string file = dir / "out/deep/a.ndjson";
  TestSink sink("ndjson", {{"path", "\"" + file + "\""}}, kIdAndText);
  sink.Begin();
  sink.Open();
  CHECK(Write(sink, Rows(1, 2)) == ETL_PENDING);
  CHECK(sink.Flush() == std::to_string(Lines(1, 2).size()) + " " + file);
  CHECK(ReadFile(file) == Lines(1, 2));
  CHECK(Write(sink, Rows(3, 1)) == ETL_PENDING);
  CHECK(sink.Flush() == std::to_string(Lines(1, 3).size()) + " " + file);
  sink.End();
  CHECK(ReadFile(file) == Lines(1, 3));
}

TEST_CASE("a run that goes on cuts the file to the saved length, a new one begins it anew, a replay adds") {
  TempDir dir;
  for (const std::string name : {"a.ndjson", "a.ndjson.gz", "a.ndjson.zst"}) {
    CAPTURE(name);
    const std::string file = dir / name;
    const TomlOptions options{{"path", "\"" + file + "\""}};
    std::string state;
    {
      TestSink sink("ndjson", options, kIdAndText);
      sink.Begin();
      sink.Open();
      Write(sink, Rows(1, 1000));
      Write(sink, Rows(1001, 1000));
      state = sink.Flush();
      Write(sink, Rows(2001, 50'000));
      Write(sink, Rows(52'001, 1));  // the big buffer before it goes to the file
      CHECK(ReadFile(file).size() > std::stoul(state));
      sink.Stop();
    }
    {
      TestSink sink("ndjson", options, kIdAndText);
      sink.Begin(ETL_RESUMED);
      sink.Open(state);
      Write(sink, Rows(2001, 10));
      sink.Flush();
      sink.End();
    }
    CHECK(Unpacked(file) == Lines(1, 2010));
    {
      TestSink sink("ndjson", options, kIdAndText);
      sink.Begin(ETL_REPLAY);
      sink.Open();
      Write(sink, Rows(2011, 2));
      sink.Flush();
    }
    CHECK(Unpacked(file) == Lines(1, 2012));
    {
      TestSink sink("ndjson", options, kIdAndText);
      sink.Begin();
      sink.Open();
      Write(sink, Rows(7, 1));
      sink.Flush();
    }
    CHECK(Unpacked(file) == Lines(7, 1));
    REQUIRE(::truncate(file.c_str(), 3) == 0);
    TestSink sink("ndjson", options, kIdAndText);
    sink.Begin(ETL_RESUMED);
    CHECK_THROWS_WITH_AS(sink.Open(state),
                         (file + " has only 3 bytes, but the interrupted run had written " + state.substr(0, state.find(' ')) +
                          ": put it back, or reset the state to write it anew").c_str(), Failure);
  }
}

TEST_CASE("half a line at the end of a file does not join a replayed row") {
  TempDir dir;
  const std::string file = dir.Write("a", "{\"id\":1,\"s\":\"x\"}\n{\"id\"");
  TestSink sink("ndjson", {{"path", "\"" + file + "\""}}, kIdAndText);
  sink.Begin(ETL_REPLAY);
  sink.Open();
  Write(sink, Rows(2, 1));
  sink.Flush();
  CHECK(ReadFile(file) == Lines(1, 1) + "{\"id\"\n" + Lines(2, 1));
}

TEST_CASE("the path takes the time at which the run began, and a run that goes on stays with its file") {
  TempDir dir;
  TestSink sink("ndjson", {{"path", "\"" + dir / "100%%-%Y-%m-%d.ndjson" + "\""}}, kIdAndText);
  const std::time_t before = std::time(nullptr);
  sink.Begin();
  sink.Open();
  Write(sink, Rows(1, 1));
  const std::string state = sink.Flush();
  const std::string file = state.substr(state.find(' ') + 1);
  char today[32];
  std::strftime(today, sizeof today, "100%%-%Y-%m-%d.ndjson", std::gmtime(&before));
  const std::time_t after = std::time(nullptr);
  char tomorrow[32];
  std::strftime(tomorrow, sizeof tomorrow, "100%%-%Y-%m-%d.ndjson", std::gmtime(&after));
  CHECK((file == dir / today || file == dir / tomorrow));
  CHECK(ReadFile(file) == Lines(1, 1));
  const std::string other = dir.Write("100%-2001-02-03.ndjson", Lines(1, 1));
  TestSink again("ndjson", {{"path", "\"" + dir / "100%%-%Y-%m-%d.ndjson" + "\""}}, kIdAndText);
  again.Begin(ETL_RESUMED);
  again.Open(std::to_string(Lines(1, 1).size()) + " " + other);
  Write(again, Rows(2, 1));
  again.Flush();
  CHECK(ReadFile(other) == Lines(1, 2));
  TestSink wrong("ndjson", {{"path", "\"a%b\""}}, kIdAndText);
  CHECK_THROWS_WITH_AS(wrong.Begin(),
                       "\"a%b\" has a % that is none of %Y %m %d %H %M %S; write %% for a plain %", Failure);
}

TEST_CASE("a row that cannot be written is rejected, the others are written") {
  TempDir dir;
  const etl::Schema schema{{"f", etl::Float64()}, {"s", etl::Utf8()}, {"n", etl::Int8()}};
  const auto make = [&] {
    etl::Batch batch(schema);
    const double values[] = {1.5, std::numeric_limits<double>::quiet_NaN(), 2, 3};
    const std::string texts[] = {"a", "b", "\xFF", "d"};
    for (int i = 0; i < 4; ++i) {
      batch[0].Append(values[i]);
      batch[1].Append(texts[i]);
      batch[2].Null();
    }
    return batch;
  };
  const std::string file = dir / "a";
  TestSink strict("ndjson", {{"path", "\"" + file + "\""}, {"nulls", "\"omit\""}}, schema);
  strict.Begin();
  strict.Open();
  Write(strict, make());
  strict.Flush();
  CHECK(ReadFile(file) == "{\"f\":1.5,\"s\":\"a\"}\n{\"f\":3,\"s\":\"d\"}\n");
  REQUIRE(strict.worker().host.rejects.size() == 2);
  CHECK(strict.worker().host.rejects[0].row == 1);
  CHECK(strict.worker().host.rejects[0].reason == "column \"f\" holds \"NaN\", which JSON has no number for");
  CHECK(strict.worker().host.rejects[1].row == 2);
  CHECK(strict.worker().host.rejects[1].reason == "column \"s\" holds text that is not valid UTF-8 from byte 0");
  TestSink lenient("ndjson", {{"path", "\"" + file + "\""}, {"on_nan", "\"null\""}, {"on_invalid_utf8", "\"replace\""}}, schema);
  lenient.Begin();
  lenient.Open();
  Write(lenient, make());
  lenient.Flush();
  CHECK(ReadFile(file) == "{\"f\":1.5,\"s\":\"a\",\"n\":null}\n{\"f\":null,\"s\":\"b\",\"n\":null}\n"
                          "{\"f\":2,\"s\":\"\xEF\xBF\xBD\",\"n\":null}\n{\"f\":3,\"s\":\"d\",\"n\":null}\n");
}

TEST_CASE("a pipe whose reader has gone stops the run, not the process") {
  TempDir dir;
  const std::string fifo = dir / "pipe";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
  TestSink sink("ndjson", {{"path", "\"" + fifo + "\""}}, kIdAndText);
  sink.Begin();
  sink.Open();
  Write(sink, Rows(1, 1));
  CHECK(sink.Flush() == std::to_string(Lines(1, 1).size()) + " " + fifo);
  ::close(reader);
  Write(sink, Rows(2, 1));
  CHECK_THROWS_WITH_AS(sink.Flush(), (fifo + " was closed by whoever read it; what had not been read is not delivered").c_str(),
                       Failure);
}

TEST_CASE("a full disk is a passing fault: nothing is lost or doubled when the call is repeated") {
  TestSink sink("ndjson", {{"path", "\"/dev/full\""}}, kIdAndText);
  sink.Begin();
  sink.Open();
  CHECK(Write(sink, Rows(1, 20'000)) == ETL_PENDING);
  try {
    Write(sink, Rows(1, 1));
    FAIL("the disk is full");
  } catch (const Failure& f) {
    CHECK(f.status == ETL_RETRY);
    CHECK(std::string(f.what()) == "cannot write /dev/full: No space left on device");
  }
}
