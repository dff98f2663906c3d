// Changes to a pipeline file's text that leave its comments and layout as they are.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace etl::host {

/// `text` with these options of a stage ("sink[0]") set: a value that is there is replaced where it stands, another one gets
/// a line at the end of its [table].  values: names and TOML.  Throws Error(kConfig) where the file's form leaves no room
/// for it.  `file` is for messages.
std::string WithOptions(const std::string& text, const std::string& file, const std::string& stage,
                        const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace etl::host
