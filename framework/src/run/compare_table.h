// Two sets of rows told apart in memory that does not grow with them: sums of hashes in buckets first, then the rows of the
// buckets that differ, which lie in temporary files meanwhile.
#pragma once
#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compare_values.h"

namespace etl::host {

/// How many rows have keys in a bucket, and the sum of their hashes.
class BucketSums {
 public:
  static constexpr std::size_t kCount = 1 << 16;
  static std::size_t Of(std::uint64_t key) { return key >> 48; }
  void Add(const RowHash& row) {
    Bucket& b = buckets_[Of(row.key)];
    ++b.rows;
    b.sum += row.row;
  }
  std::int64_t rows(std::size_t bucket) const { return buckets_[bucket].rows; }
  bool Same(const BucketSums& other, std::size_t bucket) const {
    return buckets_[bucket].rows == other.buckets_[bucket].rows && buckets_[bucket].sum == other.buckets_[bucket].sum;
  }

 private:
  struct Bucket {
    std::int64_t rows = 0;
    std::uint64_t sum = 0;   // modulo 2^64
  };
  std::vector<Bucket> buckets_{kCount};
};

/// A row of a bucket that differs.
struct RowRecord {
  RowHash hash;
  bool stored = false;                 ///< else: expected
  std::string key;                     ///< RowHasher::KeyText
  std::vector<std::uint32_t> each;     ///< by column
};

/// Records in temporary files, to be taken out in portions that hold all of a key.
class RecordFiles {
 public:
  /// `rows`: about how many will come.
  explicit RecordFiles(std::int64_t rows);
  void Add(const RowRecord& record);
  /// Each portion in memory, one after the other.  Once.
  void Take(const std::function<void(std::vector<RowRecord>&)>& portion);

 private:
  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::vector<std::unique_ptr<std::FILE, Close>> files_;
};

enum class DifferenceKind { kMissing, kChanged, kExtra, kUnreadable };

/// What is not as it should be there.
struct Difference {
  DifferenceKind kind = DifferenceKind::kMissing;
  std::string key;                     ///< JSON; kUnreadable: where it is, in words
  std::vector<std::string> columns;    ///< kChanged: which
  std::int64_t rows = 1;               ///< kMissing, kExtra: how many with that key
  std::string reason;                  ///< kUnreadable
};

/// Tells the rows of a portion apart.  `found` also gets the key's hash.  `one`: of several rows with one key the sink keeps
/// one; returns for how many keys it did.
std::int64_t TellApart(std::vector<RowRecord>& rows, const std::vector<ComparedColumn>& columns, bool one,
                       const std::function<void(std::uint64_t key, const Difference&)>& found);

}  // namespace etl::host
