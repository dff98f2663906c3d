// Load settings and aliases on real nodes: whatever ends a run, the index has afterwards what it had before.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "fault_proxy.h"
#include "lab.h"

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

constexpr const char* kLoad = "id = [\"id\"]\nconcurrency = 1\nbatch = {rows = 100}\nload = {refresh_interval = \"-1\", replicas = 0}\n";

std::string Rows(int count) {
  std::string rows;
  for (int id = 1; id <= count; ++id) rows += "{\"id\":" + std::to_string(id) + ",\"v\":\"" + std::string(1000, 'x') + "\"}\n";
  return rows;
}

/// All that a run could change: settings, mappings' _meta, aliases.  A _meta can be emptied, but not taken away.
std::string StateOf(const Node& node, const std::string& index) {
  const HttpReply all = node.Must("GET", "/" + index);
  const std::string meta = all.At("/" + index + "/mappings/_meta");
  return all.At("/" + index + "/settings") + (meta.empty() ? "{}" : meta) + all.At("/" + index + "/aliases");
}

std::string Setting(const Node& node, const std::string& index, const std::string& name) {
  return node.Must("GET", "/" + index + "/_settings").At("/" + index + "/settings/index/" + name);
}

/// A run that a slow network keeps in its middle.
class Slow {
 public:
  Slow(const Node& node, const std::string& index, const std::string& rows)
      : node_(node), index_(index), proxy_("127.0.0.1", node.port(), "* up bandwidth 2000000\n"),
        load("id = \"int64\", v = \"utf8\"", SinkTo("http://127.0.0.1:" + std::to_string(proxy_.port()), index) + kLoad, "memory_limit = \"16MiB\"\n") {
    load.Rows(rows);
  }
  /// Starts it; returns when the index has load settings and some rows.
  Process& Start() {
    err_ = ::open((load.dir / "err").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    process_ = std::make_unique<Process>(load.Make(), err_, err_, err_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (Setting(node_, index_, "refresh_interval") != "-1" || node_.Count(index_) == 0) {
      if (std::chrono::steady_clock::now() > deadline || process_->WaitUntil(std::chrono::steady_clock::now() + std::chrono::milliseconds(5))) {
        FAIL("the run has not come to its middle: " << Said());
      }
    }
    return *process_;
  }
  std::string Said() const { return ReadFile(load.dir / "err"); }
  ~Slow() {
    process_.reset();
    if (err_ >= 0) ::close(err_);
  }

 private:
  const Node& node_;
  std::string index_;
  FaultProxy proxy_;
  std::unique_ptr<Process> process_;
  int err_ = -1;

 public:
  Load load;
};

}  // namespace

TEST_CASE("load settings are there while rows come, and gone after success, with every kind of former settings") {
  OnEach([](const Node& node) {
    int number = 0;
    for (const char* settings : {R"({})", R"({"settings":{"refresh_interval":"7s","number_of_replicas":0}})", R"({"settings":{"refresh_interval":"-1","number_of_replicas":1}})",
                                 R"({"mappings":{"_meta":{"mine":[1]}},"settings":{"auto_expand_replicas":"0-1"}})"}) {
      CAPTURE(settings);
      const std::string index = node.prefix() + "done-" + std::to_string(++number);
      node.Must("PUT", "/" + index, settings);
      node.Must("PUT", "/" + index + "/_mapping", R"({"properties":{"id":{"type":"long"},"v":{"type":"keyword"}}})");
      const std::string before = StateOf(node, index);
      Slow slow(node, index, Rows(1500));
      CHECK(slow.Start().Join().exit_code == 0);
      CHECK(StateOf(node, index) == before);
      CHECK(node.Count(index) == 1500);
    }
  });
}

TEST_CASE("all rows can be found after the run, without waiting for the next refresh") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "refreshed";
    node.Must("PUT", "/" + index, R"({"settings":{"refresh_interval":"-1"}})");
    Load load("id = \"int64\", v = \"utf8\"", SinkTo(node.url(), index) + "id = [\"id\"]\nload = {refresh_interval = \"-1\", force_merge = 1}\n");
    load.Rows(Rows(3000)).All();
    CHECK(node.Must("GET", "/" + index + "/_count").At("/count") == "3000");
    CHECK(Setting(node, index, "refresh_interval") == "-1");
    CHECK(node.Must("GET", "/" + index + "/_stats/segments").At("/_all/primaries/segments/count") == "1");
  });
}

TEST_CASE("a run that fails leaves the former settings") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "failed";
    node.Must("PUT", "/" + index, R"({"settings":{"refresh_interval":"9s"},"mappings":{"properties":{"v":{"type":"integer"}}}})");
    const std::string before = StateOf(node, index);
    Load load("id = \"int64\", v = \"utf8\"", SinkTo(node.url(), index) + kLoad);
    std::string toml = ReadFile(load.dir / "p.toml");
    toml.replace(toml.find("on_reject = \"file\""), 18, "on_reject = \"stop\"");
    load.dir.Write("p.toml", toml);
    const Finished f = load.Rows("{\"id\":1,\"v\":\"1\"}\n{\"id\":2,\"v\":\"two\"}\n").Run();
    CHECK_MESSAGE(f.exit_code == 11, f.err);
    CHECK(StateOf(node, index) == before);
  });
}

TEST_CASE("Ctrl-C leaves the former settings, and the next run goes on and leaves them too") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "stopped";
    node.Must("PUT", "/" + index, R"({"settings":{"refresh_interval":"9s","number_of_replicas":0},"mappings":{"properties":{"id":{"type":"long"},"v":{"type":"keyword"}}}})");
    const std::string before = StateOf(node, index);
    Slow slow(node, index, Rows(20000));
    Process& p = slow.Start();
    p.Signal(SIGINT);
    CHECK_MESSAGE(p.Join().exit_code == 130, slow.Said());
    CHECK(StateOf(node, index) == before);
    CHECK(node.Count(index) < 20000);
    slow.load.All();
    CHECK(StateOf(node, index) == before);
    CHECK(node.Count(index) == 20000);
  });
}

TEST_CASE("after kill -9 the next run puts back what was there before the first") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "killed";
    node.Must("PUT", "/" + index, R"({"settings":{"refresh_interval":"9s","number_of_replicas":1},"mappings":{"properties":{"id":{"type":"long"},"v":{"type":"keyword"}}}})");
    const std::string before = StateOf(node, index);
    Slow slow(node, index, Rows(5000));
    for (int kills = 0; kills < 2; ++kills) {
      Process& p = slow.Start();
      p.Signal(SIGKILL);
      p.Join();
      CHECK(Setting(node, index, "refresh_interval") == "-1");
    }
    slow.load.All();
    CHECK(StateOf(node, index) == before);
    CHECK(node.Count(index) == 5000);
  });
}

TEST_CASE("after kill -9 a run that knows nothing of the first puts back what was there before it") {
  OnEach([](const Node& node) {
    const std::string index = node.prefix() + "left";
    node.Must("PUT", "/" + index, R"({"settings":{"refresh_interval":"9s","number_of_replicas":1},"mappings":{"properties":{"id":{"type":"long"},"v":{"type":"keyword"}}}})");
    const std::string before = StateOf(node, index);
    Slow slow(node, index, Rows(3000));
    Process& p = slow.Start();
    p.Signal(SIGKILL);
    p.Join();
    // Another folder: no state of that run is known there but what the index itself holds.
    Load other("id = \"int64\", v = \"utf8\"", SinkTo(node.url(), index) + kLoad);
    other.Rows(Rows(3000)).All();
    CHECK(StateOf(node, index) == before);
    CHECK(node.Count(index) == 3000);
  });
}

TEST_CASE("swap_alias shows the new index when it is whole, and not before") {
  OnEach([](const Node& node) {
    const std::string alias = node.prefix() + "swapped";
    const std::string options = SinkTo(node.url(), alias) + "id = [\"id\"]\nswap_alias = true\ncreate = {replicas = 0}\n";
    Load first("id = \"int64\", v = \"utf8\"", options);
    first.Rows(Rows(200)).All();
    CHECK(node.Count(alias) == 200);
    const std::string shown = node.Must("GET", "/_alias/" + alias).body;
    // A run that ends with rejects has not shown its index.
    Load bad("id = \"int64\", v = \"utf8\"", options);
    bad.Rows(Rows(50) + "{\"id\":null,\"v\":\"x\"}\n");
    const Finished f = bad.Run();
    CHECK_MESSAGE(f.exit_code != 0, f.err);
    CHECK(node.Must("GET", "/_alias/" + alias).body == shown);
    CHECK(node.Count(alias) == 200);
    // Nor has one whose rows were rejected before they came to the sink.
    bad.Rows(Rows(50) + "{\"id\":51,\"v\":[1,2]}\n{\"id\":\"none\"}\n");
    CHECK(bad.Run().exit_code == 3);
    CHECK(node.Must("GET", "/_alias/" + alias).body == shown);
    Load second("id = \"int64\", v = \"utf8\"", options);
    second.Rows(Rows(300)).All();
    CHECK(node.Count(alias) == 300);
    CHECK(node.Must("GET", "/_alias/" + alias).body != shown);
  });
}

TEST_CASE("a pass that was interrupted does not go on into an index that was deleted, or made anew") {
  OnEach([](const Node& node) {
    const char* const settings = R"({"settings":{"number_of_replicas":0},"mappings":{"properties":{"id":{"type":"long"},"v":{"type":"keyword","index":false,"doc_values":false}}}})";
    for (const int signal : {SIGINT, SIGKILL}) {
      for (const bool remade : {false, true}) {
        CAPTURE(signal);
        CAPTURE(remade);
        const std::string index = node.prefix() + (remade ? "remade" : "deleted") + std::to_string(signal);
        node.Must("PUT", "/" + index, settings);
        Slow slow(node, index, Rows(20000));
        Process& p = slow.Start();
        p.Signal(signal);
        p.Join();
        // A request that was under way when its sender was killed makes the index anew by itself.
        do node.Call("DELETE", "/" + index);
        while (remade && node.Call("PUT", "/" + index, settings).status != 200);
        const Finished f = slow.load.Run();
        CHECK_MESSAGE(f.exit_code == 7, f.err);
        CHECK_MESSAGE(f.err.find("sink[0]: index: the state has ") != std::string::npos, f.err);
        CHECK_MESSAGE(f.err.find("start anew: etl state reset") != std::string::npos, f.err);
        if (remade && signal == SIGINT) CHECK(node.Count(index) == 0);
      }
    }
  });
}

TEST_CASE("a pass that builds an index for an alias stops when that index is gone, and one that was rejected from stays hidden after an interruption") {
  OnEach([](const Node& node) {
    const std::string alias = node.prefix() + "building";
    FaultProxy proxy("127.0.0.1", node.port(), "* up bandwidth 2000000\n");
    const std::string options = SinkTo("http://127.0.0.1:" + std::to_string(proxy.port()), alias) + "id = [\"id\"]\nswap_alias = true\ncreate = {replicas = 0}\nconcurrency = 1\nbatch = {rows = 100}\n";
    Load load("id = \"int64\", v = \"utf8\"", options, "memory_limit = \"16MiB\"\n");
    load.Rows("{\"id\":null,\"v\":\"x\"}\n" + Rows(20000));
    const auto interrupt = [&] {
      const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      Process p(load.Make(), null, null, null);
      ::close(null);
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      for (;;) {
        const HttpReply there = node.Call("GET", "/" + alias + "-*/_stats/indexing?filter_path=_all.primaries.indexing.index_total");
        if (there.At("/_all/primaries/indexing/index_total") > "0") break;
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        REQUIRE(!p.WaitUntil(std::chrono::steady_clock::now() + std::chrono::milliseconds(5)));
      }
      p.Signal(SIGINT);
      CHECK(p.Join().exit_code == 130);
    };
    const auto remove = [&] {
      const std::string body = node.Must("GET", "/" + alias + "-*/_settings").body;
      node.Must("DELETE", "/" + body.substr(2, body.find('"', 2) - 2));
    };
    interrupt();
    const Finished rest = load.Run();   // the rejected row came in the part before
    CHECK_MESSAGE(rest.exit_code == 3, rest.err);
    CHECK(node.Call("HEAD", "/_alias/" + alias).status == 404);
    remove();
    interrupt();
    remove();
    const Finished gone = load.Run();
    CHECK_MESSAGE(gone.exit_code == 5, gone.err);
    CHECK_MESSAGE(gone.err.find("is gone: start over with 'etl state reset'") != std::string::npos, gone.err);
  });
}
