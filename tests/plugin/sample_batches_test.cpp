#include "plugin/sample_batches.h"

#include <doctest/doctest.h>

using namespace etl::host;

TEST_CASE("made-up batches are valid, and the same rows in every shape") {
  for (const std::string_view name : SampleSchemaNames()) {
    const SchemaHandle schema = SampleSchema(name);
    REQUIRE_FALSE(CheckSchema(*schema));
    for (const bool nulls : {false, true}) {
      std::vector<std::string> expected;
      for (const Shape shape : kShapes) {
        CAPTURE(std::string(name) + ", " + std::string(ShapeName(shape)));
        ArrowArray array{};
        SampleBatch(*schema, 9, 50, nulls, shape, &array);
        const auto fault = CheckArray(*schema, array, true);
        CHECK_MESSAGE(!fault, fault.value_or(""));
        const std::vector<std::string> rows = RowTexts(*schema, array);
        if (shape == Shape::kPlain) expected = rows;
        CHECK(rows == expected);
        array.release(&array);
        CHECK(!array.release);
      }
    }
  }
}
