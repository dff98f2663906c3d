// SPDX-License-Identifier: Apache-2.0
#include "infer.h"

#include <charconv>
#include <cstdint>

#include "files/json_check.h"

namespace etl::ndjson {

using simdjson::ondemand::json_type;

void Seen::Add(json_type type, std::string_view token) {
  switch (type) {
    case json_type::boolean: boolean = true; return;
    case json_type::string: string = true; return;
    case json_type::array:
    case json_type::object: nested = true; return;
    case json_type::null: return;
    case json_type::number: break;
  }
  const char* const end = token.data() + token.size();
  if (token.find_first_of(".eE") != std::string_view::npos) {
    double value = 0;
    fraction = true;
    unholdable |= std::from_chars(token.data(), end, value).ec != std::errc();
    return;
  }
  integer = true;
  negative |= token[0] == '-';
  if (!files::IsExactDouble(token)) inexact = true;
  std::int64_t narrow = 0;
  std::uint64_t wide = 0;
  if (std::from_chars(token.data(), end, narrow).ec == std::errc()) return;
  beyond_int64 = true;
  unholdable |= std::from_chars(token.data(), end, wide).ec != std::errc() || token[0] == '-';
}

files::Kind Seen::Kind() const {
  const bool number = integer || fraction;
  if (boolean + string + number != 1 || nested || unholdable) return files::Kind::kJson;
  if (boolean) return files::Kind::kBool;
  if (string) return files::Kind::kUtf8;
  if (fraction) return inexact ? files::Kind::kJson : files::Kind::kFloat64;
  if (!beyond_int64) return files::Kind::kInt64;
  return negative ? files::Kind::kJson : files::Kind::kUInt64;
}

void Inference::Add(std::string_view line) {
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser_.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING).get(document)) return;
  if (document.get_object().get(object)) return;
  for (auto field : object) {
    std::string_view key;
    json_type type;
    std::string_view token;
    if (field.unescaped_key().get(key)) return;
    const auto [at, fresh] = index_.try_emplace(std::string(key), keys_.size());
    if (fresh) keys_.emplace_back(key, Seen());
    auto value = field.value();
    if (value.type().get(type) || value.raw_json_token().get(token)) return;
    keys_[at->second].second.Add(type, files::Trimmed(token));
  }
}

std::vector<files::FileColumn> Inference::Columns() const {
  std::vector<files::FileColumn> columns;
  for (const auto& [name, seen] : keys_) {
    files::FileColumn column;
    column.name = name;
    column.kind = seen.Kind();
    columns.push_back(column);
  }
  return columns;
}

}  // namespace etl::ndjson
