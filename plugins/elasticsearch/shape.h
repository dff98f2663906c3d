// SPDX-License-Identifier: Apache-2.0
/// A batch in the shape of its documents: columns left out, renamed, put into objects, vectors in their wire form.
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace etl::elasticsearch {

enum class Vectors { kFloats, kBase64 };

struct ShapeOptions {
  std::vector<std::pair<std::string, std::string>> columns;   ///< field = column; empty = all under their own names
  std::vector<std::string> exclude;
  bool nested = false;                   ///< "a.b" is field b of the object a
  std::vector<std::string> base64;       ///< fields whose vectors go as base64
  bool nan_as_null = false;
};

/// The fields that documents get, and from which columns.  Throws ConfigError for columns that the rows do not have.
std::vector<std::pair<std::string, std::string>> Fields(const ArrowSchema& rows, const ShapeOptions& options);
/// The place of a column, or ConfigError(option).
std::int64_t FindColumn(const ArrowSchema& rows, const std::string& column, const char* option);
/// Is it a list of floats or doubles?
bool IsVector(const ArrowSchema& column);

/// One worker's.
class Shape {
 public:
  /// `rows` must live as long as this object.
  Shape(const ArrowSchema& rows, const ShapeOptions& options);
  Shape(const Shape&) = delete;
  /// What a JsonWriter is made for; raw JSON is written as it is.
  const ArrowSchema& schema() const { return schema_; }
  /// The batch in that shape.  It borrows from `batch`, and is good until the next call.
  void Begin(const ArrowArray& batch);
  /// Rows are asked for in ascending order.
  const ArrowArray& ForRow(std::int64_t row);
  /// Why a row's vectors cannot be written, or null.
  const std::string* Wrong(std::int64_t row) const;

 private:
  /// A column of vectors, converted for some rows at a time.
  struct Converted {
    std::int64_t column = 0;
    bool base64 = false;
    std::string format, metadata, text;
    std::vector<std::int64_t> offsets;
    std::vector<unsigned char> valid;
    const void* buffers[3] = {};
    ArrowArray* array = nullptr;
  };
  struct Node {
    std::string name, path;
    std::int64_t column = -1;
    std::vector<std::size_t> children;
  };
  void Build(const ArrowSchema& rows, std::size_t node, ArrowSchema* schema, ArrowArray* array);
  void Convert(Converted& c, std::int64_t first, std::int64_t count);
  void ConvertRow(Converted& c, const ColumnView& items, std::int64_t begin, std::int64_t end, std::int64_t row);

  const ArrowSchema* rows_;
  ShapeOptions options_;
  std::deque<Node> nodes_;
  std::deque<ArrowSchema> schemas_;
  std::deque<ArrowArray> arrays_;
  std::deque<std::vector<ArrowSchema*>> schema_children_;
  std::deque<std::vector<ArrowArray*>> array_children_;
  std::vector<std::pair<ArrowArray*, std::int64_t>> plain_;   // a copy of the batch's column
  std::deque<Converted> converted_;
  ArrowSchema schema_{};
  ArrowArray array_{};
  const ArrowArray* batch_ = nullptr;
  std::int64_t from_ = 0, to_ = 0;     // rows that are converted
  std::vector<std::pair<std::int64_t, std::string>> wrong_;
};

}  // namespace etl::elasticsearch
