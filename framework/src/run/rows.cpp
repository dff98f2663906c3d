// Rows that come from plugins: taken over with their memory, or rejected by the policy.
#include <etl/json.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "../data/json_read.h"
#include "engine.h"

namespace etl::host {
namespace {

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  gmtime_r(&now, &t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                     t.tm_min, t.tm_sec);
}

/// Gives an array's bytes back to the budget when its last share goes.
struct Charged {
  ArrowArray inner;
  RunContext* run;
  std::int64_t bytes;
};
void ReleaseCharged(ArrowArray* a) {
  auto* c = static_cast<Charged*>(a->private_data);
  if (c->inner.release) c->inner.release(&c->inner);
  c->run->Charge(-c->bytes);
  delete c;
  a->release = nullptr;
}

}  // namespace

bool Engine::RejectRow(Stage& stage, const etl_reject& r, const Flow* flow, std::int64_t row) {
  const auto text = [](etl_str s) { return s.ptr ? std::string(s.ptr, static_cast<std::size_t>(s.len)) : std::string(); };
  RejectRecord record;
  record.at = UtcNow();
  record.pipeline = config_.name;
  record.run = state_.key;
  record.stage = stage.config->key;
  record.type = stage.config->type;
  record.reason = run.redactor.Clean(text(r.reason));
  record.code = r.code;
  record.raw = text(r.raw);
  record.where = text(r.where);
  if (flow) {
    const auto [origin, source_row] = flow->Source(row);
    if (origin) {
      record.split = origin->split->id();
      record.seq = origin->seq;
      record.source_row = source_row;
    }
  }
  const std::string place = !record.where.empty() ? " at " + record.where
                            : record.split.empty() ? ""
                                                   : fmt::format(" (split {}, batch {}, row {})", record.split, record.seq, record.source_row);
  stage.counters.rejects.fetch_add(1);
  std::int64_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = ++rejected_;
    if (reasons_.size() < 1000) ++reasons_[{record.stage, record.reason.substr(0, 200)}];
  }
  if (mode_ == Mode::kTune) return true;
  if (mode_ == Mode::kLook) {
    run.Log(ETL_WARN, record.stage, fmt::format("a row{} would be rejected: {}", place, record.reason));
    return true;
  }
  std::string stop;
  if (mode_ == Mode::kReplay) {
    // what is refused again stays among the rejects
  } else if (config_.on_reject == OnReject::kStop) {
    stop = fmt::format("{} ({}) rejected a row{}: {}; mend the row, or let rejects go to a file with on_reject = \"file\"",
                       record.stage, record.type, place, record.reason);
  } else if (config_.max_reject_count >= 0 && count > config_.max_reject_count) {
    stop = fmt::format("more than {} rows were rejected (max_rejects.count); the last one by {} ({}){}: {}",
                       config_.max_reject_count, record.stage, record.type, place, record.reason);
  }
  if (!stop.empty()) {
    reject_stop_ = true;
    Fail(Error(Exit::kRejectStop, stop));
    return false;
  }
  if (flow) {
    try {
      JsonWriter(*stage.in, JsonOptions::Exact()).Row(flow->array->array(), row, record.row);
      rejects_->Add(record, stage.in_json);
      return true;
    } catch (const std::exception& e) {
      // A row that JSON cannot say (invalid UTF-8) is kept with what can be said of it.
      record.row.clear();
      record.raw = fmt::format("the row could not be written as JSON: {}", e.what());
    }
  }
  rejects_->Add(record, "");
  return true;
}

void Engine::CheckRejectRate(bool at_end) {
  if (config_.max_reject_rate < 0) return;
  const std::int64_t read = source.counters.rows_out.load();
  std::int64_t rejected = 0;
  {
    const std::lock_guard lock(mutex_);
    rejected = rejected_;
  }
  if (rejected == 0 || (!at_end && read < 10'000)) return;
  const double rate = static_cast<double>(rejected) / static_cast<double>(std::max<std::int64_t>(read, rejected));
  if (rate <= config_.max_reject_rate) return;
  Fail(Error(Exit::kRejectStop, fmt::format("{} of {} rows were rejected ({:.4f}, max_rejects.rate is {}); see 'etl rejects list'",
                                            rejected, read, rate, config_.max_reject_rate)));
}

void Engine::SyncRejects() {
  if (rejects_) rejects_->Sync();
}

// ---- data ----

std::shared_ptr<SharedArray> Engine::Adopt(Stage& stage, ArrowArray* array) {
  const ArrowSchema& said = stage.raw ? *stage.raw : *stage.out;
  ArrowArray taken = *array;
  array->release = nullptr;
  if (auto wrong = CheckArray(said, taken, false)) {
    if (taken.release) taken.release(&taken);
    throw Error(Exit::kInternal, fmt::format("{} ({}) gave a broken batch: {}; report it to the plugin's author",
                                             stage.config->key, stage.config->type, *wrong));
  }
  if (stage.raw) {
    ArrowArray plain{};
    MakePlain(said, taken, &plain);
    taken = plain;
  }
  const std::int64_t bytes = ArrayBytes(*stage.out, taken);
  run.Charge(bytes);
  ArrowArray charged = taken;
  charged.private_data = new Charged{taken, &run, bytes};
  charged.release = ReleaseCharged;
  return SharedArray::Own(charged, bytes);
}

}  // namespace etl::host
