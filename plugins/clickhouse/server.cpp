// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <lz4.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace etl::clickhouse {
namespace {

constexpr std::size_t kMostAnswer = 64 << 20;
constexpr std::uint32_t kMostPacked = 256 << 20;

http::Target TargetOf(const Server& server) {
  http::Target t = http::MakeTarget(server);
  t.keep_headers = {"x-clickhouse-summary", "x-clickhouse-exception-code", "transfer-encoding", "content-length"};
  t.most_reply = kMostAnswer;
  return t;
}

std::string Header(const http::Reply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return "";
}

std::string Unescape(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '\\' || i + 1 == s.size()) {
      out += s[i];
      continue;
    }
    const char c = s[++i];
    out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == '0' ? '\0' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
  }
  return out;
}

/// A whole block of the native compression from the front of `from`: 16 bytes of checksum, the method, the sizes with and without
/// compression, the data.  False: it is not whole yet.
bool Unpack(std::string& from, std::size_t& at, std::string& to) {
  if (from.size() - at < 25) return false;
  const char* head = from.data() + at + 16;
  std::uint32_t packed = 0, plain = 0;
  std::memcpy(&packed, head + 1, 4);
  std::memcpy(&plain, head + 5, 4);
  const auto method = static_cast<unsigned char>(head[0]);
  if ((method != 0x82 && method != 0x02) || packed < 9 || packed > kMostPacked || plain > kMostPacked) {
    // A message that is not compressed, as of a proxy.
    ThrowTail(std::string_view(from).substr(at));
  }
  if (from.size() - at < 16 + packed) return false;
  const std::size_t before = to.size();
  to.resize(before + plain);
  if (method == 0x02) {
    if (packed - 9 != plain) throw Retry("the reply holds a compressed block of the wrong size");
    std::memcpy(to.data() + before, head + 9, plain);
  } else if (LZ4_decompress_safe(head + 9, to.data() + before, static_cast<int>(packed - 9), static_cast<int>(plain)) != static_cast<int>(plain)) {
    throw Retry("the reply holds a compressed block that cannot be read");
  }
  at += 16 + packed;
  return true;
}

}  // namespace

Connection::Connection(const Server& server, const Host& host) : server_(server), host_(host), client_(TargetOf(server)) {}

std::string Connection::Path(const Statement& statement, bool whole) const {
  std::string path = "/?default_format=TabSeparated";
  const auto add = [&path](const std::string& name, std::string_view value) { path += "&" + http::Escape(name) + "=" + http::Escape(value); };
  if (!server_.database.empty()) add("database", server_.database);
  if (whole) add("wait_end_of_query", "1");
  for (const auto& [name, value] : server_.settings) add(name, value);
  for (const auto& [name, value] : statement.parameters) add("param_" + name, ParameterText(value));
  return path;
}

std::vector<std::vector<std::string>> Connection::Ask(const Statement& statement, const std::string& doing) {
  Abandon();
  http::Request r;
  r.method = "POST";
  r.path = Path(statement, true);
  r.body = statement.text;
  r.type = "text/plain";
  const http::Reply reply = client_.Call(std::move(r), [this] { return host_.Cancelled(); });
  if (reply.fault != http::Fault::kNone) http::ThrowFault(reply, doing);
  if (reply.status != 200) ThrowServer(doing, reply.status, reply.body, reply.retry_after.value_or(std::chrono::nanoseconds(0)).count());
  if (reply.body.find("DB::Exception") != std::string::npos && CodeOf(reply.body)) ThrowServer(doing, 200, reply.body);
  if (Header(reply, "transfer-encoding").empty() && Header(reply, "content-length").empty()) {
    throw Retry(doing + ": the reply says nowhere where it ends, so that it may have been cut");
  }
  std::vector<std::vector<std::string>> rows;
  std::string_view text = reply.body;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    std::vector<std::string> row;
    for (;;) {
      const auto tab = line.find('\t');
      row.push_back(Unescape(line.substr(0, tab)));
      if (tab == std::string_view::npos) break;
      line.remove_prefix(tab + 1);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void Connection::Begin(const Statement& statement, bool whole, const std::string& doing) {
  Abandon();
  doing_ = doing;
  body_ = statement.text + " FORMAT Native";
  cost_ = Cost();
  http::Request r;
  r.method = "POST";
  r.path = Path(statement, whole);
  if (server_.compression == "lz4") r.path += "&compress=1";
  if (server_.compression == "zstd") {
    r.path += "&enable_http_compression=1";
    r.accept = "zstd";
  }
  r.body = body_;
  r.type = "text/plain";
  r.take = [this](std::string_view bytes) { arrived_ += bytes; };
  client_.Submit(std::move(r), [this](http::Reply&& reply) { reply_ = std::move(reply); });
  input_ = std::make_unique<Input>([this](std::string& buffer) { return More(buffer); });
}

/// Waits for bytes; false at the end of a whole reply.
bool Connection::More(std::string& buffer) {
  const auto began = host_.Now();
  while (arrived_.empty() && !reply_) {
    client_.Poll(std::chrono::milliseconds(100));
    if (host_.Cancelled()) throw Cancelled();
    if (arrived_.empty() && !reply_ && host_.Now() - began > server_.timeout) {
      Abandon();
      throw Retry(doing_ + ": nothing came for as long as timeout allows");
    }
  }
  if (!arrived_.empty()) {
    if (server_.compression != "lz4") {
      cost_.bytes += static_cast<std::int64_t>(arrived_.size());
      if (buffer.empty()) buffer.swap(arrived_);
      else buffer += arrived_;
      arrived_.clear();
      return true;
    }
    packed_ += arrived_;
    arrived_.clear();
    const std::size_t before = buffer.size();
    std::size_t at = 0;
    while (Unpack(packed_, at, buffer)) {
    }
    packed_.erase(0, at);
    cost_.bytes += static_cast<std::int64_t>(buffer.size() - before);
    return true;
  }
  CheckEnd();
  return false;
}

void Connection::CheckEnd() {
  const http::Reply& r = *reply_;
  if (r.fault != http::Fault::kNone) http::ThrowFault(r, doing_);
  if (r.status != 200) ThrowServer(doing_, r.status, r.body, r.retry_after.value_or(std::chrono::nanoseconds(0)).count());
  if (Header(r, "transfer-encoding").empty() && Header(r, "content-length").empty()) {
    throw Retry(doing_ + ": the reply says nowhere where it ends, so that it may have been cut");
  }
  if (!packed_.empty()) ThrowTail(packed_);
  cost_.elapsed = r.elapsed;
  const std::string summary = Header(r, "x-clickhouse-summary");
  if (const auto at = summary.find("\"read_rows\":\""); at != std::string::npos) {
    std::from_chars(summary.data() + at + 13, summary.data() + summary.size(), cost_.walked);
  }
}

bool Connection::Next(const std::vector<ReadColumn>& columns, const Caps& caps, Page& page) {
  return ReadBlock(*input_, columns, caps, page);
}

void Connection::Abandon() {
  client_.Drop();
  reply_.reset();
  arrived_.clear();
  packed_.clear();
  input_.reset();
}

}  // namespace etl::clickhouse
