#include "metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>

namespace etl::cli {
namespace {

using host::RunStatus;
using host::StageStatus;

std::string Label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string Value(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", v);
}

void Head(std::string& out, const char* name, const char* type, const char* help) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Single(std::string& out, const RunStatus& s, const char* name, const char* type,
            const char* help, double value) {
  Head(out, name, type, help);
  out += fmt::format("{}{{pipeline=\"{}\"}} {}\n", name, Label(s.pipeline), Value(value));
}

void PerStage(std::string& out, const RunStatus& s, const char* name, const char* type,
              const char* help, const std::function<double(const StageStatus&)>& value) {
  Head(out, name, type, help);
  for (const StageStatus& stage : s.stages) {
    out += fmt::format("{}{{pipeline=\"{}\",stage=\"{}\",type=\"{}\"}} {}\n", name,
                       Label(s.pipeline), Label(stage.key), Label(stage.type), Value(value(stage)));
  }
}

double D(std::int64_t n) { return static_cast<double>(n); }

}  // namespace

std::string Prometheus(const RunStatus& s) {
  std::string out;
  Single(out, s, "etl_rows_read_total", "counter", "Rows read from the source.", D(s.rows_read));
  Single(out, s, "etl_rows_delivered_total", "counter", "Rows that every sink has settled.",
         D(s.rows_delivered));
  Single(out, s, "etl_rows_filtered_total", "counter", "Rows left out on purpose.",
         D(s.rows_filtered));
  Single(out, s, "etl_rows_rejected_total", "counter", "Rows among the rejects.",
         D(s.rows_rejected));
  Single(out, s, "etl_splits_planned", "gauge", "Splits planned so far.", D(s.splits_planned));
  Single(out, s, "etl_splits_done", "gauge", "Splits read to their end.", D(s.splits_done));
  Single(out, s, "etl_memory_used_bytes", "gauge",
         "Bytes of live batches and of what plugins reserve.", D(s.memory_used));
  Single(out, s, "etl_memory_limit_bytes", "gauge", "The pipeline's memory_limit.",
         D(s.memory_limit));
  Single(out, s, "etl_elapsed_seconds", "gauge", "Seconds since the run began.",
         D(s.elapsed_ns) / 1e9);
  if (s.fraction >= 0)
    Single(out, s, "etl_done_ratio", "gauge", "Part of the work done, by the plan's estimates.",
           s.fraction);
  if (s.eta_ns >= 0)
    Single(out, s, "etl_eta_seconds", "gauge", "Seconds to the end, by the plan's estimates.",
           D(s.eta_ns) / 1e9);
  PerStage(out, s, "etl_stage_rows_in_total", "counter",
           "Rows taken by a stage; by a sink: settled.", [](auto& x) { return D(x.rows_in); });
  PerStage(out, s, "etl_stage_rows_out_total", "counter", "Rows given on by a stage.",
           [](auto& x) { return D(x.rows_out); });
  PerStage(out, s, "etl_stage_bytes_total", "counter",
           "Bytes of batches that went through a stage.", [](auto& x) { return D(x.bytes); });
  PerStage(out, s, "etl_stage_batches_total", "counter", "Batches that went through a stage.",
           [](auto& x) { return D(x.batches); });
  PerStage(out, s, "etl_stage_retries_total", "counter",
           "Calls that were repeated after a passing fault.", [](auto& x) { return D(x.retries); });
  PerStage(out, s, "etl_stage_rejects_total", "counter", "Rows that a stage rejected.",
           [](auto& x) { return D(x.rejects); });
  PerStage(out, s, "etl_stage_busy_ratio", "gauge",
           "Part of its workers' time that a stage is at work.", [](auto& x) { return x.busy; });
  PerStage(out, s, "etl_stage_workers", "gauge", "Workers of a stage.",
           [](auto& x) { return D(x.workers); });
  PerStage(out, s, "etl_stage_queue_bytes", "gauge", "Bytes in the queue before a stage.",
           [](auto& x) { return D(x.queue_bytes); });
  PerStage(out, s, "etl_stage_queue_limit_bytes", "gauge",
           "Most bytes in the queue before a stage.", [](auto& x) { return D(x.queue_limit); });
  PerStage(out, s, "etl_stage_in_flight", "gauge",
           "Batches that a stage has taken and not settled.",
           [](auto& x) { return D(x.in_flight); });
  PerStage(out, s, "etl_stage_limiting", "gauge", "1 for the stage that the others wait for.",
           [&s](auto& x) { return &x - s.stages.data() == s.limiter ? 1.0 : 0.0; });
  Head(out, "etl_plugin_metric", "untyped", "What a plugin counts and gauges by itself.");
  for (const StageStatus& stage : s.stages) {
    for (const auto& [name, value] : stage.metrics) {
      out += fmt::format(
          "etl_plugin_metric{{pipeline=\"{}\",stage=\"{}\",type=\"{}\",name=\"{}\"}} {}\n",
          Label(s.pipeline), Label(stage.key), Label(stage.type), Label(name), Value(value));
    }
  }
  return out;
}

}  // namespace etl::cli
