// SPDX-License-Identifier: Apache-2.0
/// Typed columns: Column builds one, ColumnView reads one.  No Arrow library needed; the layout is Arrow's
/// (https://arrow.apache.org/docs/format/Columnar.html).
#pragma once
#include <etl/type.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace etl {
inline namespace v1 {

/// Bytes that grow and are never cleared.  Owner of its memory; moves, does not copy.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& o) noexcept : data_(o.data_), size_(o.size_), capacity_(o.capacity_) { o.Forget(); }
  Buffer& operator=(Buffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(capacity_, o.capacity_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  char* data() { return data_; }
  const char* data() const { return data_; }
  std::size_t size() const { return size_; }

  /// n more bytes, not initialised; returns where they begin.
  char* Extend(std::size_t n) {
    if (size_ + n > capacity_) Grow(n);
    char* at = data_ + size_;
    size_ += n;
    return at;
  }
  void Append(const void* from, std::size_t n) {
    char* at = Extend(n);
    if (n) std::memcpy(at, from, n);
  }
  template <class T>
  void Push(T value) {
    std::memcpy(Extend(sizeof value), &value, sizeof value);
  }
  void Truncate(std::size_t size) { size_ = size; }

 private:
  void Grow(std::size_t n) {
    std::size_t wanted = capacity_ ? capacity_ * 2 : 256;
    if (wanted < size_ + n) wanted = size_ + n;
    void* p = std::realloc(data_, wanted);
    if (!p) throw std::bad_alloc();
    data_ = static_cast<char*>(p);
    capacity_ = wanted;
  }
  void Forget() {
    data_ = nullptr;
    size_ = capacity_ = 0;
  }
  char* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

enum class Layout { kNull, kBits, kFixed, kVar32, kVar64, kList32, kList64, kFixedList, kStruct };

namespace detail {

struct Shape {
  Layout layout = Layout::kNull;
  int width = 0;      ///< bytes of a kFixed, items of a kFixedList
  char kind = 0;      ///< of a kFixed number: the format letter, else 0
};

/// The shape of a format string.  Throws Fatal for formats that these columns do not build (views, unions, run-ends).
inline Shape ShapeOf(std::string_view f) {
  if (f.empty()) throw Fatal("a field has an empty format");
  const auto number_after_colon = [&f] { return std::atoi(std::string(f.substr(f.find(':') + 1)).c_str()); };
  if (f.size() == 1) {
    switch (f[0]) {
      case 'n': return {Layout::kNull, 0, 0};
      case 'b': return {Layout::kBits, 0, 'b'};
      case 'c': case 'C': return {Layout::kFixed, 1, f[0]};
      case 's': case 'S': case 'e': return {Layout::kFixed, 2, f[0]};
      case 'i': case 'I': case 'f': return {Layout::kFixed, 4, f[0]};
      case 'l': case 'L': case 'g': return {Layout::kFixed, 8, f[0]};
      case 'u': case 'z': return {Layout::kVar32, 0, 0};
      case 'U': case 'Z': return {Layout::kVar64, 0, 0};
      default: break;
    }
  } else if (f[0] == 't') {
    if (f == "tdD" || f == "tts" || f == "ttm" || f == "tiM") return {Layout::kFixed, 4, 'i'};
    if (f == "tin") return {Layout::kFixed, 16, 0};
    return {Layout::kFixed, 8, 'l'};
  } else if (f[0] == 'w') {
    return {Layout::kFixed, number_after_colon(), 0};
  } else if (f[0] == 'd') {
    const auto last = f.rfind(',');
    const bool has_bits = last != f.find(',');
    return {Layout::kFixed, has_bits ? std::atoi(std::string(f.substr(last + 1)).c_str()) / 8 : 16, 0};
  } else if (f == "+l" || f == "+m") {
    return {Layout::kList32, 0, 0};
  } else if (f == "+L") {
    return {Layout::kList64, 0, 0};
  } else if (f.substr(0, 3) == "+w:") {
    return {Layout::kFixedList, number_after_colon(), 0};
  } else if (f == "+s") {
    return {Layout::kStruct, 0, 0};
  }
  throw Fatal("columns of Arrow format \"" + std::string(f) + "\" cannot be built or read here");
}

struct ArrayNode {
  std::vector<Buffer> owned;
  std::vector<const void*> buffers;
  std::vector<ArrowArray*> children;
};
inline void ReleaseArray(ArrowArray* a) {
  auto* node = static_cast<ArrayNode*>(a->private_data);
  for (ArrowArray* c : node->children) {
    if (c->release) c->release(c);
    delete c;
  }
  delete node;
  a->release = nullptr;
}

}  // namespace detail

/// Builds one column, value by value.  Every Append adds one row; a wrong one for the type throws Fatal.
class Column {
 public:
  explicit Column(const Type& type) : shape_(detail::ShapeOf(type.format)) {
    if (shape_.layout == Layout::kVar32 || shape_.layout == Layout::kList32) offsets_.Push<std::int32_t>(0);
    if (shape_.layout == Layout::kVar64 || shape_.layout == Layout::kList64) offsets_.Push<std::int64_t>(0);
    for (const Field& f : type.children) children_.emplace_back(f.type);
  }
  Column(Column&&) noexcept = default;
  Column& operator=(Column&&) noexcept = default;

  std::int64_t size() const { return size_; }
  /// Bytes that the values take so far, children included.
  std::size_t bytes() const {
    std::size_t n = data_.size() + offsets_.size();
    for (const Column& c : children_) n += c.bytes();
    return n;
  }
  Column& child(std::size_t i) { return children_[i]; }

  void Null() {
    switch (shape_.layout) {
      case Layout::kFixed: std::memset(data_.Extend(static_cast<std::size_t>(shape_.width)), 0, static_cast<std::size_t>(shape_.width)); break;
      case Layout::kFixedList:
        for (int i = 0; i < shape_.width; ++i) children_[0].Null();
        break;
      case Layout::kStruct:
        for (Column& c : children_) c.Null();
        break;
      case Layout::kBits: PushBit(false); break;
      case Layout::kNull: break;
      default: PushEnd(); break;
    }
    if (shape_.layout != Layout::kNull) {
      if (!nulls_) FillValidity();
      SetBit(validity_, size_, false);
    }
    ++nulls_;
    ++size_;
  }

  /// A number or bool into a column of numbers (also dates, times, timestamps and durations as their integer); checks that
  /// it fits.
  template <class T, class = std::enable_if_t<std::is_arithmetic<T>::value>>
  void Append(T v) {
    if (shape_.layout == Layout::kBits) {
      PushBit(v != T{});
    } else {
      switch (shape_.kind) {
        case 'l': Put<std::int64_t>(v); break;
        case 'L': Put<std::uint64_t>(v); break;
        case 'i': Put<std::int32_t>(v); break;
        case 'I': Put<std::uint32_t>(v); break;
        case 's': Put<std::int16_t>(v); break;
        case 'S': Put<std::uint16_t>(v); break;
        case 'c': Put<std::int8_t>(v); break;
        case 'C': Put<std::uint8_t>(v); break;
        case 'g': data_.Push(static_cast<double>(v)); break;
        case 'f': data_.Push(static_cast<float>(v)); break;
        default: throw Fatal("a number was appended to a column that does not hold numbers");
      }
    }
    Count();
  }
  /// Text or bytes: utf8, binary, or the raw little-endian bytes of a fixed-width value (decimals, fixed binary).
  void Append(std::string_view s) {
    if (shape_.layout == Layout::kVar32 || shape_.layout == Layout::kVar64) {
      data_.Append(s.data(), s.size());
      PushEnd();
    } else if (shape_.layout == Layout::kFixed && s.size() == static_cast<std::size_t>(shape_.width)) {
      data_.Append(s.data(), s.size());
    } else {
      throw Fatal("text was appended to a column that does not hold text");
    }
    Count();
  }
  void Append(const char* s) { Append(std::string_view(s)); }
  void Append(const std::string& s) { Append(std::string_view(s)); }

  /// n bytes of a utf8 or binary value that is being written in place; EndValue() ends it.
  char* Extend(std::size_t n) { return data_.Extend(n); }
  void EndValue() {
    PushEnd();
    Count();
  }
  /// A list row: the items appended to child(0) since the last one.  A struct row: one appended to each child.
  void EndRow() {
    if (shape_.layout == Layout::kList32 || shape_.layout == Layout::kList64) PushEnd();
    Count();
  }
  /// n numbers at once, without nulls; T must be as wide as the type.
  template <class T>
  void AppendMany(const T* values, std::size_t n) {
    if (shape_.layout != Layout::kFixed || static_cast<int>(sizeof(T)) != shape_.width) {
      throw Fatal("values of another width were appended to a column");
    }
    data_.Append(values, n * sizeof(T));
    if (nulls_) {
      for (std::size_t i = 0; i < n; ++i) SetBit(validity_, size_ + static_cast<std::int64_t>(i), true);
    }
    size_ += static_cast<std::int64_t>(n);
  }
  /// Takes back the rows from `size` on (a row that turned out bad in its middle).
  void Truncate(std::int64_t size) {
    while (size_ > size) {
      --size_;
      if (nulls_ && !GetBit(validity_, size_)) --nulls_;
    }
    if (shape_.layout == Layout::kFixed) data_.Truncate(static_cast<std::size_t>(size) * static_cast<std::size_t>(shape_.width));
    if (shape_.layout == Layout::kVar32 || shape_.layout == Layout::kList32) {
      offsets_.Truncate(static_cast<std::size_t>(size + 1) * 4);
      std::int32_t end = 0;
      std::memcpy(&end, offsets_.data() + size * 4, 4);
      TruncateTo(end);
    }
    if (shape_.layout == Layout::kVar64 || shape_.layout == Layout::kList64) {
      offsets_.Truncate(static_cast<std::size_t>(size + 1) * 8);
      std::int64_t end = 0;
      std::memcpy(&end, offsets_.data() + size * 8, 8);
      TruncateTo(end);
    }
    if (shape_.layout == Layout::kFixedList) children_[0].Truncate(size * shape_.width);
    if (shape_.layout == Layout::kStruct) {
      for (Column& c : children_) c.Truncate(size);
    }
    if (nulls_) {
      validity_.Truncate(static_cast<std::size_t>((size + 7) / 8));
    } else {
      validity_.Truncate(0);
    }
  }

  /// The column as an Arrow array; this object is empty afterwards and not to be used again.
  void Finish(ArrowArray* out) {
    auto node = std::make_unique<detail::ArrayNode>();
    for (Column& c : children_) {
      auto child = std::make_unique<ArrowArray>();
      c.Finish(child.get());
      node->children.push_back(child.release());
    }
    const bool has_validity = shape_.layout != Layout::kNull;
    node->owned.reserve(3);
    const auto add = [&node](Buffer& b, bool present) {
      if (present && !b.data()) b.Extend(8);  // no null pointers where a buffer is due
      node->owned.push_back(std::move(b));
      node->buffers.push_back(present ? node->owned.back().data() : nullptr);
    };
    if (has_validity) add(validity_, nulls_ > 0);
    if (offsets_.size()) add(offsets_, true);
    if (shape_.layout == Layout::kFixed || shape_.layout == Layout::kBits || shape_.layout == Layout::kVar32 ||
        shape_.layout == Layout::kVar64) {
      add(data_, true);
    }
    *out = {size_, nulls_, 0, static_cast<std::int64_t>(node->buffers.size()),
            static_cast<std::int64_t>(node->children.size()), node->buffers.data(), node->children.data(), nullptr,
            detail::ReleaseArray, node.get()};
    node.release();
  }

 private:
  template <class To, class From>
  void Put(From v) {
    const To to = static_cast<To>(v);
    if (static_cast<From>(to) != v || ((to < To{}) != (v < From{}))) throw Fatal("a number does not fit its column");
    data_.Push(to);
  }
  void TruncateTo(std::int64_t end) {
    if (children_.empty()) data_.Truncate(static_cast<std::size_t>(end));
    else children_[0].Truncate(end);
  }
  void Count() {
    if (nulls_) SetBit(validity_, size_, true);
    ++size_;
  }
  void PushEnd() {
    const std::size_t end = children_.empty() ? data_.size() : static_cast<std::size_t>(children_[0].size());
    if (shape_.layout == Layout::kVar64 || shape_.layout == Layout::kList64) {
      offsets_.Push(static_cast<std::int64_t>(end));
      return;
    }
    if (end > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      throw Fatal("a batch holds more than 2 GiB in one column; make smaller batches");
    }
    offsets_.Push(static_cast<std::int32_t>(end));
  }
  void PushBit(bool v) { SetBit(data_, size_, v); }
  void FillValidity() {
    validity_.Truncate(0);
    const std::size_t bytes = static_cast<std::size_t>(size_ / 8);
    if (bytes) std::memset(validity_.Extend(bytes), 0xff, bytes);
    for (std::int64_t i = static_cast<std::int64_t>(bytes) * 8; i < size_; ++i) SetBit(validity_, i, true);
  }
  static bool GetBit(const Buffer& b, std::int64_t i) { return (b.data()[i / 8] >> (i % 8)) & 1; }
  static void SetBit(Buffer& b, std::int64_t i, bool v) {
    if (static_cast<std::size_t>(i / 8) >= b.size()) *b.Extend(1) = 0;
    char& byte = b.data()[i / 8];
    const char mask = static_cast<char>(1 << (i % 8));
    byte = static_cast<char>(v ? byte | mask : byte & ~mask);
  }

  detail::Shape shape_;
  Buffer validity_, offsets_, data_;
  std::vector<Column> children_;
  std::int64_t size_ = 0, nulls_ = 0;
};

/// The columns of a batch that is being built: batch[i] is the column of field i.
class Batch {
 public:
  explicit Batch(const Schema& schema) {
    columns_.reserve(schema.size());
    for (const Field& f : schema) columns_.emplace_back(f.type);
  }
  Column& operator[](std::size_t i) { return columns_[i]; }
  std::size_t columns() const { return columns_.size(); }
  std::int64_t rows() const { return columns_.empty() ? rows_ : columns_[0].size(); }
  /// A batch without columns still has rows.
  void set_rows(std::int64_t n) { rows_ = n; }
  std::size_t bytes() const {
    std::size_t n = 0;
    for (const Column& c : columns_) n += c.bytes();
    return n;
  }
  /// Takes back the rows from n on, in every column.
  void Truncate(std::int64_t n) {
    for (Column& c : columns_) c.Truncate(n);
  }
  void Finish(ArrowArray* out) {
    auto node = std::make_unique<detail::ArrayNode>();
    const std::int64_t n = rows();
    for (Column& c : columns_) {
      if (c.size() != n) throw Fatal("the columns of a batch differ in length");
      auto child = std::make_unique<ArrowArray>();
      c.Finish(child.get());
      node->children.push_back(child.release());
    }
    node->buffers.push_back(nullptr);
    *out = {n, 0, 0, 1, static_cast<std::int64_t>(node->children.size()), node->buffers.data(),
            node->children.data(), nullptr, detail::ReleaseArray, node.get()};
    node.release();
  }

 private:
  std::vector<Column> columns_;
  std::int64_t rows_ = 0;
};

/// Reads one column of a batch; borrows schema and array.  Row numbers are those of the batch: offsets are seen to.
class ColumnView {
 public:
  ColumnView() = default;
  /// `offset`, `length`: of the parent, which a struct's children inherit.
  ColumnView(const ArrowSchema& schema, const ArrowArray& array, std::int64_t parent_offset = 0)
      : schema_(&schema), array_(&array), shape_(detail::ShapeOf(schema.format)), offset_(array.offset + parent_offset) {
    if (shape_.layout != Layout::kNull && array.null_count != 0) {
      validity_ = static_cast<const unsigned char*>(array.buffers[0]);
    }
    if (array.n_buffers > 1) first_ = static_cast<const char*>(array.buffers[1]);
    if (array.n_buffers > 2) second_ = static_cast<const char*>(array.buffers[2]);
  }

  const ArrowSchema& schema() const { return *schema_; }
  std::string_view name() const { return schema_->name; }
  std::string_view format() const { return schema_->format; }
  Layout layout() const { return shape_.layout; }
  int width() const { return shape_.width; }
  char kind() const { return shape_.kind; }   ///< of a number: its format letter ('l' also for times)

  bool IsNull(std::int64_t row) const {
    if (shape_.layout == Layout::kNull) return true;
    if (!validity_) return false;
    const std::int64_t i = row + offset_;
    return !((validity_[i / 8] >> (i % 8)) & 1);
  }
  bool Bool(std::int64_t row) const {
    const std::int64_t i = row + offset_;
    return (static_cast<unsigned char>(first_[i / 8]) >> (i % 8)) & 1;
  }
  /// The value of a fixed-width column as T, whose width must be the column's.
  template <class T>
  T Get(std::int64_t row) const {
    T v;
    std::memcpy(&v, first_ + (row + offset_) * static_cast<std::int64_t>(sizeof(T)), sizeof v);
    return v;
  }
  /// Any signed or unsigned integer, date, time or bool that fits an int64; uint64 wraps: use Get<std::uint64_t>.
  std::int64_t Int(std::int64_t row) const {
    switch (shape_.kind) {
      case 'b': return Bool(row);
      case 'c': return Get<std::int8_t>(row);
      case 'C': return Get<std::uint8_t>(row);
      case 's': return Get<std::int16_t>(row);
      case 'S': return Get<std::uint16_t>(row);
      case 'i': return Get<std::int32_t>(row);
      case 'I': return Get<std::uint32_t>(row);
      default: return Get<std::int64_t>(row);
    }
  }
  double Float(std::int64_t row) const {
    return shape_.kind == 'f' ? static_cast<double>(Get<float>(row)) : Get<double>(row);
  }
  /// utf8, binary, or the raw bytes of a fixed-width value.
  std::string_view Str(std::int64_t row) const {
    const std::int64_t i = row + offset_;
    if (shape_.layout == Layout::kVar32) {
      const auto* ends = reinterpret_cast<const std::int32_t*>(first_) + i;
      return {second_ + ends[0], static_cast<std::size_t>(ends[1] - ends[0])};
    }
    if (shape_.layout == Layout::kVar64) {
      const auto* ends = reinterpret_cast<const std::int64_t*>(first_) + i;
      return {second_ + ends[0], static_cast<std::size_t>(ends[1] - ends[0])};
    }
    return {first_ + i * shape_.width, static_cast<std::size_t>(shape_.width)};
  }
  /// Items of a list row: child(0) holds them from first to second.
  std::pair<std::int64_t, std::int64_t> Items(std::int64_t row) const {
    const std::int64_t i = row + offset_;
    if (shape_.layout == Layout::kFixedList) return {i * shape_.width, (i + 1) * shape_.width};
    if (shape_.layout == Layout::kList64) {
      const auto* ends = reinterpret_cast<const std::int64_t*>(first_) + i;
      return {ends[0], ends[1]};
    }
    const auto* ends = reinterpret_cast<const std::int32_t*>(first_) + i;
    return {ends[0], ends[1]};
  }
  std::int64_t children() const { return array_->n_children; }
  /// A struct's child is read with the same row numbers; a list's with those that Items() says.
  ColumnView child(std::int64_t i) const {
    return ColumnView(*schema_->children[i], *array_->children[i], shape_.layout == Layout::kStruct ? offset_ : 0);
  }

 private:
  const ArrowSchema* schema_ = nullptr;
  const ArrowArray* array_ = nullptr;
  detail::Shape shape_;
  std::int64_t offset_ = 0;
  const unsigned char* validity_ = nullptr;
  const char* first_ = nullptr;
  const char* second_ = nullptr;
};

}  // namespace v1
}  // namespace etl
