// SPDX-License-Identifier: Apache-2.0
/// Looks at the cluster while rows are written: metrics every few seconds, and at the end in words what held it up.
#pragma once
#include <etl/sdk.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "http/client.h"

namespace etl::elasticsearch {

/// Figures of all nodes together, and of the index.
struct Sample {
  std::int64_t at = 0;                 ///< ns
  double write_queue = 0, write_rejected = 0, heap_percent = 0, gc_ms = 0, breakers = 0, indexing_memory = 0, memory_rejections = 0, cpu_percent = 0, disk_bytes = 0;
  double segments = 0, merges = 0, merge_ms = 0, throttled_ms = 0, refresh_ms = 0, refreshes = 0;
  int nodes = 0;
};
/// False: the replies are not what they should be.
bool ReadSample(const std::string& nodes, const std::string& index, Sample& sample);
/// What limited the load between two samples: a name of it, and a sentence.
std::vector<std::pair<std::string, std::string>> Findings(const Sample& first, const Sample& last);

/// A thread of its own, for as long as it lives.  What limits is warned about once when it begins to, and summed up at the end.
class Watch {
 public:
  /// `index`: whose segments are counted; empty = none's.
  Watch(const Host& host, http::Target target, std::string index, std::chrono::nanoseconds every);
  ~Watch();
  Watch(const Watch&) = delete;
  /// A last sample, and the findings as warnings.
  void Conclude();

 private:
  void Run() noexcept;
  bool Take(Sample& sample);
  void Publish(const Sample& sample);
  void Tell(const Sample& sample);

  const Host host_;
  http::Client client_;
  const std::string index_;
  const std::chrono::nanoseconds every_;
  Sample first_, last_, before_;       // before_: what Tell() compares with
  std::set<std::string> told_, limits_;
  std::mutex mutex_;                   // over ending_
  std::condition_variable changed_;
  bool ending_ = false, useless_ = false;
  std::thread thread_;
};

}  // namespace etl::elasticsearch
