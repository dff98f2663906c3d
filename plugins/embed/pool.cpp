// SPDX-License-Identifier: Apache-2.0
#include "pool.h"

#include <algorithm>
#include <cmath>

namespace etl::embed {

void Pool(Pooling pooling, const float* in, std::size_t tokens, std::size_t dims, float* out) {
  if (pooling == Pooling::kCls || pooling == Pooling::kLast) {
    std::copy_n(in + (pooling == Pooling::kLast ? (tokens - 1) * dims : 0), dims, out);
    return;
  }
  std::copy_n(in, dims, out);
  for (std::size_t t = 1; t < tokens; ++t) {
    const float* v = in + t * dims;
    if (pooling == Pooling::kMax) {
      for (std::size_t i = 0; i < dims; ++i) out[i] = std::max(out[i], v[i]);
    } else {
      for (std::size_t i = 0; i < dims; ++i) out[i] += v[i];
    }
  }
  if (pooling == Pooling::kMean) {
    const float part = 1.0f / static_cast<float>(tokens);
    for (std::size_t i = 0; i < dims; ++i) out[i] *= part;
  }
}

void Normalize(float* v, std::size_t dims) {
  double sum = 0;
  for (std::size_t i = 0; i < dims; ++i) sum += static_cast<double>(v[i]) * static_cast<double>(v[i]);
  if (!(sum > 0)) return;
  const auto scale = static_cast<float>(1 / std::sqrt(sum));
  for (std::size_t i = 0; i < dims; ++i) v[i] *= scale;
}

}  // namespace etl::embed
