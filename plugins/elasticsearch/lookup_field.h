// SPDX-License-Identifier: Apache-2.0
/// Fields of documents as columns of a batch.
#pragma once
#include <etl/sdk.h>

#include <simdjson.h>

#include <string>
#include <string_view>

#include "files/value_type.h"

namespace etl::elasticsearch {

/// A column that a lookup adds.
struct LookupField {
  std::string path;           ///< in the document, "author.name"
  files::FileColumn column;   ///< its name and type
};

/// The type of a column, as files::ColumnOf takes it, for what a mapping (the reply of GET /INDEX/_mapping) says of a field;
/// "json" where it says nothing, or where no other type holds all that the field may hold.
std::string ColumnTypeOf(const simdjson::dom::element& mapping, const std::string& path);

/// Appends what a document's source holds at the path; null where it holds nothing.  False, with the reason in `why` and
/// nothing appended, for a value that is not of the column's type.
bool AppendField(const LookupField& field, const simdjson::dom::element& source, Column& out, std::string& why);

}  // namespace etl::elasticsearch
