// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "model_folder.h"

namespace etl::embed {

/// One text's vector from those of its `tokens` tokens, each `dims` long.
void Pool(Pooling pooling, const float* token_vectors, std::size_t tokens, std::size_t dims, float* out);
/// To length 1; a vector of zeros stays.
void Normalize(float* vector, std::size_t dims);

}  // namespace etl::embed
