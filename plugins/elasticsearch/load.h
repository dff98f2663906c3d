// SPDX-License-Identifier: Apache-2.0
/// Settings for the time of a load, and what was there before put back, whatever happens.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cluster.h"

namespace etl::elasticsearch {

struct LoadOptions {
  std::string refresh_interval;
  std::optional<std::int64_t> replicas, force_merge;
  bool any() const { return !refresh_interval.empty() || replicas; }
  static auto Options() {
    return etl::Options(
        Option("refresh_interval", &LoadOptions::refresh_interval, "Refresh so often while rows are written; \"-1\": not at all.").Tuning(),
        Option("replicas", &LoadOptions::replicas, "Copies of each shard while rows are written.").Range("0..100").Tuning(),
        Option("force_merge", &LoadOptions::force_merge, "Segments to merge each shard into at the end of a complete run.").Range("1..1000").Tuning());
  }
};

/// A body for PUT /index/_settings.
std::string LoadSettings(const LoadOptions& options);

/// What a run has changed: noted with the host, and in the index's own mapping ("_meta": {kLoad: ...}), before
/// anything is changed.  Either of them is enough for the next run to put it back.
class Load {
 public:
  /// One index, and its settings as JSON values; "null": not set; empty: not changed.
  struct Lease {
    std::string index, refresh_interval, replicas;
  };

  /// Leases that `note` (etl_run.kept) or the indices themselves know of.
  void Find(Cluster& cluster, const std::string& note, const std::vector<std::string>& indices);
  /// Changes the settings of these indices.  What Find() found counts as what was there before.
  void Begin(Cluster& cluster, const Host& host, const LoadOptions& options, const std::vector<std::string>& indices);
  /// Puts back what was there, and refreshes.  An index that is gone is none to care for.
  void End(Cluster& cluster, const Host& host);
  bool any() const { return !leases_.empty(); }

 private:
  Lease* Known(const std::string& index);
  std::vector<Lease> leases_;
};

/// Merges, and waits for the end of it.
void ForceMerge(Cluster& cluster, const std::string& index, std::int64_t segments);

}  // namespace etl::elasticsearch
