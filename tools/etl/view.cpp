#include "view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text.h"

namespace etl::cli {
namespace {

using host::Kind;
using host::RunStatus;
using host::StageStatus;

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kPlain = "\x1b[0m";

struct Speed {
  double rows = 0, bytes = 0;
};

Speed SpeedOf(const RunStatus& before, const RunStatus& now, std::size_t i) {
  const double s = static_cast<double>(now.elapsed_ns - before.elapsed_ns) / 1e9;
  if (s <= 0 || i >= before.stages.size()) return {};
  return {static_cast<double>(RowsOf(now.stages[i]) - RowsOf(before.stages[i])) / s,
          static_cast<double>(now.stages[i].bytes - before.stages[i].bytes) / s};
}

std::string RowRate(double rows) { return Count(std::llround(std::max(rows, 0.0))) + "/s"; }
std::string ByteRate(double bytes) { return Amount(std::max(bytes, 0.0)) + "/s"; }

std::string Limiter(const RunStatus& s) {
  if (s.limiter < 0 || static_cast<std::size_t>(s.limiter) >= s.stages.size()) return {};
  const auto i = static_cast<std::size_t>(s.limiter);
  return fmt::format("{} ({} busy)", StageLabel(s.stages, i), Percent(s.stages[i].busy));
}

/// Right of the figures: what is particular to a stage.
std::string Notes(const RunStatus& status, const StageStatus& s) {
  std::vector<std::string> notes;
  if (s.workers > 1) {
    notes.push_back(Plural(s.workers, "worker",
                           s.kind == Kind::kSource ? "readers"
                           : s.kind == Kind::kSink ? "writers"
                                                   : "workers"));
  }
  if (s.kind == Kind::kSource && status.splits_planned > 1) {
    notes.push_back(fmt::format("{} of {}{} splits", Count(status.splits_done),
                                status.planned_all ? "" : "~", Count(status.splits_planned)));
  }
  if (s.in_flight > 0) notes.push_back(Count(s.in_flight) + " in flight");
  if (s.retries > 0) notes.push_back(Plural(s.retries, "retry", "retries"));
  if (s.rejects > 0) notes.push_back(Count(s.rejects) + " rejected");
  for (const auto& [name, value] : s.metrics)
    notes.push_back(fmt::format("{} {:.6g}", name, value));
  return fmt::format("{}", fmt::join(notes, ", "));
}

std::string Remaining(const RunStatus& s) {
  std::string text;
  if (s.fraction >= 0) text += Percent(std::min(s.fraction, 1.0));
  if (s.eta_ns >= 0) text += fmt::format("{}ETA {}", text.empty() ? "" : "  ", Clock(s.eta_ns));
  return text;
}

std::string Header(const RunStatus& now, const ViewStyle& style) {
  std::string left = fmt::format("{}  {}", now.pipeline, Chain(now.stages));
  std::string right = Clock(now.elapsed_ns);
  if (now.phase != "running")
    right += "  " + now.phase;
  else if (const std::string limiter = Limiter(now); !limiter.empty())
    right += "  limiter: " + limiter;
  const std::size_t taken = Width(right) + 2;
  left = Left(Fit(left, style.width > taken ? style.width - taken : 0),
              style.width > taken ? style.width - taken : 0);
  const std::string line = Fit(left + "  " + right, style.width);
  return style.colour ? kBold + line + kPlain : line;
}

}  // namespace

std::int64_t RowsOf(const StageStatus& stage) {
  return stage.kind == Kind::kSink ? stage.rows_in : stage.rows_out;
}

std::string StageLabel(const std::vector<StageStatus>& stages, std::size_t index) {
  const auto same = std::count_if(stages.begin(), stages.end(),
                                  [&](const auto& s) { return s.type == stages[index].type; });
  return same > 1 ? fmt::format("{} {}", stages[index].type, stages[index].key)
                  : stages[index].type;
}

std::string Chain(const std::vector<StageStatus>& stages) {
  std::string text;
  const StageStatus* last = nullptr;
  for (const StageStatus& s : stages) {
    const bool beside = last != nullptr && last->kind == Kind::kSink && s.kind == Kind::kSink;
    if (last != nullptr) text += beside ? ", " : " → ";
    text += s.type;
    last = &s;
  }
  return text;
}

std::vector<std::string> LiveView(const RunStatus& before, const RunStatus& now,
                                  const ViewStyle& style) {
  std::vector<std::string> lines = {Header(now, style)};
  std::size_t label = 6, rows = 6;
  for (std::size_t i = 0; i < now.stages.size(); ++i) {
    label = std::max(label, Width(StageLabel(now.stages, i)));
    rows = std::max(rows, Count(RowsOf(now.stages[i])).size());
  }
  label = std::min<std::size_t>(label, 24);
  for (std::size_t i = 0; i < now.stages.size(); ++i) {
    const StageStatus& s = now.stages[i];
    const Speed speed = SpeedOf(before, now, i);
    const double fill =
        s.queue_limit > 0 ? static_cast<double>(s.queue_bytes) / static_cast<double>(s.queue_limit)
                          : 0;
    std::string line = fmt::format("  {}  {} rows  {}  {}  busy {}  {}",
                                   Left(Fit(StageLabel(now.stages, i), label), label),
                                   Right(Count(RowsOf(s)), rows), Right(RowRate(speed.rows), 12),
                                   Right(ByteRate(speed.bytes), 9), Right(Percent(s.busy), 5),
                                   s.kind == Kind::kSource ? "       " : "queue " + Block(fill));
    if (const std::string notes = Notes(now, s); !notes.empty()) line += "  " + notes;
    while (!line.empty() && line.back() == ' ') line.pop_back();
    line = Fit(line, style.width);
    lines.push_back(style.colour && static_cast<int>(i) == now.limiter ? kYellow + line + kPlain
                                                                       : line);
  }
  std::string foot = Remaining(now);
  if (!foot.empty()) foot += "  ";
  foot += fmt::format("memory {} of {}", Mebibytes(now.memory_used), Mebibytes(now.memory_limit));
  if (now.rows_rejected > 0) foot += fmt::format("  rejected {}", Count(now.rows_rejected));
  lines.push_back(Fit("  " + foot, style.width));
  if (!now.last_error.empty()) lines.push_back(Fit("  retrying: " + now.last_error, style.width));
  return lines;
}

std::string ProgressLine(const RunStatus& before, const RunStatus& now) {
  const Speed in = now.stages.empty() ? Speed{} : SpeedOf(before, now, 0);
  std::string line = fmt::format(
      "{} {}: read {} ({}, {}), delivered {}, filtered {}, rejected {}", Clock(now.elapsed_ns),
      now.phase, Plural(now.rows_read, "row", "rows"), RowRate(in.rows), ByteRate(in.bytes),
      Count(now.rows_delivered), Count(now.rows_filtered), Count(now.rows_rejected));
  if (const std::string limiter = Limiter(now); !limiter.empty()) line += ", limiter " + limiter;
  if (const std::string rest = Remaining(now); !rest.empty()) line += ", " + rest;
  if (!now.last_error.empty()) line += ", retrying: " + now.last_error;
  return line;
}

}  // namespace etl::cli
