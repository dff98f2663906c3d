// SPDX-License-Identifier: Apache-2.0
#include "element.h"

#include <algorithm>
#include <cmath>

namespace etl::embed {
namespace {

/// To the nearest half, ties to even; what is too large becomes infinite.
std::uint16_t ToHalf(float f) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &f, sizeof bits);
  const std::uint32_t sign = (bits >> 16) & 0x8000, size = bits & 0x7fffffff;
  if (size > 0x7f800000) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (size >= 0x477ff000) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (size < 0x38800000) {  // below the smallest normal half
    float scaled = 0;
    std::memcpy(&scaled, &size, sizeof scaled);
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(scaled * 16777216.0f)));
  }
  const std::uint32_t rounded = size + 0xfff + ((size >> 13) & 1);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}

}  // namespace

Type VectorType(Element element, std::int64_t dims) {
  const int n = static_cast<int>(dims);
  switch (element) {
    case Element::kFloat32: return FixedList(Float32(), n);
    case Element::kFloat16: return FixedList({"e", {}, {}}, n);
    case Element::kInt8: return FixedList(Int8(), n);
    default: break;
  }
  if (n % 8) throw ConfigError("element", "binary needs a number of dimensions that 8 divides; the model has " + std::to_string(n));
  return FixedList(Int8(), n / 8);
}

void AppendVector(Element element, const std::vector<float>& v, Column& items) {
  switch (element) {
    case Element::kFloat32: items.AppendMany(v.data(), v.size()); return;
    case Element::kFloat16: {
      std::vector<std::uint16_t> halves(v.size());
      std::transform(v.begin(), v.end(), halves.begin(), ToHalf);
      items.AppendMany(halves.data(), halves.size());
      return;
    }
    case Element::kInt8: {
      std::vector<std::int8_t> bytes(v.size());
      const auto to_byte = [](float f) { return static_cast<std::int8_t>(std::lround(std::clamp(f, -1.0f, 1.0f) * 127)); };
      std::transform(v.begin(), v.end(), bytes.begin(), to_byte);
      items.AppendMany(bytes.data(), bytes.size());
      return;
    }
    case Element::kBinary: {
      std::vector<std::uint8_t> bytes(v.size() / 8);
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (v[i] > 0) bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (128 >> (i % 8)));
      }
      items.AppendMany(bytes.data(), bytes.size());
      return;
    }
  }
}

}  // namespace etl::embed
