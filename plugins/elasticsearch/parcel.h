// SPDX-License-Identifier: Apache-2.0
/// Rows on their way: a bulk request and what is known of each of its rows.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "judge.h"

namespace etl::elasticsearch {

/// A batch of the host's whose rows are on their way.  Any thread.
class Taken {
 public:
  /// `open`: rows that will be closed; with the last of them `settle` is called, which may delete this object.
  Taken(std::int64_t open, std::function<void()> settle) : open_(open), settle_(std::move(settle)) {}
  /// More that will be closed; while some are open.
  void Open(std::int64_t rows) { open_.fetch_add(rows); }
  void Close(std::int64_t rows) {
    if (open_.fetch_sub(rows) == rows) settle_();
  }

 private:
  std::atomic<std::int64_t> open_;
  const std::function<void()> settle_;
};

/// A row in a parcel.
struct Row {
  std::uint64_t number = 0;          ///< for Host::Reject
  std::uint64_t key = 0;             ///< equal for rows that write one document; 0: none does
  Taken* batch = nullptr;
  std::uint32_t end = 0;             ///< of its lines in the body
  std::uint16_t attempts = 0;        ///< that failed passingly
  std::uint8_t few = 0;              ///< of those, by faults that are tried again a few times only
  Action action = Action::kIndex;
  bool unsure = false;               ///< an earlier try may have been applied
  std::int64_t since = 0;            ///< of the host's clock: its first failure
};

/// A request's body and its rows.
struct Parcel {
  std::string body;
  std::vector<Row> rows;
  std::uint64_t origin = 0;          ///< the parcel that its rows were first in
  std::int64_t not_before = 0;       ///< of the host's clock
  unsigned protocol = 0, cut = 0, refused = 0;   ///< tries that failed by replies that were none; whose body did not go out; by 429
  std::int64_t reserved = 0;         ///< bytes, with the host
  std::string packed;                ///< the body as it is sent, where that is compressed
  std::unique_ptr<Parcel> next;      ///< to be sent when this one and all that comes of it is settled

  std::string_view LinesOf(std::size_t row) const {
    const std::size_t begin = row ? rows[row - 1].end : 0;
    return std::string_view(body).substr(begin, rows[row].end - begin);
  }
  void Add(const Row& row, std::string_view lines) {
    body += lines;
    rows.push_back(row);
    rows.back().end = static_cast<std::uint32_t>(body.size());
  }
  void Clear() {
    body.clear();
    rows.clear();
    packed.clear();
    not_before = 0;
    origin = 0;
    protocol = cut = refused = 0;
  }
};

}  // namespace etl::elasticsearch
