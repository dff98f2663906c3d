// SPDX-License-Identifier: Apache-2.0
#include "json_check.h"

#include "value_type.h"

namespace etl::files {
namespace {

constexpr int kMostDepth = 512;

simdjson::error_code CheckObject(simdjson::ondemand::value value, int depth) {
  simdjson::ondemand::object object;
  if (const auto error = value.get_object().get(object)) return error;
  for (auto field : object) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return error;
    if (const auto error = CheckJson(field.value(), depth + 1)) return error;
  }
  return simdjson::SUCCESS;
}

simdjson::error_code CheckArray(simdjson::ondemand::value value, int depth) {
  simdjson::ondemand::array array;
  if (const auto error = value.get_array().get(array)) return error;
  for (auto item : array) {
    simdjson::ondemand::value inner;
    if (const auto error = item.get(inner)) return error;
    if (const auto error = CheckJson(inner, depth + 1)) return error;
  }
  return simdjson::SUCCESS;
}

}  // namespace

std::string_view Trimmed(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\t' || token.back() == '\r' || token.back() == '\n')) {
    token.remove_suffix(1);
  }
  return token;
}

simdjson::error_code CheckJson(simdjson::ondemand::value value, int depth) {
  if (depth > kMostDepth) return simdjson::DEPTH_ERROR;
  const std::string_view token = Trimmed(value.raw_json_token());
  switch (token.empty() ? ' ' : token[0]) {
    case '{': return CheckObject(value, depth);
    case '[': return CheckArray(value, depth);
    case '"': {
      std::string_view text;
      return token.find('\\') == std::string_view::npos ? simdjson::SUCCESS : value.get_string().get(text);
    }
    case 't': return token == "true" ? simdjson::SUCCESS : simdjson::T_ATOM_ERROR;
    case 'f': return token == "false" ? simdjson::SUCCESS : simdjson::F_ATOM_ERROR;
    case 'n': return token == "null" ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
    default: return IsJsonNumber(token) ? simdjson::SUCCESS : simdjson::NUMBER_ERROR;
  }
}

bool JsonChecker::IsJson(std::string_view text) {
  padded_.assign("[").append(text).append("]");
  const std::size_t size = padded_.size();
  padded_.append(simdjson::SIMDJSON_PADDING, '\0');
  simdjson::ondemand::document document;
  simdjson::ondemand::array array;
  if (parser_.iterate(padded_.data(), size, padded_.size()).get(document)) return false;
  if (document.get_array().get(array)) return false;
  int values = 0;
  for (auto item : array) {
    simdjson::ondemand::value value;
    if (item.get(value) || CheckJson(value)) return false;
    ++values;
  }
  return values == 1 && document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

}  // namespace etl::files
