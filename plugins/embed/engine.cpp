// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <etl/error.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace etl::embed {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }
int Cores() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

constexpr std::size_t kTokens = 512;                    // where nothing was measured
constexpr std::size_t kTokensTried[] = {512, 1024};
constexpr std::size_t kFew = 64;                        // texts
constexpr std::size_t kTextsTried = 96;                 // for one setting: a second of a small model

}  // namespace

Engine::Engine(std::shared_ptr<const Model> model, Setting wanted, std::size_t window) : model_(std::move(model)), wanted_(wanted), most_(window) {
  Setting first = wanted_;
  const bool cpu = model_->provider() == "cpu" || model_->provider() == "openvino";
  if (!first.threads) first.threads = first.sessions && cpu ? std::max(1, Cores() / first.sessions) : 1;
  if (!first.sessions) first.sessions = cpu ? std::max(1, Cores() / first.threads) : 1;
  if (!first.tokens) first.tokens = cpu ? kTokens : 16 * kTokens;
  if (!cpu) settled_ = true;
  Use(first);
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    queue_.clear();
  }
  work_.notify_all();
  for (std::thread& t : threads_) t.join();
}

/// Nothing is before the model or in it.
void Engine::Use(const Setting& s) {
  std::shared_ptr<const Session> session = session_ && s.threads == now_.threads ? session_ : model_->Open(s.threads);
  {
    const std::lock_guard lock(mutex_);
    now_ = s;
    session_ = std::move(session);
  }
  work_.notify_all();
  while (threads_.size() < static_cast<std::size_t>(s.sessions)) threads_.emplace_back([this] { Loop(); });
}

void Engine::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || (!queue_.empty() && running_ < now_.sessions); });
    if (stop_) return;
    Work work = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    const std::shared_ptr<const Session> session = session_;
    lock.unlock();
    std::exception_ptr failure;
    const auto begin = Clock::now();
    std::int64_t tokens = 0;
    try {
      Padded batch;
      batch.longest = work.longest;
      for (const TextPtr& t : work.texts) {
        batch.texts.push_back(&t->ids);
        tokens += static_cast<std::int64_t>(t->ids.size());
      }
      const std::vector<float> vectors = session->Run(batch);
      const std::size_t dims = vectors.size() / work.texts.size();
      for (std::size_t i = 0; i < work.texts.size(); ++i) {
        work.texts[i]->vector.assign(vectors.begin() + static_cast<std::ptrdiff_t>(i * dims), vectors.begin() + static_cast<std::ptrdiff_t>((i + 1) * dims));
      }
    } catch (...) {
      failure = std::current_exception();
    }
    const double seconds = Seconds(Clock::now() - begin);
    lock.lock();
    --running_;
    figures_.busy_seconds += seconds / now_.sessions;
    if (failure) {
      failure_ = failure;
    } else {
      figures_.texts += static_cast<std::int64_t>(work.texts.size());
      figures_.tokens += tokens;
      figures_.padded += static_cast<std::int64_t>(work.padded());
      std::move(work.texts.begin(), work.texts.end(), std::back_inserter(finished_));
    }
    done_.notify_all();
    work_.notify_all();
  }
}

void Engine::Queue(std::vector<TextPtr> texts, std::size_t tokens) {
  std::vector<Work> all = Cut(std::move(texts), tokens);
  {
    const std::lock_guard lock(mutex_);
    std::move(all.begin(), all.end(), std::back_inserter(queue_));
  }
  work_.notify_all();
}

void Engine::Add(TextPtr text) {
  window_.push_back(std::move(text));
  if (window_.size() >= most_ && hungry()) Start();
}

bool Engine::hungry() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() < static_cast<std::size_t>(now_.sessions);
}

void Engine::StartFew() {
  if (window_.empty() || window_.size() > kFew) return;
  {
    const std::lock_guard lock(mutex_);
    if (running_ > 0 || !queue_.empty()) return;
  }
  Start();
}

bool Engine::full() const { return window_.size() >= most_ && !hungry(); }

bool Engine::working() const {
  const std::lock_guard lock(mutex_);
  return running_ > 0 || !queue_.empty() || !finished_.empty() || failure_;   // which Done() has to say
}

void Engine::Start() {
  if (window_.empty()) return;
  if (!settled_) return Measure();
  Queue(std::exchange(window_, {}), now_.tokens);
}

/// Tokens a second of calls with a setting, by texts that wait for their vectors anyway.
double Engine::Speed(const Setting& s, std::vector<TextPtr> texts) {
  std::size_t tokens = 0;
  for (const TextPtr& t : texts) tokens += t->ids.size();
  const auto idle = [this] {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return interrupted_ || failure_ || (queue_.empty() && running_ == 0); });
    return figures_.busy_seconds;
  };
  const double before = idle();
  Use(s);
  Queue(std::move(texts), s.tokens);
  return static_cast<double>(tokens) / (idle() - before);   // not by the clock: of few calls the last often runs alone
}

void Engine::Measure() {
  std::vector<Setting> tried;
  const bool how = !wanted_.sessions && !wanted_.threads && Cores() > 2;   // two calls on two cores were always the faster
  for (const std::size_t tokens : kTokensTried) {
    if (!wanted_.tokens || tried.empty()) tried.push_back({now_.sessions, now_.threads, wanted_.tokens ? wanted_.tokens : tokens});
  }
  if (how) tried.push_back({1, Cores(), wanted_.tokens ? wanted_.tokens : kTokens});
  settled_ = true;
  if (tried.size() == 1 || window_.size() < tried.size() * kTextsTried) {
    settled_ = tried.size() == 1 || window_.size() >= most_;   // a few texts: measure with those that come later
    return Queue(std::exchange(window_, {}), now_.tokens);
  }
  // Dealt out, so that each setting gets texts of all lengths.
  std::stable_sort(window_.begin(), window_.end(), [](const TextPtr& a, const TextPtr& b) { return a->ids.size() > b->ids.size(); });
  std::vector<std::vector<TextPtr>> share(tried.size());
  for (std::size_t i = 0; i < window_.size(); ++i) {
    if (i / tried.size() < kTextsTried) share[i % tried.size()].push_back(std::move(window_[i]));
  }
  window_.erase(std::remove(window_.begin(), window_.end(), nullptr), window_.end());
  std::size_t best = 0;
  double most = 0;
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const double speed = Speed(tried[i], std::move(share[i]));
    if (speed > most * 1.02) best = i, most = speed;   // within the noise the first stays
  }
  Use(tried[best]);
  Queue(std::exchange(window_, {}), now_.tokens);
}

std::vector<TextPtr> Engine::Done(std::chrono::nanoseconds wait) {
  std::unique_lock lock(mutex_);
  done_.wait_for(lock, wait, [this] { return interrupted_ || failure_ || !finished_.empty(); });
  if (failure_) std::rethrow_exception(failure_);
  if (interrupted_) throw Cancelled();
  return std::exchange(finished_, {});
}

void Engine::Interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  done_.notify_all();
}

Figures Engine::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

std::optional<Setting> Engine::setting() const {
  const std::lock_guard lock(mutex_);
  if (!settled_) return {};
  return now_;
}

}  // namespace etl::embed
