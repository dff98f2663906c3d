#include "lab.h"

#include <curl/curl.h>
#include <signal.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>

namespace etl::test {
namespace {

std::size_t Collect(char* from, std::size_t, std::size_t n, void* to) {
  static_cast<std::string*>(to)->append(from, n);
  return n;
}

std::string Setting(const std::string& env, const std::string& name) {
  std::istringstream lines(env);
  for (std::string line; std::getline(lines, line);) {
    const auto equal = line.find('=');
    if (equal != std::string::npos && line.substr(0, equal).ends_with("_" + name)) return line.substr(equal + 1);
  }
  throw std::runtime_error("the server's file says no " + name);
}

}  // namespace

std::string HttpReply::At(const std::string& pointer) const {
  simdjson::dom::parser parser;
  simdjson::dom::element root, found;
  if (parser.parse(body).get(root)) throw std::runtime_error("not JSON: " + body.substr(0, 300));
  if (root.at_pointer(pointer).get(found)) return "";
  std::string_view text;
  if (!found.get(text)) return std::string(text);
  return simdjson::minify(found);
}

HttpReply Request(const std::string& method, const std::string& url, const std::string& body, const std::string& type) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(curl_slist_append(nullptr, ("Content-Type: " + type).c_str()), curl_slist_free_all);
  HttpReply reply;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  if (method == "HEAD") curl_easy_setopt(curl.get(), CURLOPT_NOBODY, 1L);
  if (!body.empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.data());
  }
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Collect);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 120L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  const CURLcode said = curl_easy_perform(curl.get());
  if (said != CURLE_OK) throw std::runtime_error(method + " " + url + ": " + curl_easy_strerror(said));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

Node::Node(const std::string& name, const std::string& home, const std::string& options) : name_(name), home_(home), options_(options) {
  static int number = 0;
  prefix_ = "lab-" + std::to_string(::getpid()) + "-" + std::to_string(++number) + "-";
  Start();
}

Node::~Node() {
  // Whatever the test has left, also where it has ended by an exception: the node is thrown away some time.
  try {
    for (const char* kind : {"_data_stream/", ""}) Call("DELETE", "/" + std::string(kind) + prefix_ + "*");
    Call("DELETE", "/_index_template/" + prefix_ + "*");
    if (home_ != ETL_SERVERS_DIR) Stop();
  } catch (const std::exception& e) {
    MESSAGE(e.what());
  }
}

void Node::Servers(const std::string& command) const {
  Command c;
  std::string prefix = name_;
  std::transform(prefix.begin(), prefix.end(), prefix.begin(), [](unsigned char x) { return std::toupper(x); });
  c.argv = {ETL_SOURCE_DIR "/tools/dev/servers", command, name_};
  c.env = {"ETL_SERVERS=" + home_, "ETL_SEARCH_HEAP=" + std::string(home_ == ETL_SERVERS_DIR ? "1g" : "512m"), prefix + "_OPTIONS=" + options_};
  c.time_limit = std::chrono::seconds(300);
  const Finished f = RunProcess(c);
  if (f.exit_code != 0) throw std::runtime_error(name_ + ": " + f.err);
}

void Node::Start() {
  Servers("up");
  port_ = static_cast<std::uint16_t>(std::stoi(Setting(ReadFile(home_ + "/" + name_ + "/env"), "PORT")));
}

void Node::Stop() { Servers("down"); }

void Node::Kill() {
  ::kill(std::stoi(ReadFile(home_ + "/" + name_ + "/pid")), SIGKILL);
  Servers("down");
}

HttpReply Node::Call(const std::string& method, const std::string& path, const std::string& body) const {
  return Request(method, url() + path, body);
}

HttpReply Node::Must(const std::string& method, const std::string& path, const std::string& body) const {
  const HttpReply reply = Call(method, path, body);
  if (reply.status / 100 != 2) throw std::runtime_error(name_ + ": " + method + " " + path + ": " + reply.body.substr(0, 500));
  return reply;
}

std::int64_t Node::Count(const std::string& index) const {
  Must("POST", "/" + index + "/_refresh");
  return std::stoll(Must("GET", "/" + index + "/_count").At("/count"));
}

std::map<std::string, Document> Node::Documents(const std::string& index) const {
  Must("POST", "/" + index + "/_refresh");
  std::map<std::string, Document> all;
  HttpReply page = Must("POST", "/" + index + "/_search?scroll=1m", R"({"size":5000,"sort":["_doc"]})");
  std::string scroll;
  for (;;) {
    simdjson::dom::parser parser;
    const simdjson::dom::element root = parser.parse(page.body);
    const simdjson::dom::array hits = root["hits"]["hits"].get_array();
    scroll = std::string_view(root["_scroll_id"].get_string());
    if (hits.size() == 0) break;
    for (const simdjson::dom::element hit : hits) {
      Document d;
      d.source = simdjson::minify(hit["_source"]);
      d.index = std::string_view(hit["_index"].get_string());
      std::string_view routing;
      if (!hit["_routing"].get(routing)) d.routing = routing;
      all[std::string(std::string_view(hit["_id"].get_string()))] = d;
    }
    page = Must("POST", "/_search/scroll", "{\"scroll\":\"1m\",\"scroll_id\":\"" + scroll + "\"}");
  }
  Must("DELETE", "/_search/scroll", "{\"scroll_id\":[\"" + scroll + "\"]}");
  return all;
}

bool Full() {
  const char* full = std::getenv("ETL_FULL");
  return full && *full && *full != '0';
}

const std::vector<std::string>& NodeNames() {
  static const std::vector<std::string> names = [] {
    const char* const given = std::getenv("ETL_TEST_NODES");
    std::istringstream words(given ? given : Full() ? "es8 es7 os2 es9" : "es8");
    return std::vector<std::string>(std::istream_iterator<std::string>(words), {});
  }();
  return names;
}

Load::Load(const std::string& columns, const std::string& sink, const std::string& pipeline) {
  dir.Write("p.toml", "[pipeline]\nname = \"p\"\non_reject = \"file\"\nretry = {initial = \"10ms\", max = \"200ms\"}\n" + pipeline +
                          "[source]\ntype = \"ndjson\"\npath = \"in.ndjson\"\n" + (columns.empty() ? "" : "columns = {" + columns + "}\n") + "[[sink]]\n" + sink);
}

Command EtlRun(const TempDir& dir, const std::vector<std::string>& more, const char* verb) {
  const char *other = std::getenv("ETL_BINARY"), *plugins = std::getenv("ETL_TEST_PLUGIN_DIR");
  Command c;
  c.argv = {other ? other : ETL_BUILD_DIR "/bin/etl", verb, dir / "p.toml", "--allow-unsafe-plugins", "--state-dir", dir / "state"};
  if (std::string(verb) == "run") c.argv.insert(c.argv.begin() + 1, "-q");
  c.argv.insert(c.argv.end(), more.begin(), more.end());
  c.env = {"LAB_PASSWORD=etl", std::string("ETL_PLUGIN_PATH=") + (plugins ? plugins : ETL_BUILD_DIR "/lib/etl/plugins/1")};
  c.cwd = dir.path().string();
  c.time_limit = std::chrono::seconds(120);
  return c;
}

Command Load::Make(const std::vector<std::string>& more, const char* verb) const { return EtlRun(dir, more, verb); }

void Load::All() const {
  const Finished f = Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
}

std::map<std::string, std::string> Load::Rejects() const {
  const Finished f = Run();
  CHECK_MESSAGE(f.exit_code == 3, f.err);
  std::map<std::string, std::string> out;
  std::ifstream in(dir / "state/p/rejects.ndjson");
  for (std::string line; std::getline(in, line);) {
    const HttpReply record{200, line};
    if (!record.At("/reason").empty()) out[record.At("/row/id")] = record.At("/reason");
  }
  return out;
}

std::string SinkTo(const std::string& url, const std::string& index) {
  return "type = \"elasticsearch\"\nurl = \"" + url + "\"\nindex = \"" + index + "\"\n";
}

}  // namespace etl::test
