// Batches made up for the conformance checks: every type, every legal shape.
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../data/batch.h"

namespace etl::host {

/// How a batch lies in memory.  The rows are the same in all of them.
enum class Shape {
  kPlain,
  kOffset,        ///< the batch itself begins at an offset
  kColumnOffset,  ///< each column begins at an offset of its own
  kUnknownNulls,  ///< null_count is -1
  kShifted,       ///< buffers aligned to 8 bytes, no more
  kReadOnly,      ///< buffers in memory that cannot be written to
};
inline constexpr Shape kShapes[] = {Shape::kPlain,        Shape::kOffset,  Shape::kColumnOffset,
                                    Shape::kUnknownNulls, Shape::kShifted, Shape::kReadOnly};
std::string_view ShapeName(Shape shape);

/// Schemas to offer to a transform or sink, the richest first, the last one with an id and a name only.
std::vector<std::string_view> SampleSchemaNames();
SchemaHandle SampleSchema(std::string_view name);

/// Rows [first, first + rows) of an endless table: the same row is always the same.  `nulls`: every few values of the
/// columns that may be null; without them those columns have no validity buffer.
void SampleBatch(const ArrowSchema& schema, std::int64_t first, std::int64_t rows, bool nulls, Shape shape, ArrowArray* out);

/// Every row as JSON, for comparisons.  Consumes nothing.
std::vector<std::string> RowTexts(const ArrowSchema& schema, const ArrowArray& array);

}  // namespace etl::host
