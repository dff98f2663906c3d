// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "files/value_type.h"

namespace etl::csv {

/// What has been seen of one column.  A type is only found when every value, written again, says the same.
class Inference {
 public:
  void Add(std::string_view text);
  files::Kind Kind() const;

 private:
  bool any_ = false, boolean_ = true, int64_ = true, uint64_ = true, float64_ = true;
};

}  // namespace etl::csv
