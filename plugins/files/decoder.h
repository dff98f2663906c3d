// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string_view>

#include "input.h"

namespace etl::files {

/// What the first bytes of a file say: kGzip, kZstd or kNone.
Compression Detect(std::string_view head);

/// Null for kNone.  `name` is for messages.
std::unique_ptr<Decoder> MakeDecoder(Compression compression, const std::string& name);

}  // namespace etl::files
