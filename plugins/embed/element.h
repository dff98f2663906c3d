// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/type.h>
#include <etl/column.h>

#include <string>
#include <vector>

namespace etl::embed {

/// In what form a vector leaves.
enum class Element { kFloat32, kFloat16, kInt8, kBinary };

/// The column's type for vectors of that many numbers.  Throws ConfigError("element") for bits that fill no bytes.
Type VectorType(Element element, std::int64_t dims);
/// Adds one vector's numbers to the items of a column of that type.
void AppendVector(Element element, const std::vector<float>& vector, Column& items);

}  // namespace etl::embed
