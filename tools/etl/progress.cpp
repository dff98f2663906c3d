#include "progress.h"

#include <chrono>

#include "view.h"

namespace etl::cli {
namespace {

constexpr std::int64_t kWindow = 3'000'000'000, kLineEvery = 10'000'000'000;

Json::Ptr Figures(const host::RunStatus& before, const host::RunStatus& now) {
  Json::Ptr json = NewObject();
  const double s = static_cast<double>(now.elapsed_ns - before.elapsed_ns) / 1e9;
  json->set("event", "progress");
  json->set("rows_read", now.rows_read);
  json->set("rows_delivered", now.rows_delivered);
  json->set("rows_filtered", now.rows_filtered);
  json->set("rows_rejected", now.rows_rejected);
  json->set("rows_per_s", s > 0 ? static_cast<std::int64_t>(
                                      static_cast<double>(now.rows_read - before.rows_read) / s)
                                : 0);
  return json;
}

}  // namespace

void Progress::Start(std::function<host::RunStatus()> status) {
  thread_ = std::thread([this, status = std::move(status)] {
    const auto every = std::chrono::milliseconds(mode_ == ProgressMode::kLive ? 200 : 500);
    std::unique_lock lock(mutex_);
    while (!stop_) {
      lock.unlock();
      Step(status());
      lock.lock();
      wake_.wait_for(lock, every, [this] { return stop_; });
    }
  });
}

void Progress::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (mode_ == ProgressMode::kLive) console_.EndView();
}

void Progress::Step(host::RunStatus status) {
  if (recent_.empty() || recent_.back().phase != status.phase)
    console_.Log(ETL_DEBUG, "", "phase: " + status.phase);
  recent_.push_back(std::move(status));
  while (recent_.size() > 2 && recent_.back().elapsed_ns - recent_[1].elapsed_ns >= kWindow)
    recent_.pop_front();
  host::RunStatus now = recent_.back();
  for (std::size_t i = 0; i < now.stages.size(); ++i) {
    double busy = 0;
    int looks = 0;
    for (const auto& s : recent_) {
      if (i < s.stages.size()) busy += s.stages[i].busy, ++looks;
    }
    now.stages[i].busy = busy / looks;
  }
  if (mode_ == ProgressMode::kLive) {
    console_.Draw(LiveView(recent_.front(), now, {TerminalWidth(2), colour_}));
  } else if (mode_ == ProgressMode::kLines && now.elapsed_ns >= next_line_ns_ + kLineEvery) {
    console_.Log(ETL_INFO, "", ProgressLine(line_before_, now), Figures(line_before_, now));
    next_line_ns_ = now.elapsed_ns - now.elapsed_ns % kLineEvery;
    line_before_ = now;
  }
  const std::lock_guard lock(mutex_);
  latest_ = std::move(now);
}

host::RunStatus Progress::Latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

}  // namespace etl::cli
