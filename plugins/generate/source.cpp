// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace etl::generate {
namespace {

std::int64_t NumberOf(std::string_view text) {
  std::int64_t value = -1;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || value < 0) {
    throw Fatal("\"" + std::string(text) + "\" is no position of a generated row; reset the state of this pipeline");
  }
  return value;
}

/// Where split k of n begins.
std::int64_t BeginOf(std::int64_t k, std::int64_t n, std::int64_t rows) {
  return rows / n * k + std::min(k, rows % n);
}

}  // namespace

Schema GenerateSource::Describe() {
  if (rows == 0 && splits > 1) throw ConfigError("splits", "rows without end cannot be split; give rows, or splits = 1");
  if (batch_rows * std::max(payload, 4 * vector) > std::numeric_limits<std::int32_t>::max()) {
    throw ConfigError(payload > 4 * vector ? "payload" : "vector", "a batch of batch_rows = " + std::to_string(batch_rows) +
                                     " rows would hold more than 2 GiB of it; make one of them smaller");
  }
  Schema schema{{"id", Int64(), false}};
  if (payload > 0) schema.push_back({"payload", Utf8(), false});
  if (vector > 0) schema.push_back({"vector", FixedList(Float32(), static_cast<int>(vector)), false});
  return schema;
}

void GenerateSource::Plan(bool fresh, std::string_view state) {
  next_split_ = fresh || state.empty() ? 0 : NumberOf(state);
}

bool GenerateSource::PlanNext(Split& out, std::string& state) {
  if (next_split_ == splits) return false;
  const std::int64_t begin = BeginOf(next_split_, splits, rows), end = BeginOf(next_split_ + 1, splits, rows);
  out.id = std::to_string(begin) + "-" + (rows ? std::to_string(end) : "");
  out.state = std::to_string(begin);
  if (rows) {
    out.rows = end - begin;
    const std::int64_t row = 8 + payload + 4 * vector;
    if (out.rows <= std::numeric_limits<std::int64_t>::max() / row) out.bytes = out.rows * row;
  }
  state = std::to_string(++next_split_);
  return true;
}

std::shared_ptr<Pool> GenerateSource::SharedPool() {
  GenerateSource& head = HeadAs<GenerateSource>();
  const std::lock_guard lock(head.mutex_);
  if (!head.pool_) {
    head.pool_ = std::make_shared<Pool>(static_cast<std::size_t>(batch_rows), static_cast<std::size_t>(payload), static_cast<std::size_t>(vector));
  }
  return head.pool_;
}

void GenerateSource::Open(const Split& split, std::string_view position) {
  pool_ = SharedPool();
  const std::string_view id = split.id;
  const std::size_t dash = std::min(id.find('-'), id.size());
  const std::string_view end = id.substr(std::min(dash + 1, id.size()));
  next_ = NumberOf(position.empty() ? id.substr(0, dash) : position);
  end_ = end.empty() ? std::numeric_limits<std::int64_t>::max() : NumberOf(end);
}

bool GenerateSource::NextArray(ArrowArray* out, std::string& position) {
  const std::int64_t count = std::min(batch_rows, end_ - next_);
  if (count <= 0) return false;
  pool_->Make(next_, count, out);
  next_ += count;
  char text[24];
  position.assign(text, std::to_chars(text, text + sizeof text, next_).ptr);
  return true;
}

bool GenerateSource::Next(Batch&, std::string&) { throw Fatal("batches of this source come ready-made"); }

}  // namespace etl::generate
