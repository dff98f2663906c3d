// SPDX-License-Identifier: Apache-2.0
#include "folder_file.h"

#include <sys/mman.h>

#include <fstream>
#include <memory>

namespace etl::embed {

std::string ReadFile(const std::filesystem::path& path) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  std::ifstream in(path, std::ios::binary);
  std::string bytes;
  if (!unknown) {
    // In large pages, where there are some: the kernel takes longer to give 20,000 small ones than to fill them.
    constexpr std::size_t kLargePage = 2 << 20;
    bytes.reserve(static_cast<std::size_t>(size));
    void* at = bytes.data();
    std::size_t room = bytes.capacity();
    if (std::align(kLargePage, kLargePage, at, room)) ::madvise(at, room / kLargePage * kLargePage, MADV_HUGEPAGE);
    bytes.resize(static_cast<std::size_t>(size));
  }
  if (unknown || !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) throw ConfigError("model", "cannot read " + path.string());
  return bytes;
}

Json::Json(const std::filesystem::path& path) : path_(path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return;
  if (const auto wrong = parser_.load(path.string()).get(root_)) {
    throw ConfigError("model", path.string() + " is not JSON: " + simdjson::error_message(wrong));
  }
  there_ = true;
}

}  // namespace etl::embed
