// Nodes that have too little of everything, that are killed in mid-load, and networks that break: nothing lost, nothing doubled.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "fault_proxy.h"
#include "lab.h"
#include "mock.h"

using namespace etl::test;
using Way = MockAnswer::Way;

namespace {

constexpr const char* kColumns = "id = \"int64\", v = \"utf8\"";

std::string Row(int id, std::size_t size) {
  std::string value = "value " + std::to_string(id) + " ";
  value.resize(std::max(size, value.size()), 'x');
  return "{\"id\":" + std::to_string(id) + ",\"v\":\"" + value + "\"}";
}

std::string Rows(int count, std::size_t size) {
  std::string rows;
  for (int id = 1; id <= count; ++id) rows += Row(id, size) + "\n";
  return rows;
}

std::string Wrong(const std::map<std::string, Document>& all, int count, std::size_t size) {
  for (int id = 1; id <= count; ++id) {
    const auto found = all.find(std::to_string(id));
    if (found == all.end()) return std::to_string(id) + " is lost";
    if (found->second.source != Row(id, size)) return std::to_string(id) + " is changed: " + found->second.source;
  }
  return all.size() == static_cast<std::size_t>(count) ? "" : std::to_string(all.size()) + " documents instead of " + std::to_string(count);
}

/// A program with its output in a file.
struct Running {
  const Load& load;
  int err;
  Process process;
  explicit Running(const Load& l)
      : load(l), err(::open((l.dir / "err").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)), process(l.Make(), err, err, err) {}
  ~Running() { ::close(err); }
  std::string Said() const { return ReadFile(load.dir / "err"); }
};

template <class F>
void Until(const char* what, F&& f) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!f()) {
    if (std::chrono::steady_clock::now() > deadline) FAIL("did not come: " << what);
  }
}

constexpr const char* kMapping = R"({"settings":{"number_of_shards":4,"number_of_replicas":0},"mappings":{"properties":{"id":{"type":"long"},"v":{"type":"keyword","ignore_above":100}}}})";

}  // namespace

TEST_CASE("SIGTERM while a node is always too busy ends in the grace period, with the state saved") {
  MockNode node;
  std::atomic<bool> busy{true};
  std::atomic<int> refused{0};
  node.on_bulk = [&](std::size_t number) {
    MockAnswer a;
    if (number > 3 && busy) {
      a.way = Way::kStatus;
      a.status = 429;
      ++refused;
    }
    return a;
  };
  Load load(kColumns, SinkTo(node.url(), "t") + "id = [\"id\"]\nconcurrency = 2\nbatch = {rows = 100}\n", "grace = \"3s\"\n");
  load.Rows(Rows(5000, 20));
  {
    Running run(load);
    Until("a refusal", [&] { return refused > 3; });
    const auto begin = std::chrono::steady_clock::now();
    run.process.Signal(SIGTERM);
    const Ending end = run.process.Join();
    CHECK_MESSAGE(end.exit_code == 143, run.Said());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(4));
  }
  busy = false;
  load.All();
  CHECK(node.Documents("t").size() == 5000);
}

TEST_CASE("a node with a short queue, little memory and small bodies gets each row, once") {
  const TempDir servers;
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name, servers / "", "thread_pool.write.queue_size=2 thread_pool.write.size=1 http.max_content_length=1mb indexing_pressure.memory.limit=900kb");
    const std::string index = node.prefix() + "t";
    node.Must("PUT", "/" + index, kMapping);
    Load load(kColumns, SinkTo(node.url(), index) + "id = [\"id\"]\nconcurrency = 8\nbatch = {rows = 5000, bytes = \"4MiB\"}\n");
    Command c = load.Rows(Rows(30000, 300)).Make();
    c.argv.erase(std::find(c.argv.begin(), c.argv.end(), "-q"));
    const Finished f = RunProcess(c);
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    CHECK_MESSAGE(f.err.find("lower") != std::string::npos, f.err);   // says in words what the node lacked
    CHECK(Wrong(node.Documents(index), 30000, 300) == "");
  }
}

TEST_CASE("a node killed in mid-load and started again has every row") {
  const TempDir servers;
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    Node node(name, servers / "");
    const std::string index = node.prefix() + "t";
    node.Must("PUT", "/" + index, kMapping);
    Load load(kColumns, SinkTo(node.url(), index) + "id = [\"id\"]\nbatch = {rows = 500}\n");
    load.Rows(Rows(100000, 200));
    Running run(load);
    Until("rows", [&] { return node.Count(index) > 10000; });
    node.Kill();
    node.Start();
    CHECK_MESSAGE(run.process.Join().exit_code == 0, run.Said());
    CHECK(Wrong(node.Documents(index), 100000, 200) == "");
  }
}

TEST_CASE("connections that break anywhere, before a real node") {
  const char* given = std::getenv("ETL_TEST_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  MESSAGE("ETL_TEST_SEED=" << seed);
  std::mt19937 random(seed);
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name);
    const int runs = Full() ? 60 : 8;
    for (int i = 0; i < runs; ++i) {
      const std::string index = node.prefix() + "broken-" + std::to_string(i);
      node.Must("PUT", "/" + index, kMapping);
      const auto k = [&](unsigned most) { return std::to_string(random() % most); };
      const std::vector<std::string> scripts{"%2 up cut_after " + k(200000), "%2 down cut_after " + k(30000), "%2 up reset_after " + k(200000), "%2 down reset_after " + k(30000),
                                             "%2 swallow_answer_after " + std::to_string(1 + random() % 3) + " http_request", "%3 refuse\n%2 accept_and_close", "* down slice 1\n* up slice 1000",
                                             "%2 limit_time " + std::to_string(1 + random() % 200)};
      const std::string script = scripts[static_cast<std::size_t>(i) % scripts.size()];
      CAPTURE(script);
      FaultProxy proxy("127.0.0.1", node.port(), script + "\n");
      Load load(kColumns, SinkTo("http://127.0.0.1:" + std::to_string(proxy.port()), index) + "id = [\"id\"]\nconcurrency = 3\nbatch = {rows = 200}\n");
      const Finished f = load.Rows(Rows(3000, 100)).Run();
      CHECK_MESSAGE(f.exit_code == 0, f.err);
      CHECK(Wrong(node.Documents(index), 3000, 100) == "");
    }
  }
}
