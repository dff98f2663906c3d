// What a run leaves to the next one, and what arrives in between: nothing is lost, nothing comes twice.
#include "lab.h"

#include <filesystem>

using namespace etl::test;

namespace {

const std::string kTarget = "type = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"";

std::string Sql(const Pull& pull, const std::string& what) {
  const Finished f = RunProcess({{"sqlite3", pull.dir / "out.db", what}});
  return f.out.substr(0, f.out.find('\n'));
}

Finished Good(const Pull& pull) {
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  return f;
}

}  // namespace

TEST_CASE("a run without a limit that is interrupted plans the rest anew, and says little in its state") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE t (k UInt8, s String, id UInt32) ENGINE = MergeTree ORDER BY (k, s, id) SETTINGS index_granularity = 1024");
    // Few values in the first column, so that borders take all three.
    store.Run("INSERT INTO t SELECT toUInt8(number > 10000), toString(number % 7), toUInt32(number) FROM (SELECT number FROM system.numbers LIMIT 400000)");
    for (const int pages : {1, 5, 12}) {
      std::atomic<int> left{pages};
      const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
        if (!asked.rows || left-- > 0) return false;
        answer = {503, "", "", -1, true};
        return true;
      });
      CAPTURE(name);
      CAPTURE(pages);
      const Pull pull(store.Options(gate.url()) + "table = \"t\"\npage_bytes = \"64KiB\"\nreaders = 2", kTarget, "retry = {max_elapsed = \"100ms\", initial = \"1ms\", max = \"5ms\"}");
      const Finished f = pull.Run();
      CHECK_MESSAGE(f.exit_code == 6, f.err);
      std::string state;
      for (const auto& e : std::filesystem::recursive_directory_iterator(pull.dir / ".etl")) {
        if (e.path().extension() == ".db") state = RunProcess({{"sqlite3", e.path(), "SELECT length(value) FROM item WHERE key = 'plan_state'"}}).out;
      }
      CHECK(std::atoi(state.c_str()) > 0);
      CHECK(std::atoi(state.c_str()) < 60);
      left = 1 << 30;
      Good(pull);
      CHECK(Sql(pull, "SELECT count(*), count(DISTINCT id), sum(id) FROM t") == "400000|400000|79999800000");
    }
  }
}

TEST_CASE("a narrow condition makes few requests") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(600'000, "intDiv(number, 100)");
    const Pull all(store.Options() + "table = \"t\"\npage_bytes = \"64KiB\"", "type = \"ndjson\"\npath = \"out.ndjson\"");
    const std::int64_t requests = Metric(Good(all), "requests");
    for (const std::string where : {"id % 100 = 7", "id >= 300000 AND id < 306000"}) {
      const Pull some(store.Options() + "table = \"t\"\npage_bytes = \"64KiB\"\nwhere = \"" + where + "\"");
      const Finished f = Good(some);
      CHECK(some.Numbers().size() == 6000);
      CAPTURE(name);
      CAPTURE(where);
      CHECK(requests >= 80);
      CHECK(Metric(f, "requests") <= 4);
    }
  }
}
