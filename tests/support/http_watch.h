// Sees in a stream of bytes where HTTP/1.1 requests end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace etl::test {

/// Fed with all that a client sends; knows bodies by Content-Length and in chunks.
class HttpWatch {
 public:
  /// Takes the next bytes.  Returns how many of them belong to requests up to and with the one that
  /// is the `wanted`-th to be complete, or npos while that one is not complete.
  std::size_t Feed(std::string_view bytes, std::size_t wanted);
  std::size_t complete() const { return complete_; }

 private:
  enum class State { kHead, kBody, kChunkSize, kChunk, kChunkEnd, kTrailer };

  void Take(char c);
  void EndHead();

  State state_ = State::kHead;
  std::string line_;  ///< the line being read
  std::uint64_t length_ = 0;
  bool chunked_ = false;
  bool first_line_ = true;
  std::size_t complete_ = 0;
};

}  // namespace etl::test
