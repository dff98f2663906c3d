// Random schemas and arrays of every type, in memory that ends exactly where they say, and what
// their rows hold as text.
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "data/batch.h"

namespace etl::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// Of [0, n).
  std::int64_t Below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool Chance(int percent) { return Below(100) < percent; }
  std::uint64_t Bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

/// ETL_TEST_SEED or a new one; printed, so that a failure can be had again.
std::uint64_t Seed();

struct Kinds {
  bool encoded = true;    ///< dictionaries, views and runs too
  bool bad_text = false;  ///< text that is not UTF-8
};

/// A field as the tests write it down.
struct Shape {
  std::string format;
  std::string name;
  std::vector<Shape> children;
  std::vector<Shape> dictionary;  ///< none or one
  bool nullable = true;
  std::string metadata;  ///< Arrow's encoding; empty: none
};
host::SchemaHandle MakeSchema(const Shape& shape);
Shape Batch(std::vector<Shape> columns);
Shape RandomBatch(Random& random, const Kinds& kinds);
/// Every type at least once, a column each.
Shape EveryType(const Kinds& kinds);
std::string JsonMetadata();

/// A valid array with that many rows and an offset of its own.
ArrowArray RandomArray(Random& random, const Shape& shape, std::int64_t rows, const Kinds& kinds);
/// An array from buffers that are copied; children are taken over.
ArrowArray MakeArray(std::int64_t length, std::int64_t null_count, std::int64_t offset,
                     const std::vector<std::string>& buffers,
                     std::vector<ArrowArray> children = {});
/// As a buffer: the values' bytes.  An empty buffer becomes a null pointer.
template <class T>
std::string Bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// What a row holds, whatever encoding it has: equal for equal values only.
std::string RowText(const ArrowSchema& schema, const ArrowArray& array, std::int64_t row);

/// Arrays made here that are not released yet.
std::int64_t LiveArrays();

/// Releases at the end.
struct Holder {
  ArrowArray array{};
  Holder() { array.release = nullptr; }
  explicit Holder(ArrowArray taken) : array(taken) {}
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    if (array.release) array.release(&array);
  }
};

}  // namespace etl::test
