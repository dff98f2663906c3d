#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "discard.h"
#include "fake_host.h"
#include "pool.h"

using namespace etl::test;
using Lines = std::vector<std::string>;

TEST_CASE("each row's id is its number, over all splits") {
  for (const char* const splits : {"1", "3", "10", "17"}) {
    TestSource source("generate", {{"rows", "10"}, {"batch_rows", "3"}, {"splits", splits}});
    CHECK(source.Describe() == "id:l");
    Lines expected;
    for (int i = 0; i < 10; ++i) expected.push_back("{\"id\":" + std::to_string(i) + "}");
    CHECK(source.ReadAll() == expected);
  }
}

TEST_CASE("reading and planning go on from any position") {
  TestSource source("generate", {{"rows", "20"}, {"batch_rows", "3"}, {"splits", "2"}, {"payload", "4"}});
  CHECK(source.Describe() == "id:l payload:u");
  const auto splits = source.Plan();
  REQUIRE(splits.size() == 2);
  CHECK(splits[1].id == "10-20");
  CHECK(splits[1].rows == 10);
  CHECK(splits[1].bytes == 120);
  const auto batches = source.ReadBatches(splits[1]);
  REQUIRE(batches.size() == 4);
  CHECK(batches[1].rows[0] == R"({"id":13,"payload":"abcd"})");
  CHECK(batches[1].position == "16");
  const auto rest = source.ReadBatches(splits[1], "16");
  REQUIRE(rest.size() == 2);
  CHECK(rest[0].rows[0] == R"({"id":16,"payload":"abcd"})");
  CHECK(source.Plan(false, splits[0].plan_state).at(0).id == "10-20");
  CHECK(source.Plan(false, splits[1].plan_state).empty());
  CHECK(source.ReadBatches(splits[1], "20").empty());
}

TEST_CASE("vectors are fixed lists of floats, the same in each batch") {
  TestSource source("generate", {{"rows", "5"}, {"batch_rows", "2"}, {"vector", "3"}, {"payload", "2"}});
  CHECK(source.Describe() == "id:l payload:u vector:+w:3");
  const Lines rows = source.ReadAll();
  REQUIRE(rows.size() == 5);
  CHECK(rows[0] == R"({"id":0,"payload":"ab","vector":[-0.99995506,-0.8299351,0.2027052]})");
  CHECK(rows[4].substr(rows[4].find("vector")) == rows[0].substr(rows[0].find("vector")));
  CHECK(rows[1].substr(rows[1].find("vector")) != rows[0].substr(rows[0].find("vector")));
}

TEST_CASE("more bytes than can be counted are not estimated") {
  TestSource source("generate", {{"rows", "9000000000000000000"}});
  const auto splits = source.Plan();
  REQUIRE(splits.size() == 1);
  CHECK(splits[0].rows == 9'000'000'000'000'000'000);
  CHECK(splits[0].bytes == -1);
}

TEST_CASE("rows without end are one split") {
  TestSource source("generate", {});
  const auto splits = source.Plan();
  REQUIRE(splits.size() == 1);
  CHECK(splits[0].rows == -1);
  TestSource wrong("generate", {{"splits", "2"}});
  CHECK_THROWS_WITH_AS(wrong.Describe(), "rows without end cannot be split; give rows, or splits = 1", Failure);
  TestSource big("generate", {{"payload", "1000000"}});
  CHECK_THROWS_AS(big.Describe(), Failure);
}

TEST_CASE("released memory is used again, and columns live as long as whoever moved them out") {
  auto pool = std::make_shared<etl::generate::Pool>(100, 0);
  ArrowArray batch{};
  pool->Make(0, 100, &batch);
  const void* const first = batch.children[0]->buffers[1];
  ArrowArray column = *batch.children[0];
  batch.children[0]->release = nullptr;
  batch.release(&batch);
  CHECK((batch.release == nullptr));
  pool->Make(500, 100, &batch);
  CHECK(batch.children[0]->buffers[1] != first);
  CHECK(static_cast<const std::int64_t*>(column.buffers[1])[99] == 99);
  column.release(&column);
  batch.release(&batch);
  pool->Make(1000, 7, &batch);
  CHECK(batch.length == 7);
  std::set<const void*> seen{batch.children[0]->buffers[1]};
  CHECK(static_cast<const std::int64_t*>(batch.children[0]->buffers[1])[6] == 1006);
  pool.reset();  // batches outlive it
  batch.release(&batch);
}

TEST_CASE("discard settles at once and counts") {
  const etl::Schema schema{{"i", etl::Int32()}, {"s", etl::Utf8()}, {"l", etl::List(etl::Int16())}, {"b", etl::Bool()}};
  TestSink sink("discard", {}, schema);
  sink.Begin();
  sink.Open();
  etl::Batch batch(schema);
  for (int i = 0; i < 9; ++i) {
    batch[0].Append(i);
    batch[1].Append("abc");
    batch[2].child(0).Append(1);
    batch[2].child(0).Append(2);
    batch[2].EndRow();
    batch[3].Append(true);
  }
  CHECK(sink.Write(batch) == ETL_OK);
  CHECK(sink.Flush().empty());
  CHECK(sink.worker().host.metrics["discarded_rows"] == 9);
  CHECK(sink.worker().host.metrics["discarded_bytes"] == 9 * 4 + 27 + 36 + 2);
  sink.End();
}
