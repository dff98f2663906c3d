// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include <simdjson.h>

#include <algorithm>

#include "http/access.h"

namespace etl::elasticsearch {
namespace {

namespace dom = simdjson::dom;

constexpr std::chrono::nanoseconds kWindow = std::chrono::seconds(5);   // what is looked at for one warning

constexpr auto kNodes =
    "/_nodes/stats/thread_pool,jvm,breaker,indexing_pressure,process,fs?filter_path=nodes.*.thread_pool.write,nodes.*.jvm.mem.heap_used_percent,"
    "nodes.*.jvm.gc.collectors.*.collection_time_in_millis,nodes.*.breakers.*.tripped,nodes.*.indexing_pressure.memory,nodes.*.process.cpu.percent,"
    "nodes.*.fs.io_stats.total.write_kilobytes";

double Number(simdjson::simdjson_result<dom::element> value) {
  double d = 0;
  return value.get(d) ? 0 : d;
}

std::string Count(double n) { return std::to_string(static_cast<std::int64_t>(n)); }
std::string Percent(double part) { return std::to_string(static_cast<int>(part * 100 + 0.5)) + " %"; }

void AddNode(dom::element node, Sample& s) {
  ++s.nodes;
  s.write_queue += Number(node["thread_pool"]["write"]["queue"]);
  s.write_rejected += Number(node["thread_pool"]["write"]["rejected"]);
  s.heap_percent = std::max(s.heap_percent, Number(node["jvm"]["mem"]["heap_used_percent"]));
  s.cpu_percent = std::max(s.cpu_percent, Number(node["process"]["cpu"]["percent"]));
  s.disk_bytes += Number(node["fs"]["io_stats"]["total"]["write_kilobytes"]) * 1024;
  s.indexing_memory += Number(node["indexing_pressure"]["memory"]["current"]["all_in_bytes"]);
  for (const char* kind : {"coordinating_rejections", "primary_rejections", "replica_rejections"}) {
    s.memory_rejections += Number(node["indexing_pressure"]["memory"]["total"][kind]);
  }
  dom::object many;
  if (!node["jvm"]["gc"]["collectors"].get(many)) {
    for (const auto& [name, collector] : many) s.gc_ms += Number(collector["collection_time_in_millis"]);
  }
  if (!node["breakers"].get(many)) {
    for (const auto& [name, breaker] : many) s.breakers += Number(breaker["tripped"]);
  }
}

}  // namespace

bool ReadSample(const std::string& nodes, const std::string& index, Sample& s) {
  dom::parser parser;
  dom::object all;
  if (parser.parse(nodes)["nodes"].get(all)) return false;
  for (const auto& [id, node] : all) AddNode(node, s);
  dom::element total;
  if (index.empty() || parser.parse(index)["_all"]["total"].get(total)) return s.nodes > 0;
  s.segments = Number(total["segments"]["count"]);
  s.merges = Number(total["merges"]["current"]);
  s.merge_ms = Number(total["merges"]["total_time_in_millis"]);
  s.throttled_ms = Number(total["merges"]["total_throttled_time_in_millis"]);
  s.refreshes = Number(total["refresh"]["total"]);
  s.refresh_ms = Number(total["refresh"]["total_time_in_millis"]);
  return s.nodes > 0;
}

std::vector<std::pair<std::string, std::string>> Findings(const Sample& a, const Sample& b) {
  std::vector<std::pair<std::string, std::string>> out;
  const double ms = static_cast<double>(b.at - a.at) / 1e6;
  if (ms <= 0 || !a.nodes || !b.nodes) return out;
  if (b.write_rejected > a.write_rejected) {
    out.emplace_back("pool", "the write pool rejected " + Count(b.write_rejected - a.write_rejected) + " requests: lower concurrency, or add nodes");
  }
  if (b.memory_rejections > a.memory_rejections) {
    out.emplace_back("memory", "the cluster refused " + Count(b.memory_rejections - a.memory_rejections) +
                                   " requests for want of indexing memory: lower batch.bytes or concurrency, or add nodes");
  }
  if (b.breakers > a.breakers) {
    out.emplace_back("breakers", "memory breakers tripped " + Count(b.breakers - a.breakers) + " times: lower batch.bytes and concurrency, or give the nodes more heap");
  }
  const double gc = (b.gc_ms - a.gc_ms) / ms / b.nodes, refresh = (b.refresh_ms - a.refresh_ms) / ms, throttled = (b.throttled_ms - a.throttled_ms) / ms;
  if (gc > 0.1) out.emplace_back("gc", "the nodes spent " + Percent(gc) + " of the time collecting garbage: lower batch.bytes and concurrency, or give them more heap");
  if (refresh > 0.15) {
    out.emplace_back("refresh", "refreshes took " + Percent(refresh) + " of the time: with load = {refresh_interval = \"-1\"} the index would not refresh while rows are written");
  }
  if (throttled > 0.1) {
    out.emplace_back("merges", "writing was throttled for " + Percent(throttled) + " of the time because merges lagged behind: faster disks would help, or fewer refreshes");
  }
  return out;
}

Watch::Watch(const Host& host, http::Target target, std::string index, std::chrono::nanoseconds every)
    : host_(host), client_([&] {
        target.timeout = std::min<http::nanoseconds>(target.timeout, std::chrono::seconds(10));   // a busy cluster is no reason to wait for it
        return std::move(target);
      }()),
      index_(std::move(index)),
      every_(every) {
  thread_ = std::thread([this] { Run(); });
}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  client_.Wake();
  if (thread_.joinable()) thread_.join();
}

bool Watch::Take(Sample& s) {
  const auto stop = [this] {
    const std::lock_guard lock(mutex_);
    return ending_;
  };
  const http::Reply nodes = client_.Call({"GET", kNodes, {}, {}, {}}, stop);
  if (nodes.fault != http::Fault::kNone) return false;
  if (nodes.status == 401 || nodes.status == 403 || nodes.status == 404) {
    host_.Debug("the cluster does not let itself be watched: status " + std::to_string(nodes.status));
    useless_ = true;
    return false;
  }
  std::string index;
  if (!index_.empty()) {
    http::Reply r = client_.Call({"GET", "/" + http::Escape(index_) + "/_stats/segments,merge,refresh?filter_path=_all.total", {}, {}, {}}, stop);
    if (r.status == 200) index = std::move(r.body);
  }
  s = Sample();
  s.at = host_.Now().count();
  return nodes.status == 200 && ReadSample(nodes.body, index, s);
}

/// What is 0 from beginning to end is nothing to tell.
void Watch::Publish(const Sample& s) {
  const auto gauge = [this](const char* name, double value) {
    if (value != 0) told_.insert(name);
    if (told_.count(name)) host_.Gauge(name, value);
  };
  gauge("cluster_write_queue", s.write_queue);
  gauge("cluster_write_rejected", s.write_rejected - first_.write_rejected);
  gauge("cluster_heap_percent", s.heap_percent);
  gauge("cluster_gc_ms", s.gc_ms - first_.gc_ms);
  gauge("cluster_breakers_tripped", s.breakers - first_.breakers);
  gauge("cluster_indexing_bytes", s.indexing_memory);
  gauge("cluster_cpu_percent", s.cpu_percent);
  gauge("cluster_disk_bytes", s.disk_bytes - first_.disk_bytes);
  gauge("index_segments", s.segments);
  gauge("index_merges", s.merges);
  gauge("index_refreshes", s.refreshes - first_.refreshes);
}

void Watch::Tell(const Sample& s) {
  if (!before_.nodes) before_ = s;
  if (s.at - before_.at < kWindow.count()) return;
  for (const auto& [what, words] : Findings(before_, s)) {
    if (limits_.insert(what).second) host_.Warn("the cluster limits the load: " + words);
  }
  before_ = s;
}

void Watch::Run() noexcept {
  try {
    std::unique_lock lock(mutex_);
    while (!ending_ && !useless_) {
      lock.unlock();
      Sample s;
      if (Take(s)) {
        if (!first_.nodes) first_ = s;
        last_ = s;
        Publish(s);
        Tell(s);
      }
      lock.lock();
      changed_.wait_for(lock, every_, [this] { return ending_; });
    }
  } catch (const Cancelled&) {
    return;   // asked to end
  } catch (const std::exception& e) {
    host_.Debug(std::string("the cluster is not watched any more: ") + e.what());
  }
}

void Watch::Conclude() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  client_.Wake();
  thread_.join();
  ending_ = false;
  Sample s;
  if (!useless_ && first_.nodes && Take(s)) {
    last_ = s;
    Publish(s);
  }
  for (const auto& [what, words] : Findings(first_, last_)) host_.Warn(words);
}

}  // namespace etl::elasticsearch
