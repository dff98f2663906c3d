#include "splits.h"

#include <fmt/format.h>

namespace etl::host {
namespace {

std::string Text(etl_str s) { return s.len ? std::string(s.ptr, static_cast<std::size_t>(s.len)) : std::string(); }
etl_str Str(const std::string& s) { return {s.data(), s.size()}; }

}  // namespace

void Splits::Start(const State& state, bool fresh, const std::map<std::string, SplitState>* marks) {
  const std::lock_guard planning(plan_mutex_);
  const std::lock_guard lock(mutex_);
  if (marks) {
    by_marks_ = true;
    marks_ = *marks;
  }
  plan_state_ = state.plan_state;
  plan_begun_ = !fresh && state.plan_begun;
  planned_all_ = !fresh && state.planned_all;
  if (!fresh) {
    for (const auto& [id, saved] : state.splits) {
      Add(saved);
      saved_.insert(id);
    }
  }
  const etl_source& source = *head_.table().source;
  if (!source.plan || (planned_all_ && (trackers_.empty() || !(head_.table().flags & ETL_REPLANS)))) return;
  Call(head_.side(), "plan",
       [&](etl_error* e) { return source.plan(head_.self(), plan_begun_ ? 0 : 1, 0, Str(plan_state_), e); });
}

SplitTracker* Splits::Add(SplitState split) {
  if (by_marks_) {
    const auto mark = marks_.find(split.id);
    const std::uint64_t seq = mark == marks_.end() ? 0 : mark->second.seq;
    if (split.seq != seq) split.done = false;
    split.position = mark == marks_.end() ? std::string() : mark->second.position;
    split.seq = seq;
  }
  if (split.done) {
    done_[split.id] = std::move(split);
    return nullptr;
  }
  const std::string id = split.id;
  auto& tracker = trackers_[id];
  if (tracker) throw Error(Exit::kInternal, fmt::format("{} ({}): planned split \"{}\" twice", head_.stage().key, head_.stage().type, id));
  tracker = std::make_unique<SplitTracker>(std::move(split), window_);
  waiting_.push_back(tracker.get());
  return tracker.get();
}

Splits::Planned Splits::PlanOne(bool wanted) {
  const etl_source& source = *head_.table().source;
  etl_split split{};
  split.size = sizeof split;
  split.flags = wanted ? ETL_WANTED : 0;
  split.rows = split.bytes = -1;
  etl_str next{nullptr, 0};
  etl_status status = ETL_END;
  if (source.plan && source.plan_next) {
    status = Call(head_.side(), "plan", [&](etl_error* e) { return source.plan_next(head_.self(), &split, &next, e); });
  } else {
    const std::lock_guard lock(mutex_);
    if (trackers_.empty() && done_.empty()) Add({"all", "", "", 0, -1, -1, 0, false});
  }
  if (status == ETL_PENDING) return Planned::kLater;
  const std::lock_guard lock(mutex_);
  plan_state_ = Text(next);
  plan_begun_ = true;
  if (status == ETL_END) {
    planned_all_ = true;
    return Planned::kAll;
  }
  const std::string id = Text(split.id);
  // After a restart the source may say the last split before the saved plan state again.
  if (!trackers_.count(id) && !done_.count(id)) Add({id, Text(split.state), "", 0, split.rows, split.bytes, 0, false});
  return Planned::kOne;
}

SplitTracker* Splits::Next(bool& unsaved, const std::function<bool()>& wait) {
  std::unique_lock planning(plan_mutex_);
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (!waiting_.empty()) {
        SplitTracker* t = waiting_.front();
        waiting_.pop_front();
        unsaved = !saved_.count(t->Saved().id);
        return t;
      }
      if (planned_all_) return nullptr;
    }
    if (PlanOne(wait != nullptr) == Planned::kLater) {
      planning.unlock();
      if (!wait || !wait()) return nullptr;
      planning.lock();
    }
  }
}

void Splits::PlanAhead(std::int64_t ns) {
  const std::unique_lock planning(plan_mutex_, std::try_to_lock);
  if (!planning) return;
  const std::int64_t until = head_.side().run.Now() + ns;
  const auto done = [this] {
    const std::lock_guard lock(mutex_);
    return planned_all_ || waiting_.size() > 10'000;
  };
  while (!done() && head_.side().run.Now() < until && PlanOne(false) == Planned::kOne) {
  }
}

void Splits::Save(State& state) const {
  const std::lock_guard lock(mutex_);
  state.splits = done_;
  for (const auto& [id, tracker] : trackers_) state.splits[id] = tracker->Saved();
  state.plan_state = plan_state_;
  state.plan_begun = plan_begun_;
  state.planned_all = planned_all_;
}

void Splits::Saved(const State& saved) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, split] : saved.splits) saved_.insert(id);
  }
  const etl_source& source = *head_.table().source;
  if (!source.committed) return;
  const std::unique_lock planning(plan_mutex_, std::try_to_lock);
  if (!planning) return;   // a hint only: the next save brings it
  for (const auto& [id, split] : saved.splits) {
    const etl_mark mark{Str(id), Str(split.position), split.seq};
    if (split.seq && trackers_.count(id)) source.committed(head_.self(), &mark);
  }
}

bool Splits::AllSettled() const {
  const std::lock_guard lock(mutex_);
  if (!planned_all_ || !waiting_.empty()) return false;
  for (const auto& [id, tracker] : trackers_) {
    if (!tracker->Saved().done) return false;
  }
  return true;
}

void Splits::NudgeAll() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, tracker] : trackers_) tracker->Nudge();
}

void Splits::TakeMarks(const std::function<void(const std::string&, const std::string&, std::uint64_t)>& each) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, tracker] : trackers_) {
    std::string position;
    std::uint64_t seq = 0;
    if (tracker->TakeMark(position, seq)) each(id, position, seq);
  }
}

Splits::Progress Splits::progress() const {
  const std::lock_guard lock(mutex_);
  Progress p;
  p.planned_all = planned_all_;
  const auto add = [&p](const SplitState& s) {
    ++p.planned;
    p.done += s.done;
    p.rows_read += s.rows_read;
    if (s.done) p.rows_estimated += s.rows_read;
    else if (s.rows >= 0) p.rows_estimated += s.rows;
    else p.estimated = false;
  };
  for (const auto& [id, s] : done_) add(s);
  for (const auto& [id, t] : trackers_) add(t->Saved());
  return p;
}

}  // namespace etl::host
