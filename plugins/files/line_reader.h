// SPDX-License-Identifier: Apache-2.0
/// Lines of an Input, with their place.
#pragma once
#include <etl/sdk.h>

#include <memory>
#include <string_view>

#include "input.h"

namespace etl::files {

struct Line {
  std::string_view text;      ///< without the newline; valid until the next call of Next
  bool newline = false;       ///< one follows the text; not at the end of a file without one
  bool too_long = false;      ///< text is only its beginning
  std::int64_t offset = 0;    ///< of its first byte in the plain stream
  std::int64_t number = 0;    ///< counted from 1; 0 = not known
};

/// Behind each line lie kPadding readable bytes.
class LineReader {
 public:
  static constexpr std::size_t kPadding = 64;

  /// Bytes of `input` from `offset` on, of which it must stand at the beginning; line `number` begins there.
  LineReader(std::shared_ptr<Input> input, std::int64_t offset, std::int64_t number, std::size_t most_bytes);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  bool Next(Line& line);
  /// The next line is there without waiting for the input.
  bool Ready() const;
  /// Bytes from this offset on stay in memory and can be returned to; -1 = no need.
  void Hold(std::int64_t offset) { held_ = offset; }
  /// Goes back to a line that is held.
  void Return(std::int64_t offset, std::int64_t number);
  /// Bytes [from, to) of what is held.
  std::string_view Held(std::int64_t from, std::int64_t to) const;
  /// Skips up to that byte, where line `number` begins, or to the end if it comes first.
  void Restart(std::int64_t offset, std::int64_t number);
  /// Skips n bytes of what Peek showed.
  void Consume(std::size_t n) { at_ += n; }
  /// The next bytes, at most n, fewer only at the end.
  std::string_view Peek(std::size_t n);

  std::int64_t offset() const { return base_ + static_cast<std::int64_t>(at_); }
  std::int64_t number() const { return number_; }
  const Input& input() const { return *input_; }

 private:
  bool Fill();
  void SkipLine();

  std::shared_ptr<Input> input_;
  std::size_t most_;
  char* data_ = nullptr;
  std::size_t capacity_ = 0, size_ = 0, at_ = 0;
  std::int64_t base_, number_;
  std::int64_t held_ = -1;
  bool end_ = false;
};

}  // namespace etl::files
