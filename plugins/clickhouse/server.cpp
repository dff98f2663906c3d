// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <algorithm>
#include <charconv>

namespace etl::clickhouse {
namespace {

constexpr std::size_t kMostAnswer = 64 << 20, kMostUnpacked = 256 << 10;

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

/// Throws unless it is a whole and good one.
void CheckWhole(const http::Reply& r, const std::string& doing, bool texts = false) {
  if (r.fault != http::Fault::kNone) http::ThrowFault(r, doing);
  if (r.status != 200) ThrowServer(doing, r.status, r.body, r.retry_after.value_or(std::chrono::nanoseconds(0)).count());
  if (!texts && r.body.find("DB::Exception") != std::string::npos && CodeOf(r.body)) ThrowServer(doing, 200, r.body);
  if (Header(r, "transfer-encoding").empty() && Header(r, "content-length").empty()) {
    throw Retry(doing + ": the reply says nowhere where it ends, so that it may have been cut");
  }
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

}  // namespace

Connection::Connection(const Server& server, const Host& host) : server_(server), host_(host), client_(TargetOf(server)), coding_(server.compression) {
  LZ4F_dctx* unpacker = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&unpacker, LZ4F_VERSION))) throw std::bad_alloc();
  unpacker_.reset(unpacker);
}

std::string Connection::Path(const Statement& statement, bool whole) const {
  std::string path = "/?default_format=TabSeparated";
  const auto add = [&path](const std::string& name, std::string_view value) { path += "&" + http::Escape(name) + "=" + http::Escape(value); };
  if (!server_.database.empty()) add("database", server_.database);
  if (whole) add("wait_end_of_query", "1");
  for (const auto& [name, value] : server_.settings) add(name, value);
  for (const auto& [name, value] : statement.settings) add(name, value);
  for (const auto& [name, value] : statement.parameters) add("param_" + name, ParameterText(value));
  return path;
}

std::vector<std::vector<std::string>> Connection::Ask(const Statement& statement, const std::string& doing, bool texts) {
  Abandon();
  http::Request r;
  r.method = "POST";
  r.path = Path(statement, true);
  r.body = statement.text;
  r.type = "text/plain";
  const http::Reply reply = client_.Call(std::move(r), [this] { return host_.Cancelled(); });
  CheckWhole(reply, doing, texts);
  if (reply.type.rfind("text/html", 0) == 0) throw Retry(doing + ": what answers is no ClickHouse server but a page: \"" + Shown(reply.body.substr(0, 80)) + "\"");   // of a proxy, or to log in
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

std::vector<std::vector<std::string>> Connection::AskWhole(const Statement& statement, const std::string& doing, const std::string& instead, bool texts) {
  try {
    return Ask(statement, doing, texts);
  } catch (const TooMuch& e) {
    if (!e.lasting()) throw;
    const char* const setting = e.code == 158 ? "max_rows_to_read" : e.code == 307 ? "max_bytes_to_read" : "max_result_rows";
    throw Fatal(std::string(e.what()) + "; the server's setting " + setting + " forbids it: raise that, or " + instead, e.code);
  }
}

std::optional<std::vector<std::vector<std::string>>> Connection::AskIfAllowed(const Statement& statement, const std::string& doing) {
  try {
    return Ask(statement, doing);
  } catch (const Error& e) {
    const auto* too_much = dynamic_cast<const TooMuch*>(&e);
    if ((e.status == ETL_RETRY && !(too_much && too_much->lasting())) || e.status == ETL_CANCELLED) throw;
    host_.Warn(std::string("goes on without knowing: ") + e.what());
    return std::nullopt;
  }
}

void Connection::Begin(const Statement& statement, bool whole, const std::string& doing) {
  Abandon();
  doing_ = doing;
  body_ = statement.text + "\n FORMAT Native";   // a comment may end it
  cost_ = Cost();
  http::Request r;
  r.method = "POST";
  r.path = Path(statement, whole);
  packed_ = Packed::kUnknown;
  if (coding_ != "none") r.path += "&enable_http_compression=1";
  if (coding_ == "lz4") r.headers.push_back("Accept-Encoding: lz4");   // which libcurl does not undo
  else if (coding_ != "none") r.accept = coding_;
  r.body = body_;
  r.type = "text/plain";
  r.take = [this](std::string_view bytes) { arrived_ += bytes; };
  client_.Submit(std::move(r), [this](http::Reply&& reply) { reply_ = std::move(reply); });
  input_ = std::make_unique<Input>([this](std::string& buffer) { return More(buffer); });
}

/// Waits for bytes; false at the end of a whole reply.
bool Connection::More(std::string& buffer) {
  static constexpr std::string_view kFrame = "\x04\x22\x4d\x18";   // where the server keeps to itself what was asked of it, there is none
  const std::size_t least = packed_ == Packed::kUnknown && coding_ == "lz4" ? kFrame.size() : 1;
  const auto began = host_.Now();
  while (arrived_.size() < least && !reply_) {
    client_.Poll(std::chrono::milliseconds(100));
    if (host_.Cancelled()) throw Cancelled();
    if (arrived_.size() < least && !reply_ && host_.Now() - began > server_.timeout) {
      Abandon();
      throw Retry(doing_ + ": nothing came for as long as timeout allows");
    }
  }
  if (!arrived_.empty()) {
    const std::size_t before = buffer.size();
    if (packed_ == Packed::kUnknown) {
      packed_ = coding_ == "lz4" && arrived_.compare(0, kFrame.size(), kFrame) == 0 ? Packed::kInside : Packed::kNo;
      if (packed_ == Packed::kInside) LZ4F_resetDecompressionContext(unpacker_.get());
    }
    if (packed_ == Packed::kInside || packed_ == Packed::kEnded) {
      Unpack(buffer);
    } else {
      if (buffer.empty()) buffer.swap(arrived_);
      else buffer += arrived_;
      arrived_.clear();
    }
    cost_.bytes += static_cast<std::int64_t>(buffer.size() - before);
    return true;
  }
  CheckEnd();
  return false;
}

/// Some of what has arrived: there may be a thousand times as much in it.
void Connection::Unpack(std::string& buffer) {
  if (packed_ == Packed::kEnded) throw Retry(doing_ + ": there are bytes behind the compressed reply");
  const std::size_t before = buffer.size();
  std::size_t room = kMostUnpacked, taken = arrived_.size() - unpacked_;
  buffer.resize(before + room);
  const std::size_t said = LZ4F_decompress(unpacker_.get(), buffer.data() + before, &room, arrived_.data() + unpacked_, &taken, nullptr);
  buffer.resize(before + (LZ4F_isError(said) ? 0 : room));
  if (LZ4F_isError(said)) throw Retry(doing_ + ": the compressed reply cannot be read: " + LZ4F_getErrorName(said));
  if (said == 0) packed_ = Packed::kEnded;
  unpacked_ += taken;
  if (unpacked_ < arrived_.size()) return;
  arrived_.clear();
  unpacked_ = 0;
}

void Connection::CheckEnd() {
  const http::Reply& r = *reply_;
  CheckWhole(r, doing_);
  if (packed_ == Packed::kInside) throw Retry(doing_ + ": the compressed reply was cut short");
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
  unpacked_ = 0;
  input_.reset();
}

}  // namespace etl::clickhouse
