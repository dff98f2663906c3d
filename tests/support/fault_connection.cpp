#include "fault_connection.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace etl::test {
namespace {

using Action = FaultRule::Action;
using std::chrono::milliseconds;

std::string Bytes(std::uint64_t count) { return std::to_string(count) + " bytes"; }

void CloseFd(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

void ResetFd(int& fd) {
  if (fd < 0) return;
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  CloseFd(fd);
}

void SendAtOnce(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// What the other end's kernel does not have yet: a reset would throw it away.
bool AllDelivered(int fd) {
  int waiting = 0;
  return fd < 0 || ::ioctl(fd, SIOCOUTQ, &waiting) != 0 || waiting == 0;
}

}  // namespace

FaultConnection::FaultConnection(std::uint64_t number, int client, const FaultScript& script,
                                 const Connect& connect, Log log)
    : number_(number),
      client_(client),
      log_(std::move(log)),
      random_(script.seed + number * 0x9e3779b97f4a7c15u),
      now_(Clock::now()) {
  SendAtOnce(client_);
  bool upstream = true;
  for (const FaultRule& rule : script.rules) {
    if (!rule.Meets(number)) continue;
    if (rule.action == Action::kRefuse) {
      Say("refused");
      ResetFd(client_);
      return;
    }
    if (rule.action == Action::kAcceptAndClose) {
      Say("accepted and closed");
      Cut();
      return;
    }
    if (rule.action == Action::kNoop || rule.action == Action::kAnswer) upstream = false;
    Apply(rule);
  }
  if (mode_ == Mode::kHold) {
    Say("held without a word");
    return;
  }
  if (!upstream) {
    Say("accepted, to be answered here");
    if (answer_rule_->when == FaultRule::When::kConnect) TakeForAnswer({});
    return;
  }
  server_ = connect();
  connecting_ = true;
  if (server_ < 0) {
    Say("the upstream cannot be reached: " + std::string(std::strerror(errno)));
    Reset();
    return;
  }
  SendAtOnce(server_);
  Say("accepted");
}

FaultConnection::~FaultConnection() { Close(); }

void FaultConnection::Apply(const FaultRule& rule) {
  switch (rule.action) {
    case Action::kNoop:
      mode_ = Mode::kHold;
      break;
    case Action::kAnswer:
      mode_ = Mode::kAnswer;
      answer_rule_ = rule;
      break;
    case Action::kLimitTime:
      give_up_ = now_ + milliseconds(rule.amount);
      break;
    case Action::kSwallowAnswer:
      swallow_rule_ = rule;
      break;
    default:
      if (rule.up) ApplyTo(up_, rule);
      if (rule.down) ApplyTo(down_, rule);
  }
}

void FaultConnection::ApplyTo(Flow& flow, const FaultRule& rule) {
  switch (rule.action) {
    case Action::kDelay:
      flow.delay = milliseconds(rule.amount);
      flow.jitter = milliseconds(rule.extra);
      break;
    case Action::kBandwidth:
      flow.bandwidth = rule.amount;
      break;
    case Action::kSlice:
      flow.slice = rule.amount;
      break;
    case Action::kCut:
      flow.limit = {rule.amount, End::kCut};
      break;
    case Action::kReset:
      flow.limit = {rule.amount, End::kReset};
      break;
    case Action::kSlowClose:
      flow.slow_close = milliseconds(rule.amount);
      break;
    case Action::kCorrupt:
      flow.corrupt.emplace_back(rule.amount, static_cast<char>(rule.extra));
      break;
    case Action::kDrop:
      flow.drop = true;
      break;
    default:
      break;
  }
}

FaultConnection::Time FaultConnection::NextAction(const Flow& flow) const {
  if (flow.over || *flow.to < 0 || (connecting_ && flow.to == &server_)) return Time::max();
  if (!flow.queue.empty()) return std::max(flow.queue.front().due, flow.next_send);
  if (!flow.ended) return Time::max();
  // A reset may have to wait for the other kernel, which nothing announces.
  return flow.end == End::kReset ? std::max(flow.due, now_ + milliseconds(1)) : flow.due;
}

void FaultConnection::WatchFlow(Flow& flow, std::vector<pollfd>& polls, Time& wake) {
  flow.poll_from = flow.poll_to = std::nullopt;
  if (*flow.from >= 0 && !flow.ended && flow.queued < kMostQueued &&
      !(connecting_ && flow.from == &server_)) {
    flow.poll_from = polls.size();
    polls.push_back({*flow.from, POLLIN, 0});
  }
  const Time next = NextAction(flow);
  if (!flow.queue.empty() && next <= now_) {
    flow.poll_to = polls.size();
    polls.push_back({*flow.to, POLLOUT, 0});
  } else {
    wake = std::min(wake, next);
  }
}

FaultConnection::Time FaultConnection::Watch(std::vector<pollfd>& polls) {
  now_ = Clock::now();
  Time wake = give_up_;
  up_.poll_from = up_.poll_to = down_.poll_from = down_.poll_to = std::nullopt;
  if (mode_ == Mode::kHold || finished()) return wake;
  if (mode_ == Mode::kDrain) {
    for (const int fd : {client_, server_}) {
      if (fd >= 0) polls.push_back({fd, POLLIN, 0});
    }
    return wake;
  }
  WatchFlow(up_, polls, wake);
  WatchFlow(down_, polls, wake);
  if (connecting_ && server_ >= 0) {
    up_.poll_to = polls.size();
    polls.push_back({server_, POLLOUT, 0});
  }
  return wake;
}

void FaultConnection::Act(const std::vector<pollfd>& polls) {
  now_ = Clock::now();
  if (finished()) return;
  if (now_ >= give_up_) {
    Say("reset by limit_time");
    return Reset();
  }
  if (mode_ == Mode::kHold) return;
  if (mode_ == Mode::kDrain) {
    Drain(client_);
    Drain(server_);
    return;
  }
  const auto ready = [&](const std::optional<std::size_t>& place) {
    return place && polls[*place].revents != 0;
  };
  if (connecting_ && ready(up_.poll_to)) FinishConnect();
  for (Flow* flow : {&up_, &down_}) {
    if (mode_ != Mode::kRelay && mode_ != Mode::kAnswer) return;
    if (ready(flow->poll_from)) Read(*flow);
  }
  for (Flow* flow : {&up_, &down_}) {
    if (mode_ != Mode::kRelay && mode_ != Mode::kAnswer) return;
    if (!finished() && !(connecting_ && flow == &up_)) Send(*flow);
  }
  if (mode_ == Mode::kRelay && up_.over && down_.over) Close();
}

void FaultConnection::FinishConnect() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(server_, SOL_SOCKET, SO_ERROR, &error, &size);
  connecting_ = false;
  up_.poll_to = std::nullopt;
  if (error == 0) return;
  Say("the upstream cannot be reached: " + std::string(std::strerror(error)));
  Reset();
}

void FaultConnection::Read(Flow& flow) {
  if (*flow.from < 0 || flow.ended) return;
  std::array<char, 65536> buffer;
  const ssize_t count = ::recv(*flow.from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0) return Take(flow, std::string(buffer.data(), static_cast<std::size_t>(count)));
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) {
    Say(flow.name + ": " + std::strerror(errno));
    return Reset();
  }
  Say(flow.name + ": end of stream after " + Bytes(flow.taken));
  if (mode_ == Mode::kAnswer) {  // The client may close its side first and still wants the answer.
    flow.ended = flow.over = true;
    if (!down_.ended) Close();
    return;
  }
  if (&flow == &down_ && swallowing_ && swallow_rule_->then == FaultRule::Then::kHold)
    return HoldClient();
  flow.due = std::max(flow.due, now_) + flow.slow_close;
  EndFlow(flow, End::kFin);
}

void FaultConnection::HoldClient() {
  CloseFd(server_);
  mode_ = Mode::kHold;
}

void FaultConnection::Take(Flow& flow, std::string bytes) {
  if (mode_ == Mode::kAnswer) return TakeForAnswer(bytes);
  if (&flow == &down_ && swallowing_) return SwallowAnswer(bytes.size());
  if (&flow == &up_ && swallowing_) return Say("up: " + Bytes(bytes.size()) + " thrown away");
  if (flow.drop) return Say(flow.name + ": dropped " + Bytes(bytes.size()));
  if (&flow == &up_ && swallow_rule_) {
    const std::size_t end = EndOfTrigger(bytes);
    if (end != std::string_view::npos) {
      swallowing_ = true;
      bytes.resize(end);
      Say("up: the request is whole, its answer will be swallowed");
    }
  }
  Enqueue(flow, std::move(bytes));
}

std::size_t FaultConnection::EndOfTrigger(std::string_view bytes) {
  const std::string& text = swallow_rule_->text;
  if (text.empty()) return http_.Feed(bytes, swallow_rule_->amount);
  const std::size_t before = seen_.size();
  seen_ += bytes;
  std::size_t at = 0;
  for (std::size_t found; (found = seen_.find(text, at)) != std::string::npos;) {
    at = found + text.size();
    if (++times_seen_ == swallow_rule_->amount) return at - before;
  }
  // What is left may hold the beginning of the text, but nothing that was counted.
  seen_.erase(0, std::max(at, seen_.size() - std::min(seen_.size(), text.size() - 1)));
  return std::string_view::npos;
}

void FaultConnection::TakeForAnswer(std::string_view bytes) {
  using When = FaultRule::When;
  if (down_.ended) return;
  if (answer_rule_->when == When::kRequest && http_.Feed(bytes, 1) == std::string_view::npos)
    return;
  Say("down: answered with " + Bytes(answer_rule_->text.size()));
  Enqueue(down_, answer_rule_->text);
  if (!down_.ended) EndFlow(down_, End::kCut);
}

void FaultConnection::SwallowAnswer(std::size_t bytes) {
  Say("down: swallowed " + Bytes(bytes) + " of the answer");
  if (swallow_rule_->then == FaultRule::Then::kReset) return EndFlow(down_, End::kReset);
  if (swallow_rule_->then == FaultRule::Then::kClose) return EndFlow(down_, End::kCut);
}

void FaultConnection::Enqueue(Flow& flow, std::string bytes) {
  const bool reached = flow.limit && flow.limit->first - flow.taken <= bytes.size();
  if (reached) bytes.resize(flow.limit->first - flow.taken);
  for (const auto& [at, mask] : flow.corrupt) {
    if (at < flow.taken || at >= flow.taken + bytes.size()) continue;
    bytes[at - flow.taken] = static_cast<char>(bytes[at - flow.taken] ^ mask);
    Say(flow.name + ": corrupted the byte at " + std::to_string(at));
  }
  flow.taken += bytes.size();
  auto later = flow.delay;
  if (flow.jitter > milliseconds(0)) {
    later += milliseconds(random_() % (static_cast<std::uint64_t>(flow.jitter.count()) + 1));
  }
  flow.due = std::max(flow.due, now_ + later);
  flow.queued += bytes.size();
  if (!bytes.empty()) flow.queue.push_back({std::move(bytes), flow.due});
  if (reached) EndFlow(flow, flow.limit->second);
}

void FaultConnection::EndFlow(Flow& flow, End end) {
  flow.ended = true;
  flow.end = end;
}

void FaultConnection::Send(Flow& flow) {
  while (!flow.queue.empty() && *flow.to >= 0) {
    Chunk& chunk = flow.queue.front();
    if (std::max(chunk.due, flow.next_send) > now_) return;
    std::size_t size = chunk.bytes.size();
    if (flow.slice > 0) size = std::min(size, flow.slice);
    constexpr std::uint64_t kSendsASecond = 50;
    if (flow.bandwidth > 0)
      size = std::min(size, static_cast<std::size_t>(flow.bandwidth / kSendsASecond + 1));
    const ssize_t count = ::send(*flow.to, chunk.bytes.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) {
      Say(flow.name + ": " + std::strerror(errno) + " after " + Bytes(flow.sent));
      return Reset();
    }
    const auto sent = static_cast<std::size_t>(count);
    flow.sent += sent;
    flow.queued -= sent;
    if (flow.bandwidth > 0) {
      flow.next_send = now_ + std::chrono::microseconds(sent * 1'000'000 / flow.bandwidth);
    }
    chunk.bytes.erase(0, sent);
    if (chunk.bytes.empty()) flow.queue.pop_front();
    if (flow.slice > 0)
      return;  // One in each round, so that the receiver has a chance to see it alone.
  }
  if (flow.ended && !flow.over && now_ >= flow.due) PassEnd(flow);
}

void FaultConnection::PassEnd(Flow& flow) {
  if (flow.end == End::kFin) {
    flow.over = true;
    if (*flow.to >= 0) ::shutdown(*flow.to, SHUT_WR);
    return;
  }
  if (flow.end == End::kCut) {
    Say(flow.name + ": cut after " + Bytes(flow.sent));
    return Cut();
  }
  constexpr auto kPatience = std::chrono::seconds(2);
  if (!AllDelivered(*flow.to) && now_ < flow.due + kPatience) return;
  Say(flow.name + ": reset after " + Bytes(flow.sent));
  Reset();
}

void FaultConnection::Cut() {
  // Closing with something unread would send a reset, so both are read to their ends first.
  mode_ = Mode::kDrain;
  for (const int fd : {client_, server_}) {
    if (fd >= 0) ::shutdown(fd, SHUT_WR);
  }
}

void FaultConnection::Drain(int& fd) {
  std::array<char, 65536> buffer;
  while (fd >= 0) {
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) CloseFd(fd);
  }
}

void FaultConnection::Reset() {
  ResetFd(client_);
  ResetFd(server_);
}

void FaultConnection::Close() {
  CloseFd(client_);
  CloseFd(server_);
}

}  // namespace etl::test
