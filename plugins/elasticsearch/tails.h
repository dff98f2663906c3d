// SPDX-License-Identifier: Apache-2.0
/// Texts that became shorter: documents of the parts that they no longer have.
#pragma once
#include <etl/sdk.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "encode.h"
#include "http/client.h"

namespace etl::elasticsearch {

/// Asks for documents by _mget, which sees what was written a moment ago.  The worker's thread only.
class Tails {
 public:
  /// `index`: empty where the rows name it.
  Tails(const Host& host, http::Target target, const std::string& index);
  /// A row that is the last part of its text, and the number of the first part that the text does not have.
  struct Last {
    std::int64_t row = 0, part = 0;
  };
  /// Documents that are there beyond these, in the order of the rows: parts of texts are numbered without gaps, so it ends
  /// where several numbers are free.  Tries again as long as the pipeline's retry policy says; then throws.
  std::vector<Last> Find(Encoder& encoder, std::vector<Last> lasts);

 private:
  std::vector<bool> Ask(const std::string& body, std::size_t ids);
  std::vector<bool> Read(const http::Reply& reply, std::size_t ids) const;

  const Host host_;
  http::Client client_;
  std::string path_;
};

}  // namespace etl::elasticsearch
