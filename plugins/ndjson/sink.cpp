// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

namespace etl::ndjson {

void NdjsonSink::Prepare(const ArrowSchema& in) {
  JsonOptions options;
  options.omit_nulls = nulls == "omit";
  options.non_finite = on_nan == "null" ? JsonNonFinite::kNull : JsonNonFinite::kThrow;
  options.bad_text = on_invalid_utf8 == "replace" ? JsonBadText::kReplace : JsonBadText::kThrow;
  writer_ = std::make_unique<JsonWriter>(in, options);
}

void NdjsonSink::AppendRows(const Rows& in, std::int64_t first, std::int64_t count, json_detail::Tail& out) {
  const std::int64_t end = first + count;
  std::string wrong;
  for (std::int64_t row = first; row < end; ++row) {
    row += writer_->Rows(in.array(), row, end - row, out, wrong);
    if (row < end) host.Reject(in.row(row), wrong);
  }
}

}  // namespace etl::ndjson
