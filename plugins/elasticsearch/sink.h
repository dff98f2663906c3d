// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/compare.h>

#include <map>

#include "cluster.h"
#include "documents.h"
#include "encode.h"
#include "index.h"
#include "load.h"
#include "pump.h"
#include "tails.h"
#include "watch.h"

namespace etl::elasticsearch {

struct BatchOptions {
  std::int64_t rows = 0;
  Bytes bytes{0};
  std::chrono::nanoseconds linger = std::chrono::seconds(1);
  static auto Options() {
    return etl::Options(Option("rows", &BatchOptions::rows, "Most documents; 0 = as many as the bytes allow.").Range("0..1000000").Tuning(),
                        Option("bytes", &BatchOptions::bytes, "Most bytes as they are sent; 0 = found by trying.").Range("0B..1GiB").Tuning(),
                        Option("linger", &BatchOptions::linger, "Longest wait of the oldest row.").Range("0s..1h").Tuning());
  }
};

struct PartsOptions {
  std::string number, count;
  static auto Options() {
    return etl::Options(Option("number", &PartsOptions::number, "Column with the part's number, from 0 on.").Required(),
                        Option("count", &PartsOptions::count, "Column with how many parts the text has.").Required());
  }
};

/// Rows as documents of an index, by bulk requests.
class ElasticsearchSink : public Sink, public Access {
 public:
  static constexpr auto kType = "elasticsearch";
  static constexpr auto kSummary = "Writes rows as documents into an index of Elasticsearch or OpenSearch.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  std::string index, action = "index", routing, version, version_type = "internal", if_seq_no, if_primary_term, pipeline,
      wait_for_active_shards, refresh = "false", on_conflict = "reject", nulls = "write", on_nan = "error", on_invalid_utf8 = "error",
      vectors = "auto", compression = "none";
  std::vector<std::string> id, exclude;
  std::vector<std::pair<std::string, std::string>> columns;
  std::int64_t retry_on_conflict = 0, concurrency = 0;
  bool require_alias = false, nested = false, swap_alias = false, sniff = false;
  std::optional<std::chrono::nanoseconds> shard_timeout;
  BatchOptions batch;
  std::optional<CreateOptions> create;
  std::optional<LoadOptions> load;
  std::optional<PartsOptions> parts;

  ~ElasticsearchSink() override;
  static detail::DeclaredList Options();
  static const void* Extension(std::string_view id);
  void Check() override;
  std::string Identity() override;
  void Begin(const etl::Run& run) override;
  void End(std::uint32_t outcome, bool rejects) override;
  void Open(const ArrowSchema& in, std::string_view state) override;
  Written Write(const Rows& in) override;
  void Tick() override;
  std::string Flush() override;
  void Interrupt() noexcept override;
  std::unique_ptr<ReadBack> OpenReadBack(const etl::Run& run);

 private:
  // head
  void CheckOptions() const;
  Cluster& Connected();
  void Sniff(Cluster& cluster);
  void ProbeCompression(Cluster& cluster);
  std::vector<std::string> Keywords() const;
  void Prepare(Cluster& cluster, const etl::Run& run);
  void PrepareSwap(Cluster& cluster, const etl::Run& run);
  void CheckPlace(const Place& place) const;
  void ChooseVectors(Cluster& cluster, const Concrete& written, const ArrowSchema& rows);
  void SwapAlias(Cluster& cluster, bool rejects);
  // both
  friend class Scratch;
  bool templated() const { return index.find('{') != std::string::npos; }
  http::Target Hosts() const;
  http::Coding Coding() const;
  EncodeOptions Encoding() const;
  std::string BulkPath(const std::string& into) const;
  // worker
  void Open(std::size_t bytes);
  void Put(const Rows& in, std::int64_t row, Taken* taken, std::int64_t part = -1);
  std::optional<Encoder::LastPart> LastPart(std::int64_t row);
  void PutParts(const Rows& in, Taken* taken);
  void PutParts(const Rows& in, std::int64_t from, std::int64_t to, std::vector<Tails::Last> lasts, Taken* taken);
  void Close();
  void Schedule();

  // head; workers read it
  std::string into_;                   // what rows go to: index, or what it is built in
  std::vector<std::string> base64_, sniffed_;
  Tally tally_;
  // head
  std::unique_ptr<Cluster> cluster_;
  Version version_;
  Load load_;
  bool resumed_ = false, replay_ = false;
  std::unique_ptr<Watch> watch_;
  // worker
  std::unique_ptr<Pace> pace_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Parcel> open_;       // being filled
  std::uint64_t parcels_ = 0;
  std::chrono::nanoseconds due_{0};    // when the oldest row in open_ has waited long enough; 0 = never
  Documents documents_;
  std::unique_ptr<Tails> tails_;
  std::unordered_set<std::uint64_t> texts_;   // whose parts may be on their way
  std::mutex mutex_;                   // over taken_
  std::map<std::uint64_t, std::unique_ptr<Taken>> taken_;
  std::uint64_t batch_ = 0;            // under way in Write
  std::int64_t next_row_ = 0;
  std::string line_;
  std::unique_ptr<Pump> pump_;         // last: it uses the others
  std::atomic<Pump*> interruptible_ = nullptr;
};

}  // namespace etl::elasticsearch
