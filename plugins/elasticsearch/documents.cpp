// SPDX-License-Identifier: Apache-2.0
#include "documents.h"

#include <utility>

namespace etl::elasticsearch {

std::uint64_t Documents::Exchange(std::uint64_t key, std::uint64_t parcel) {
  if (used_ * 2 >= slots_.size()) Grow();
  for (std::size_t at = key & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    Slot& s = slots_[at];
    if (s.key == key) return std::exchange(s.parcel, parcel);
    if (s.key) continue;
    s = {key, parcel};
    ++used_;
    return 0;
  }
}

/// Twice as large, unless enough of it is of parcels that nobody waits for.
void Documents::Grow() {
  std::vector<Slot> old = std::move(slots_);
  std::size_t kept = 0;
  for (const Slot& s : old) kept += s.key && s.parcel >= oldest_;
  std::size_t size = 1024;
  while (size < kept * 4) size *= 2;
  slots_.assign(size, Slot());
  used_ = 0;
  for (const Slot& s : old) {
    if (s.key && s.parcel >= oldest_) Exchange(s.key, s.parcel);
  }
}

}  // namespace etl::elasticsearch
