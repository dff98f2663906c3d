// SPDX-License-Identifier: Apache-2.0
#include "line_reader.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace etl::files {
namespace {
constexpr std::size_t kBlock = 512 << 10;
}

LineReader::LineReader(std::shared_ptr<Input> input, std::int64_t offset, std::int64_t number, std::size_t most_bytes)
    : input_(std::move(input)), most_(most_bytes), base_(offset), number_(number) {}

LineReader::~LineReader() { std::free(data_); }

bool LineReader::Next(Line& line) {
  std::size_t searched = 0;
  for (;;) {
    const char* const begin = data_ + at_;
    const std::size_t have = size_ - at_;
    const void* found = have > searched ? std::memchr(begin + searched, '\n', have - searched) : nullptr;
    line.offset = offset();
    line.number = number_;
    line.too_long = false;
    line.newline = found != nullptr;
    if (found) {
      const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - begin);
      line.text = {begin, length};
      line.too_long = length > most_;
      at_ += length + 1;
      if (number_) ++number_;
      return true;
    }
    searched = have;
    if (have > most_) {
      SkipLine();
      line.text = {data_ + at_ - have, have};  // SkipLine leaves it where it was
      at_ = size_;
      line.too_long = true;
      if (number_) ++number_;
      return true;
    }
    if (Fill()) continue;
    if (!have) return false;
    line.text = {data_ + at_, size_ - at_};
    at_ = size_;
    if (number_) ++number_;
    return true;
  }
}

bool LineReader::Ready() const {
  if (end_ || input_->Ready(0)) return true;
  return size_ > at_ && std::memchr(data_ + at_, '\n', size_ - at_) != nullptr;
}

void LineReader::Return(std::int64_t offset, std::int64_t number) {
  at_ = static_cast<std::size_t>(offset - base_);
  number_ = number;
}

std::string_view LineReader::Held(std::int64_t from, std::int64_t to) const {
  return {data_ + (from - base_), static_cast<std::size_t>(to - from)};
}

void LineReader::Restart(std::int64_t offset, std::int64_t number) {
  number_ = number;
  for (;;) {
    const std::int64_t missing = offset - this->offset();
    const auto have = static_cast<std::int64_t>(size_ - at_);
    if (missing <= have) {
      at_ += static_cast<std::size_t>(missing);
      return;
    }
    at_ = size_;
    if (!Fill()) return;
  }
}

std::string_view LineReader::Peek(std::size_t n) {
  while (size_ - at_ < n && Fill()) {
  }
  return {data_ + at_, std::min(n, size_ - at_)};
}

/// Makes room behind what is still needed and reads once.
bool LineReader::Fill() {
  if (end_) return false;
  std::size_t keep = at_;
  if (held_ >= 0) keep = std::min(keep, static_cast<std::size_t>(held_ - base_));
  if (keep > 0 && capacity_ - size_ < kBlock / 2) {
    std::memmove(data_, data_ + keep, size_ - keep);
    size_ -= keep;
    at_ -= keep;
    base_ += static_cast<std::int64_t>(keep);
  }
  if (capacity_ - size_ < kBlock / 2) {
    const std::size_t wanted = std::max(kBlock, capacity_ * 2);
    void* grown = std::realloc(data_, wanted + kPadding);
    if (!grown) throw std::bad_alloc();
    data_ = static_cast<char*>(grown);
    capacity_ = wanted;
    std::memset(data_ + capacity_, 0, kPadding);
  }
  const std::size_t got = input_->Read(data_ + size_, capacity_ - size_);
  end_ = got == 0;
  size_ += got;
  std::memset(data_ + size_, 0, kPadding);
  return got > 0;
}

/// Reads over the rest of a line whose beginning fills the buffer; that beginning stays, up to size_.
void LineReader::SkipLine() {
  std::string rest(kBlock, '\0');
  const std::size_t kept = size_ - at_;
  at_ += kept;
  while (!end_) {
    const std::size_t got = input_->Read(rest.data(), rest.size());
    end_ = got == 0;
    const void* found = got ? std::memchr(rest.data(), '\n', got) : nullptr;
    if (!found) {
      base_ += static_cast<std::int64_t>(got);
      continue;
    }
    const auto used = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data()) + 1;
    base_ += static_cast<std::int64_t>(used);
    input_->Unread(rest.substr(used, got - used));
    return;
  }
}

}  // namespace etl::files
