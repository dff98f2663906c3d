// Arrow arrays as the host handles them: shared, measured, checked, cut.
#pragma once
#include <etl/plugin.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace etl::host {

/// An ArrowSchema that is released with its owner.
class SchemaHandle {
 public:
  SchemaHandle() { schema_.release = nullptr; }
  explicit SchemaHandle(ArrowSchema taken) : schema_(taken) {}
  SchemaHandle(SchemaHandle&& other) noexcept : schema_(other.schema_) {
    other.schema_.release = nullptr;
  }
  SchemaHandle& operator=(SchemaHandle&& other) noexcept {
    std::swap(schema_, other.schema_);
    return *this;
  }
  ~SchemaHandle() {
    if (schema_.release) schema_.release(&schema_);
  }
  const ArrowSchema& operator*() const { return schema_; }
  const ArrowSchema* operator->() const { return &schema_; }
  const ArrowSchema* get() const { return &schema_; }
  ArrowSchema* out() { return &schema_; }  ///< to be filled; must be empty
  explicit operator bool() const { return schema_.release != nullptr; }

 private:
  ArrowSchema schema_{};
};

/// A deep copy, independent of the original.
SchemaHandle CopySchema(const ArrowSchema& schema);

/// "id int64 not null, name utf8, tags list<item: utf8>": for messages, the plan and identity.
std::string SchemaText(const ArrowSchema& schema);
/// One field's type: "int64", "timestamp[us, UTC]", "decimal128(12, 2)", "fixed_size_list<item:
/// float>[384]".
std::string TypeText(const ArrowSchema& field);

/// Bytes of an array's buffers as far as its length and offset use them, children and dictionaries
/// included.
std::int64_t ArrayBytes(const ArrowSchema& schema, const ArrowArray& array);

/// Owns an array; any number of consumers hold shares of it.  Thread-safe.  Each share, and each
/// child of a share, can be moved and released on its own, as Arrow demands; the array goes when
/// the last is gone.
class SharedArray {
 public:
  /// Takes the array over.
  static std::shared_ptr<SharedArray> Own(ArrowArray taken, std::int64_t bytes);
  SharedArray() = default;
  SharedArray(const SharedArray&) = delete;
  SharedArray& operator=(const SharedArray&) = delete;
  ~SharedArray();
  const ArrowArray& array() const { return array_; }
  std::int64_t rows() const { return array_.length; }
  std::int64_t bytes() const { return bytes_; }

 private:
  ArrowArray array_{};
  std::int64_t bytes_ = 0;
};
/// A share in *out, with an offset of its own; never copies a buffer.
void Share(const std::shared_ptr<SharedArray>& owner, ArrowArray* out);

/// The rows with these indexes, in that order, as a new array with offset 0.  Takes every type of
/// the type table.
void Take(const ArrowSchema& schema, const ArrowArray& array, std::span<const std::int64_t> rows,
          ArrowArray* out);

/// What is wrong with the schema or the batch, as one sentence, or nothing.  `full`: also offsets,
/// UTF-8 and null counts of every value (costs a pass over the data); else what is cheap: shapes,
/// lengths, buffer pointers.
std::optional<std::string> CheckSchema(const ArrowSchema& schema);
std::optional<std::string> CheckArray(const ArrowSchema& schema, const ArrowArray& array,
                                      bool full);

/// Plain: no dictionary, string- or binary-view, or run-end-encoded column anywhere.
bool IsPlain(const ArrowSchema& schema);
SchemaHandle PlainSchema(const ArrowSchema& schema);
/// Consumes `array`.
void MakePlain(const ArrowSchema& schema, ArrowArray array, ArrowArray* out);

}  // namespace etl::host
