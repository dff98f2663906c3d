// SPDX-License-Identifier: Apache-2.0
#include "discard.h"

#include <etl/bytes.h>

namespace etl::generate {

void DiscardSink::Open(const ArrowSchema&, std::string_view) {}

Written DiscardSink::Write(const Rows& in) {
  rows_ += in.size();
  bytes_ += arrow::ValueBytes(in.schema(), in.array(), 0, in.size());
  return Written::kSettled;
}

std::string DiscardSink::Flush() {
  host.Count("discarded_rows", static_cast<double>(rows_));
  host.Count("discarded_bytes", static_cast<double>(bytes_));
  rows_ = bytes_ = 0;
  return {};
}

}  // namespace etl::generate
