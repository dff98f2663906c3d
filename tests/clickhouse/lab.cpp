#include "lab.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace etl::test {

const std::vector<std::string> kStores = {"ch18", "ch26"};

namespace {

std::size_t Collect(char* from, std::size_t, std::size_t n, void* to) {
  static_cast<std::string*>(to)->append(from, n);
  return n;
}

}  // namespace

HttpReply Post(const std::string& url, const std::string& body, const std::vector<std::string>& headers) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  curl_slist* list = nullptr;
  for (const std::string& h : headers) list = curl_slist_append(list, h.c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> own(list, curl_slist_free_all);
  HttpReply reply;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POST, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Collect);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, Collect);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &reply.headers);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 120L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  const CURLcode said = curl_easy_perform(curl.get());
  if (said != CURLE_OK) throw std::runtime_error(url + ": " + curl_easy_strerror(said));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

Store::Store(const std::string& name) : name_(name) {
  static std::atomic<int> number{0};
  std::ifstream file(std::string(ETL_SERVERS_DIR) + "/" + name + "/env");
  std::string prefix = name;
  std::transform(prefix.begin(), prefix.end(), prefix.begin(), [](unsigned char c) { return std::toupper(c); });
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(prefix + "_URL=", 0) == 0) url_ = line.substr(prefix.size() + 5);
  }
  if (url_.empty()) throw std::runtime_error(name + " does not run: tools/dev/servers up " + name);
  database_ = "lab_" + std::to_string(::getpid()) + "_" + std::to_string(++number);
  if (Post(url_ + "/", "CREATE DATABASE " + database_).status != 200) throw std::runtime_error("no database in " + name);
}

Store::~Store() {
  try {
    Post(url_ + "/", "DROP DATABASE " + database_);
  } catch (const std::exception& e) {
    MESSAGE(e.what());
  }
}

std::string Store::Run(const std::string& sql, const std::string& parameters) const {
  const HttpReply r = Post(url_ + "/?database=" + database_ + parameters, sql);
  if (r.status != 200) throw std::runtime_error(r.body);
  return r.body;
}

std::string Store::Options(const std::string& url) const {
  return "type = \"clickhouse\"\nurl = \"" + (url.empty() ? url_ : url) + "\"\ndatabase = \"" + database_ + "\"\nuser = \"etl\"\npassword = \"etl\"\n";
}

void Store::Rows(std::int64_t count, const std::string& second, const std::string& order) const {
  Run("DROP TABLE IF EXISTS t");
  Run("CREATE TABLE t (ts DateTime, id UInt32, v String) ENGINE = MergeTree ORDER BY (" + order + ") SETTINGS index_granularity = 1024");
  Run("INSERT INTO t SELECT toDateTime(1709251200 + (" + second + ")), toUInt32(number), concat('v', toString(number % 100)) FROM (SELECT number FROM system.numbers LIMIT " +
      std::to_string(count) + ")");
}

// ---- the gate ----

Gate::Gate(const Store& store, Hook hook) : upstream_(store.url()), hook_(std::move(hook)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) || ::listen(listener_, 64) ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size)) {
    throw std::runtime_error("the gate cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] {
    for (;;) {
      const int s = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (s < 0 || stop_) {
        if (s >= 0) ::close(s);
        return;
      }
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([this, s] {
        try {
          Serve(s);
        } catch (const std::exception&) {
        }
        ::shutdown(s, SHUT_RDWR);
        ::close(s);
      });
    }
  });
}

Gate::~Gate() {
  stop_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  ::close(listener_);
  thread_.join();
  for (std::thread& t : threads_) t.join();
}

void Gate::Serve(int socket) {
  std::string in;
  char piece[16384];
  const auto more = [&] {
    const ssize_t n = ::recv(socket, piece, sizeof piece, 0);
    if (n <= 0) return false;
    in.append(piece, static_cast<std::size_t>(n));
    return true;
  };
  const auto send = [&](const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t n = ::send(socket, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return false;
      at += static_cast<std::size_t>(n);
    }
    return true;
  };
  while (!stop_) {
    std::size_t end;
    while ((end = in.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return;
    }
    const std::string head = in.substr(0, end);
    std::string lower = head;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto at = lower.find("content-length:");
    const std::size_t size = at == std::string::npos ? 0 : static_cast<std::size_t>(std::atoll(lower.c_str() + at + 15));
    while (in.size() < end + 4 + size) {
      if (!more()) return;
    }
    Asked asked;
    asked.path = head.substr(head.find(' ') + 1, head.find(' ', head.find(' ') + 1) - head.find(' ') - 1);
    asked.body = in.substr(end + 4, size);
    asked.rows = asked.body.size() > 13 && asked.body.rfind(" FORMAT Native") == asked.body.size() - 14;
    asked.number = ++count_;
    in.erase(0, end + 4 + size);
    const auto forward = [&](const std::string& body) {
      std::vector<std::string> headers;
      if (const auto a = head.find("Authorization: "); a != std::string::npos) headers.push_back(head.substr(a, head.find("\r\n", a) - a));
      const HttpReply r = Post(upstream_ + asked.path, body, headers);
      Answer answer;
      answer.status = r.status;
      answer.body = r.body;
      return answer;
    };
    Answer answer;
    if (!hook_(asked, answer, forward)) answer = forward(asked.body);
    std::string reply = "HTTP/1.1 " + std::to_string(answer.status) + " X\r\n" + answer.headers;
    if (answer.ends) reply += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    else reply += "Connection: close\r\n";
    reply += "\r\n";
    if (answer.first > 0) {
      const auto n = static_cast<std::size_t>(answer.first);
      if (!send(reply + answer.body.substr(0, n))) return;
      for (int left = 1; left > 0 && ::ioctl(socket, SIOCOUTQ, &left) == 0;) std::this_thread::yield();
      reply.clear();
      answer.body.erase(0, n);
    }
    reply += answer.cut >= 0 ? answer.body.substr(0, static_cast<std::size_t>(answer.cut)) : answer.body;
    if (!send(reply) || answer.cut >= 0 || !answer.ends) return;
  }
}

// ---- pipelines ----

Pull::Pull(const std::string& source, const std::string& sink, const std::string& top) { Rewrite(source, sink, top); }

void Pull::Rewrite(const std::string& source, const std::string& sink, const std::string& top) {
  dir.Write("p.toml", "[pipeline]\nname = \"p\"\n" + top + "\n[source]\n" + source + "\n[sink]\n" + (sink.empty() ? "type = \"ndjson\"\npath = \"out.ndjson\"" : sink) + "\n");
}

Command Pull::Make(const std::vector<std::string>& more, const char* verb) const {
  Command c;
  c.argv = {ETL_BUILD_DIR "/bin/etl", verb, "p.toml"};
  c.argv.insert(c.argv.end(), more.begin(), more.end());
  c.env = {"ETL_PLUGIN_PATH", "LAB_PASSWORD=etl"};
  c.cwd = dir.path();
  c.time_limit = std::chrono::seconds(120);
  return c;
}

std::vector<std::string> Pull::Lines() const {
  std::vector<std::string> out;
  std::ifstream file(std::string(dir.path()) + "/out.ndjson");
  for (std::string line; std::getline(file, line);) out.push_back(line);
  return out;
}

std::vector<std::int64_t> Pull::Numbers(const std::string& field) const {
  std::vector<std::int64_t> out;
  const std::string key = "\"" + field + "\":";
  for (const std::string& line : Lines()) out.push_back(std::atoll(line.c_str() + line.find(key) + key.size()));
  std::sort(out.begin(), out.end());
  return out;
}

std::int64_t Metric(const Finished& run, const std::string& name) {
  const std::string text = run.err + run.out;
  const auto at = text.rfind(" " + name + " ");
  return at == std::string::npos ? 0 : static_cast<std::int64_t>(std::atof(text.c_str() + at + name.size() + 2));
}

std::vector<std::int64_t> UpTo(std::int64_t n) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < n; ++i) out.push_back(i);
  return out;
}

bool Full() {
  const char* full = std::getenv("ETL_FULL");
  return full && *full && std::string(full) != "0";
}

}  // namespace etl::test
