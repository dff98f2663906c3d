// The inside of LoadConfig, with the plugins behind a function: for tests.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config.h"

namespace etl::host {

constexpr std::string_view kStandardInput = "-";

struct TypeResolver {
  std::function<const Component&(Kind, std::string_view type)> find;  ///< as Registry::Find
  std::function<std::vector<std::string>(Kind)> types;                ///< as Registry::Types
};

/// `file` is where the text is from, as the user wrote it: it gives the folder, the default name,
/// and the place of errors.
PipelineConfig LoadConfigText(std::string text, const std::string& file,
                              const std::vector<std::string>& sets, const TypeResolver& resolver);

}  // namespace etl::host
