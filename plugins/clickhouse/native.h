// SPDX-License-Identifier: Apache-2.0
/// ClickHouse's Native format: blocks of columns, read into Arrow arrays.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "types.h"

namespace etl::clickhouse {

/// Bytes that are pulled as they are needed.
class Input {
 public:
  /// `more` appends to the buffer; false: there is no more.  It may throw.
  explicit Input(std::function<bool(std::string& buffer)> more) : more_(std::move(more)) {}
  /// No byte is left.
  bool AtEnd() { return Have() == 0 && !Fill(1); }
  /// n bytes in a row, lent until the next call.  Throws Retry at the end.
  const char* Peek(std::size_t n);
  void Skip(std::size_t n) { at_ += n; }
  void Read(char* to, std::size_t n);
  std::uint64_t Varint();
  /// What is left, read to its end, but at most so much of it.
  std::string Rest(std::size_t most);
  /// Lent: what is there without reading on.
  std::string_view Ready() const { return {buffer_.data() + at_, Have()}; }

 private:
  std::size_t Have() const { return buffer_.size() - at_; }
  bool Fill(std::size_t n);
  std::function<bool(std::string&)> more_;
  std::string buffer_;
  std::size_t at_ = 0;
};

/// A column under construction; block after block is added.
struct Col {
  Buffer validity, offsets, data;
  std::vector<Col> children;
  std::int64_t size = 0, nulls = 0;
  bool has_validity = false;

  /// Bytes of row i of a column of fixed width or text.
  std::string_view Value(const CType& type, std::int64_t i) const;
  std::int64_t bytes() const;
};

/// Memory of columns that were given and are no longer needed, to be filled again: the kernel takes longer to give new memory than
/// the rows take to be read.  Any thread.
class Spares {
 public:
  /// Empty, with the capacity that this column of a page needed before; or new.
  Col Take(std::size_t column);
  void Give(std::size_t column, Col&& col);

 private:
  std::mutex mutex_;
  std::vector<std::vector<Col>> columns_;
};

/// Rows of the columns that a query gives.
class Page {
 public:
  std::vector<Col> columns;
  std::shared_ptr<Spares> spares;   ///< where columns come from and go to; or none
  std::int64_t rows = 0;
  std::int64_t bytes() const;
  /// The first `rows` of the first `columns`, moved out.
  void Finish(const std::vector<CType>& types, std::size_t columns, std::int64_t rows, ArrowArray* out);
};

/// Gives a column the children of its type, also where no value of it comes.
void Shape(Col& col, const CType& type);

/// Takes the first n rows of a batch away.
void Behead(ArrowArray* batch, std::int64_t n);

struct ReadColumn {
  std::string name;
  CType type;
};

struct Caps {
  std::int64_t row_bytes = 64 << 20;      ///< of one text
  std::int64_t block_rows = 1 << 24;
};

/// Reads one block onto a page; false: the end.  Throws Retry for bytes that are no block of these columns, with what they say if
/// they are a message of the server's, classified.
bool ReadBlock(Input& in, const std::vector<ReadColumn>& columns, const Caps& caps, Page& page);

}  // namespace etl::clickhouse
