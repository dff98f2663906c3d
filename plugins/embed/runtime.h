// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

namespace etl::embed {

/// ONNX Runtime, loaded when it is first asked for.  One a process, which never goes.
class Runtime {
 public:
  /// `path`: the library or its folder; empty: $ETL_ONNXRUNTIME, then the usual places.  Throws ConfigError("runtime") with all that was tried.
  static const Runtime& Load(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& version() const { return version_; }
  Ort::Env& env() const { return *env_; }
  /// As pipelines name them: cpu, cuda, openvino ...
  std::vector<std::string> Providers() const;
  /// The library that a provider is, where it is one of its own.
  std::string LibraryOf(const std::string& provider) const;
  /// "; libopenvino.so.2541: cannot open ...": what that library lacks, if it is that.
  std::string Missing(const std::string& provider) const;

 private:
  Runtime() = default;
  std::string path_, version_;
  Ort::Env* env_ = nullptr;
};

}  // namespace etl::embed
