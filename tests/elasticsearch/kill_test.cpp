// kill -9 at random instants between a real MySQL and a real node: the index has what the table has.
#include <algorithm>
#include <cstdlib>

#include "../mysql/lab.h"
#include "kill_loop.h"
#include "lab.h"

using namespace etl::test;

namespace {

constexpr int kRows = 100'000;

/// What is wrong with the index; nothing if it has each row of the table as it is.
std::string Wrong(Lab& lab, const Node& node, const std::string& index) {
  const auto all = node.Documents(index);
  const Lines rows = lab.Query("SELECT id, n, name FROM t ORDER BY id");
  for (const std::string& row : rows) {
    const auto first = row.find('|'), second = row.find('|', first + 1);
    const std::string id = row.substr(0, first);
    const auto found = all.find(id);
    if (found == all.end()) return id + " is lost";
    const std::string expected = "{\"id\":" + id + ",\"n\":" + row.substr(first + 1, second - first - 1) + ",\"name\":\"" + row.substr(second + 1) + "\"}";
    if (found->second.source != expected) return id + " is " + found->second.source + " instead of " + expected;
  }
  return all.size() == rows.size() ? "" : std::to_string(all.size()) + " documents for " + std::to_string(rows.size()) + " rows";
}

}  // namespace

TEST_CASE("MySQL to Elasticsearch under kill -9: the index equals the table") {
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    Lab lab("mysql");
    const Node node(name);
    const std::string index = node.prefix() + "t";
    const std::string settings = R"({"settings":{"number_of_shards":1,"number_of_replicas":0,"refresh_interval":"5s"},"mappings":{"properties":{"name":{"type":"keyword","index":false}}}})";
    lab.Run("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT, name VARCHAR(400)); INSERT INTO t SELECT n, n % 977, CONCAT('name ', n, ' ', REPEAT('x', n % 300)) FROM (" + Lab::Numbers(kRows) + ") x");
    node.Must("PUT", "/" + index, settings);
    const TempDir dir;
    dir.Write("p.toml", "[pipeline]\nname = \"p\"\nretry = {initial = \"10ms\", max = \"200ms\"}\n[source]\n" + lab.Options() + "table = \"t\"\nchunk_rows = 10000\n[[sink]]\n" + SinkTo(node.url(), index) +
                            "id = [\"id\"]\nload = {refresh_interval = \"-1\"}\n");
    const auto start_over = [&] {
      node.Must("DELETE", "/" + index);
      node.Must("PUT", "/" + index, settings);
      std::filesystem::remove_all(dir / "state");
    };
    KillPlan plan;
    plan.command = EtlRun(dir);
    const char* const kills = std::getenv("ETL_TEST_KILLS");
    plan.kills = kills ? std::strtoull(kills, nullptr, 10) : Full() ? 200 : 20;
    if (const char* seed = std::getenv("ETL_TEST_SEED")) plan.seed = std::strtoull(seed, nullptr, 10);
    std::size_t passes = 0;
    // What is left takes its time also where all rows are there already: a run must be able to come to its end.
    plan.left = [&] { return std::max(0.4, 1 - static_cast<double>(node.Count(index)) / kRows); };
    plan.after_pass = [&] {
      ++passes;
      const std::string wrong = Wrong(lab, node, index);
      if (!wrong.empty()) throw std::runtime_error("the index is not the table: " + wrong);
      const std::string refresh = node.Must("GET", "/" + index + "/_settings").At("/" + index + "/settings/index/refresh_interval");
      if (refresh != "5s") throw std::runtime_error("refresh_interval was left at " + refresh);
      start_over();
    };
    // The kill came after the pass's end.
    plan.after_kill = [&](const Kill&) {
      Command show = EtlRun(dir);
      show.argv = {show.argv[0], "state", "show", dir / "p.toml", "--state-dir", dir / "state"};
      const Finished shown = RunProcess(show);
      if (shown.out.find("is complete") != std::string::npos) plan.after_pass();
    };
    const KillReport report = RunKillLoop(plan);
    CHECK(report.landed == plan.kills);
    CHECK(passes >= 2 + plan.kills / 100);   // the first and the last at least
    MESSAGE(name << ": " << report.landed << " kills in " << report.runs << " runs, " << passes << " passes; ETL_TEST_SEED=" << report.seed);
  }
}

TEST_CASE("the pipeline from MySQL that the project shows brings each row over, and again") {
  const int rows = Full() ? 1'000'000 : 20'000;
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    Lab lab("mysql");
    const Node node(name);
    const std::string index = node.prefix() + "articles";
    lab.Run("CREATE TABLE article (id BIGINT PRIMARY KEY, title VARCHAR(100), content VARCHAR(400), changed_at DATETIME); INSERT INTO article SELECT n, CONCAT('title ', n), "
            "REPEAT('text ', n % 60), '2024-01-01' + INTERVAL n SECOND FROM (" + Lab::Numbers(rows) + ") x");
    std::string toml = ReadFile(ETL_SOURCE_DIR "/pipelines/mysql-to-elasticsearch.toml");
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"mysql://reader@127.0.0.1:3306/news", "mysql://etl@127.0.0.1:" + std::to_string(lab.port()) + "/" + lab.database()},
                                   {"http://127.0.0.1:9200", node.url()}, {"\"articles\"", "\"" + index + "\""}}) {
      const auto at = toml.find(from);
      REQUIRE(at != std::string::npos);
      toml.replace(at, from.size(), to);
    }
    const TempDir dir;
    dir.Write("p.toml", toml);
    Command command = EtlRun(dir);
    command.env.insert(command.env.end(), {"NEWS_PASSWORD=etl", "WAREHOUSE_PASSWORD=x"});
    command.time_limit = std::chrono::minutes(20);
    for (int pass = 0; pass < 2; ++pass) {
      const Finished f = RunProcess(command);
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(node.Count(index) == rows);
    }
    const HttpReply made = node.Must("GET", "/" + index);
    CHECK(made.At("/" + index + "/settings/index/number_of_replicas") == "1");
    CHECK(made.At("/" + index + "/settings/index/refresh_interval") == "");
    CHECK(made.At("/" + index + "/mappings/properties/changed_at/type") == "date");
    CHECK(node.Must("GET", "/" + index + "/_doc/17").At("/_source/title") == "title 17");
  }
}
