// SPDX-License-Identifier: Apache-2.0
#include "folder_file.h"

#include <fstream>

namespace etl::embed {

std::string ReadFile(const std::filesystem::path& path) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  std::ifstream in(path, std::ios::binary);
  std::string bytes(unknown ? 0 : static_cast<std::size_t>(size), '\0');
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
