// SPDX-License-Identifier: Apache-2.0
/// Documents as rows again, for `etl verify`.
#pragma once
#include <etl/compare.h>
#include <simdjson.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace etl::elasticsearch {

/// How a field's value becomes a column's.
enum class FieldForm {
  kFloat,    ///< utf8: text without quotes, else as JSON has it
  kScalar,   ///< the same, numbers without exponents
  kJson,     ///< JSON as it stands
  kFloats,   ///< JSON: an array of the shortest texts of single floats, also of what is base64
  kDoubles,  ///< JSON: the same of doubles
  kBytes,    ///< binary: what is base64; other texts as they are
  kId        ///< utf8: the document's id
};

/// A field that is read, and the column of the rows that it was written from.
struct ReadField {
  std::vector<std::string> path;       ///< into objects; a name with dots in it is one step
  std::string column;
  FieldForm form = FieldForm::kScalar;
};

/// Pages of search replies as batches.  One thread.
class PageReader {
 public:
  explicit PageReader(std::vector<ReadField> fields);
  /// The columns, in the order of the fields.
  Schema schema() const;
  struct Page {
    std::size_t hits = 0;
    std::int64_t total = -1;           ///< documents that there are; -1: the reply does not say
    std::string context;               ///< point in time or scroll, to ask on with
    std::string after;                 ///< JSON of the last hit's sort values
    std::int64_t failed_shards = 0;
    bool timed_out = false;
    std::vector<std::pair<std::string, std::string>> unreadable;   ///< id of a document, and why it gives no row
  };
  /// Appends to `rows`, a batch of schema().  Throws Retry when it is no reply of a search; `rows` is then of no use.
  /// `text` gets room behind its end.
  Page Read(std::string& text, Batch& rows);

 private:
  struct Branch {
    std::map<std::string, Branch, std::less<>> children;
    std::vector<std::size_t> fields;   // that end here
  };
  struct Value {
    bool null = true;
    std::string text;
  };
  void ReadHit(simdjson::ondemand::object hit, Page& page, Batch& rows);
  void ReadObject(simdjson::ondemand::object object, const Branch& branch);
  void ReadValue(simdjson::ondemand::value value, FieldForm form, Value& to);

  std::vector<ReadField> fields_;
  Branch root_;
  std::vector<Value> values_;          // of a document
  simdjson::ondemand::parser parser_;
};

/// A JSON number without an exponent, with all its digits; where it would be very long, and what is none, as it is.
std::string WithoutExponent(std::string_view number);

}  // namespace etl::elasticsearch
