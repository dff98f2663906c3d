// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/error.h>
#include <simdjson.h>

#include <filesystem>
#include <optional>
#include <string>

namespace etl::embed {

/// Throws ConfigError.
std::string ReadFile(const std::filesystem::path& path);

/// A JSON file of the folder; nothing where there is none.
class Json {
 public:
  explicit Json(const std::filesystem::path& path);   ///< throws ConfigError
  explicit operator bool() const { return there_; }
  const simdjson::dom::element& root() const { return root_; }
  template <class T>
  std::optional<T> Get(std::string_view pointer) const {
    T value{};
    if (!there_ || root_.at_pointer(pointer).get(value)) return {};
    return value;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
  bool there_ = false;
};

}  // namespace etl::embed
