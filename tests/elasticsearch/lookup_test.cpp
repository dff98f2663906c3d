// The lookup against real nodes, through the command.
#include <algorithm>
#include <fstream>

#include "lab.h"
#include "mock.h"

using namespace etl::test;

namespace {

template <class F>
void OnEach(F&& f) {
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name);
    f(node);
  }
}

/// A pipeline from rows through the lookup into a file.
struct Through {
  Load load;
  Through(const std::string& columns, const std::string& url, const std::string& options) : load(columns, "type = \"ndjson\"\npath = \"out\"\n") {
    std::string toml = ReadFile(load.dir / "p.toml");
    toml.insert(toml.find("[[sink]]"), "[[transform]]\ntype = \"elasticsearch_lookup\"\nurl = \"" + url + "\"\n" + options);
    load.dir.Write("p.toml", toml);
  }
  /// The lines that come out, in their order.
  Lines Out(const std::string& rows, int exit_code = 0) {
    load.Rows(rows);
    const Finished f = load.Run();
    INFO(f.err);
    CHECK(f.exit_code == exit_code);
    Lines lines;
    std::ifstream in(load.dir / "out");
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
};

Lines Sorted(Lines lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

void Put(const Node& node, const std::string& path, const std::string& source) { node.Must("PUT", path, source); }

}  // namespace

TEST_CASE("fields are added by id, in the types of the mapping") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "fields";
    node.Must("PUT", "/" + index, R"({"mappings":{"properties":{"n":{"type":"long"},"f":{"type":"double"},"ok":{"type":"boolean"},"at":{"type":"date"},"name":{"type":"text","fields":{"raw":{"type":"keyword"}}},
      "author":{"properties":{"name":{"type":"keyword"},"x.y":{"type":"integer"}}},"any":{"type":"object","enabled":false}}}})");
    Put(node, "/" + index + "/_doc/a", R"({"n":9007199254740993,"f":0.1,"ok":true,"at":"2024-02-29T12:00:00Z","name":"M\u00fcll","author":{"name":"A","x":{"y":7}},"any":[1,{"b":null}]})");
    Put(node, "/" + index + "/_doc/b", R"({"n":"12","author.name":"flat","ok":null})");
    Put(node, "/" + index + "/_doc/c", R"({"n":[5],"name":["one","two"]})");
    Through through("k = \"utf8\"", node.url(),
                    "index = \"" + index + "\"\nid = [\"k\"]\ncolumns = {number = \"n\", f = \"f\", ok = \"ok\", at = \"at\", who = \"author.name\", y = \"author.x.y\", any = \"any\"}\ntypes = {at = \"timestamp\"}\n");
    CHECK(through.Out("{\"k\":\"b\"}\n{\"k\":\"a\"}\n{\"k\":\"nobody\"}\n{\"k\":\"c\"}\n") ==
          Lines{R"({"k":"b","number":12,"f":null,"ok":null,"at":null,"who":"flat","y":null,"any":null})",
                R"({"k":"a","number":9007199254740993,"f":0.1,"ok":true,"at":"2024-02-29T12:00:00.000000Z","who":"A","y":7,"any":[1,{"b":null}]})",
                R"({"k":"nobody","number":null,"f":null,"ok":null,"at":null,"who":null,"y":null,"any":null})",
                R"({"k":"c","number":5,"f":null,"ok":null,"at":null,"who":null,"y":null,"any":null})"});
    Through names("k = \"utf8\"", node.url(), "index = \"" + index + "\"\nid = [\"k\"]\ncolumns = {name = \"name\"}\n");
    CHECK(names.Out("{\"k\":\"a\"}\n{\"k\":\"c\"}\n", 3) == Lines{R"({"k":"a","name":"Müll"})"});   // two names are no text
  });
}

TEST_CASE("only ids still to insert pass, in requests that are made of several batches") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "missing";
    Load load("id = \"int64\", part = \"utf8\"", SinkTo(node.url(), index) + "id = [\"part\", \"id\"]\n");
    std::string rows, all;
    Lines expected;
    for (int id = 1; id <= 20000; ++id) {
      const std::string row = "{\"id\":" + std::to_string(id) + ",\"part\":\"p\"}";
      all += row + "\n";
      if (id % 2 == 0) rows += row + "\n";
      else expected.push_back(row);
    }
    const std::string lookup = "index = \"" + index + "\"\nid = [\"part\", \"id\"]\nonly_missing = true\nbatch_ids = 777\n";
    Through before("id = \"int64\", part = \"utf8\"", node.url(), lookup);
    CHECK(before.Out(all).size() == 20000);   // no index yet: nothing is there
    load.Rows(rows).All();
    Through through("id = \"int64\", part = \"utf8\"", node.url(), lookup);
    CHECK(Sorted(through.Out(all)) == Sorted(expected));
  });
}

TEST_CASE("only rows with another content pass, and the second time none") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "changed";
    const std::string columns = "id = \"int64\", title = \"utf8\", seen = \"int64\"";
    const auto pipeline = [&](const TempDir& dir, const std::string& rows) {
      dir.Write("in.ndjson", rows);
      dir.Write("p.toml", "[pipeline]\nname = \"p\"\n[source]\ntype = \"ndjson\"\npath = \"in.ndjson\"\ncolumns = {" + columns + "}\n[[transform]]\ntype = \"elasticsearch_lookup\"\nurl = \"" + node.url() +
                              "\"\nindex = \"" + index + "\"\nid = [\"id\"]\nonly_changed = [\"title\"]\n[[sink]]\n" + SinkTo(node.url(), index) + "id = [\"id\"]\nrefresh = \"true\"\n");
      const Finished f = RunProcess(EtlRun(dir));
      INFO(f.err);
      CHECK(f.exit_code == 0);
    };
    const auto rows = [](int version) {
      std::string out;
      for (int id = 0; id < 3000; ++id) out += "{\"id\":" + std::to_string(id) + ",\"title\":\"" + (id % 10 == 0 ? std::to_string(version) : "same") + "\",\"seen\":" + std::to_string(version) + "}\n";
      return out;
    };
    for (int version = 1; version <= 3; ++version) {
      const TempDir dir;
      pipeline(dir, rows(std::min(version, 2)));
    }
    int old = 0, changed = 0;
    for (const auto& [id, document] : node.Documents(index)) {
      old += document.source.find("\"seen\":1") != std::string::npos;
      changed += document.source.find("\"seen\":2") != std::string::npos;
    }
    CHECK(old == 2700);
    CHECK(changed == 300);
  });
}

TEST_CASE("index and routing come from the rows") {
  OnEach([](const Node& node) {
    const std::string base = node.prefix() + "of-";
    for (const char* tenant : {"x", "y"}) node.Must("PUT", "/" + base + tenant, R"({"settings":{"number_of_shards":3,"number_of_replicas":0}})");
    Put(node, "/" + base + "x/_doc/1?routing=r1", R"({"v":"x1"})");
    Put(node, "/" + base + "y/_doc/1?routing=r2", R"({"v":"y1"})");
    Through through("id = \"utf8\", tenant = \"utf8\", r = \"utf8\"", node.url(), "index = \"" + base + "{tenant}\"\nid = [\"id\"]\nrouting = \"r\"\ncolumns = {v = \"v\"}\ntypes = {v = \"utf8\"}\n");
    CHECK(through.Out("{\"id\":\"1\",\"tenant\":\"x\",\"r\":\"r1\"}\n{\"id\":\"1\",\"tenant\":\"y\",\"r\":\"r2\"}\n{\"id\":\"2\",\"tenant\":\"y\",\"r\":\"r2\"}\n") ==
          Lines{R"({"id":"1","tenant":"x","r":"r1","v":"x1"})", R"({"id":"1","tenant":"y","r":"r2","v":"y1"})", R"({"id":"2","tenant":"y","r":"r2","v":null})"});
    Through nowhere("id = \"utf8\", tenant = \"utf8\"", node.url(), "index = \"" + base + "{tenant}\"\nid = [\"id\"]\ncolumns = {v = \"v\"}\n");
    CHECK(nowhere.Out("{\"id\":\"1\",\"tenant\":\"z\"}\n", 3).empty());
  });
}

TEST_CASE("a lookup that cannot be right is refused before the first row") {
  MockNode node;
  struct Case {
    const char* options;
    const char* said;
  };
  for (const Case& c : {Case{"index = \"t\"\nid = [\"k\"]\n", "what to look up"}, {"index = \"t\"\nid = [\"nix\"]\nonly_missing = true\n", "no column \"nix\""},
                        {"index = \"t\"\nid = [\"k\"]\nonly_missing = true\nonly_changed = [\"k\"]\n", "exclude each other"},
                        {"index = \"t\"\nid = [\"k\"]\ncolumns = {k = \"x\"}\n", "a column \"k\" already"}, {"index = \"t\"\nid = [\"k\"]\ncolumns = {a = \"x\"}\ntypes = {b = \"utf8\"}\n", "none of the new columns"},
                        {"index = \"t\"\nid = [\"k\"]\ncolumns = {a = \"x\"}\ntypes = {a = \"nonsense\"}\n", "nonsense"}}) {
    CAPTURE(c.options);
    Through through("k = \"utf8\"", node.url(), c.options);
    const Finished f = through.load.Rows("{\"k\":\"1\"}\n").Run();
    CHECK_MESSAGE((f.exit_code == 2 || f.exit_code == 4), f.err);
    CHECK_MESSAGE(f.err.find(c.said) != std::string::npos, f.err);
  }
}

TEST_CASE("a node that is busy, cuts its answers or falls silent is asked again, and each row gets its own answer") {
  MockNode node;
  int asked = 0;
  node.on_other = [&asked](const std::string&, const std::string& path, const std::string&) -> std::string {
    if (path.find("_mget") == std::string::npos) return "";
    switch (++asked % 4) {
      case 1: return R"({"docs":[]})";
      case 2: return R"({"docs":[{"found":tr)";
      case 3: return "<html>";
      default: return "";
    }
  };
  Load load("id = \"int64\", v = \"utf8\"", SinkTo(node.url(), "t") + "id = [\"id\"]\n");
  std::string rows;
  Lines expected;
  for (int id = 1; id <= 2000; ++id) {
    rows += "{\"id\":" + std::to_string(id) + ",\"v\":\"value " + std::to_string(id) + "\"}\n";
    expected.push_back("{\"id\":" + std::to_string(id) + ",\"v\":\"value " + std::to_string(id) + "\",\"found\":\"value " + std::to_string(id) + "\"}");
  }
  load.Rows(rows).All();
  Through through("id = \"int64\"", node.url(), "index = \"t\"\nid = [\"id\"]\ncolumns = {found = \"v\"}\ntypes = {found = \"utf8\"}\nbatch_ids = 500\n");
  const Lines out = Sorted(through.Out(rows));
  CHECK(out.size() == expected.size());
  CHECK(out == Sorted(expected));
}
