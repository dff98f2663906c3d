// A run in its middle, for the tests of what is shown of it.
#pragma once
#include "run/run.h"

namespace etl::test {

inline host::RunStatus Middle() {
  host::RunStatus s;
  s.pipeline = "articles";
  s.phase = "running";
  s.generation = 2;
  s.elapsed_ns = 761'000'000'000;
  s.rows_read = 412'310;
  s.rows_delivered = 409'600;
  s.rows_filtered = 5;
  s.rows_rejected = 3;
  s.splits_planned = 99;
  s.splits_done = 40;
  s.fraction = 0.41;
  s.eta_ns = 1'080'000'000'000;
  s.memory_used = 120 << 20;
  s.memory_limit = 512 << 20;
  s.limiter = 1;
  host::StageStatus source;
  source.key = "source";
  source.type = "mysql";
  source.kind = host::Kind::kSource;
  source.workers = 4;
  source.rows_out = 412'310;
  source.bytes = 2'400'000'000;
  source.busy = 0.12;
  host::StageStatus embed;
  embed.key = "transform[0]";
  embed.type = "embed";
  embed.kind = host::Kind::kTransform;
  embed.workers = 1;
  embed.rows_in = 412'000;
  embed.rows_out = 411'902;
  embed.bytes = 2'300'000'000;
  embed.busy = 0.97;
  embed.queue_bytes = 90;
  embed.queue_limit = 100;
  embed.metrics = {{"cache_hits", 51'000}};
  host::StageStatus sink;
  sink.key = "sink[0]";
  sink.type = "elasticsearch";
  sink.kind = host::Kind::kSink;
  sink.workers = 2;
  sink.rows_in = 409'600;
  sink.bytes = 4'000'000'000;
  sink.busy = 0.304;
  sink.queue_bytes = 10;
  sink.queue_limit = 100;
  sink.in_flight = 2;
  sink.retries = 1;
  sink.rejects = 3;
  s.stages = {source, embed, sink};
  return s;
}

/// Ten seconds before Middle().
inline host::RunStatus Earlier() {
  host::RunStatus s = Middle();
  s.elapsed_ns -= 10'000'000'000;
  s.rows_read -= 5410;
  s.stages[0].rows_out -= 5410;
  s.stages[0].bytes -= 31'000'000;
  s.stages[1].rows_out -= 5400;
  s.stages[1].bytes -= 31'000'000;
  s.stages[2].rows_in -= 5380;
  s.stages[2].bytes -= 52'000'000;
  return s;
}

inline host::RunResult Ended() {
  host::RunResult r;
  r.exit = host::Exit::kRejected;
  r.status = Middle();
  r.status.phase = "ended";
  r.reasons = {{"sink[0]", "mapper_parsing_exception: price", 3}};
  r.limited = {{"embed", 700'000'000'000}, {"sink[0]", 12'340'000'000}};
  r.rejects_file = ".etl/articles/rejects.ndjson";
  r.next = {"etl rejects replay articles.toml"};
  return r;
}

}  // namespace etl::test
