// Rows as `etl verify` compares them: values in a form that both sides have in common, and hashes of these.
#pragma once
#include <etl/json.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../data/batch.h"

namespace etl::host {

/// How the values of two columns are told equal; etl/compare.h says what each means.
enum class Sameness { kReal, kNumber, kMoment, kClock, kJson, kText };

/// A column that is compared: where it stands on either side, and how.
struct ComparedColumn {
  std::string name;
  std::size_t expected = 0, stored = 0;   ///< columns of the two schemas
  Sameness how = Sameness::kText;
  bool single = false;                    ///< kReal: as single floats
  bool truths = false;                    ///< kNumber: "true" is 1
  bool key = false;
};

/// Which columns are compared, in the order of `stored`.  Throws Error(kInternal) when a name of `stored` or `keys` is not
/// among the columns of `expected`: the plugin is wrong.
std::vector<ComparedColumn> Pair(const ArrowSchema& expected, const ArrowSchema& stored, const std::vector<std::string>& keys);

/// What is known of a row.
struct RowHash {
  std::uint64_t key = 0;   ///< of the key's columns; of all where there are none
  std::uint64_t row = 0;   ///< of all columns
};

/// Hashes the rows of one side's batches.  One thread.
class RowHasher {
 public:
  enum class Side { kExpected, kStored };
  /// Both must outlive it; the schema is plain.
  RowHasher(const ArrowSchema& schema, const std::vector<ComparedColumn>& columns, Side side);
  void Begin(const ArrowArray& batch) { batch_ = &batch; }
  /// The key's alone.  Without keys, the row's.
  std::uint64_t Key(std::int64_t row);
  /// `each`: if given, a short hash of each column.
  RowHash Row(std::int64_t row, std::vector<std::uint32_t>* each = nullptr);
  /// The key as a JSON object; without keys, the row.
  std::string KeyText(std::int64_t row);

 private:
  struct Column {
    const ComparedColumn* compared;
    std::size_t at;
    arrow::Format format;
    bool text = false;                    ///< utf8 or binary of any kind
  };
  std::uint64_t Hash(const Column& column, std::int64_t row);
  bool IsNull(const Column& column, std::int64_t row) const;
  /// The value in its common form.  Lent until the next call.
  std::string_view Value(const Column& column, std::int64_t row);
  std::string_view Number(const Column& column, std::int64_t row);
  std::string_view Real(const Column& column, std::int64_t row);
  std::string_view Plain(const Column& column, std::int64_t row);   ///< text as it is; others as JSON without quotes

  const ArrowArray* batch_ = nullptr;
  std::vector<Column> columns_;
  bool has_key_ = false;
  JsonWriter json_;
  std::string text_, made_;
};

/// The forms themselves, of texts.  A text that is no such value comes back as it is.
std::string_view CommonNumber(std::string_view text, std::string& made);
std::string_view CommonMoment(std::string_view text, std::string& made);
std::string_view CommonClock(std::string_view text);
std::string CommonJson(std::string_view text);

}  // namespace etl::host
