// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/sdk.h>

#include <cstdint>

namespace etl::generate {

/// Settles every batch at once.  Counts what it threw away as the metrics discarded_rows and discarded_bytes.
class DiscardSink : public Sink {
 public:
  static constexpr std::uint32_t kFlags = ETL_PARALLEL | ETL_IDEMPOTENT;
  static constexpr auto kType = "discard";
  static constexpr auto kSummary = "Takes every row and keeps none, for trying out and measuring pipelines.";
  static auto Options() { return etl::Options(); }

  void Open(const ArrowSchema& in, std::string_view state) override;
  Written Write(const Rows& in) override;
  std::string Flush() override;

 private:
  std::int64_t rows_ = 0, bytes_ = 0;
};

}  // namespace etl::generate
