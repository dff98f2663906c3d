// The sink against a node that answers as servers, proxies and networks sometimes do: nothing lost, nothing doubled, nothing
// changed, and only what failed sent again.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <set>

#include "lab.h"
#include "mock.h"
#include "tls_front.h"

using namespace etl::test;
using Way = MockAnswer::Way;
using std::chrono::steady_clock;

namespace {

constexpr const char* kColumns = "id = \"int64\", v = \"utf8\"";

std::string Row(int id, std::size_t size = 10) {
  std::string value = "value " + std::to_string(id) + " ";
  while (value.size() < size) value += static_cast<char>('a' + value.size() % 26);
  return "{\"id\":" + std::to_string(id) + ",\"v\":\"" + value + "\"}";
}

std::string Rows(int count, std::size_t size = 10) {
  std::string rows;
  for (int id = 1; id <= count; ++id) rows += Row(id, size) + "\n";
  return rows;
}

std::string Sink(const MockNode& node, const std::string& more = "") { return SinkTo(node.url(), "t") + "id = [\"id\"]\n" + more; }

/// What is wrong with the documents that the node has applied; nothing if it has each row, and no other.
std::string Wrong(const MockNode& node, int count, std::size_t size = 10, const std::set<int>& missing = {}) {
  for (const std::string& c : node.Complaints()) return "a body that no server takes: " + c;
  const auto all = node.Documents("t");
  for (int id = 1; id <= count; ++id) {
    const auto found = all.find(std::to_string(id));
    if ((found == all.end()) != (missing.count(id) > 0)) return std::to_string(id) + (found == all.end() ? " is lost" : " is there");
    if (found != all.end() && found->second.source != Row(id, size)) return std::to_string(id) + " is changed: " + found->second.source;
  }
  const std::size_t expected = static_cast<std::size_t>(count) - missing.size();
  return all.size() == expected ? "" : std::to_string(all.size()) + " documents instead of " + std::to_string(expected);
}

int MostApplied(const MockNode& node) {
  int most = 0;
  for (const auto& [id, document] : node.Documents("t")) most = std::max(most, document.applied);
  return most;
}

unsigned Seed() {
  const char* given = std::getenv("ETL_TEST_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  MESSAGE("ETL_TEST_SEED=" << seed);
  return seed;
}

MockAnswer Of(Way way, std::size_t bytes = 0) {
  MockAnswer a;
  a.way = way;
  a.bytes = bytes;
  return a;
}

MockAnswer Status(int status, const std::string& body, const std::string& headers = "") {
  MockAnswer a;
  a.way = Way::kStatus;
  a.status = status;
  a.body = body;
  a.headers = headers;
  return a;
}

std::string ErrorBody(int status, const std::string& type, const std::string& reason) {
  return "{\"error\":{\"type\":\"" + type + "\",\"reason\":\"" + reason + "\"},\"status\":" + std::to_string(status) + "}";
}

}  // namespace

TEST_CASE("of items that a node is too busy for, only those are sent again, and each row arrives once") {
  std::mt19937 random(Seed());
  MockNode node;
  node.on_item = [&random](const MockItem&, int) -> MockRefusal {
    switch (random() % 20) {
      case 0: return {429, "es_rejected_execution_exception", "rejected execution of coordinating operation"};
      case 1: return {503, "unavailable_shards_exception", "primary shard is not active"};
      default: return {};
    }
  };
  Load load(kColumns, Sink(node, "concurrency = 4\nbatch = {rows = 500}\n"));
  load.Rows(Rows(20000, 100)).All();
  CHECK(Wrong(node, 20000, 100) == "");
  CHECK(MostApplied(node) == 1);
  CHECK(node.failed_bytes() > 100000);
  CHECK(static_cast<double>(node.resent_bytes()) <= 1.05 * static_cast<double>(node.failed_bytes()));
}

TEST_CASE("changes of one document stay in their order when some have to be sent again") {
  std::mt19937 random(Seed());
  for (const auto& [batch, count] : {std::pair<std::string, int>{"{rows = 100}", 10000}, {"{bytes = \"500B\"}", 2000}}) {
    CAPTURE(batch);
    MockNode node;
    node.on_item = [&random](const MockItem&, int) -> MockRefusal {
      if (random() % 10 == 0) return {429, "es_rejected_execution_exception", "busy"};
      return {};
    };
    node.on_bulk = [&random](std::size_t) { return random() % 10 == 0 ? Of(Way::kLost) : MockAnswer(); };
    std::string rows;
    std::map<std::string, std::string> last;
    for (int i = 0; i < count; ++i) {
      const std::string id = std::to_string(random() % 50);
      last[id] = "{\"id\":" + id + ",\"v\":\"" + std::to_string(i) + "\"}";
      rows += last[id] + "\n";
    }
    Load load(kColumns, Sink(node, "concurrency = 4\nbatch = " + batch + "\n"));
    load.Rows(rows).All();
    for (const auto& [id, document] : node.Documents("t")) CHECK(document.source == last[id]);
    CHECK(node.Documents("t").size() == last.size());
  }
}

TEST_CASE("Retry-After is honoured") {
  MockNode node;
  std::vector<steady_clock::time_point> times;
  node.on_bulk = [&times](std::size_t number) {
    times.push_back(steady_clock::now());
    return number == 1 ? Status(429, ErrorBody(429, "es_rejected_execution_exception", "busy"), "Retry-After: 1\r\n") : MockAnswer();
  };
  Load load(kColumns, Sink(node, "concurrency = 1\n"));
  load.Rows(Rows(100)).All();
  CHECK(Wrong(node, 100) == "");
  REQUIRE(times.size() >= 2);
  CHECK(times[1] - times[0] >= std::chrono::seconds(1));
}

TEST_CASE("bodies that are too large are halved, and the limit is remembered; a row beyond it is rejected") {
  MockNode::Options options;
  options.most_bytes = 1 << 20;
  MockNode node(options);
  std::string rows = Rows(8000, 1000);
  rows += Row(8001, (1 << 20) + 10) + "\n";
  Load load(kColumns, Sink(node, "concurrency = 2\nbatch = {rows = 100000, bytes = \"8MiB\"}\n"));
  const auto rejects = load.Rows(rows).Rejects();
  CHECK(rejects.size() == 1);
  for (const auto& [row, reason] : rejects) CHECK_MESSAGE(row == "8001", row << ": " << reason);
  CHECK(Wrong(node, 8000, 1000) == "");
  CHECK(node.largest() <= options.most_bytes);
  CHECK(MostApplied(node) == 1);
}

TEST_CASE("an answer that is none, or not for each item, is never a success") {
  const std::vector<std::pair<const char*, MockAnswer>> kinds{
      {"HTML", Status(200, "<html><body>Log in to the network</body></html>", "content-type: text/html\r\n")},
      {"nothing", Status(200, "")},
      {"half a JSON", Status(200, R"({"took":1,"errors":false,"items":[{"index":{"sta)")},
      {"no items", Status(200, R"({"took":1,"errors":false})")},
      {"too few items", Of(Way::kFewer)},
      {"too many items", Of(Way::kMore)},
      {"an item without status", Of(Way::kNoStatus)},
      {"an item of another action", Of(Way::kOther)},
      {"an error where there was none", Status(200, R"({"error":"x"})")}};
  for (const auto& [name, answer] : kinds) {
    CAPTURE(name);
    {
      MockNode node;
      node.on_bulk = [&a = answer](std::size_t number) { return number % 2 ? a : MockAnswer(); };
      Load load(kColumns, Sink(node, "concurrency = 1\nbatch = {rows = 20}\n"));
      load.Rows(Rows(100)).All();
      CHECK(Wrong(node, 100) == "");
    }
    MockNode node;
    node.on_bulk = [&a = answer](std::size_t) { return a; };
    Load load(kColumns, Sink(node));
    const Finished f = load.Rows(Rows(100)).Run();
    CHECK_MESSAGE(f.exit_code == 6, f.err);
    node.on_bulk = nullptr;
    load.All();
    CHECK(Wrong(node, 100) == "");
  }
}

TEST_CASE("an answer cut after any of its bytes is no answer") {
  MockNode node;
  std::size_t cut = 0, size = 0;
  node.on_bulk = [&](std::size_t number) {
    size = node.answered();
    // One in three: two requests that take turns must not have every answer of one of them cut.
    if (number % 3 != 0 || (size > 0 && cut >= size)) return MockAnswer();
    return Of(Way::kCut, cut++);
  };
  Load load(kColumns, Sink(node, "concurrency = 1\nbatch = {rows = 2}\n"));
  load.Rows(Rows(3000)).All();
  CHECK(Wrong(node, 3000) == "");
  CAPTURE(cut);
  CHECK(size > 100);
  CHECK(cut == size);
}

TEST_CASE("a request whose answer was lost after it was applied changes nothing, for any action") {
  for (const char* action : {"index", "create", "upsert"}) {
    CAPTURE(action);
    MockNode node;
    std::size_t lost = 0;
    node.on_bulk = [&lost](std::size_t number) {
      if (number % 2) return ++lost, Of(Way::kLost);
      return MockAnswer();
    };
    Load load(kColumns, Sink(node, std::string("concurrency = 2\nbatch = {rows = 10}\naction = \"") + action + "\"\n"));
    load.Rows(Rows(2200)).All();
    CHECK(lost >= 200);
    CHECK(node.Documents("t").size() == 2200);
    if (std::string(action) != "upsert") CHECK(Wrong(node, 2200) == "");
  }
}

TEST_CASE("create: a conflict with what another has written is a reject, one with our own resend is not") {
  MockNode node;
  Load(kColumns, Sink(node)).Rows(Row(7) + "\n").All();
  std::size_t first = node.bulks();
  node.on_bulk = [&first](std::size_t number) { return number == first + 2 ? Of(Way::kLost) : MockAnswer(); };
  Load load(kColumns, Sink(node, "action = \"create\"\nconcurrency = 1\nbatch = {rows = 10}\n"));
  const auto rejects = load.Rows(Rows(30)).Rejects();
  CHECK(rejects.size() == 1);
  CHECK(rejects.count("7") == 1);
  CHECK(Wrong(node, 30) == "");
}

TEST_CASE("answers byte by byte, and a node that falls silent") {
  MockNode node;
  node.on_bulk = [](std::size_t number) { return number == 3 ? Of(Way::kSilent) : Of(Way::kDrip); };
  Load load(kColumns, Sink(node, "concurrency = 2\nbatch = {rows = 25}\ntimeout = \"1s\"\n"));
  load.Rows(Rows(200)).All();
  CHECK(Wrong(node, 200) == "");
}

TEST_CASE("rows that a node refuses are rejected with its reason, and the others are not sent again") {
  MockNode node;
  node.on_item = [](const MockItem& item, int) -> MockRefusal {
    if (item.id == "13" || item.id == "78") return {400, "document_parsing_exception", "[1:2] failed to parse field [v]"};
    return {};
  };
  Load load(kColumns, Sink(node));
  const auto rejects = load.Rows(Rows(100)).Rejects();
  CHECK(rejects.size() == 2);
  CHECK(rejects.count("13") + rejects.count("78") == 2);
  for (const auto& [row, reason] : rejects) CHECK_MESSAGE(reason.find("failed to parse field [v]") != std::string::npos, reason);
  CHECK(Wrong(node, 100, 10, {13, 78}) == "");
  CHECK(node.resent_bytes() == 0);
}

TEST_CASE("a whole request that is refused for some of its rows costs only those") {
  MockNode node;
  node.on_request = [](const std::vector<MockItem>& items) {
    for (const MockItem& item : items) {
      if (item.id == "13" || item.id == "78") return Status(400, ErrorBody(400, "illegal_argument_exception", "id is too long, must be no longer than 512 bytes"));
    }
    return MockAnswer();
  };
  Load load(kColumns, Sink(node));
  const auto rejects = load.Rows(Rows(100)).Rejects();
  CHECK(rejects.size() == 2);
  CHECK(rejects.count("13") + rejects.count("78") == 2);
  for (const auto& [row, reason] : rejects) CHECK_MESSAGE(reason.find("id is too long") != std::string::npos, reason);
  CHECK(Wrong(node, 100, 10, {13, 78}) == "");
  CHECK(MostApplied(node) == 1);
  CHECK(node.bulks() <= 1 + 4 * 7);   // halving: two for each halving of each of the two rows
}

TEST_CASE("statuses that stay stop the run with the node's words") {
  struct Case {
    int status;
    const char* type;
    int exit_code;
  };
  for (const Case& c : {Case{401, "security_exception", 5}, {403, "security_exception", 5}, {404, "index_not_found_exception", 5}, {501, "unknown", 5}, {302, "moved", 5}}) {
    CAPTURE(c.status);
    MockNode node;
    node.on_bulk = [&c](std::size_t) { return Status(c.status, ErrorBody(c.status, c.type, "because of " + std::string(c.type)), "location: http://127.0.0.1:9/\r\n"); };
    Load load(kColumns, Sink(node));
    const Finished f = load.Rows(Rows(100)).Run();
    CHECK_MESSAGE(f.exit_code == c.exit_code, f.err);
    CHECK_MESSAGE(f.err.find(std::to_string(c.status)) != std::string::npos, f.err);
    node.on_bulk = nullptr;
    load.All();
    CHECK(Wrong(node, 100) == "");
  }
}

TEST_CASE("passing statuses are tried again, and none but the rows of the request go out twice") {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    CAPTURE(status);
    MockNode node;
    node.on_bulk = [status](std::size_t number) { return number % 3 == 1 ? Status(status, number % 2 ? "" : ErrorBody(status, "x", "busy")) : MockAnswer(); };
    Load load(kColumns, Sink(node, "concurrency = 2\nbatch = {rows = 50}\n"));
    load.Rows(Rows(1000)).All();
    CHECK(Wrong(node, 1000) == "");
    CHECK(MostApplied(node) == 1);
  }
}

TEST_CASE("retries that are used up end the run, and the next one goes on") {
  MockNode node;
  node.on_bulk = [](std::size_t number) { return number > 4 ? Status(429, ErrorBody(429, "es_rejected_execution_exception", "busy")) : MockAnswer(); };
  Load load(kColumns, Sink(node, "concurrency = 1\nbatch = {rows = 50}\n"));
  std::string toml = ReadFile(load.dir / "p.toml");
  toml.replace(toml.find("max = \"200ms\""), 13, "max = \"20ms\", max_elapsed = \"1s\"");
  load.dir.Write("p.toml", toml);
  const Finished f = load.Rows(Rows(1000)).Run();
  CHECK_MESSAGE(f.exit_code == 6, f.err);
  node.on_bulk = nullptr;
  load.All();
  CHECK(Wrong(node, 1000) == "");
}

TEST_CASE("several hosts: when one goes, the others take its work") {
  auto first = std::make_unique<MockNode>();
  MockNode second;
  MockNode* const one = first.get();
  Load load(kColumns, "type = \"elasticsearch\"\nurl = [\"" + one->url() + "\", \"" + second.url() + "\"]\nindex = \"t\"\nid = [\"id\"]\nconcurrency = 2\nbatch = {rows = 20}\n");
  std::atomic<bool> gone{false};
  one->on_bulk = [&gone](std::size_t number) {
    gone = number >= 5;
    return gone ? Of(Way::kLost) : MockAnswer();
  };
  load.Rows(Rows(2000)).All();
  auto all = one->Documents("t");
  for (const auto& [id, document] : second.Documents("t")) all[id] = document;
  CHECK(all.size() == 2000);
  CHECK(gone);
  CHECK(second.items() > 1000);
  const auto port = one->port();
  first.reset();   // nobody listens there any more
  Load again(kColumns, "type = \"elasticsearch\"\nurl = [\"http://127.0.0.1:" + std::to_string(port) + "\", \"" + second.url() + "\"]\nindex = \"again\"\nid = [\"id\"]\n");
  again.Rows(Rows(500)).All();
  CHECK(second.Documents("again").size() == 500);
}

TEST_CASE("each way to authenticate arrives as it should, and no secret is said") {
  struct Case {
    const char* options;
    const char* header;
    const char* secret;
  };
  for (const Case& c : {Case{"user = \"elastic\"\npassword = \"canary-1\"\n", "Basic ZWxhc3RpYzpjYW5hcnktMQ==", "canary-1"},
                        Case{"api_key = \"key-id:canary-2\"\n", "ApiKey a2V5LWlkOmNhbmFyeS0y", "canary-2"},
                        Case{"api_key = \"a2V5LWlkOmNhbmFyeS0y\"\n", "ApiKey a2V5LWlkOmNhbmFyeS0y", "a2V5LWlkOmNhbmFyeS0y"},
                        Case{"api_key = \"essu_canary-3\"\n", "ApiKey essu_canary-3", "canary-3"},
                        Case{"token = \"canary-4\"\n", "Bearer canary-4", "canary-4"}}) {
    CAPTURE(c.options);
    MockNode::Options right, wrong;
    right.authorization = c.header;
    wrong.authorization = "Basic nobody";
    MockNode node(right), other(wrong);
    Load load(kColumns, Sink(node, c.options));
    load.Rows(Rows(10)).All();
    CHECK(Wrong(node, 10) == "");
    Load refused(kColumns, Sink(other, c.options));
    Command command = refused.Rows(Rows(10)).Make({"--log-level", "debug"});
    const Finished f = RunProcess(command);
    CHECK_MESSAGE(f.exit_code == 5, f.err);
    CHECK(f.err.find("401") != std::string::npos);
    CHECK((f.err + f.out).find(c.secret) == std::string::npos);
  }
}

TEST_CASE("certificates that do not fit are refused, and nothing goes in plain text") {
  MockNode node;
  const auto run = [&](const TlsFrontOptions& options, const std::string& more, bool with_ca = true) {
    TlsFront front("127.0.0.1", node.port(), options);
    std::string text = more;
    for (const auto& [name, path] : {std::pair<std::string, std::string>{"$cert", front.client_certificate_file()}, {"$key", front.client_key_file()}}) {
      if (const auto at = text.find(name); at != std::string::npos) text.replace(at, name.size(), path);
    }
    Load load(kColumns, SinkTo("https://localhost:" + std::to_string(front.port()), "t") + "id = [\"id\"]\ntls = {" + (with_ca ? "ca = \"" + front.ca_file() + "\"" : "") +
                            (with_ca && !text.empty() ? ", " : "") + text + "}\n");
    return load.Rows(Rows(10)).Run();
  };
  const auto stops = [&](const TlsFrontOptions& options, const std::string& more = "", bool with_ca = true) {
    const Finished f = run(options, more, with_ca);
    CHECK_MESSAGE(f.exit_code == 5, f.err);
    CHECK_MESSAGE((f.err.find("TLS") != std::string::npos || f.err.find("ertificate") != std::string::npos || f.err.find("SSL") != std::string::npos), f.err);
    CHECK(node.bulks() == 0);
  };
  TlsFrontOptions expired, early, own, name, old, mutual;
  expired.certificate.expired = true;
  early.certificate.not_yet_valid = true;
  own.certificate.self_signed = true;
  name.certificate.names = {"other.example"};
  name.certificate.addresses = {"10.9.8.7"};
  old.tls10_only = true;
  mutual.client_certificate = true;
  stops(expired);
  stops(early);
  stops(own);
  stops(name);
  stops({}, "", false);   // an authority that the system does not know
  CHECK(run(old, "").exit_code != 0);
  CHECK(run(mutual, "").exit_code != 0);
  CHECK(node.bulks() == 0);
  const Finished f = run(mutual, "cert = \"$cert\", key = \"$key\"");
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(Wrong(node, 10) == "");
  const Finished open = run(own, "verify = false");
  CHECK_MESSAGE(open.exit_code == 0, open.err);
}

TEST_CASE("a connection to nobody is tried again until the retries are used up") {
  std::uint16_t port = 0;
  {
    MockNode node;
    port = node.port();
  }
  Load load(kColumns, SinkTo("http://127.0.0.1:" + std::to_string(port), "t") + "id = [\"id\"]\n");
  std::string toml = ReadFile(load.dir / "p.toml");
  toml.replace(toml.find("max = \"200ms\""), 13, "max = \"20ms\", max_elapsed = \"500ms\"");
  load.dir.Write("p.toml", toml);
  const Finished f = load.Rows(Rows(10)).Run();
  CHECK_MESSAGE(f.exit_code == 6, f.err);
  CHECK_MESSAGE(f.err.find("127.0.0.1:" + std::to_string(port)) != std::string::npos, f.err);
}

TEST_CASE("copies that did not take a document are counted, and the document is delivered all the same") {
  MockNode node;
  node.failed_copies = 2;
  Load load(kColumns, Sink(node));
  Command c = load.Rows(Rows(50)).Make();
  c.argv.erase(std::find(c.argv.begin(), c.argv.end(), "-q"));
  const Finished f = RunProcess(c);
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK_MESSAGE(f.err.find("replicas_failed 100") != std::string::npos, f.err);
  CHECK(Wrong(node, 50) == "");
}

TEST_CASE("memory does not grow with the rows") {
  MockNode::Options options;
  options.keep = false;
  MockNode node(options);
  const auto peak = [&](int rows) {
    Load load("", Sink(node), "memory_limit = \"64MiB\"\n");
    std::string toml = ReadFile(load.dir / "p.toml");
    const auto from = toml.find("[source]"), to = toml.find("[[sink]]");
    toml.replace(from, to - from, "[source]\ntype = \"generate\"\npayload = 300\nrows = " + std::to_string(rows) + "\n");
    load.dir.Write("p.toml", toml);
    const std::string out = load.dir / "out";
    const int fd = ::open(out.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    Process process(load.Make(), fd, fd, fd);
    std::size_t most = 0;
    do {
      std::ifstream status("/proc/" + std::to_string(process.pid()) + "/status");
      for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmHWM:", 0) == 0) most = std::max<std::size_t>(most, std::strtoull(line.c_str() + 6, nullptr, 10));
      }
    } while (!process.WaitUntil(steady_clock::now() + std::chrono::milliseconds(5)));
    CHECK_MESSAGE(process.Join().exit_code == 0, ReadFile(out));
    ::close(fd);
    return most;
  };
  const std::size_t few = peak(500000), many = peak(5000000);
  MESSAGE("peak " << few / 1024 << " MiB for 500,000 rows, " << many / 1024 << " MiB for 5,000,000");
  CHECK(many < few + few / 2);   // bodies may grow with time, as the node bears them
  CHECK(node.items() == 5500000);
}

TEST_CASE("create: a run that goes on takes a conflict for its own") {
  MockNode node;
  // The first requests are applied; then nothing is, until the retries are used up: no position says that they were.
  std::atomic<bool> down{true};
  node.on_bulk = [&down](std::size_t number) { return down && number > 1 ? Of(Way::kLost) : MockAnswer(); };
  Load load(kColumns, Sink(node, "action = \"create\"\nconcurrency = 2\nbatch = {rows = 100}\n"));
  std::string toml = ReadFile(load.dir / "p.toml");
  toml.replace(toml.find("retry = {"), 9, "retry = {max_elapsed = \"300ms\", ");
  load.dir.Write("p.toml", toml);
  load.Rows(Rows(1000, 10));
  CHECK(load.Run().exit_code == 6);
  CHECK(node.Documents("t").size() >= 100);
  down = false;
  load.All();
  CHECK(Wrong(node, 1000, 10) == "");
  CHECK(MostApplied(node) == 1);
}
