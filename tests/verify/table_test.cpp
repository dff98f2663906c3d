// Telling two sets of rows apart.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "run/compare_table.h"

using namespace etl::host;

namespace {

const std::vector<ComparedColumn> kColumns = [] {
  std::vector<ComparedColumn> columns(2);
  columns[0].name = "id";
  columns[1].name = "v";
  return columns;
}();

RowRecord Record(std::uint64_t key, std::uint64_t row, bool stored) {
  return {{key, row}, stored, std::to_string(key), {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(row)}};
}

std::vector<std::string> Told(std::vector<RowRecord> rows, bool one, std::int64_t* repeated = nullptr) {
  std::vector<std::string> out;
  const std::int64_t n = TellApart(rows, kColumns, one, [&](std::uint64_t, const Difference& d) {
    static const char* const kNames[] = {"missing", "changed", "extra"};
    std::string text = std::string(kNames[static_cast<int>(d.kind)]) + " " + d.key + " x" + std::to_string(d.rows);
    for (const std::string& c : d.columns) text += " " + c;
    out.push_back(text);
  });
  if (repeated) *repeated = n;
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("rows of a key are told apart as missing, changed and extra") {
  CHECK(Told({Record(1, 10, false), Record(1, 10, true)}, true) == Lines{});
  CHECK(Told({Record(1, 10, false)}, true) == Lines{"missing 1 x1"});
  CHECK(Told({Record(1, 10, true)}, true) == Lines{"extra 1 x1"});
  CHECK(Told({Record(1, 10, false), Record(1, 11, true)}, true) == Lines{"changed 1 x1 v"});
}

TEST_CASE("of a key that the source gives twice a sink may keep either row, and no third") {
  std::int64_t repeated = 0;
  CHECK(Told({Record(1, 10, false), Record(1, 11, false), Record(1, 11, true)}, true, &repeated) == Lines{});
  CHECK(repeated == 1);
  CHECK(Told({Record(1, 10, false), Record(1, 11, false), Record(1, 12, true)}, true, &repeated) == Lines{"changed 1 x1 v"});
  CHECK(repeated == 0);
  CHECK(Told({Record(1, 10, false), Record(1, 11, false)}, true) == Lines{"missing 1 x2"});
}

TEST_CASE("where a sink keeps every row, each counts") {
  CHECK(Told({Record(1, 10, false), Record(1, 10, false), Record(1, 10, true)}, false) == Lines{"missing 1 x1"});
  CHECK(Told({Record(1, 10, false), Record(1, 10, true), Record(1, 10, true), Record(1, 10, true)}, false) == Lines{"extra 1 x2"});
}

TEST_CASE("records come back from their files whole, each key in one portion") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  RecordFiles files(5'000'000);   // so many that there are several files
  std::map<std::uint64_t, int> added, taken;
  std::vector<std::uint64_t> keys(1000);
  for (auto& k : keys) k = random();
  for (int i = 0; i < 5000; ++i) {
    const RowRecord r = Record(keys[random() % keys.size()], random(), random() % 2);
    ++added[r.hash.key];
    files.Add(r);
  }
  std::map<std::uint64_t, int> portions;
  int portion_count = 0;
  files.Take([&](std::vector<RowRecord>& rows) {
    ++portion_count;
    for (const RowRecord& r : rows) {
      ++taken[r.hash.key];
      CHECK(portions.try_emplace(r.hash.key, portion_count).first->second == portion_count);
      CHECK(r.key == std::to_string(r.hash.key));
      CHECK(r.each.size() == 2);
      CHECK(r.each[1] == static_cast<std::uint32_t>(r.hash.row));
    }
  });
  CHECK(portion_count > 1);
  CHECK(added == taken);
}
