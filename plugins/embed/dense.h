// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace etl::embed {

/// A layer behind the pooling: sentence-transformers' Dense, a matrix and a function of each number.
struct Dense {
  std::size_t in = 0, out = 0;
  std::vector<float> weight, bias;   ///< out rows of in; none or out
  float (*activation)(float) = nullptr;
  std::string activation_name, sha256;   ///< of the weights' file
};

/// From a folder with config.json and model.safetensors.  Throws ConfigError.
Dense ReadDense(const std::string& folder);

/// Vectors of `in` numbers, one behind the other, become such of `out`.
std::vector<float> Apply(const Dense& dense, const std::vector<float>& vectors);

/// What shapes a vector, for the fingerprint; nothing if there are none.
std::string DenseFacts(const std::vector<Dense>& all);

}  // namespace etl::embed
