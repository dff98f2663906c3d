// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace etl::http {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMostTaken = 1 << 20;   // given to a request's take by one Poll()
constexpr std::size_t kMostHeaders = 100, kMostHeaderBytes = 64 << 10;
constexpr auto kLongestDown = std::chrono::seconds(60);

CURLM* M(void* multi) { return static_cast<CURLM*>(multi); }

long Milliseconds(nanoseconds d) { return static_cast<long>(std::max<std::int64_t>(1, d.count() / 1'000'000)); }

/// A write to a connection that the other side has closed shall be an error, not a signal to the process.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoPipeSignal() {
    const timespec now{0, 0};
    if (!was_pending_) sigtimedwait(&pipe_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_, before_;
  bool was_pending_;
};

/// A peer that has vanished is noticed in a minute, not after the system's two hours.
int SetUpSocket(void*, curl_socket_t socket, curlsocktype) {
  const unsigned milliseconds = 60'000;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
  return CURL_SOCKOPT_OK;
}

std::string Lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string_view Trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\r' || s.back() == '\n')) s.remove_suffix(1);
  return s;
}

/// A handshake that the network broke passes; one that the library or the other side broke off does not.  libcurl has one
/// number for both.
bool IsLastingTls(const char* text) {
  return (std::strstr(text, "SSL routines") || std::strstr(text, " alert ") || std::strstr(text, "unsupported protocol")) &&
         !std::strstr(text, "unexpected eof");
}

/// Seconds, or a date.
std::optional<nanoseconds> ParseRetryAfter(std::string_view value) {
  const std::string text(Trim(value));
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("0123456789") == std::string::npos && text.size() < 9) return std::chrono::seconds(std::atol(text.c_str()));
  const std::time_t at = curl_getdate(text.c_str(), nullptr);
  if (at < 0) return std::nullopt;
  return std::chrono::seconds(std::max<std::time_t>(0, at - std::time(nullptr)));
}

}  // namespace

struct Client::Exchange {
  Client* client = nullptr;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  Request request;
  Done done;
  Reply reply;
  std::size_t host = 0, header_count = 0, header_bytes = 0;
  bool too_much = false, paused = false;
  std::size_t given = 0;   // to request.take, by the Poll() under way
  int sends = 0;
  char error[CURL_ERROR_SIZE] = {};

  ~Exchange() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }

  /// libcurl sends a request again by itself when a kept connection closes without a reply.  But it may have been done.
  static int BeforeSend(void* self, char*, char*, int, int) noexcept {
    return ++static_cast<Exchange*>(self)->sends > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
  }
  static std::size_t TakeHeader(char* data, std::size_t, std::size_t size, void* self) noexcept {
    auto& x = *static_cast<Exchange*>(self);
    const std::string_view line(data, size);
    if (line.substr(0, 5) == "HTTP/") x.reply.type.clear();   // after an informational reply
    x.header_bytes += size;
    if (++x.header_count > kMostHeaders || x.header_bytes > kMostHeaderBytes) {
      x.too_much = true;
      return 0;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    const std::string name = Lower(line.substr(0, colon));
    if (name == "retry-after") x.reply.retry_after = ParseRetryAfter(line.substr(colon + 1));
    if (name == "content-type") x.reply.type = Trim(line.substr(colon + 1));
    const auto& keep = x.client->target_.keep_headers;
    if (std::find(keep.begin(), keep.end(), name) != keep.end()) x.reply.headers.emplace_back(name, Trim(line.substr(colon + 1)));
    return size;
  }
  static std::size_t TakeBody(char* data, std::size_t, std::size_t size, void* self) noexcept {
    auto& x = *static_cast<Exchange*>(self);
    if (x.request.take) {
      long status = 0;
      curl_easy_getinfo(x.easy, CURLINFO_RESPONSE_CODE, &status);
      if (status == 200) {
        // libcurl would keep what a coding unpacked while it is held back, up to a limit of its own.
        if (x.given >= kMostTaken && x.request.accept.empty()) {
          x.paused = true;
          return CURL_WRITEFUNC_PAUSE;
        }
        x.given += size;
        x.request.take(std::string_view(data, size));
        return size;
      }
    }
    if (x.reply.body.size() + size > x.client->target_.most_reply) {
      x.too_much = true;
      return 0;
    }
    x.reply.body.append(data, size);
    return size;
  }
};

Client::Client(Target target) : target_(std::move(target)) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = ready == CURLE_OK ? curl_multi_init() : nullptr;
  if (!multi_) throw Fatal("the HTTP client could not be set up");
  curl_multi_setopt(M(multi_), CURLMOPT_MAXCONNECTS, 64L);
  SetHosts(target_.hosts);
}

Client::~Client() {
  for (const auto& x : flying_) curl_multi_remove_handle(M(multi_), x->easy);
  flying_.clear();
  idle_.clear();
  curl_multi_cleanup(M(multi_));
}

void Client::SetHosts(std::vector<std::string> hosts) {
  std::vector<Host> fresh;
  for (std::string& url : hosts) {
    Host h;
    for (const Host& known : hosts_) {
      if (known.url == url) h = known;
    }
    h.url = std::move(url);
    fresh.push_back(std::move(h));
  }
  // Exchanges under way know their host by number.
  if (flying_.empty()) hosts_ = std::move(fresh);
  else throw Fatal("the hosts cannot change while requests are under way");
}

std::size_t Client::flying() const { return flying_.size(); }

/// In turn those that answer; if none does, the one that is asked again first.
std::size_t Client::PickHost() {
  const auto now = Clock::now();
  std::size_t soonest = next_host_ % hosts_.size();
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    const std::size_t at = (next_host_ + i) % hosts_.size();
    if (hosts_[at].down_until <= now) {
      next_host_ = at + 1;
      return at;
    }
    if (hosts_[at].down_until < hosts_[soonest].down_until) soonest = at;
  }
  next_host_ = soonest + 1;
  return soonest;
}

void Client::Submit(Request request, Done done) {
  std::unique_ptr<Exchange> x;
  if (idle_.empty()) {
    x = std::make_unique<Exchange>();
    x->easy = curl_easy_init();
    if (!x->easy) throw std::bad_alloc();
  } else {
    x = std::move(idle_.back());
    idle_.pop_back();
    curl_easy_reset(x->easy);
  }
  x->client = this;
  x->request = std::move(request);
  x->done = std::move(done);
  x->reply = Reply();
  x->header_count = x->header_bytes = 0;
  x->too_much = x->paused = false;
  x->given = 0;
  x->sends = 0;
  x->error[0] = 0;
  x->host = PickHost();
  x->reply.host = hosts_[x->host].url;

  curl_slist_free_all(std::exchange(x->headers, nullptr));
  const auto header = [&](const std::string& line) { x->headers = curl_slist_append(x->headers, line.c_str()); };
  header("Expect:");   // the wait for "100 Continue" would cost a round trip
  if (!x->request.take) header("Accept: application/json");
  if (!x->request.body.empty()) header("Content-Type: " + x->request.type);
  if (!x->request.encoding.empty()) header("Content-Encoding: " + x->request.encoding);
  if (!target_.authorization.empty()) header("Authorization: " + target_.authorization);

  for (const std::string& line : x->request.headers) header(line);

  CURL* const e = x->easy;
  const auto set = [e](CURLoption option, auto value) { curl_easy_setopt(e, option, value); };
  const std::string url = hosts_[x->host].url + x->request.path;
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_HTTPHEADER, x->headers);
  set(CURLOPT_PRIVATE, static_cast<void*>(x.get()));
  set(CURLOPT_ERRORBUFFER, x->error);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_USERAGENT, "etl");
  set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(target_.connect_timeout));
  if (!x->request.take) set(CURLOPT_TIMEOUT_MS, Milliseconds(target_.timeout));
  if (!x->request.accept.empty()) set(CURLOPT_ACCEPT_ENCODING, x->request.accept.c_str());
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 30L);
  set(CURLOPT_TCP_KEEPINTVL, 10L);
  set(CURLOPT_SOCKOPTFUNCTION, &SetUpSocket);
  set(CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
  set(CURLOPT_BUFFERSIZE, x->request.accept.empty() ? 256L << 10 : 16L << 10);   // it reads up to a hundred at once
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, target_.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, target_.verify ? 2L : 0L);
  if (!target_.ca.empty()) set(CURLOPT_CAINFO, target_.ca.c_str());
  if (!target_.cert.empty()) set(CURLOPT_SSLCERT, target_.cert.c_str());
  if (!target_.key.empty()) set(CURLOPT_SSLKEY, target_.key.c_str());
  set(CURLOPT_PREREQFUNCTION, &Exchange::BeforeSend);
  set(CURLOPT_PREREQDATA, static_cast<void*>(x.get()));
  set(CURLOPT_HEADERFUNCTION, &Exchange::TakeHeader);
  set(CURLOPT_HEADERDATA, static_cast<void*>(x.get()));
  set(CURLOPT_WRITEFUNCTION, &Exchange::TakeBody);
  set(CURLOPT_WRITEDATA, static_cast<void*>(x.get()));
  if (x->request.method == "HEAD") set(CURLOPT_NOBODY, 1L);
  if (!x->request.body.empty() || x->request.method == "POST" || x->request.method == "PUT") {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(x->request.body.size()));
    set(CURLOPT_POSTFIELDS, x->request.body.empty() ? "" : x->request.body.data());
  }
  set(CURLOPT_CUSTOMREQUEST, x->request.method.c_str());
  curl_multi_add_handle(M(multi_), e);
  flying_.push_back(std::move(x));
}

void Client::Wake() { curl_multi_wakeup(M(multi_)); }

void Client::Poll(nanoseconds longest) {
  const NoPipeSignal quiet;
  int running = 0;
  bool any = false;
  for (const auto& x : flying_) {
    x->given = 0;
    if (std::exchange(x->paused, false)) curl_easy_pause(x->easy, CURLPAUSE_CONT);
  }
  const auto collect = [&] {
    curl_multi_perform(M(multi_), &running);
    int left = 0;
    while (const CURLMsg* m = curl_multi_info_read(M(multi_), &left)) {
      if (m->msg != CURLMSG_DONE) continue;
      void* self = nullptr;
      curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &self);
      any = true;
      Finish(*static_cast<Exchange*>(self), static_cast<int>(m->data.result));
    }
  };
  collect();
  if (any || std::any_of(flying_.begin(), flying_.end(), [](const auto& x) { return x->given > 0; })) return;
  curl_multi_poll(M(multi_), nullptr, 0, static_cast<int>(std::clamp<std::int64_t>(longest.count() / 1'000'000, 0, 3'600'000)), nullptr);
  collect();
}

void Client::Finish(Exchange& x, int code) {
  Judge(x, code);
  curl_multi_remove_handle(M(multi_), x.easy);
  const auto at = std::find_if(flying_.begin(), flying_.end(), [&](const auto& f) { return f.get() == &x; });
  std::unique_ptr<Exchange> own = std::move(*at);
  flying_.erase(at);
  Done done = std::move(own->done);
  Reply reply = std::move(own->reply);
  own->request = Request();
  idle_.push_back(std::move(own));
  done(std::move(reply));
}

void Client::Judge(Exchange& x, int code) {
  Reply& r = x.reply;
  curl_off_t sent = 0, micros = 0;
  long status = 0, verified = 0;
  curl_easy_getinfo(x.easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_easy_getinfo(x.easy, CURLINFO_TOTAL_TIME_T, &micros);
  curl_easy_getinfo(x.easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(x.easy, CURLINFO_SSL_VERIFYRESULT, &verified);
  r.sent_whole = static_cast<std::size_t>(sent) >= x.request.body.size();
  r.elapsed = std::chrono::microseconds(micros);
  r.status = static_cast<int>(status);
  switch (code) {
    case CURLE_OK: r.fault = Fault::kNone; break;
    case CURLE_COULDNT_RESOLVE_PROXY: case CURLE_COULDNT_RESOLVE_HOST: case CURLE_COULDNT_CONNECT: r.fault = Fault::kUnreachable; break;
    case CURLE_URL_MALFORMAT: case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: case CURLE_SSL_CACERT_BADFILE: case CURLE_SSL_ISSUER_ERROR: r.fault = Fault::kRefused; break;
    case CURLE_SSL_CONNECT_ERROR: r.fault = verified != 0 || IsLastingTls(x.error) ? Fault::kRefused : Fault::kUnreachable; break;
    // With TLS 1.3 a server says only behind the handshake that it wants another certificate.
    case CURLE_RECV_ERROR: case CURLE_SEND_ERROR: r.fault = std::strstr(x.error, " alert ") ? Fault::kRefused : Fault::kLost; break;
    // What begins like no HTTP is an unsupported protocol to libcurl; that of the URL was looked at before.
    case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_WEIRD_SERVER_REPLY: case CURLE_WRITE_ERROR: case CURLE_BAD_CONTENT_ENCODING:
      r.fault = Fault::kMalformed;
      break;
    case CURLE_OPERATION_TIMEDOUT: {
      curl_off_t connected = 0;
      curl_easy_getinfo(x.easy, CURLINFO_APPCONNECT_TIME_T, &connected);
      if (!connected && x.reply.host.rfind("https:", 0) != 0) curl_easy_getinfo(x.easy, CURLINFO_CONNECT_TIME_T, &connected);
      r.fault = connected ? Fault::kLost : Fault::kUnreachable;
      break;
    }
    default: r.fault = Fault::kLost;
  }
  Host& host = hosts_[x.host];
  if (r.fault == Fault::kNone && r.status != 502 && r.status != 503) {
    host.failures = 0;
    host.down_until = {};
  } else {
    const auto pause = std::min<Clock::duration>(std::chrono::milliseconds(500) * (1 << std::min(host.failures, 7u)), kLongestDown);
    host.failures++;
    host.down_until = Clock::now() + pause;
  }
  if (r.fault == Fault::kNone) return;
  r.status = 0;
  r.body.clear();
  const char* what = x.sends > 1 ? "the connection was closed without a reply" : x.too_much ? "the reply is larger than it may be" : x.error[0] ? x.error : curl_easy_strerror(static_cast<CURLcode>(code));
  r.message = host.url + ": " + what;
}

void Client::Drop() {
  for (const auto& x : flying_) curl_multi_remove_handle(M(multi_), x->easy);
  flying_.clear();
}

Reply Client::Call(Request request, const std::function<bool()>& stop) {
  std::optional<Reply> reply;
  Submit(std::move(request), [&](Reply&& r) { reply = std::move(r); });
  while (!reply) {
    Poll(std::chrono::milliseconds(100));
    if (reply || !stop || !stop()) continue;
    Drop();
    throw Cancelled();
  }
  return std::move(*reply);
}

void ThrowFault(const Reply& reply, const std::string& doing) {
  const std::string text = doing + ": " + reply.message;
  if (reply.fault == Fault::kRefused) throw Fatal(text);
  throw Retry(text, reply.status, reply.retry_after.value_or(nanoseconds(0)).count());
}

}  // namespace etl::http
