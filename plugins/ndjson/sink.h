// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>

#include <memory>
#include <string>

#include "files/file_sink.h"

namespace etl::ndjson {

class NdjsonSink : public files::FileSink {
 public:
  static constexpr auto kType = "ndjson";
  static constexpr auto kSummary = "Writes a file of JSON objects, one on each line.";
  static constexpr auto kDoc =
      "A run that goes on after a stop cuts the file back to what was saved, so that no row is in it twice.  A new run "
      "begins the file anew.";
  std::string nulls = "write";
  std::string on_nan = "error";

  static auto Options() {
    return Join(CommonOptions<NdjsonSink>(),
                etl::Options(etl::Option("nulls", &NdjsonSink::nulls, "Write \"key\":null, or omit the key.")
                                 .Choices({"write", "omit"}),
                             etl::Option("on_nan", &NdjsonSink::on_nan,
                                         "NaN and infinities, which JSON does not have: error rejects the row.")
                                 .Choices({"error", "null"})));
  }

 protected:
  void Prepare(const ArrowSchema& in) override;
  void AppendRows(const Rows& in, std::int64_t first, std::int64_t count, json_detail::Tail& out) override;

 private:
  std::unique_ptr<JsonWriter> writer_;
};

}  // namespace etl::ndjson
