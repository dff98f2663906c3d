// The plugin passes the checks that are made for everybody's, with a real node behind it.
#include "conformance.h"
#include "lab.h"

using namespace etl::test;

TEST_CASE("lookup and sink pass every check that needs no crash of the node") {
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name);
    const std::string known = node.prefix() + "known", out = node.prefix() + "out";
    node.Must("PUT", "/" + known + "/_doc/1", R"({"v":"one"})");
    const TempDir dir;
    dir.Write("p.toml", "[source]\ntype = \"generate\"\nrows = 1000\n[[transform]]\ntype = \"elasticsearch_lookup\"\nurl = \"" + node.url() + "\"\nindex = \"" + known +
                            "\"\nid = [\"id\"]\ncolumns = {seen = \"v\"}\n[[sink]]\n" + SinkTo(node.url(), out) + "id = [\"id\"]\n");
    MustConform(EtlRun(dir), "elasticsearch", dir / "p.toml");
  }
}
