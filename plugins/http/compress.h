// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace etl::http {

enum class Coding { kNone, kGzip, kZstd };

/// "", "gzip", "zstd": what stands in Content-Encoding.
std::string Name(Coding coding);
/// The whole text, compressed for speed.  Throws Fatal.
std::string Compress(Coding coding, std::string_view text);

}  // namespace etl::http
