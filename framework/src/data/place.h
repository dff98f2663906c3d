// Where in a schema something is wrong.
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <string>

namespace etl::host::data {

/// A field on the way down from the batch; the text is made only where it is wanted.
struct Place {
  const Place* above = nullptr;  ///< null: the batch itself
  const ArrowSchema* field = nullptr;
  std::int64_t number = 0;  ///< among its parent's children; -1: the dictionary
};

/// "a.b"; a field without a name goes by its number.
inline std::string Path(const Place& place) {
  const std::string above = place.above->above ? Path(*place.above) : "";
  if (place.number < 0) return above + "[dictionary]";
  const char* name = place.field->name;
  return above + (above.empty() ? "" : ".") +
         (name && *name ? name : "#" + std::to_string(place.number));
}

/// How a sentence about the place begins.
inline std::string At(const Place& place) {
  return place.above ? "column \"" + Path(place) + "\": " : "the batch: ";
}

}  // namespace etl::host::data
