// SPDX-License-Identifier: Apache-2.0
#include "infer.h"

#include <charconv>

namespace etl::csv {
namespace {

template <class T>
bool Fits(std::string_view text) {
  T value{};
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
}

}  // namespace

void Inference::Add(std::string_view text) {
  any_ = true;
  boolean_ = boolean_ && (text == "true" || text == "false");
  const bool integer = (int64_ || uint64_) && files::IsCanonicalInteger(text);
  int64_ = int64_ && integer && Fits<std::int64_t>(text);
  uint64_ = uint64_ && integer && text[0] != '-' && Fits<std::uint64_t>(text);
  float64_ = float64_ && files::IsJsonNumber(text) && files::IsExactDouble(text);
}

files::Kind Inference::Kind() const {
  if (!any_) return files::Kind::kUtf8;
  if (boolean_) return files::Kind::kBool;
  if (int64_) return files::Kind::kInt64;
  if (uint64_) return files::Kind::kUInt64;
  return float64_ ? files::Kind::kFloat64 : files::Kind::kUtf8;
}

}  // namespace etl::csv
