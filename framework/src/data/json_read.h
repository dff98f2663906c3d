// Rows and schemas back from JSON: what replays rejected rows and compares saved schemas.
#pragma once
#include <etl/json.h>

#include <span>
#include <string>
#include <string_view>

#include "batch.h"

namespace etl::host {

/// A batch of these rows, each a JSON object as a JsonWriter with `written` made it.  The schema
/// must be plain.  Exact for JsonOptions::Exact(); with other options what they gave up (omitted is
/// null, "null" of arrow.json is null) stays lost.  Throws Error(kState) that names row and column
/// when a row does not fit.
void ReadJsonRows(const ArrowSchema& schema, std::span<const std::string> rows, ArrowArray* out,
                  const JsonOptions& written = {});

/// Everything a schema says, as one JSON object; metadata as base64.  Throws Error(kInternal) for a
/// dictionary.
std::string SchemaToJson(const ArrowSchema& schema);
/// The same schema again.  Throws Error(kState) when the text is no schema.
SchemaHandle SchemaFromJson(std::string_view text);

}  // namespace etl::host
