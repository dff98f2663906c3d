#include "mock.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <simdjson.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace etl::test {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string Header(const std::string& headers, const std::string& name) {
  for (std::size_t at = 0; at < headers.size();) {
    const std::size_t end = headers.find("\r\n", at), colon = headers.find(':', at);
    if (end == std::string::npos) break;
    if (colon < end && colon - at == name.size() && strncasecmp(headers.data() + at, name.data(), name.size()) == 0) {
      const std::size_t value = headers.find_first_not_of(' ', colon + 1);
      return headers.substr(value, end - value);
    }
    at = end + 2;
  }
  return "";
}

std::string Inflate(std::string_view packed) {
  z_stream z{};
  if (inflateInit2(&z, 15 + 16) != Z_OK) throw std::runtime_error("zlib does not start");
  std::string out;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  z.avail_in = static_cast<uInt>(packed.size());
  int said = Z_OK;
  while (said == Z_OK) {
    char piece[1 << 16];
    z.next_out = reinterpret_cast<Bytef*>(piece);
    z.avail_out = sizeof piece;
    said = inflate(&z, Z_NO_FLUSH);
    out.append(piece, sizeof piece - z.avail_out);
  }
  inflateEnd(&z);
  if (said != Z_STREAM_END) throw std::runtime_error("a compressed body is not whole");
  return out;
}

/// "/a/_bulk?x=y" is "a" and "_bulk".
std::pair<std::string, std::string> PathOf(const std::string& target) {
  const std::string path = target.substr(1, target.find('?') - 1);
  const std::size_t slash = path.find('/');
  if (slash == std::string::npos) return path.rfind('_', 0) == 0 ? std::pair<std::string, std::string>{"", path} : std::pair<std::string, std::string>{path, ""};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

void SetOption(int fd, int level, int name) {
  const int on = 1;
  setsockopt(fd, level, name, &on, sizeof on);
}

}  // namespace

struct MockNode::Connection {
  int fd = -1;
  std::vector<char> in;          // grows, never shrinks
  std::size_t used = 0;
  std::string out;
  std::size_t sent = 0;
  bool continued = false;        // "100 Continue" was sent for the request at the front
  bool drip = false, close = false, reset = false, silent = false;
};

MockNode::MockNode(const Options& options) : options_(options) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  SetOption(listener_, SOL_SOCKET, SO_REUSEADDR);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(options.port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) || ::listen(listener_, 64) ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size)) {
    throw std::system_error(errno, std::generic_category(), "the mock cannot listen");
  }
  port_ = ntohs(at.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

MockNode::~MockNode() {
  const std::uint64_t one = 1;
  if (::write(stop_, &one, sizeof one) == sizeof one) thread_.join();
  ::close(listener_);
  ::close(stop_);
}

void MockNode::Serve() {
  std::vector<std::unique_ptr<Connection>> all;
  std::vector<pollfd> polls;
  for (;;) {
    polls.assign({{stop_, POLLIN, 0}, {listener_, POLLIN, 0}});
    for (const auto& c : all) polls.push_back({c->fd, static_cast<short>(c->sent < c->out.size() ? POLLOUT : POLLIN), 0});
    if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
    if (polls[0].revents) break;
    for (std::size_t i = all.size(); i-- > 0;) {
      const short what = polls[i + 2].revents;
      bool open = true;
      if (what & POLLOUT) open = Write(*all[i]);
      else if (what) open = Read(*all[i]) && Write(*all[i]);
      if (open) continue;
      if (all[i]->reset) {
        const linger now{1, 0};
        setsockopt(all[i]->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      }
      ::close(all[i]->fd);
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (polls[1].revents) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        SetOption(fd, IPPROTO_TCP, TCP_NODELAY);
        all.push_back(std::make_unique<Connection>());
        all.back()->fd = fd;
      }
    }
    open_ = all.size();
  }
  for (const auto& c : all) ::close(c->fd);
}

/// False: the connection is at its end.
bool MockNode::Read(Connection& c) {
  for (;;) {
    if (c.in.size() < c.used + (1 << 18)) c.in.resize(std::max<std::size_t>(c.in.size() * 2, c.used + (1 << 18)));
    const ssize_t n = ::recv(c.fd, c.in.data() + c.used, c.in.size() - c.used, 0);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    c.used += static_cast<std::size_t>(n);
    if (c.silent) c.used = 0;
    else if (!TakeRequests(c)) return false;
    if (c.sent < c.out.size() || static_cast<std::size_t>(n) < 4096) return true;
  }
}

bool MockNode::Write(Connection& c) {
  while (c.sent < c.out.size()) {
    const std::size_t most = c.drip ? 1 : c.out.size() - c.sent;
    const ssize_t n = ::send(c.fd, c.out.data() + c.sent, most, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    c.sent += static_cast<std::size_t>(n);
  }
  c.out.clear();
  c.sent = 0;
  c.drip = false;
  return !c.close;
}

/// Answers each request that is complete; false: the connection is to be ended at once.
bool MockNode::TakeRequests(Connection& c) {
  for (std::size_t at = 0;;) {
    const std::string_view have(c.in.data() + at, c.used - at);
    const std::size_t head = have.substr(0, 1 << 16).find("\r\n\r\n");
    const auto keep_rest = [&] {
      if (at) std::memmove(c.in.data(), c.in.data() + at, c.used - at);
      c.used -= at;
      return true;
    };
    if (head == std::string_view::npos) return keep_rest();
    const std::string top(have.substr(0, head + 2));
    const std::size_t first_end = top.find("\r\n"), space = top.find(' ');
    const std::string method = top.substr(0, space), target = top.substr(space + 1, top.find(' ', space + 1) - space - 1);
    const std::string headers = top.substr(first_end + 2);
    const std::string length = Header(headers, "Content-Length");
    const std::size_t size = length.empty() ? 0 : std::stoull(length);
    if (have.size() - head - 4 < size) {
      if (!Header(headers, "Expect").empty() && !c.continued) {
        c.continued = true;
        c.out += "HTTP/1.1 100 Continue\r\n\r\n";
      }
      if (c.in.size() - at < head + 4 + size) c.in.resize(at + head + 4 + size);
      return keep_rest();
    }
    c.continued = false;
    Answer(c, method, target, headers, have.substr(head + 4, size));
    at += head + 4 + size;
    if (c.reset) return false;
    if (c.silent) {
      c.used = 0;
      return true;
    }
  }
}

void MockNode::Reply(Connection& c, int status, std::string_view body, std::string_view headers) {
  c.out += "HTTP/1.1 " + std::to_string(status) + " Mock\r\nX-elastic-product: Elasticsearch\r\ncontent-type: application/json\r\n";
  c.out += headers;
  c.out += "content-length: " + std::to_string(body.size()) + "\r\n\r\n";
  c.out += body;
}

void MockNode::Answer(Connection& c, const std::string& method, const std::string& target, const std::string& headers, std::string_view body) {
  if (!options_.authorization.empty() && Header(headers, "Authorization") != options_.authorization) {
    return Reply(c, 401, R"({"error":{"type":"security_exception","reason":"missing authentication credentials"},"status":401})");
  }
  const auto [index, what] = PathOf(target);
  if (body.size() > options_.most_bytes) return Reply(c, 413, "");
  std::string unpacked;
  if (Header(headers, "Content-Encoding") == "gzip") body = unpacked = Inflate(body);
  if (what == "_bulk") return Bulk(c, index, body);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(method + " " + target);
  }
  const std::string said = on_other ? on_other(method, target, std::string(body)) : "";
  if (!said.empty()) return Reply(c, 200, said);
  if (what == "_mget") return Reply(c, 200, Multi(index, body));
  const std::string own = Other(method, target, std::string(body));
  Reply(c, 200, method == "HEAD" ? "" : own);
}

void MockNode::Bulk(Connection& c, const std::string& default_index, std::string_view body) {
  const std::size_t number = ++bulks_;
  bytes_ += body.size();
  largest_ = std::max<std::size_t>(largest_, body.size());
  if (!options_.keep) return Reply(c, 200, Count(body));
  MockAnswer answer = on_bulk ? on_bulk(number) : MockAnswer();
  using Way = MockAnswer::Way;
  if (answer.way == Way::kSilent) {
    c.silent = true;
    return;
  }
  std::vector<MockItem> items;
  try {
    items = Parse(default_index, body);
  } catch (const std::exception& e) {
    const std::lock_guard lock(mutex_);
    complaints_.push_back(e.what());
    return Reply(c, 400, R"({"error":{"type":"illegal_argument_exception","reason":"malformed"},"status":400})");
  }
  if (!on_bulk && on_request) answer = on_request(items);
  const std::string said = Apply(items, answer.way != Way::kStatus, answer.way);
  if (answer.way == Way::kStatus) return Reply(c, answer.status, answer.body, answer.headers);
  if (answer.way == Way::kLost) {
    c.reset = true;
    return;
  }
  Reply(c, 200, said);
  answered_ = c.out.size();
  if (answer.way == Way::kDrip) c.drip = true;
  if (answer.way == Way::kCut && answer.bytes < c.out.size()) {
    c.out.resize(answer.bytes);
    c.close = true;
  }
}

/// An answer with as many items as the body has pairs of lines.
std::string MockNode::Count(std::string_view body) {
  std::size_t lines = 0;
  for (const char* p = body.data(); (p = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(body.data() + body.size() - p))));) ++lines, ++p;
  const std::size_t n = lines / 2;
  items_ += n;
  if (rendered_items_ != n) {
    const std::string action(body.substr(2, body.find('"', 2) - 2));
    rendered_ = R"({"took":1,"errors":false,"items":[)";
    for (std::size_t i = 0; i < n; ++i) rendered_ += (i ? ",{\"" : "{\"") + action + R"(":{"status":201}})";
    rendered_ += "]}";
    rendered_items_ = n;
  }
  return rendered_;
}

std::vector<MockItem> MockNode::Parse(const std::string& default_index, std::string_view body) const {
  std::vector<MockItem> items;
  simdjson::dom::parser parser;
  const auto line = [&body] {
    const std::size_t end = body.find('\n');
    if (end == std::string_view::npos) throw std::runtime_error("a bulk body does not end with a line feed");
    const std::string_view taken = body.substr(0, end);
    body.remove_prefix(end + 1);
    return taken;
  };
  while (!body.empty()) {
    const std::size_t before = body.size();
    MockItem item;
    const simdjson::padded_string text(line());
    const simdjson::dom::object object = parser.parse(text).get_object();
    const auto field = *object.begin();
    item.action = field.key;
    item.index = default_index;
    for (const auto& [key, value] : field.value.get_object()) {
      std::string* const to = key == "_index" ? &item.index : key == "_id" ? &item.id : key == "routing" ? &item.routing : nullptr;
      if (to) *to = std::string_view(value.get_string());
    }
    if (item.action != "delete") item.source = line();
    simdjson::dom::parser check;
    if (!item.source.empty() && check.parse(item.source).error()) throw std::runtime_error("not JSON: " + item.source);
    item.bytes = before - body.size();
    items.push_back(item);
  }
  return items;
}

std::string MockNode::Applied(const MockItem& item) {
  static std::size_t generated = 0;
  const std::string id = item.id.empty() ? "generated-" + std::to_string(++generated) : item.id;
  auto& documents = indices_[item.index];
  const auto found = documents.find(id);
  const bool there = found != documents.end();
  int status = there ? 200 : 201;
  if (item.action == "create" && there) {
    return Refused(item, {409, "version_conflict_engine_exception", "[" + id + "]: version conflict, document already exists"});
  }
  if (item.action == "delete") {
    if (there) documents.erase(found);
    status = there ? 200 : 404;
  } else {
    MockDocument& d = documents[id];
    d.source = item.source;
    d.routing = item.routing;
    ++d.applied;
  }
  return "{" + Quoted(item.action) + ":{\"_index\":" + Quoted(item.index) + ",\"_id\":" + Quoted(id) +
         ",\"_shards\":{\"total\":" + std::to_string(1 + failed_copies) + ",\"successful\":1,\"failed\":" + std::to_string(failed_copies) + "},\"result\":\"" +
         (item.action == "delete" ? there ? "deleted" : "not_found" : there ? "updated" : "created") + "\",\"status\":" + std::to_string(status) + "}}";
}

std::string MockNode::Refused(const MockItem& item, const MockRefusal& r) const {
  return "{" + Quoted(item.action) + ":{\"_index\":" + Quoted(item.index) + ",\"_id\":" + Quoted(item.id) + ",\"status\":" + std::to_string(r.status) +
         ",\"error\":{\"type\":" + Quoted(r.type) + ",\"reason\":" + Quoted(r.reason) + "}}}";
}

std::string MockNode::Apply(const std::vector<MockItem>& items, bool applied, MockAnswer::Way way) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> results;
  bool errors = false;
  for (const MockItem& item : items) {
    ++items_;
    const int attempt = item.id.empty() ? 1 : ++attempts_[item.index + "/" + item.id];
    if (attempt > 1) resent_bytes_ += item.bytes;
    const MockRefusal refusal = applied && on_item ? on_item(item, attempt) : MockRefusal();
    if (!applied || refusal.status) failed_bytes_ += item.bytes;
    if (!applied) continue;
    results.push_back(refusal.status ? Refused(item, refusal) : Applied(item));
    errors |= results.back().find("\"error\":") != std::string::npos;
  }
  using Way = MockAnswer::Way;
  if (!results.empty()) {
    if (way == Way::kFewer) results.pop_back();
    else if (way == Way::kMore) results.push_back(results.back());
    else if (way == Way::kNoStatus) results[0] = "{" + Quoted(items[0].action) + ":{\"_id\":" + Quoted(items[0].id) + "}}";
    else if (way == Way::kOther) results[0] = R"({"fetch":{"status":200}})";
  }
  std::string out = std::string(R"({"took":1,"errors":)") + (errors ? "true" : "false") + ",\"items\":[";
  for (std::size_t i = 0; i < results.size(); ++i) out += (i ? "," : "") + results[i];
  return out + "]}";
}

std::string MockNode::Multi(const std::string& default_index, std::string_view body) {
  const std::lock_guard lock(mutex_);
  simdjson::dom::parser parser;
  const simdjson::padded_string text(body);
  std::string out = "{\"docs\":[";
  for (const simdjson::dom::element doc : parser.parse(text)["docs"].get_array()) {
    std::string_view index = default_index, id = doc["_id"].get_string();
    if (std::string_view named; !doc["_index"].get(named)) index = named;
    const auto documents = indices_.find(std::string(index));
    const auto found = documents == indices_.end() ? std::map<std::string, MockDocument>::iterator() : documents->second.find(std::string(id));
    const bool there = documents != indices_.end() && found != documents->second.end();
    out += std::string(out.back() == '[' ? "" : ",") + "{\"_index\":" + Quoted(index) + ",\"_id\":" + Quoted(id) + ",\"found\":" + (there ? "true" : "false") +
           (there ? ",\"_source\":" + found->second.source : "") + "}";
  }
  return out + "]}";
}

std::string MockNode::Other(const std::string& method, const std::string& target, const std::string&) {
  const auto [index, what] = PathOf(target);
  if (target == "/") {
    return R"({"name":"mock","cluster_name":"mock","cluster_uuid":"mock","version":{"number":")" + options_.version + R"(","build_flavor":"default"},"tagline":"You Know, for Search"})";
  }
  if (what == "_refresh" || what == "_forcemerge" || what == "_flush") return R"({"_shards":{"total":1,"successful":1,"failed":0}})";
  if (what == "_count") {
    const std::lock_guard lock(mutex_);
    return "{\"count\":" + std::to_string(indices_[index].size()) + "}";
  }
  if (index.empty() && what.rfind("_nodes", 0) == 0) return R"({"nodes":{}})";
  if (what.rfind("_stats", 0) == 0) return R"({"_all":{"primaries":{},"total":{}},"indices":{}})";
  if (method == "PUT" || method == "POST") return R"({"acknowledged":true,"shards_acknowledged":true,"index":")" + index + "\"}";
  if (!index.empty() && method == "GET") {
    return "{" + Quoted(index) + R"(:{"aliases":{},"mappings":{},"settings":{"index":{"number_of_shards":"1","number_of_replicas":"0","uuid":"mock"}}}})";
  }
  return "{}";
}

std::map<std::string, MockDocument> MockNode::Documents(const std::string& index) const {
  const std::lock_guard lock(mutex_);
  const auto found = indices_.find(index);
  return found == indices_.end() ? std::map<std::string, MockDocument>() : found->second;
}

std::vector<std::string> MockNode::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> MockNode::Complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

}  // namespace etl::test
