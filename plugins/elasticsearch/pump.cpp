// SPDX-License-Identifier: Apache-2.0
#include "pump.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cluster.h"

namespace etl::elasticsearch {
namespace {

/// Longer than any retry budget: the host gives up at once, as it does when the budget is used up.
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max() / 4;

/// Bodies that nobody calls too large.
constexpr std::size_t kSmall = 64 << 10;

std::string Snippet(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 120)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out;
}

std::string Reason(const Item& item) {
  std::string text = item.type.empty() ? "status " + std::to_string(item.status) : std::string(item.type) + ": " + std::string(item.reason);
  if (!item.cause.empty()) text += ": " + std::string(item.cause);
  return text;
}

}  // namespace

Pump::Pump(const Host& host, http::Target target, PumpOptions options, Pace& pace)
    : host_(host), options_(std::move(options)), pace_(pace), client_(std::move(target)) {
  thread_ = std::thread([this] { Run(); });
}

Pump::~Pump() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  client_.Wake();
  thread_.join();
}

// ---- the worker's side ----

template <class F>
void Pump::WaitUntil(Lock& lock, F&& ready) {
  for (;;) {
    if (failure_) throw Error(*failure_);
    if (interrupted_) {
      interrupted_ = false;
      lock.unlock();
      if (host_.Cancelled()) throw Cancelled();
      lock.lock();
    }
    if (ready()) return;
    changed_.wait(lock);
  }
}

bool Pump::HasRoom() {
  const std::lock_guard lock(mutex_);
  return failure_ || live_.size() < pace_.concurrency() + 1;
}

void Pump::Check() {
  const std::lock_guard lock(mutex_);
  if (failure_) throw Error(*failure_);
}

std::unique_ptr<Parcel> Pump::Take(std::size_t bytes) {
  Own parcel;
  Lock lock(mutex_);
  WaitUntil(lock, [&] { return live_.size() < pace_.concurrency() + 1; });
  if (!pool_.empty()) {
    parcel = std::move(pool_.back());
    pool_.pop_back();
  } else {
    parcel = std::make_unique<Parcel>();
  }
  const auto wanted = static_cast<std::int64_t>(bytes + bytes / 4);
  const std::int64_t more = wanted - parcel->reserved;
  if (more > 0) {
    // Over the budget: one parcel passes alone.
    WaitUntil(lock, [&] { return host_.Reserve(more) ? (parcel->reserved = wanted, true) : live_.empty(); });
  }
  lock.unlock();
  parcel->body.reserve(static_cast<std::size_t>(wanted));
  return parcel;
}

void Pump::Send(Own parcel) {
  {
    Lock lock(mutex_);
    if (failure_) throw Error(*failure_);
    ++live_[parcel->origin];
    waiting_.push_back(std::move(parcel));
  }
  client_.Wake();
}

void Pump::Drain() {
  Lock lock(mutex_);
  WaitUntil(lock, [&] { return live_.empty(); });
}

std::uint64_t Pump::OldestLive(std::uint64_t none) {
  const std::lock_guard lock(mutex_);
  return live_.empty() ? none : live_.begin()->first;
}

void Pump::WaitFor(std::uint64_t origin) {
  Lock lock(mutex_);
  WaitUntil(lock, [&] { return live_.count(origin) == 0; });
}

void Pump::Interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  changed_.notify_all();
}

// ---- the pump's side ----

void Pump::Run() noexcept {
  try {
    Loop();
  } catch (const Error& e) {
    Stop(e);
  } catch (const std::exception& e) {
    Stop(Fatal(std::string("sending to ") + options_.target + ": " + e.what()));
  }
}

void Pump::Loop() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_ || failure_) return;
    }
    const std::int64_t next = Launch();
    client_.Poll(std::chrono::nanoseconds(next));
  }
}

void Pump::Stop(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = error;
  changed_.notify_all();
}

/// As the host does when its own budget ends; it names the tries.
void Pump::GiveUp(const std::string& why, std::int64_t code) { Stop(Retry(why, code, kNever)); }

/// Starts what may be started.  Returns how long there is nothing else to start.
std::int64_t Pump::Launch() {
  std::int64_t next = 60'000'000'000;
  for (;;) {
    Own parcel;
    {
      const std::lock_guard lock(mutex_);
      if (flying_ >= pace_.concurrency() || waiting_.empty()) return next;
      const std::int64_t now = host_.Now().count();
      const auto due = std::find_if(waiting_.begin(), waiting_.end(), [now](const Own& p) { return p->not_before <= now; });
      if (due == waiting_.end()) {
        for (const Own& p : waiting_) next = std::min(next, p->not_before - now);
        return next + 1'000'000;
      }
      parcel = std::move(*due);
      waiting_.erase(due);
    }
    if (parcel->body.size() > pace_.cap() && parcel->rows.size() > 1) Split(std::move(parcel));
    else Start(std::move(parcel));
  }
}

void Pump::Start(Own parcel) {
  http::Request request{"POST", options_.path, parcel->body, "application/x-ndjson", http::Name(options_.coding)};
  if (options_.coding != http::Coding::kNone) {
    if (parcel->packed.empty()) parcel->packed = http::Compress(options_.coding, parcel->body);
    request.body = parcel->packed;
  }
  ++flying_;
  auto own = std::make_shared<Own>(std::move(parcel));   // a std::function must be able to copy it
  client_.Submit(std::move(request), [this, own](http::Reply&& reply) {
    --flying_;
    Answered(std::move(*own), std::move(reply));
  });
}

void Pump::Answered(Own parcel, http::Reply reply) {
  host_.Count("requests");
  if (reply.fault != http::Fault::kNone) return Fault(std::move(parcel), reply);
  const double ms = static_cast<double>(reply.elapsed.count()) / 1e6;
  latency_ms_ += (ms - latency_ms_) * (latency_ms_ == 0 ? 1 : 0.1);
  host_.Gauge("request_ms", std::round(latency_ms_));
  if (reply.status != 200) return Refused(std::move(parcel), reply);
  AnsweredItems(std::move(parcel), reply);
}

void Pump::Fault(Own parcel, const http::Reply& reply) {
  if (reply.fault == http::Fault::kRefused) return Stop(Fatal("writing into " + options_.target + ": " + reply.message));
  if (reply.fault == http::Fault::kMalformed) return Protocol(std::move(parcel), reply.message, reply);
  // Some servers close the connection rather than read a body that is too large to its end.
  const bool lost = reply.fault == http::Fault::kLost;
  if (lost && !reply.sent_whole && ++parcel->cut > 2 && parcel->rows.size() > 1 && parcel->body.size() > kSmall) {
    for (Row& r : parcel->rows) r.unsure = true;
    return Split(std::move(parcel));
  }
  Again(std::move(parcel), reply.retry_after, lost, reply.message);
}

/// A reply to the whole request that is no success.
void Pump::Refused(Own parcel, http::Reply& reply) {
  const ReplyReader::Error error = reader_.ReadError(reply.body);
  const std::string words = "writing into " + options_.target + ": " + Words(reply);
  switch (JudgeReply(reply.status, error.type, error.reason)) {
    case Verdict::kRetry:
      if (reply.status == 429) {
        host_.Count("requests_429");
        pace_.Overload(host_.Now().count());
        // A node with little memory for requests refuses one that is too large for ever, and says 429 to it, too.
        if (++parcel->refused >= kFew && parcel->rows.size() > 1 && parcel->body.size() > kSmall) {
          if (flying_ == 0) pace_.Cap(parcel->body.size() / 2);
          return Split(std::move(parcel));
        }
      }
      return Again(std::move(parcel), reply.retry_after, reply.status >= 500, words);
    case Verdict::kRetryFew:
      for (Row& r : parcel->rows) {
        if (++r.few > kFew) return Stop(Fatal(words, reply.status));
      }
      return Again(std::move(parcel), reply.retry_after, true, words);
    case Verdict::kProtocol: return Protocol(std::move(parcel), words, reply);
    case Verdict::kSplit:
      if (parcel->rows.size() == 1) {
        const std::string size = reply.status == 413 ? "; the document has " + std::to_string(parcel->body.size()) + " bytes" : "";
        host_.Reject(parcel->rows[0].number, (error.type.empty() ? "the server says " + std::to_string(reply.status) : error.type + ": " + error.reason) + size, reply.status);
        parcel->rows[0].batch->Close(1);
        return Done(std::move(parcel));
      }
      if (reply.status == 413) pace_.Cap(parcel->body.size() / 2);
      return Split(std::move(parcel));
    default:
      try {
        Throw(reply, "writing into " + options_.target);
      } catch (const Error& e) {
        Stop(e);
      }
  }
}

void Pump::Protocol(Own parcel, const std::string& why, const http::Reply& reply) {
  host_.Count("bad_replies");
  for (Row& r : parcel->rows) r.unsure = true;
  std::string text = "writing into " + options_.target + ": " + why;
  if (reply.fault == http::Fault::kNone && reply.status == 200) text = "writing into " + options_.target + ": " + reply.host + ": " + why + ", but \"" + Snippet(reply.body) + "\"";
  // With a budget that never ends these do not end either.
  const bool ends = !host_.Backoff(1, host_.Now() - std::chrono::hours(24 * 365));
  if (++parcel->protocol > kMostProtocol && ends) return GiveUp(text + " (" + std::to_string(parcel->protocol) + " times)", reply.status);
  Again(std::move(parcel), reply.retry_after, true, text);
}

/// Why the items of a reply are not those of the parcel; empty: they are.
std::string Pump::Mismatch(const Parcel& parcel, const ReplyReader::Bulk& bulk) const {
  const std::size_t n = parcel.rows.size();
  if (!bulk.why.empty()) return bulk.why;
  if (bulk.items.size() != n) return "the reply has " + std::to_string(bulk.items.size()) + " items for " + std::to_string(n) + " documents";
  for (std::size_t i = 0; i < n; ++i) {
    const Row& row = parcel.rows[i];
    const Item& item = bulk.items[i];
    if (Word(item.said) != Word(row.action)) return "the reply's items are not those of the request";
    if (JudgeItem(item, row.action, row.unsure, options_.policy) == Verdict::kProtocol) {
      return "the reply says status " + std::to_string(item.status) + " to action \"" + std::string(Word(row.action)) + "\"";
    }
  }
  return {};
}

void Pump::AnsweredItems(Own parcel, http::Reply& reply) {
  const ReplyReader::Bulk& bulk = reader_.Read(reply.body);
  if (const std::string why = Mismatch(*parcel, bulk); !why.empty()) return Protocol(std::move(parcel), why, reply);
  Outcome out;
  Taken* batch = nullptr;
  std::int64_t closing = 0;            // rows of `batch`; those of one batch stand together
  const auto close = [&] {
    if (closing) batch->Close(std::exchange(closing, 0));
  };
  for (std::size_t i = 0; i < parcel->rows.size(); ++i) {
    Row& row = parcel->rows[i];
    const Verdict v = Decide(row, bulk.items[i], parcel->rows.size() == 1, out);
    if (v == Verdict::kStop) {
      close();
      return Stop(Fatal("writing into " + options_.target + ": " + Reason(bulk.items[i]), bulk.items[i].status));
    }
    if (v == Verdict::kRetry || v == Verdict::kRetryFew) {
      PutAgain(*parcel, i, bulk.items[i], out);
      continue;
    }
    if (v == Verdict::kReject) host_.Reject(row.number, Reason(bulk.items[i]), bulk.items[i].status);
    else CountDelivered(bulk.items[i], v, parcel->LinesOf(i).size(), out);
    if (row.batch != batch) close();
    batch = row.batch;
    ++closing;
  }
  close();
  Report(out, parcel->body.size(), reply);
  if (out.again) SendAgain(std::move(out), reply);
  Done(std::move(parcel));
}

/// What becomes of a row.  A row goes again when one for the same document before it does, whatever became of it.
Verdict Pump::Decide(Row& row, const Item& item, bool alone, const Outcome& out) const {
  const Verdict v = JudgeItem(item, row.action, row.unsure, options_.policy);
  if (row.key && out.keys.count(row.key)) return Verdict::kRetry;
  if (v == Verdict::kRetryFew && ++row.few > kFew) return Verdict::kReject;
  if (v == Verdict::kSplit) return alone ? Verdict::kReject : Verdict::kRetry;
  return v;
}

void Pump::PutAgain(Parcel& parcel, std::size_t i, const Item& item, Outcome& out) {
  Row& row = parcel.rows[i];
  if (!out.again) {
    out.again = std::make_unique<Parcel>();
    out.again->origin = parcel.origin;
    out.again->next = std::move(parcel.next);
    out.reason = Reason(item);
    out.code = item.status;
  }
  out.refused += item.status == 429;
  const bool behind = row.key && !out.keys.insert(row.key).second;
  // It may have been applied: by what failed half-way, or because it failed only with the one before it.
  row.unsure = row.unsure || item.status >= 500 || behind;
  if (!row.since) row.since = host_.Now().count();
  if (row.attempts < UINT16_MAX) ++row.attempts;
  out.again->Add(row, parcel.LinesOf(i));
}

void Pump::CountDelivered(const Item& item, Verdict v, std::size_t bytes, Outcome& out) {
  if (v == Verdict::kDuplicate) host_.Count("duplicates");
  if (v == Verdict::kSuperseded) host_.Count("superseded");
  if (v == Verdict::kSkipped) host_.Count("skipped");
  out.failed_shards += static_cast<std::size_t>(item.failed_shards);
  out.noops += item.noop;
  out.created += item.created;
  ++out.delivered;
  out.bytes += bytes;
}

void Pump::Report(const Outcome& out, std::size_t body, const http::Reply& reply) {
  if (options_.tally) {
    options_.tally->delivered += static_cast<std::int64_t>(out.delivered);
    options_.tally->created += static_cast<std::int64_t>(out.created);
  }
  const auto count = [this](const char* name, std::size_t n) {
    if (n) host_.Count(name, static_cast<double>(n));
  };
  count("body_bytes", body);
  count("replicas_failed", out.failed_shards);
  count("noops", out.noops);
  count("documents_429", out.refused);
  if (out.again) count("documents_again", out.again->rows.size()), count("bytes_again", out.again->body.size());
  const std::int64_t now = host_.Now().count();
  if (out.delivered) pace_.Delivered(out.bytes, out.delivered, reply.elapsed.count(), now);
  if (out.refused) pace_.Overload(now);
}

/// The rows that failed passingly, alone.
void Pump::SendAgain(Outcome out, const http::Reply& reply) {
  std::uint16_t attempts = 1;
  const std::int64_t now = host_.Now().count();
  std::int64_t since = now;
  for (const Row& r : out.again->rows) attempts = std::max(attempts, r.attempts), since = std::min(since, r.since);
  const auto wait = host_.Backoff(attempts, std::chrono::nanoseconds(since), reply.retry_after.value_or(std::chrono::nanoseconds(0)));
  if (!wait) {
    return GiveUp("writing into " + options_.target + ": " + std::to_string(out.again->rows.size()) + " documents kept failing: " + out.reason, out.code);
  }
  out.again->not_before = now + wait->count();
  Queue(std::move(out.again));
}

/// The whole parcel once more, after a while.
void Pump::Again(Own parcel, std::optional<http::nanoseconds> after, bool unsure, const std::string& why) {
  const std::int64_t now = host_.Now().count();
  std::uint16_t attempts = 0;
  std::int64_t since = now;
  for (Row& r : parcel->rows) {
    if (!r.since) r.since = now;
    if (r.attempts < UINT16_MAX) ++r.attempts;
    r.unsure = r.unsure || unsure;
    attempts = std::max(attempts, r.attempts);
    since = std::min(since, r.since);
  }
  const auto wait = host_.Backoff(attempts, std::chrono::nanoseconds(since), after.value_or(std::chrono::nanoseconds(0)));
  if (!wait) return GiveUp(why, 0);
  if (attempts == 1 || attempts % 10 == 0) host_.Debug(why);
  host_.Count("requests_again");
  parcel->not_before = now + wait->count();
  const std::lock_guard lock(mutex_);
  waiting_.push_front(std::move(parcel));
}

/// Halves, one after the other: rows of one document must not overtake each other.
void Pump::Split(Own parcel) {
  auto second = std::make_unique<Parcel>();
  const std::size_t half = parcel->rows.size() / 2;
  for (std::size_t i = half; i < parcel->rows.size(); ++i) second->Add(parcel->rows[i], parcel->LinesOf(i));
  second->origin = parcel->origin;
  second->next = std::move(parcel->next);
  parcel->rows.resize(half);
  parcel->body.resize(parcel->rows.back().end);
  parcel->packed.clear();
  parcel->protocol = parcel->cut = parcel->refused = 0;
  parcel->next = std::move(second);
  host_.Count("halved");
  const std::lock_guard lock(mutex_);
  ++live_[parcel->next->origin];
  waiting_.push_front(std::move(parcel));
}

void Pump::Queue(Own parcel) {
  const std::lock_guard lock(mutex_);
  ++live_[parcel->origin];
  waiting_.push_front(std::move(parcel));
}

/// All rows of a parcel are settled, or on in another one.
void Pump::Done(Own parcel) {
  const std::lock_guard lock(mutex_);
  if (parcel->next) waiting_.push_front(std::move(parcel->next));
  const auto at = live_.find(parcel->origin);
  if (--at->second == 0) live_.erase(at);
  parcel->Clear();
  if (pool_.size() < 32 && parcel->reserved) pool_.push_back(std::move(parcel));
  else if (parcel->reserved) host_.Reserve(-parcel->reserved);
  changed_.notify_all();
}

}  // namespace etl::elasticsearch
