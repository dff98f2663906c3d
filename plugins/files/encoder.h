// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "input.h"

namespace etl::files {

/// Compresses bytes.  Throws Fatal when the library does.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual void Encode(std::string_view in, std::string& out) = 0;
  /// Ends the member (gzip) or frame (zstd); what comes then begins another.
  virtual void End(std::string& out) = 0;
};

/// Null for kNone.  level 0 = the library's own default.
std::unique_ptr<Encoder> MakeEncoder(Compression compression, int level);

/// What the name's ending says: .gz, .zst, else kNone.
Compression CompressionOfName(std::string_view path);

}  // namespace etl::files
