// SPDX-License-Identifier: Apache-2.0
/// Rows as the lines of a bulk request.
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "judge.h"
#include "shape.h"

namespace etl::elasticsearch {

/// Text with columns in braces: "logs-{tenant}-{ts:%Y.%m.%d}".
class Template {
 public:
  Template() = default;
  /// Throws ConfigError(option).
  Template(const std::string& text, const ArrowSchema& rows, const char* option);
  bool fixed() const { return parts_.empty(); }
  const std::string& text() const { return text_; }   ///< of a fixed one
  struct Part {
    std::string text;                ///< before the column
    std::int64_t column = -1;        ///< -1: the text alone
    std::string format;              ///< of a date
  };
  const std::vector<Part>& parts() const { return parts_; }

 private:
  std::string text_;
  std::vector<Part> parts_;
};

struct EncodeOptions {
  std::string action = "index", index;
  std::vector<std::string> id;
  std::string part, parts;           ///< columns with the number of a part and how many there are; its id is "ID#NUMBER"
  std::string routing, version, version_type, if_seq_no, if_primary_term, on_invalid_utf8 = "error", nulls = "write";
  bool require_alias = false;
  std::int64_t retry_on_conflict = 0;
  ShapeOptions shape;
};

/// Longest id that is sent as it is; longer ones go as their hash.
constexpr std::size_t kLongestId = 512;

/// One worker's.
class Encoder {
 public:
  /// Throws ConfigError.  `rows` must live as long as this object.
  Encoder(const ArrowSchema& rows, const EncodeOptions& options);
  /// The batch must live until the next call.
  void Begin(const ArrowArray& batch);
  struct Line {
    Action action;
    std::uint64_t key;               ///< hash of index, id and routing; 0 = the cluster makes the id
  };
  /// Appends a row's lines.  Throws std::invalid_argument for a row that cannot be written; `out` is then as before.
  Line Row(std::int64_t row, std::string& out) { return Put(row, ActionOf(row), -1, out); }
  /// The same for deleting another part of the row's text.
  Line DeletePart(std::int64_t row, std::int64_t part, std::string& out) { return Put(row, Action::kDelete, part, out); }
  /// Appends where the document is, as _mget takes it.  `part`: of another part of the row's text; -1: the row's own.  Throws as Row() does.
  void Place(std::int64_t row, std::int64_t part, std::string& out);
  struct LastPart {
    std::int64_t count = 0;          ///< of parts
    std::uint64_t text = 0;          ///< equal for parts of one text
  };
  /// Nothing, unless the row is the last part of its text.  Throws as Row() does.
  std::optional<LastPart> Last(std::int64_t row);

 private:
  Line Put(std::int64_t row, Action action, std::int64_t part, std::string& out);
  std::uint64_t PutPlace(std::int64_t row, std::int64_t part, std::string& out);
  Action ActionOf(std::int64_t row);
  std::string JoinedId(std::int64_t row);
  std::int64_t Integer(std::int64_t column, std::int64_t row);
  void PutIndex(std::int64_t row, std::string& out);
  void PutId(std::int64_t row, std::int64_t part, std::string& out);
  void PutNumber(std::int64_t column, const char* name, std::int64_t row, std::string& out);
  std::string_view PlainText(std::int64_t column, std::int64_t row);
  std::string Formatted(const Template::Part& part, std::int64_t row);

  const ArrowSchema* rows_;
  EncodeOptions options_;
  Shape shape_;
  JsonWriter document_, meta_;
  Template action_, index_;
  Action fixed_ = Action::kIndex;
  std::vector<std::int64_t> id_;
  std::int64_t part_ = -1, parts_ = -1, routing_ = -1, version_ = -1, seq_no_ = -1, term_ = -1;
  std::string prefix_[5], tail_;     // of an action line, by action
  bool plain_id_ = false;            // one column of text or integers
  bool plain_line_ = false;          // no more than the id varies
  const ArrowArray* batch_ = nullptr;
  std::vector<ColumnView> views_;
  std::string scratch_;
};

}  // namespace etl::elasticsearch
