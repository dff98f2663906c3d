// The plugin passes the checks that are made for everybody's, with a real node behind it.
#include <sstream>

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
    Command command = EtlRun(dir);
    const char* const plugins = std::getenv("ETL_TEST_PLUGIN_DIR");
    command.argv = {command.argv[0], "plugin", "check", (plugins ? plugins : ETL_BUILD_DIR "/lib/etl/plugins/1") + std::string("/elasticsearch.so"), "--options", dir / "p.toml", "--allow-unsafe-plugins"};
    command.time_limit = std::chrono::minutes(4);
    const Finished done = RunProcess(command);
    std::istringstream lines(done.out);
    int checks = 0;
    for (std::string line; std::getline(lines, line);) {
      checks += std::atoi(line.c_str()) > 0;
      CHECK_MESSAGE((line.find("  FAIL  ") == std::string::npos || std::atoi(line.c_str()) == 10), line);   // 10: who owns the build
      CHECK_MESSAGE(line.find("--options") == std::string::npos, line);
    }
    CHECK_MESSAGE(checks == 44, done.err);
  }
}
