// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <simdjson.h>

#include <string>
#include <vector>

#include "judge.h"

namespace etl::elasticsearch {

/// Reads the replies of bulk requests.  One thread at a time.
class ReplyReader {
 public:
  struct Bulk {
    std::int64_t took_ms = -1;
    std::vector<Item> items;
    std::string why;               ///< not empty: this is no reply to a bulk request, and nothing of it counts
  };
  /// `text` is given room at its end; items point into it and into this object until the next call.
  const Bulk& Read(std::string& text);
  /// The error of a reply that is none to a bulk request; empty parts where it says none.
  struct Error {
    std::string type, reason;
  };
  Error ReadError(std::string& text);

 private:
  bool ReadItem(simdjson::ondemand::object object, Item& item);
  simdjson::ondemand::parser parser_;
  Bulk bulk_;
};

}  // namespace etl::elasticsearch
