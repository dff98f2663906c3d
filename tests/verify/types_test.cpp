// Every type that a batch may carry, into SQLite and verified there.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>

#include "handover.h"
#include "run/compare.h"
#include "run/run.h"
#include "samples.h"
#include "temp_dir.h"

using namespace etl;
using namespace etl::test;

namespace {

host::Registry& Plugins() {
  static host::Registry registry({{ETL_BUILD_DIR "/tests/plugins", ETL_PLUGIN_DIR}, true});
  return registry;
}

class Checked {
 public:
  explicit Checked(const Sample& sample) : sample_(sample) {
    handover_.schema = [this](ArrowSchema* out) {
      host::SchemaHandle schema = SchemaOf(sample_);
      *out = *schema;
      schema.out()->release = nullptr;
      given_ = false;
    };
    handover_.next = [this](ArrowArray* out) {
      if (given_) return false;
      given_ = true;
      MakeBatchOf(sample_, out);
      return true;
    };
    dir_.Write("p.toml", "pipeline.on_reject = \"file\"\n[source]\ntype = \"handover\"\naddress = " + handover_.address() +
                             "\n[sink]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"t\"\nkeys = \"n\"\nmode = \"upsert\"\n");
  }
  host::PipelineConfig Config() const { return host::LoadConfig(dir_ / "p.toml", {}, Plugins()); }
  host::RunResult Run() const {
    const host::PipelineConfig config = Config();
    return host::Run(config, {}).Execute();
  }
  host::VerifyRound Verify() const { return host::Verifier(Config(), {}, {}).Execute().round; }
  void Sql(const std::string& sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((dir_ / "out.db").c_str(), &db) == SQLITE_OK);
    const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(db);
    REQUIRE(code == SQLITE_OK);
  }

 private:
  const Sample& sample_;
  TempDir dir_;
  Handover handover_;
  bool given_ = false;
};

}  // namespace

TEST_CASE("values of every type are equal to what SQLite makes of them, and those that it refused are missing") {
  for (const Sample& sample : Samples()) {
    const Checked c(sample);
    CAPTURE(host::SchemaText(*SchemaOf(sample)));
    const host::RunResult run = c.Run();
    REQUIRE_MESSAGE((run.exit == host::Exit::kOk || run.exit == host::Exit::kRejected), run.message);
    const host::VerifyRound round = c.Verify();
    CHECK(round.expected == static_cast<std::int64_t>(sample.values.size()));
    CHECK(round.missing == run.status.rows_rejected);
    CHECK(round.changed == 0);
    CHECK(round.extra == 0);
    CHECK(round.unreadable == 0);
    for (const host::Difference& d : round.first) CAPTURE(d.key);
  }
}

TEST_CASE("of every type a value that is set to another one is changed, and one that is gone too") {
  for (const Sample& sample : Samples()) {
    if (sample.type.format == "n" || sample.values.size() < 2) continue;
    const Checked c(sample);
    CAPTURE(host::SchemaText(*SchemaOf(sample)));
    c.Run();
    const host::VerifyRound before = c.Verify();
    c.Sql("UPDATE t SET v = NULL WHERE n = 0");
    CHECK(c.Verify().changed == 1);
    c.Sql("UPDATE t SET v = (SELECT v || '7' FROM t WHERE v IS NOT NULL LIMIT 1) WHERE n = 0");
    CHECK(c.Verify().changed + c.Verify().unreadable >= 1);
    CHECK(before.changed == 0);
  }
}
