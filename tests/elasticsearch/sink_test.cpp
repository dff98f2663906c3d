// The sink against real nodes, through the command: what it is told to do is what an independent client then finds.
#include <algorithm>

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

std::string Source(const std::map<std::string, Document>& all, const std::string& id) {
  const auto found = all.find(id);
  return found == all.end() ? "none" : found->second.source;
}

}  // namespace

TEST_CASE("rows become documents under their ids, written as they are") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "plain";
    node.Must("PUT", "/" + index, R"({"mappings":{"properties":{"n":{"type":"double"},"raw":{"type":"object","enabled":false}}}})");
    Load load("id = \"int64\", name = \"utf8\", n = \"float64\", ok = \"bool\", at = \"timestamp\", raw = \"json\"", SinkTo(node.url(), index) + "id = [\"id\"]\n");
    load.Rows(R"({"id":1,"name":"M\u00fcll \"x\"\\","n":0.1,"ok":true,"at":"2024-02-29T12:00:00Z","raw":{"a":[1,{"b":null}]}})" "\n"
              R"({"id":-9223372036854775808,"name":"","n":1e300,"ok":false,"at":"1969-12-31T23:59:59.999999Z","raw":[]})" "\n"
              R"({"id":3,"name":null,"n":null,"ok":null,"at":null,"raw":null})" "\n");
    load.All();
    const auto all = node.Documents(index);
    CHECK(all.size() == 3);
    CHECK(Source(all, "1") == R"({"id":1,"name":"Müll \"x\"\\","n":0.1,"ok":true,"at":"2024-02-29T12:00:00.000000Z","raw":{"a":[1,{"b":null}]}})");
    CHECK(Source(all, "-9223372036854775808") == R"({"id":-9223372036854775808,"name":"","n":1e+300,"ok":false,"at":"1969-12-31T23:59:59.999999Z","raw":[]})");
    CHECK(Source(all, "3").find("\"name\":\"") == std::string::npos);
    load.All();
    CHECK(node.Documents(index) == all);   // ids: twice is the same as once
  });
}

TEST_CASE("ids of several columns are never mixed up, and long ones fit") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "ids";
    Load load("a = \"utf8\", b = \"utf8\"", SinkTo(node.url(), index) + "id = [\"a\", \"b\"]\n");
    const std::string big(600, 'x');
    const std::vector<std::pair<std::string, std::string>> pairs{{"a", "bc"}, {"ab", "c"}, {"a,b", "c"}, {"a", "b,c"}, {"a:b", "c"}, {"a", "b:c"}, {"1:a", ""}, {"", "1:a"}, {"", ""},
                                                                 {big, "1"}, {big, "2"}, {"1", big}, {"\xC3\xA9", "/?#"}, {"2:a", "b"}};
    std::string rows;
    for (const auto& [a, b] : pairs) rows += "{\"a\":\"" + a + "\",\"b\":\"" + b + "\"}\n";
    load.Rows(rows).All();
    CHECK(node.Count(index) == static_cast<std::int64_t>(pairs.size()));
    load.All();
    CHECK(node.Count(index) == static_cast<std::int64_t>(pairs.size()));
    for (const auto& [id, document] : node.Documents(index)) CHECK(id.size() <= 512);
  });
}

TEST_CASE("rows without id columns get ids of the node's, and the run says what that means") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "generated";
    Load load("n = \"int64\"", SinkTo(node.url(), index));
    load.Rows("{\"n\":1}\n{\"n\":1}\n{\"n\":2}\n");
    Command c = load.Make();
    c.argv.erase(std::find(c.argv.begin(), c.argv.end(), "-q"));
    const Finished f = RunProcess(c);
    CHECK(f.exit_code == 0);
    CHECK_MESSAGE(f.err.find("id") != std::string::npos, f.err);
    CHECK(node.Count(index) == 3);
  });
}

TEST_CASE("every action does what its name says") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "actions";
    node.Must("PUT", "/" + index);
    const auto run = [&](const std::string& action, const std::string& rows) {
      Load load("id = \"utf8\", a = \"int64\", b = \"int64\"", SinkTo(node.url(), index) + "id = [\"id\"]\nexclude = [\"id\"]\nnulls = \"omit\"\naction = \"" + action + "\"\n");
      load.Rows(rows);
      const Finished f = load.Run();
      INFO(f.err);
      return f.exit_code;
    };
    CHECK(run("index", "{\"id\":\"1\",\"a\":1,\"b\":1}\n{\"id\":\"2\",\"a\":2,\"b\":2}\n") == 0);
    CHECK(run("index", "{\"id\":\"1\",\"a\":10}\n") == 0);
    CHECK(Source(node.Documents(index), "1") == R"({"a":10})");
    CHECK(run("update", "{\"id\":\"2\",\"b\":20}\n") == 0);
    CHECK(Source(node.Documents(index), "2") == R"({"a":2,"b":20})");
    CHECK(run("update", "{\"id\":\"3\",\"b\":20}\n{\"id\":\"2\",\"a\":21}\n") == 3);   // nothing there to update: rejected
    CHECK(Source(node.Documents(index), "2") == R"({"a":21,"b":20})");
    CHECK(Source(node.Documents(index), "3") == "none");
    CHECK(run("upsert", "{\"id\":\"3\",\"b\":30}\n{\"id\":\"2\",\"b\":22}\n") == 0);
    CHECK(Source(node.Documents(index), "3") == R"({"b":30})");
    CHECK(Source(node.Documents(index), "2") == R"({"a":21,"b":22})");
    CHECK(run("create", "{\"id\":\"4\",\"a\":4}\n") == 0);
    CHECK(run("create", "{\"id\":\"4\",\"a\":5}\n{\"id\":\"5\",\"a\":5}\n") == 3);
    CHECK(Source(node.Documents(index), "4") == R"({"a":4})");
    CHECK(Source(node.Documents(index), "5") == R"({"a":5})");
    CHECK(run("delete", "{\"id\":\"4\"}\n{\"id\":\"nobody\"}\n") == 0);
    CHECK(node.Documents(index).size() == 4);
  });
}

TEST_CASE("action, index and routing can come from the rows, in their order") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "by-";
    Load load("id = \"utf8\", do = \"utf8\", to = \"utf8\", r = \"utf8\", v = \"int64\", day = \"timestamp\"",
              "type = \"elasticsearch\"\nurl = \"" + node.url() + "\"\nindex = \"" + index + "{to}-{day:%Y.%m}\"\nid = [\"id\"]\naction = \"{do}\"\nrouting = \"r\"\nexclude = [\"do\", \"to\", \"day\", \"r\"]\n");
    load.Rows(R"({"id":"1","do":"create","to":"a","r":"x","v":1,"day":"2024-01-31T23:59:59Z"})" "\n"
              R"({"id":"1","do":"index","to":"a","r":"x","v":2,"day":"2024-01-31T23:59:59Z"})" "\n"
              R"({"id":"1","do":"index","to":"a","r":"x","v":3,"day":"2024-02-01T00:00:00Z"})" "\n"
              R"({"id":"2","do":"index","to":"b","r":"y","v":4,"day":"2024-01-01T00:00:00Z"})" "\n"
              R"({"id":"2","do":"delete","to":"b","r":"y","v":4,"day":"2024-01-01T00:00:00Z"})" "\n"
              R"({"id":"2","do":"upsert","to":"b","r":"y","v":5,"day":"2024-01-01T00:00:00Z"})" "\n");
    load.All();
    const auto january = node.Documents(index + "a-2024.01"), february = node.Documents(index + "a-2024.02"), other = node.Documents(index + "b-2024.01");
    CHECK(Source(january, "1") == R"({"id":"1","v":2})");
    CHECK(january.at("1").routing == "x");
    CHECK(Source(february, "1") == R"({"id":"1","v":3})");
    CHECK(Source(other, "2") == R"({"id":"2","v":5})");
    CHECK(other.at("2").routing == "y");
  });
}

TEST_CASE("many changes of few ids end in the last of each") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "order";
    Load load("id = \"int64\", v = \"int64\"", SinkTo(node.url(), index) + "id = [\"id\"]\nconcurrency = 4\nbatch = {rows = 50}\n");
    std::string rows;
    for (int v = 0; v < 5000; ++v) rows += "{\"id\":" + std::to_string(v * 7919 % 97) + ",\"v\":" + std::to_string(v) + "}\n";
    load.Rows(rows).All();
    std::map<std::string, std::string> last;
    for (int v = 0; v < 5000; ++v) last[std::to_string(v * 7919 % 97)] = "{\"id\":" + std::to_string(v * 7919 % 97) + ",\"v\":" + std::to_string(v) + "}";
    const auto all = node.Documents(index);
    CHECK(all.size() == last.size());
    for (const auto& [id, source] : last) CHECK(Source(all, id) == source);
  });
}

TEST_CASE("parts of texts are numbered documents, and those that a text no longer has go") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "parts";
    node.Must("PUT", "/" + index, R"({"settings":{"number_of_shards":3,"number_of_replicas":0}})");
    const auto text = [](const std::string& id, int count) {
      std::string rows;
      for (int i = 0; i < count; ++i) rows += "{\"id\":\"" + id + "\",\"part\":" + std::to_string(i) + ",\"parts\":" + std::to_string(count) + "}\n";
      return rows;
    };
    const auto ids = [&] {
      Lines all;
      for (const auto& [id, document] : node.Documents(index)) all.push_back(id);
      return all;
    };
    Load load("id = \"utf8\", part = \"int32\", parts = \"int64\"", SinkTo(node.url(), index) + "id = [\"id\"]\nparts = {number = \"part\", count = \"parts\"}\n");
    const std::string lengthy(500, 'x');
    load.Rows(text("a", 3) + text("b", 2) + text(lengthy, 2) + text("c", 1000)).All();
    Lines first = ids();
    CHECK(first.size() == 1007);
    CHECK(std::count(first.begin(), first.end(), "a#2") == 1);
    load.Rows(text("a", 1) + text("b", 3) + text(lengthy, 1) + text("c", 2)).All();
    Lines left = ids();
    REQUIRE(left.size() == 7);
    CHECK(Lines(left.begin(), left.begin() + 6) == Lines{"a#0", "b#0", "b#1", "b#2", "c#0", "c#1"});
    CHECK(left[6].substr(0, 7) == "sha256:");
    CHECK(left[6].substr(left[6].size() - 2) == "#0");
    // A text that comes again in the same batch, longer and shorter.
    load.Rows(text("a", 5) + text("b", 1) + text("a", 2) + text("b", 6) + text("a", 4) + text("a", 1)).All();
    left = ids();
    CHECK(Lines(left.begin(), left.begin() + 9) == Lines{"a#0", "b#0", "b#1", "b#2", "b#3", "b#4", "b#5", "c#0", "c#1"});
    Load wrong("id = \"utf8\", part = \"int32\", parts = \"int64\"", SinkTo(node.url(), index) + "id = [\"id\"]\nparts = {number = \"part\", count = \"parts\"}\n");
    wrong.Rows("{\"id\":\"n\",\"part\":-1,\"parts\":1}\n{\"id\":\"m\",\"part\":null,\"parts\":1}\n");
    CHECK(wrong.Run().exit_code == 3);
  });
}

TEST_CASE("external versions: what is older than the index stays away, and the run is right") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "versions";
    const std::string options = SinkTo(node.url(), index) + "id = [\"id\"]\nversion = \"v\"\nversion_type = \"external\"\n";
    Load first("id = \"utf8\", v = \"int64\"", options);
    first.Rows("{\"id\":\"a\",\"v\":5}\n{\"id\":\"b\",\"v\":5}\n").All();
    Load second("id = \"utf8\", v = \"int64\"", options);
    second.Rows("{\"id\":\"a\",\"v\":4}\n{\"id\":\"b\",\"v\":6}\n").All();
    const auto all = node.Documents(index);
    CHECK(Source(all, "a") == R"({"id":"a","v":5})");
    CHECK(Source(all, "b") == R"({"id":"b","v":6})");
  });
}

TEST_CASE("a write that expects another state of the document is rejected") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "seq";
    node.Must("PUT", "/" + index + "/_doc/1", R"({"v":1})");
    const HttpReply now = node.Must("GET", "/" + index + "/_doc/1");
    Load load("id = \"utf8\", v = \"int64\", s = \"int64\", t = \"int64\"",
              SinkTo(node.url(), index) + "id = [\"id\"]\nif_seq_no = \"s\"\nif_primary_term = \"t\"\nexclude = [\"s\", \"t\"]\n");
    const std::string seq = now.At("/_seq_no"), term = now.At("/_primary_term");
    load.Rows("{\"id\":\"1\",\"v\":2,\"s\":" + seq + ",\"t\":" + term + "}\n").All();
    const auto rejects = load.Rows("{\"id\":\"1\",\"v\":3,\"s\":" + seq + ",\"t\":" + term + "}\n").Rejects();
    CHECK(rejects.size() == 1);
    CHECK(Source(node.Documents(index), "1") == R"({"id":"1","v":2})");
  });
}

TEST_CASE("a conflict of create is rejected or skipped, as told") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "conflict";
    const std::string options = SinkTo(node.url(), index) + "id = [\"id\"]\naction = \"create\"\n";
    Load("id = \"utf8\", v = \"int64\"", options).Rows("{\"id\":\"1\",\"v\":1}\n").All();
    const auto rejects = Load("id = \"utf8\", v = \"int64\"", options).Rows("{\"id\":\"1\",\"v\":2}\n{\"id\":\"2\",\"v\":2}\n").Rejects();
    REQUIRE(rejects.size() == 1);
    CHECK_MESSAGE(rejects.begin()->second.find("version_conflict") != std::string::npos, rejects.begin()->second);
    Load("id = \"utf8\", v = \"int64\"", options + "on_conflict = \"skip\"\n").Rows("{\"id\":\"1\",\"v\":3}\n{\"id\":\"3\",\"v\":3}\n").All();
    const auto all = node.Documents(index);
    CHECK(all.size() == 3);
    CHECK(Source(all, "1") == R"({"id":"1","v":1})");
  });
}

TEST_CASE("an alias is written through, and demanded where it is told") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "behind", alias = node.prefix() + "alias";
    node.Must("PUT", "/" + index, "{\"aliases\":{\"" + alias + "\":{\"is_write_index\":true}}}");
    Load("id = \"utf8\"", SinkTo(node.url(), alias) + "id = [\"id\"]\nrequire_alias = true\n").Rows("{\"id\":\"1\"}\n").All();
    CHECK(node.Count(index) == 1);
    Load load("id = \"utf8\"", SinkTo(node.url(), node.prefix() + "no-alias") + "id = [\"id\"]\nrequire_alias = true\n");
    const Finished f = load.Rows("{\"id\":\"1\"}\n").Run();
    CHECK_MESSAGE(f.exit_code != 0, f.err);
    CHECK(node.Call("HEAD", "/" + node.prefix() + "no-alias").status == 404);
  });
}

TEST_CASE("a data stream takes rows by create") {
  OnEach([](const Node& node) {
    const std::string stream = node.prefix() + "stream";
    const HttpReply made = node.Call("PUT", "/_index_template/" + stream, "{\"index_patterns\":[\"" + stream + "\"],\"data_stream\":{},\"priority\":900}");
    if (made.status != 200) {
      MESSAGE(node.name() << " has no data streams: " << made.body);
      return;
    }
    Load load("id = \"utf8\", ts = \"timestamp\"", SinkTo(node.url(), stream) + "id = [\"id\"]\naction = \"create\"\ncolumns = {\"@timestamp\" = \"ts\", id = \"id\"}\n");
    std::string rows;
    for (int i = 0; i < 500; ++i) rows += "{\"id\":\"" + std::to_string(i) + "\",\"ts\":\"2024-01-01T00:00:00Z\"}\n";
    load.Rows(rows).All();
    CHECK(node.Count(stream) == 500);
    CHECK(node.Must("GET", "/" + stream).body.find("\".ds-") != std::string::npos);
  });
}

TEST_CASE("one document among a thousand that does not fit the mapping is rejected with the node's reason") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "poison";
    node.Must("PUT", "/" + index, R"({"mappings":{"properties":{"n":{"type":"integer"}}}})");
    std::string rows;
    for (int i = 1; i <= 1000; ++i) rows += "{\"id\":" + std::to_string(i) + ",\"n\":\"" + (i == 517 ? "seventeen" : std::to_string(i)) + "\"}\n";
    Load load("id = \"int64\", n = \"utf8\"", SinkTo(node.url(), index) + "id = [\"id\"]\n");
    const auto rejects = load.Rows(rows).Rejects();
    REQUIRE(rejects.size() == 1);
    CHECK(rejects.begin()->first == "517");
    CHECK_MESSAGE(rejects.begin()->second.find("seventeen") != std::string::npos, rejects.begin()->second);
    CHECK(node.Count(index) == 999);

    Load stop("id = \"int64\", n = \"utf8\"", SinkTo(node.url(), index) + "id = [\"id\"]\n");
    std::string toml = ReadFile(stop.dir / "p.toml");
    toml.replace(toml.find("on_reject = \"file\""), 18, "on_reject = \"stop\"");
    stop.dir.Write("p.toml", toml);
    const Finished f = stop.Rows(rows).Run();
    CHECK_MESSAGE(f.exit_code == 11, f.err);
  });
}

TEST_CASE("rows without a usable id, or with values of another shape, cost nobody else") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "bad-ids";
    node.Must("PUT", "/" + index, R"({"mappings":{"dynamic":"strict","properties":{"id":{"type":"keyword"},"v":{"type":"integer"}}}})");
    Load load("id = \"utf8\", v = \"json\"", SinkTo(node.url(), index) + "id = [\"id\"]\n");
    const auto rejects = load.Rows("{\"id\":\"1\",\"v\":1}\n{\"id\":\"2\",\"v\":{\"deep\":1}}\n{\"id\":\"\",\"v\":3}\n{\"id\":null,\"v\":4}\n{\"id\":\"5\",\"v\":5}\n").Rejects();
    CHECK(rejects.size() == 3);
    for (const char* id : {"2", "", "null"}) CHECK(rejects.count(id) == 1);
    CHECK(node.Count(index) == 2);
  });
}

TEST_CASE("a mapping that rows cannot fit is refused before the first of them") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "unfit";
    node.Must("PUT", "/" + index, R"({"mappings":{"properties":{"n":{"type":"object"}}}})");
    Load load("id = \"utf8\", n = \"int64\"", SinkTo(node.url(), index) + "id = [\"id\"]\n");
    const Finished f = load.Rows("{\"id\":\"1\",\"n\":1}\n").Run();
    CHECK_MESSAGE((f.exit_code == 2 || f.exit_code == 5), f.err);
    CHECK_MESSAGE(f.err.find("\"n\"") != std::string::npos, f.err);
    CHECK(node.Count(index) == 0);
  });
}

TEST_CASE("an index is created from the rows' types, or from a file") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "created";
    Load load("id = \"utf8\", n = \"int64\", f = \"float64\", b = \"bool\", at = \"timestamp\", day = \"date\"",
              SinkTo(node.url(), index) + "id = [\"id\"]\ncreate = {shards = 2, replicas = 0}\n");
    load.Rows("{\"id\":\"1\",\"n\":1,\"f\":1.5,\"b\":true,\"at\":\"2024-01-01T00:00:00Z\",\"day\":\"2024-01-01\"}\n").All();
    const HttpReply made = node.Must("GET", "/" + index);
    CHECK(made.At("/" + index + "/settings/index/number_of_shards") == "2");
    CHECK(made.At("/" + index + "/mappings/properties/n/type") == "long");
    CHECK(made.At("/" + index + "/mappings/properties/f/type") == "double");
    CHECK(made.At("/" + index + "/mappings/properties/b/type") == "boolean");
    CHECK(made.At("/" + index + "/mappings/properties/at/type").rfind("date", 0) == 0);
    CHECK(made.At("/" + index + "/mappings/properties/day/type") == "date");

    const std::string other = node.prefix() + "from-file";
    Load file("id = \"utf8\"", SinkTo(node.url(), other) + "id = [\"id\"]\ncreate = {mapping = \"mapping.json\"}\n");
    file.dir.Write("mapping.json", R"({"settings":{"number_of_replicas":0},"mappings":{"properties":{"id":{"type":"keyword","ignore_above":77}}}})");
    file.Rows("{\"id\":\"1\"}\n").All();
    CHECK(node.Must("GET", "/" + other).At("/" + other + "/mappings/properties/id/ignore_above") == "77");
  });
}

TEST_CASE("vectors arrive with each of their floats") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "vectors";
    node.Must("PUT", "/" + index, R"({"mappings":{"properties":{"v":{"type":"object","enabled":false}}}})");
    Load load("id = \"utf8\", v = \"json\"", SinkTo(node.url(), index) + "id = [\"id\"]\n");
    load.Rows("{\"id\":\"1\",\"v\":[0.1,-3.4028235e38,1e-45,0]}\n").All();
    CHECK(Source(node.Documents(index), "1") == R"({"id":"1","v":[0.1,-3.4028235e+38,1e-45,0]})");
  });
}

TEST_CASE("a missing index, where none may be made, stops the run at once") {
  OnEach([](const Node& node) {
    if (node.opensearch()) node.Must("PUT", "/_cluster/settings", R"({"transient":{"action.auto_create_index":"false"}})");
    else node.Must("PUT", "/_cluster/settings", R"({"persistent":{"action.auto_create_index":"false"}})");
    Load load("id = \"utf8\"", SinkTo(node.url(), node.prefix() + "nowhere") + "id = [\"id\"]\n");
    const Finished f = load.Rows("{\"id\":\"1\"}\n").Run();
    node.Must("PUT", "/_cluster/settings", R"({"persistent":{"action.auto_create_index":null},"transient":{"action.auto_create_index":null}})");
    CHECK_MESSAGE(f.exit_code == 5, f.err);
    CHECK_MESSAGE(f.err.find(node.prefix() + "nowhere") != std::string::npos, f.err);
  });
}

TEST_CASE("compressed bodies are the same documents") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "gzip";
    Load load("id = \"int64\", t = \"utf8\"", SinkTo(node.url(), index) + "id = [\"id\"]\ncompression = \"gzip\"\n");
    std::string rows;
    for (int i = 0; i < 3000; ++i) rows += "{\"id\":" + std::to_string(i) + ",\"t\":\"text that repeats\"}\n";
    load.Rows(rows).All();
    CHECK(node.Count(index) == 3000);
  });
}

TEST_CASE("the pipeline from JSON lines that the project shows runs, and the second time has nothing to send") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "visits";
    const TempDir dir;
    std::filesystem::copy(ETL_SOURCE_DIR "/pipelines/data", dir / "data", std::filesystem::copy_options::recursive);
    std::string toml = ReadFile(ETL_SOURCE_DIR "/pipelines/ndjson-to-elasticsearch.toml");
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"http://127.0.0.1:9200", node.url()}, {"\"visits\"", "\"" + index + "\""}}) {
      for (auto at = toml.find(from); at != std::string::npos; at = toml.find(from, at + to.size())) toml.replace(at, from.size(), to);
    }
    dir.Write("p.toml", toml);
    Command command = EtlRun(dir);
    command.env.push_back("WAREHOUSE_PASSWORD=x");
    for (int pass = 0; pass < 2; ++pass) {
      const Finished f = RunProcess(command);
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(node.Count(index) == 6);
    }
    CHECK(node.Must("GET", "/" + index + "/_search?version=true").body.find("\"_version\":2") == std::string::npos);
    CHECK(node.Must("GET", "/" + index + "/_settings").At("/" + index + "/settings/index/number_of_replicas") == "1");
  });
}
