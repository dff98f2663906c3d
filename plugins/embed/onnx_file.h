// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace etl::embed {

/// What an ONNX file would make the runtime reach for, found without the runtime.
struct OnnxFacts {
  std::set<std::string> external;   ///< locations of tensors outside of the file
  std::set<std::string> domains;    ///< of operators that are neither ONNX's nor ONNX Runtime's own, nor functions of the file: "domain.Operator"
};

/// Walks all of it: graphs in graphs, functions, attributes, sparse tensors.  Throws ConfigError("model") for what is no whole ONNX model.
OnnxFacts ReadOnnx(std::string_view bytes, const std::string& file);

}  // namespace etl::embed
