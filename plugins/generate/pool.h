// SPDX-License-Identifier: Apache-2.0
/// Arrow batches of one int64 column, and perhaps a utf8 one, whose memory is used again.
#pragma once
#include <etl/plugin.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace etl::generate {

struct Block;

/// Blocks that consumers have released.  Any thread.  Blocks that are out keep it alive.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  /// `vector`: floats a row.
  Pool(std::size_t rows, std::size_t payload_bytes, std::size_t vector = 0);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  /// Row i holds first + i, and the payload and the vector beside it, which are the same in each batch.
  void Make(std::int64_t first, std::int64_t count, ArrowArray* out);
  void Return(std::unique_ptr<Block> block) noexcept;

 private:
  std::unique_ptr<Block> Take();

  const std::size_t rows_, payload_bytes_, vector_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> free_;
};

}  // namespace etl::generate
