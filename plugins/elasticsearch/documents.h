// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace etl::elasticsearch {

/// Which parcel the rows of a document were last in: one document's rows must not overtake each other.  A table of hashes;
/// one thread's.
class Documents {
 public:
  /// The parcel that last had `key`, or 0; from now on it is `parcel`.  Parcels are numbered from 1 on, upwards.
  std::uint64_t Exchange(std::uint64_t key, std::uint64_t parcel);
  /// Nobody waits for parcels before this one any more.
  void Forget(std::uint64_t oldest) { oldest_ = oldest; }

 private:
  struct Slot {
    std::uint64_t key = 0, parcel = 0;
  };
  void Grow();
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  std::uint64_t oldest_ = 0;
};

}  // namespace etl::elasticsearch
