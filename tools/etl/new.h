// The files that `etl plugin new` writes, made by the build from templates/.
#pragma once
#include <cstddef>

namespace etl::cli {

struct Template {
  const char *folder, *name, *text;  ///< folder: "common", "source", "transform", "sink"
};
extern const Template kTemplates[];
extern const std::size_t kTemplateCount;

}  // namespace etl::cli
