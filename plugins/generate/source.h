// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/sdk.h>

#include <memory>
#include <mutex>
#include <string>

#include "pool.h"

namespace etl::generate {

/// Row number n of a run has id n, whatever the splits; a position is the next row's number.
class GenerateSource : public Source {
 public:
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  static constexpr auto kType = "generate";
  static constexpr auto kSummary = "Makes rows out of nothing, for trying out and measuring pipelines.";
  std::int64_t rows = 0;
  std::int64_t batch_rows = 8192;
  std::int64_t splits = 1;
  std::int64_t payload = 0;
  std::int64_t vector = 0;

  static auto Options() {
    return etl::Options(
        etl::Option("rows", &GenerateSource::rows, "How many; 0 = without end.").Range("0..9000000000000000000"),
        etl::Option("batch_rows", &GenerateSource::batch_rows, "Rows in a batch.").Range("1..1000000").Tuning(),
        etl::Option("splits", &GenerateSource::splits, "Parts that can be made at the same time.").Range("1..10000"),
        etl::Option("payload", &GenerateSource::payload,
                    "Bytes of text in each row, in a column \"payload\"; 0 = no such column.").Range("0..1000000"),
        etl::Option("vector", &GenerateSource::vector,
                    "Floats between -1 and 1 in each row, in a column \"vector\"; 0 = no such column.").Range("0..65536"));
  }

  Schema Describe() override;
  void Plan(bool fresh, std::string_view state) override;
  bool PlanNext(Split& out, std::string& state) override;
  void Open(const Split& split, std::string_view position) override;
  bool Next(Batch& out, std::string& position) override;
  bool NextArray(ArrowArray* out, std::string& position) override;

 private:
  std::shared_ptr<Pool> SharedPool();

  std::mutex mutex_;
  std::shared_ptr<Pool> pool_;  // the head's, shared by its workers
  std::int64_t next_split_ = 0;
  std::int64_t next_ = 0, end_ = 0;
};

}  // namespace etl::generate
