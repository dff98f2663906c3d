#include "summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "text.h"
#include "view.h"

namespace etl::cli {
namespace {

using host::Exit;
using host::Kind;
using host::RunResult;

std::string Verdict(const RunResult& r) {
  switch (r.exit) {
    case Exit::kOk:
      return "complete";
    case Exit::kRejected:
      return "complete, with rejected rows";
    case Exit::kInterrupted:
    case Exit::kTerminated:
      return "interrupted, state saved";
    default:
      return fmt::format("stopped (exit {})", static_cast<int>(r.exit));
  }
}

std::string StageLine(const RunResult& r, std::size_t i, std::size_t label) {
  const auto& s = r.status.stages[i];
  std::string line = fmt::format("  {}  ", Left(StageLabel(r.status.stages, i), label));
  if (s.kind == Kind::kSource)
    line += fmt::format("{} read", Plural(s.rows_out, "row", "rows"));
  else if (s.kind == Kind::kTransform)
    line += fmt::format("{} in, {} out", Plural(s.rows_in, "row", "rows"), Count(s.rows_out));
  else
    line += fmt::format("{} written", Plural(s.rows_in, "row", "rows"));
  line += fmt::format(", {}, {} busy", Amount(static_cast<double>(s.bytes)), Percent(s.busy));
  if (s.retries > 0) line += ", " + Plural(s.retries, "retry", "retries");
  if (s.rejects > 0) line += fmt::format(", {} rejected", Count(s.rejects));
  for (const auto& [name, value] : s.metrics) line += fmt::format(", {} {:.6g}", name, value);
  if (s.kind == Kind::kTransform)   // it shapes the rows
    for (const auto& [name, value] : s.identity) line += fmt::format(", {} {}", name, value);
  return line;
}

}  // namespace

std::vector<std::string> Summary(const RunResult& r) {
  const auto& s = r.status;
  std::vector<std::string> lines;
  const double seconds = static_cast<double>(s.elapsed_ns) / 1e9;
  lines.push_back(fmt::format("{}: {} in {}{}", s.pipeline, Verdict(r), Span(s.elapsed_ns),
                              s.resumed ? ", resumed" : ""));
  std::string rows =
      fmt::format("  read {}, delivered {}, filtered {}, rejected {}", Count(s.rows_read),
                  Count(s.rows_delivered), Count(s.rows_filtered), Count(s.rows_rejected));
  if (seconds > 0 && s.rows_read > 0)
    rows +=
        fmt::format("; {} rows/s",
                    Count(static_cast<std::int64_t>(static_cast<double>(s.rows_read) / seconds)));
  if (s.rows_read_before > 0)
    rows += fmt::format("; {} were read before in this pass", Count(s.rows_read_before));
  lines.push_back(rows);
  std::size_t label = 0;
  for (std::size_t i = 0; i < s.stages.size(); ++i)
    label = std::max(label, Width(StageLabel(s.stages, i)));
  for (std::size_t i = 0; i < s.stages.size(); ++i) lines.push_back(StageLine(r, i, label));
  if (!r.limited.empty()) {
    std::vector<std::string> parts;
    for (const auto& [stage, ns] : r.limited)
      parts.push_back(fmt::format("{} for {}", stage, Span(ns)));
    lines.push_back(fmt::format("  limited by {}", fmt::join(parts, ", ")));
  }
  for (const auto& reason : r.reasons) {
    lines.push_back(fmt::format("  rejected {} at {}: {}", Plural(reason.count, "row", "rows"),
                                reason.stage, reason.reason));
  }
  if (!r.rejects_file.empty()) lines.push_back("  rejects are in " + r.rejects_file);
  for (std::size_t at = 0; at < r.message.size();) {
    const std::size_t end = std::min(r.message.find('\n', at), r.message.size());
    lines.push_back("  " + r.message.substr(at, end - at));
    at = end + 1;
  }
  for (const auto& command : r.next) lines.push_back("  next: " + command);
  return lines;
}

}  // namespace etl::cli
