// What a test gives to the plugin "handover", whose source and sink know it by its address.
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <functional>
#include <string>

namespace etl::test {

struct Handover {
  std::function<void(ArrowSchema*)> schema;                            ///< of the source
  std::function<bool(ArrowArray*)> next;                               ///< false: no more
  std::function<void(const ArrowSchema&, const ArrowArray&)> arrived;  ///< at the sink

  /// As it is written in a pipeline file.
  std::string address() const { return std::to_string(reinterpret_cast<std::intptr_t>(this)); }
};

}  // namespace etl::test
