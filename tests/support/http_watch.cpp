#include "http_watch.h"

#include <cctype>
#include <cstdlib>
#include <utility>

namespace etl::test {
namespace {

bool StartsWithFolded(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[i])) != lower[i]) return false;
  }
  return true;
}

}  // namespace

std::size_t HttpWatch::Feed(std::string_view bytes, std::size_t wanted) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Take(bytes[i]);
    if (complete_ >= wanted) return i + 1;
  }
  return std::string_view::npos;
}

void HttpWatch::Take(char c) {
  if (state_ == State::kBody || state_ == State::kChunk) {
    if (--length_ > 0) return;
    const bool chunk = state_ == State::kChunk;
    state_ = chunk ? State::kChunkEnd : State::kHead;
    if (!chunk) ++complete_;
    return;
  }
  if (c != '\n') {
    if (c != '\r') line_ += c;
    return;
  }
  const std::string line = std::move(line_);
  line_.clear();
  switch (state_) {
    case State::kHead:
      if (line.empty() && !first_line_) return EndHead();
      if (StartsWithFolded(line, "content-length:"))
        length_ = std::strtoull(line.c_str() + 15, nullptr, 10);
      if (StartsWithFolded(line, "transfer-encoding:") && line.find("chunked") != std::string::npos)
        chunked_ = true;
      first_line_ = first_line_ && line.empty();
      return;
    case State::kChunkSize:
      length_ = std::strtoull(line.c_str(), nullptr, 16);
      state_ = length_ == 0 ? State::kTrailer : State::kChunk;
      return;
    case State::kChunkEnd:
      state_ = State::kChunkSize;
      return;
    default:  // The trailer ends with an empty line.
      if (!line.empty()) return;
      state_ = State::kHead;
      ++complete_;
  }
}

void HttpWatch::EndHead() {
  first_line_ = true;
  if (chunked_) {
    state_ = State::kChunkSize;
  } else if (length_ > 0) {
    state_ = State::kBody;
  } else {
    ++complete_;
  }
  chunked_ = false;
}

}  // namespace etl::test
