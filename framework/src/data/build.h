// Making new Arrow arrays and schemas inside the host.
#pragma once
#include <etl/plugin.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batch.h"

namespace etl::host::data {

/// Growing memory that is not cleared.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t size) { Resize(size); }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(present_, other.present_);
    return *this;
  }
  ~Buffer();

  /// New bytes hold anything.
  void Resize(std::int64_t size);
  void Append(const void* bytes, std::size_t size);
  template <class T>
  void Append(T value) {
    Append(&value, sizeof value);
  }
  template <class T>
  T* As() {
    return static_cast<T*>(bytes_);
  }
  std::int64_t size() const { return size_; }
  /// What stands in the array: null until it was resized or appended to.
  const void* exported() const;

 private:
  void* bytes_ = nullptr;
  std::int64_t size_ = 0, capacity_ = 0;
  bool present_ = false;
};

/// Bits of a validity buffer or a bool column, appended one by one.
class Bits {
 public:
  void Append(bool bit) {
    if ((length_ & 7) == 0) buffer_.Append<std::uint8_t>(0);
    if (bit) {
      buffer_.As<std::uint8_t>()[length_ >> 3] |= static_cast<std::uint8_t>(1u << (length_ & 7));
    } else {
      ++zeros_;
    }
    ++length_;
  }
  std::int64_t zeros() const { return zeros_; }
  Buffer Take() { return std::move(buffer_); }

 private:
  Buffer buffer_;
  std::int64_t length_ = 0, zeros_ = 0;
};

/// An ArrowArray that is released with its owner.
class OwnedArray {
 public:
  OwnedArray() { array_.release = nullptr; }
  explicit OwnedArray(ArrowArray taken) : array_(taken) {}
  OwnedArray(OwnedArray&& other) noexcept : array_(other.array_) { other.array_.release = nullptr; }
  OwnedArray& operator=(OwnedArray&& other) noexcept {
    std::swap(array_, other.array_);
    return *this;
  }
  ~OwnedArray() {
    if (array_.release) array_.release(&array_);
  }
  explicit operator bool() const { return array_.release != nullptr; }
  ArrowArray& operator*() { return array_; }
  ArrowArray* operator->() { return &array_; }
  ArrowArray Release() {
    const ArrowArray out = array_;
    array_.release = nullptr;
    return out;
  }

 private:
  ArrowArray array_{};
};

/// An array in the making.
struct Node {
  std::int64_t length = 0;
  std::int64_t null_count = 0;
  std::vector<Buffer> buffers;
  std::vector<Node> children;
  std::unique_ptr<Node> dictionary;
  OwnedArray ready;  ///< set: the node is this finished array, and nothing else counts
};
void Export(Node node, ArrowArray* out);

/// A schema in the making.
struct Field {
  std::string format;
  std::optional<std::string> name;
  std::optional<std::string> metadata;  ///< Arrow's encoding
  std::int64_t flags = 0;
  std::vector<SchemaHandle> children;
  SchemaHandle dictionary;
};
void Export(Field field, ArrowSchema* out);
/// Without children and dictionary.
Field FieldOf(const ArrowSchema& schema);

/// The rows as a new array with offset 0; -1 gives null.  `plain`: dictionaries, views and runs
/// become plain columns.
Node Gather(const ArrowSchema& schema, const ArrowArray& array, std::span<const std::int64_t> rows,
            bool plain);

}  // namespace etl::host::data
