// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <stdexcept>

namespace etl::ndjson {

void NdjsonSink::Prepare(const ArrowSchema& in) {
  JsonOptions options;
  options.omit_nulls = nulls == "omit";
  options.non_finite = on_nan == "null" ? JsonNonFinite::kNull : JsonNonFinite::kThrow;
  options.bad_text = on_invalid_utf8 == "replace" ? JsonBadText::kReplace : JsonBadText::kThrow;
  writer_ = std::make_unique<JsonWriter>(in, options);
}

void NdjsonSink::AppendRows(const Rows& in, std::string& out) {
  try {
    writer_->Rows(in.array(), 0, in.size(), out);
    return;
  } catch (const std::invalid_argument&) {
    // Some row cannot be written: which, the next loop finds.
  }
  for (std::int64_t i = 0; i < in.size(); ++i) {
    try {
      writer_->Row(in.array(), i, out);
      out += '\n';
    } catch (const std::invalid_argument& wrong) {
      host.Reject(in.row(i), wrong.what());
    }
  }
}

}  // namespace etl::ndjson
