#include <etl/json.h>

static_assert(__cplusplus < 202002L, "compiled as C++17 on purpose");

std::string FirstRow(const ArrowSchema& schema, const ArrowArray& batch);
std::string FirstRow(const ArrowSchema& schema, const ArrowArray& batch) {
  std::string text;
  etl::JsonWriter(schema).Row(batch, 0, text);
  return text;
}
