// SPDX-License-Identifier: Apache-2.0
/// Values of batches as a server's parameters, checked against the table's own columns first.
#pragma once
#include <etl/arrow.h>
#include <etl/json.h>

#include <memory>
#include <string>
#include <vector>

#include "table.h"

namespace etl::mysql {

/// Memory for the texts made for a statement.
class Arena {
 public:
  char* Take(std::size_t n);
  std::string_view Copy(std::string_view text);
  void Clear();

 private:
  static constexpr std::size_t kBlock = 64 << 10;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<std::unique_ptr<char[]>> large_;
  std::size_t block_ = 0, used_ = 0;
};

enum class Wire : char { kInt, kUInt, kDouble, kText, kBytes };

/// A parameter of each row of a statement, in columns.
struct Cells {
  Wire wire = Wire::kText;
  std::vector<std::uint64_t> number;      ///< the bits of an integer or a double
  std::vector<const char*> text;
  std::vector<unsigned long> size;
  std::vector<char> null;                 ///< 1: NULL
  void Resize(std::size_t rows);
  /// A value as the server's messages show it; a double as nothing.
  std::string Shows(std::size_t row) const;
  bool texts() const { return wire == Wire::kText || wire == Wire::kBytes; }
};

/// Why a row does not fit, in the server's own words.
struct Wrong {
  unsigned code = 0;
  std::string message;
};

/// Puts the values of one column of batches into cells.
class Encoder {
 public:
  /// Throws ConfigError("columns") for what can never be written into that column.  `trusting`: the table has triggers,
  /// which may mend what would not fit, so that the server alone decides about NULLs and lengths.
  Encoder(const ArrowSchema& field, const TableColumn& column, bool mariadb, bool trusting);
  Wire wire() const { return wire_; }
  void Begin(const ArrowArray& batch, std::size_t child);
  /// The bytes that the value adds to a statement, or nothing, with the reason in `wrong`.
  std::optional<std::size_t> Put(std::int64_t row, Cells& to, std::size_t at, Arena& arena, Wrong& wrong);

 private:
  enum class From { kNull, kInt, kUInt, kReal, kText, kBytes, kDecimal, kDate, kMoment, kTime, kVector, kJson };
  From FromOf(const ArrowSchema& field) const;
  Wire WireOf() const;
  bool Int(std::int64_t v);
  bool UInt(std::uint64_t v);
  bool Real(double v);
  bool Decimal(std::int64_t row);
  bool Moment(std::int64_t row);
  bool Time(std::int64_t row);
  bool Vector(std::int64_t row);
  bool JsonText(std::int64_t row);
  bool Text(std::string_view text);
  bool TextNumber(std::string_view text);
  bool Bytes(std::string_view bytes);
  bool Fits(std::string_view text);
  bool Member(std::string_view text);
  bool Store(std::string_view text, bool copy);
  bool Number(std::uint64_t bits);
  bool Fail(unsigned code, const std::string& what);
  bool OutOfRange() { return Fail(1264, "Out of range value for column"); }
  bool Cut() { return Fail(1265, "Data truncated for column"); }
  bool Incorrect(const char* kind, std::string_view value);

  const ArrowSchema& field_;
  const TableColumn& column_;
  bool mariadb_, trusting_, made_ = false;   // made_: the text is not the batch's
  arrow::Format format_;
  From from_;
  Wire wire_;
  std::shared_ptr<const ArrowSchema> alone_;    // the field as a batch of one column, for the JSON writer
  std::unique_ptr<JsonWriter> json_;
  std::string text_;
  const ArrowArray* array_ = nullptr;
  ArrowArray wrapped_{};
  ArrowArray* wrapped_child_ = nullptr;
  ColumnView view_;
  // of the Put under way
  Cells* to_ = nullptr;
  std::size_t at_ = 0, bytes_ = 0;
  Arena* arena_ = nullptr;
  Wrong* wrong_ = nullptr;
};

}  // namespace etl::mysql
