// `etl verify` with a sink of somebody else's.
#include <fstream>

#include "bench.h"

using namespace etl::test;

namespace {

/// Its plugin is the one that this build made of shelf.cpp.
struct ShelfBench : Bench {
  explicit ShelfBench(const std::string& fault)
      : Bench("[pipeline]\nname = \"p\"\nretry = {initial = \"1ms\", max = \"2ms\"}\n[source]\ntype = \"csv\"\npath = \"in.csv\"\n[sink]\ntype = \"shelf\"\npath = \"out\"\nfault = \"" + fault + "\"\n") {
    std::string rows = "id,name\n";
    for (int i = 1; i <= 1000; ++i) rows += std::to_string(i) + ",n" + std::to_string(i) + "\n";
    dir.Write("in.csv", rows);
    const Finished f = Etl("run", {"--no-progress", "--plugin-dir", ETL_TEST_PLUGINS});
    REQUIRE_MESSAGE(f.exit_code == 0, f.err);
  }
  void Add(const std::string& lines) const { std::ofstream(dir / "out", std::ios::app) << lines; }
  Finished Check(Lines more = {}) const {
    more.insert(more.end(), {"--plugin-dir", ETL_TEST_PLUGINS});
    return Verify(more);
  }
};

}  // namespace

TEST_CASE("a sink of somebody else's is verified and repaired, also if its reader has passing faults") {
  for (const char* fault : {"none", "retry"}) {
    CAPTURE(fault);
    const ShelfBench b(fault);
    const Finished equal = b.Check();
    CHECK_MESSAGE(equal.exit_code == 0, equal.err);
    CHECK(Has(equal.out, "1,000 rows expected, 1,000 there"));
    b.Add("17 other\n2000 new\n");
    const Finished f = b.Check({"--repair"});
    CHECK(f.exit_code == 10);
    CHECK(Has(f.out, "0 missing, 1 changed, 1 extra\n  repaired: 1 row written again\n"));
    CHECK(b.Check({"--ignore-extra"}).exit_code == 0);
  }
}

TEST_CASE("a reader that breaks the rules is named, and nothing is called equal") {
  for (const auto& [fault, why, code] : std::vector<std::tuple<const char*, const char*, int>>{
           {"column", "rows are read back with a column \"other\" that the pipeline does not write; report it to the author of the sink's plugin", 1},
           {"key", "the key column \"nothing\" is not read back", 1},
           {"empty", "rows are read back without columns", 1},
           {"batch", "sink[0] (shelf) gave a broken batch", 1},
           {"fatal", "sink[0] (shelf): read what is there: the shelf fell down", 5}}) {
    CAPTURE(fault);
    const ShelfBench b(fault);
    const Finished f = b.Check();
    CHECK(f.exit_code == code);
    CHECK_MESSAGE(Has(f.err, why), f.err);
    CHECK(f.out == "");
  }
}

TEST_CASE("the conformance checks accept a sink that can be read back, and refuse one that says so and cannot") {
  const Bench b("[source]\ntype = \"csv\"\npath = \"in.csv\"\n[sink]\ntype = \"half\"\n");
  const auto check = [&](const char* library) {
    Command c = b.Make("plugin");
    c.argv = {ETL_PROGRAM, "plugin", "check", std::string(ETL_TEST_PLUGINS "/") + library, "--only", "17"};
    return RunProcess(c);
  };
  const Finished shelf = check("shelf.so");
  CHECK_MESSAGE(shelf.exit_code == 0, shelf.out << shelf.err);
  const Finished half = check("half.so");
  CHECK(half.exit_code == 9);
  CHECK_MESSAGE(Has(half.out, "offers the extension etl.compare/1 without all of its functions"), half.out << half.err);
  b.dir.Write("in.csv", Csv(3));
  const Finished verify = b.Verify({"--plugin-dir", ETL_TEST_PLUGINS});
  CHECK(verify.exit_code == 2);
  CHECK(Has(verify.err, "sink[0] (half) cannot be verified"));
}
