// `etl verify` of documents in real nodes, through the command.
#include <algorithm>
#include <fstream>

#include "../mysql/lab.h"
#include "fault_proxy.h"
#include "lab.h"

using namespace etl::test;

namespace {

/// Each test runs on every node.
template <class F>
void OnEach(F&& f) {
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name);
    f(node);
  }
}

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Verification {
  int exit_code = 0;
  std::string said;
  Lines report;                        // sorted
};

Verification Verify(const TempDir& dir, const std::vector<std::string>& more = {}) {
  std::vector<std::string> options{"--report", dir / "report.ndjson"};
  options.insert(options.end(), more.begin(), more.end());
  std::filesystem::remove(dir / "report.ndjson");
  const Finished f = RunProcess(EtlRun(dir, options, "verify"));
  Verification v{f.exit_code, f.out + f.err, {}};
  std::ifstream in(dir / "report.ndjson");
  for (std::string line; std::getline(in, line);) v.report.push_back(line);
  std::sort(v.report.begin(), v.report.end());
  return v;
}

std::string Rows(int from, int to) {
  std::string rows;
  for (int i = from; i <= to; ++i) {
    const std::string n = std::to_string(i);
    rows += "{\"id\":" + n + ",\"name\":\"n\xC3\xA4me " + n + "\",\"price\":" + n + ".50,\"at\":\"2024-02-29T12:00:00." + std::to_string(100'000 + i) + "Z\"}\n";
  }
  return rows;
}

constexpr const char* kColumns = "id = \"int64\", name = \"utf8\", price = \"decimal(12,2)\", at = \"timestamp\"";
const std::string kShards = R"({"settings":{"number_of_shards":3,"number_of_replicas":0}})";

}  // namespace

TEST_CASE("an index is equal to its rows, and what was changed, removed and added in it is named and mended") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "equal", alias = node.prefix() + "alias";
    node.Must("PUT", "/" + index, R"({"settings":{"number_of_shards":3,"number_of_replicas":0,"refresh_interval":"-1"},"aliases":{")" + alias + "\":{}}}");
    Load load(kColumns, SinkTo(node.url(), alias) + "id = [\"id\"]\n");
    load.Rows(Rows(1, 12'000)).All();
    const Verification equal = Verify(load.dir);
    CHECK_MESSAGE(equal.exit_code == 0, equal.said);
    CHECK_MESSAGE(Has(equal.said, "holds what the source gives\n  12,000 rows expected, 12,000 there: 0 missing, 0 changed, 0 extra\n"), equal.said);

    node.Must("POST", "/" + index + "/_update/7", R"({"doc":{"name":"other","price":7.51}})");
    node.Must("DELETE", "/" + index + "/_doc/8");
    node.Must("PUT", "/" + index + "/_doc/90000", R"({"id":90000,"name":"added"})");
    const Lines extra{R"({"difference":"extra","key":{"id":90000}})"};
    const Verification differs = Verify(load.dir);
    CHECK(differs.exit_code == 10);
    const Lines all{R"({"difference":"changed","key":{"id":7},"columns":["name","price"]})", extra[0], R"({"difference":"missing","key":{"id":8}})"};
    CHECK_MESSAGE(differs.report == all, differs.said);

    const Verification repaired = Verify(load.dir, {"--repair"});
    CHECK_MESSAGE(repaired.exit_code == 10, repaired.said);
    CHECK_MESSAGE(Has(repaired.said, "repaired: 2 rows written again"), repaired.said);
    const Verification left = Verify(load.dir);
    CHECK(left.exit_code == 10);
    CHECK(left.report == extra);
    CHECK(Verify(load.dir, {"--ignore-extra"}).exit_code == 0);
    node.Must("DELETE", "/" + index + "/_doc/90000");
    CHECK(Verify(load.dir).exit_code == 0);
    CHECK(node.Count(index) == 12'000);
  });
}

TEST_CASE("documents that cannot tell their row are told from those that are missing") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "hashed";
    node.Must("PUT", "/" + index, kShards);
    Load load("id = \"utf8\", v = \"int64\"", SinkTo(node.url(), index) + "id = [\"id\"]\nexclude = [\"id\"]\n");
    load.Rows("{\"id\":\"short\",\"v\":1}\n{\"id\":\"" + std::string(600, 'x') + "\",\"v\":2}\n").All();
    const Verification v = Verify(load.dir);
    CHECK(v.exit_code == 10);
    CHECK_MESSAGE(Has(v.said, "1 that cannot be read"), v.said);
    CHECK_MESSAGE(Has(v.said, "write that column, too"), v.said);
  });
}

TEST_CASE("a data stream is verified as an index is") {
  OnEach([](const Node& node) {
    const std::string stream = node.prefix() + "stream";
    if (node.Call("PUT", "/_index_template/" + stream, "{\"index_patterns\":[\"" + stream + "\"],\"data_stream\":{},\"priority\":900}").status != 200) return;
    Load load("id = \"utf8\", ts = \"timestamp\"", SinkTo(node.url(), stream) + "id = [\"id\"]\naction = \"create\"\ncolumns = {\"@timestamp\" = \"ts\", id = \"id\"}\n");
    std::string rows;
    for (int i = 0; i < 300; ++i) rows += "{\"id\":\"" + std::to_string(i) + "\",\"ts\":\"2024-01-01T00:00:00Z\"}\n";
    load.Rows(rows).All();
    const Verification equal = Verify(load.dir);
    CHECK_MESSAGE(equal.exit_code == 0, equal.said);
    CHECK(Has(equal.said, "300 rows expected, 300 there"));
  });
}

TEST_CASE("what cannot be verified is refused with what to do") {
  const Node node(NodeNames()[0]);
  const std::string index = node.prefix() + "refused", there = SinkTo(node.url(), index);
  node.Must("PUT", "/" + index, R"({"mappings":{"_source":{"enabled":false}}})");
  const std::vector<std::pair<std::string, std::string>> refusals{
      {there, "name the columns of an id"},
      {there + "id = [\"id\"]\naction = \"delete\"\n", "leaves nothing behind"},
      {there + "id = [\"id\"]\naction = \"{op}\"\n", "the rows themselves say by {op}"},
      {SinkTo(node.url(), index + "-{op}") + "id = [\"id\"]\n", "only a fixed one can be verified"},
      {SinkTo(node.url(), index + "-none") + "id = [\"id\"]\n", "has no index, alias or data stream"},
      {there + "id = [\"id\", \"op\"]\nexclude = [\"op\"]\n", "take it out of exclude"},
      {there + "id = [\"id\"]\n", "_source is off"}};
  for (const auto& [sink, why] : refusals) {
    CAPTURE(sink);
    Load load("id = \"int64\", op = \"utf8\"", sink);
    load.Rows("{\"id\":1,\"op\":\"index\"}\n");
    const Verification v = Verify(load.dir);
    CHECK_MESSAGE(v.exit_code == 5, v.said);
    CHECK_MESSAGE(Has(v.said, why), v.said);
  }
  CHECK(node.Call("HEAD", "/" + index + "-none").status == 404);
}

TEST_CASE("replies that are lost on their way are asked for again, and no document is counted twice") {
  OnEach([](const Node& node) {
    if (node.opensearch()) return;   // by a scroll, which gives a page once
    const std::string index = node.prefix() + "lost";
    node.Must("PUT", "/" + index, kShards);
    for (const char* script : {"%2 down cut_after 30000\n", "%2 down reset_after 100000\n", "%2 swallow_answer_after 3 http_request\n", "* down slice 1000\n", "%3 refuse\n"}) {
      CAPTURE(script);
      FaultProxy proxy("127.0.0.1", node.port(), script);
      Load load(kColumns, SinkTo("http://127.0.0.1:" + std::to_string(proxy.port()), index) + "id = [\"id\"]\n");
      load.Rows(Rows(1, 6000)).All();
      const Verification v = Verify(load.dir);
      CHECK_MESSAGE(v.exit_code == 0, v.said);
      CHECK_MESSAGE(Has(v.said, "6,000 rows expected, 6,000 there"), v.said);
    }
  });
}

TEST_CASE("large documents come in pages that are no larger for it") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "large";
    node.Must("PUT", "/" + index, R"({"settings":{"number_of_replicas":0},"mappings":{"dynamic":false}})");
    Load load("id = \"int64\", text = \"utf8\"", SinkTo(node.url(), index) + "id = [\"id\"]\n");
    std::string rows;
    for (int i = 1; i <= 150; ++i) rows += "{\"id\":" + std::to_string(i) + ",\"text\":\"" + std::string(static_cast<std::size_t>(i % 10 ? 1000 : 2'000'000), 'x') + "\"}\n";
    load.Rows(rows).All();
    const Verification equal = Verify(load.dir);
    CHECK_MESSAGE(equal.exit_code == 0, equal.said);
  });
}

TEST_CASE("objects, lists and numbers beyond 2^63 are equal to their documents") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "objects";
    node.Must("PUT", "/" + index, R"({"settings":{"number_of_replicas":0},"mappings":{"dynamic":false}})");
    Load load("id = \"uint64\", \"a.b\" = \"utf8\", \"a.c\" = \"float64\", tags = \"json\"", SinkTo(node.url(), index) + "id = [\"id\"]\nnested = true\n");
    load.Rows(R"({"id":18446744073709551615,"a.b":"x","a.c":1e300,"tags":["p",{"q":[1,2.50]}]})" "\n"
              R"({"id":9223372036854775808,"a.b":null,"a.c":-0.1,"tags":{"b":1,"a":{}}})" "\n"
              R"({"id":0,"a.b":"","a.c":null,"tags":null})" "\n").All();
    const Verification equal = Verify(load.dir);
    CHECK_MESSAGE(equal.exit_code == 0, equal.said);
    node.Must("PUT", "/" + index + "/_doc/18446744073709551615", R"({"id":18446744073709551615,"a":{"b":"x","c":1e300},"tags":["p",{"q":[1,2.51]}]})");
    node.Must("PUT", "/" + index + "/_doc/9223372036854775808", R"({"id":9223372036854775808,"a":{"b":"null","c":-0.1},"tags":{"b":1,"a":{}}})");
    const Verification differs = Verify(load.dir);
    CHECK(differs.exit_code == 10);
    const Lines changed{R"({"difference":"changed","key":{"id":18446744073709551615},"columns":["tags"]})",
                        R"({"difference":"changed","key":{"id":9223372036854775808},"columns":["a.b"]})"};
    CHECK_MESSAGE(differs.report == changed, differs.said);
    CHECK(Verify(load.dir, {"--repair"}).exit_code == 0);
    CHECK(Verify(load.dir).exit_code == 0);
  });
}

TEST_CASE("from a table of MySQL: what differs is found among many rows, and only its ranges are written again") {
  const int rows = Full() ? 1'000'000 : 50'000;
  OnEach([rows](const Node& node) {
    Lab lab("mysql");
    const std::string index = node.prefix() + "table";
    lab.Run("CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(100), price DECIMAL(12,2), at DATETIME(6), part DOUBLE); INSERT INTO t SELECT n, CONCAT('name ', n), n / 4, '2024-01-01' + INTERVAL n SECOND, n / 7 FROM (" +
            Lab::Numbers(rows) + ") x; UPDATE t SET id = 18446744073709551615 WHERE id = 1");
    node.Must("PUT", "/" + index, R"({"settings":{"number_of_replicas":0,"refresh_interval":"-1"},"mappings":{"dynamic":false}})");
    TempDir dir;
    dir.Write("p.toml", "[source]\n" + lab.Options() + "table = \"t\"\nchunk_rows = 1000\n[[sink]]\n" + SinkTo(node.url(), index) + "id = [\"id\"]\n");
    REQUIRE(RunProcess(EtlRun(dir)).exit_code == 0);
    const Verification equal = Verify(dir);
    CHECK_MESSAGE(equal.exit_code == 0, equal.said);
    Lines expected;
    std::string bulk;
    for (int i = 0; i < 37; ++i) {
      const std::string id = std::to_string(2 + i * (rows / 40));
      if (i % 3 == 0) {
        bulk += R"({"delete":{"_id":")" + id + "\"}}\n";
        expected.push_back(R"({"difference":"missing","key":{"id":)" + id + "}}");
      } else {
        bulk += R"({"update":{"_id":")" + id + "\"}}\n{\"doc\":{\"name\":\"altered\"}}\n";
        expected.push_back(R"({"difference":"changed","key":{"id":)" + id + R"(},"columns":["name"]})");
      }
    }
    node.Must("POST", "/" + index + "/_bulk?refresh=true", bulk);
    std::sort(expected.begin(), expected.end());
    const Verification differs = Verify(dir);
    CHECK(differs.exit_code == 10);
    CHECK_MESSAGE(differs.report == expected, differs.said);
    const Verification repaired = Verify(dir, {"--repair"});
    CHECK_MESSAGE(Has(repaired.said, "repaired: 37 rows written again"), repaired.said);
    const Verification clean = Verify(dir);
    CHECK_MESSAGE(clean.exit_code == 0, clean.said);
    const Verification sample = Verify(dir, {"--sample", "5%"});
    CHECK_MESSAGE(sample.exit_code == 0, sample.said);
  });
}

TEST_CASE("rows that a lookup leaves out because the index holds them are compared all the same") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "looked";
    node.Must("PUT", "/" + index, kShards);
    Load load(kColumns, SinkTo(node.url(), index) + "id = [\"id\"]\n");
    std::string toml = ReadFile(load.dir / "p.toml");
    toml.insert(toml.find("[[sink]]"), "[[transform]]\ntype = \"elasticsearch_lookup\"\nurl = \"" + node.url() + "\"\nindex = \"" + index + "\"\nid = [\"id\"]\nonly_changed = [\"name\", \"price\"]\n");
    load.dir.Write("p.toml", toml);
    load.Rows(Rows(1, 100)).All();
    const Verification equal = Verify(load.dir);
    CHECK_MESSAGE(Has(equal.said, "100 rows expected, 100 there: 0 missing, 0 changed, 0 extra"), equal.said);
    node.Must("DELETE", "/" + index + "/_doc/8");
    node.Must("POST", "/" + index + "/_update/9", R"({"doc":{"name":"other"}})");   // whose hash still is the old one
    CHECK(Verify(load.dir, {"--repair"}).exit_code == 0);
    CHECK(node.Must("GET", "/" + index + "/_doc/9").At("/_source/name") == "n\xC3\xA4me 9");
  });
}
