#include "row_gen.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "run_process.h"
#include "temp_dir.h"

using namespace etl::test;

TEST_CASE("a made-up row depends on its id, the seed and the profile alone") {
  const auto text = [](std::int64_t id, std::uint64_t seed, Profile profile) {
    std::string line;
    AppendNdjson(MakeRow(id, seed, profile), line);
    return line;
  };
  CHECK(text(5, 1, Profile::kNasty) == text(5, 1, Profile::kNasty));
  CHECK(text(5, 1, Profile::kNasty) != text(5, 2, Profile::kNasty));
  CHECK(text(5, 1, Profile::kNasty) != text(6, 1, Profile::kNasty));
  // Written down so that a change of the generator, which would change every benchmark, is seen.
  CHECK(text(2, 1, Profile::kPlain) ==
        "{\"id\":2,\"name\":\"support runtime "
        "files\",\"note\":null,\"count\":749216,\"ratio\":2349.8825,"
        "\"active\":true,\"day\":\"2013-04-29\",\"created_at\":\"2013-04-29T10:30:45.395828Z\","
        "\"body\":\"client shared of and\"}\n");
}

TEST_CASE("nasty rows reach the extremes") {
  std::set<std::int64_t> counts;
  std::size_t nulls = 0, empty = 0, longest = 0;
  std::string all;
  for (std::int64_t id = 1; id <= 20'000; ++id) {
    const GeneratedRow row = MakeRow(id, 1, Profile::kNasty);
    if (row.count) counts.insert(*row.count);
    nulls += !row.note;
    empty += row.name.empty();
    longest = std::max(longest, row.body.size());
    all += row.name;
  }
  CHECK(counts.count(std::numeric_limits<std::int64_t>::min()) == 1);
  CHECK(counts.count(std::numeric_limits<std::int64_t>::max()) == 1);
  CHECK(counts.count(9007199254740993) == 1);
  CHECK(nulls > 1000);
  CHECK(empty > 1000);
  CHECK(longest > 10'000);
  for (const char* part :
       {"\"quoted\"", "\r\n", "\U0001f600", "e\u0301", "\u00e9", "\x01", "'; DROP"}) {
    CHECK_MESSAGE(all.find(part) != std::string::npos, part);
  }
}

TEST_CASE("plain rows have the size of rows in practice") {
  std::string text;
  for (std::int64_t id = 1; id <= 2000; ++id) AppendNdjson(MakeRow(id, 1, Profile::kPlain), text);
  CHECK(text.size() / 2000 >= 200);
  CHECK(text.size() / 2000 <= 370);
}

TEST_CASE("all three formats hold the same rows") {
  const TempDir dir;
  for (const char* profile : {"nasty", "plain"}) {
    for (const char* format : {"ndjson", "csv", "sqlite"}) {
      const Finished made =
          RunProcess({.argv = {ETL_GEN_ROWS, "--out", dir / (std::string(profile) + "." + format),
                               "--count", "3000", "--seed", "9", "--profile", profile}});
      REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    }
    for (const char* expected : {"ndjson", "csv", "sqlite"}) {
      for (const char* actual : {"ndjson", "csv", "sqlite"}) {
        CAPTURE(profile);
        CAPTURE(expected);
        CAPTURE(actual);
        const Finished found = RunProcess(
            {.argv = {ETL_VERIFY_ROWS, "--expected", dir / (std::string(profile) + "." + expected),
                      "--actual", dir / (std::string(profile) + "." + actual), "--table", "rows",
                      "--key", "id"}});
        CHECK_MESSAGE(found.exit_code == 0, found.out, found.err);
        CHECK(found.out.starts_with("expected 3000 rows, actual 3000 rows\n"));
      }
    }
  }
}
