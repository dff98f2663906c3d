// Every type that batches may carry, with values from its edges.
#pragma once
#include <etl/sdk.h>

#include <string>
#include <vector>

#include "data/batch.h"

namespace etl::test {

enum class Encoding { kPlain, kDictionary, kView, kRunEnd };

struct Sample {
  Type type;
  /// As an exact JsonWriter writes them; the last row of a type that has nulls is one.
  std::vector<std::string> values;
  Encoding encoding = Encoding::kPlain;
  /// As `columns` of the csv and ndjson sources name the type; empty: they do not.
  std::string declared;
};

std::vector<Sample> Samples();

/// Columns n (int64, 0 ..) and v.
host::SchemaHandle PlainSchemaOf(const Sample& sample);
host::SchemaHandle SchemaOf(const Sample& sample);
void MakeBatchOf(const Sample& sample, ArrowArray* out);

}  // namespace etl::test
