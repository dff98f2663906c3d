// SPDX-License-Identifier: Apache-2.0
#include "pool.h"

#include <atomic>
#include <random>

namespace etl::generate {

/// The buffers of a batch.  The batch and each of its columns can be released on their own; the last one brings it back.
struct Block {
  std::unique_ptr<std::int64_t[]> ids;
  std::unique_ptr<std::int32_t[]> offsets;
  std::unique_ptr<char[]> text;
  std::unique_ptr<float[]> floats;
  ArrowArray columns[3]{}, items{};
  ArrowArray* children[3] = {&columns[0], &columns[1], &columns[2]};
  ArrowArray* item_child[1] = {&items};
  const void* batch_buffers[1] = {nullptr};
  const void* id_buffers[2] = {nullptr, nullptr};
  const void* payload_buffers[3] = {nullptr, nullptr, nullptr};
  const void* item_buffers[2] = {nullptr, nullptr};
  std::atomic<int> holders{0};
  std::shared_ptr<Pool> pool;  // while it is out
};

namespace {

/// Most blocks that lie ready: more would only be memory.
constexpr std::size_t kMostFree = 64;

void Drop(Block* block) {
  if (block->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::shared_ptr<Pool> pool = std::move(block->pool);
  pool->Return(std::unique_ptr<Block>(block));
}

void ReleaseColumn(ArrowArray* array) {
  array->release = nullptr;
  Drop(static_cast<Block*>(array->private_data));
}

/// What is inside a column goes with it, unless it was moved out.
void ReleaseVector(ArrowArray* array) {
  if (array->children[0]->release) array->children[0]->release(array->children[0]);
  ReleaseColumn(array);
}

void ReleaseBatch(ArrowArray* array) {
  array->release = nullptr;
  // Those that were moved out have no release here any more.
  for (std::int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  }
  Drop(static_cast<Block*>(array->private_data));
}

/// Eight at a time, which compilers turn into vector stores.
void FillSequence(std::int64_t* out, std::int64_t first, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::int64_t k = 0; k < 8; ++k) out[i + k] = first + i + k;
  }
  for (; i < count; ++i) out[i] = first + i;
}

}  // namespace

Pool::Pool(std::size_t rows, std::size_t payload_bytes, std::size_t vector) : rows_(rows), payload_bytes_(payload_bytes), vector_(vector) {}

Pool::~Pool() = default;

std::unique_ptr<Block> Pool::Take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      std::unique_ptr<Block> block = std::move(free_.back());
      free_.pop_back();
      return block;
    }
  }
  auto block = std::make_unique<Block>();
  block->ids.reset(new std::int64_t[rows_]);
  block->id_buffers[1] = block->ids.get();
  if (vector_ > 0) {
    block->floats.reset(new float[rows_ * vector_]);
    std::minstd_rand random;   // the same in each batch
    for (std::size_t i = 0; i < rows_ * vector_; ++i) block->floats[i] = static_cast<float>(static_cast<std::int32_t>(random()) - 0x3fffffff) / 0x40000000;
    block->item_buffers[1] = block->floats.get();
  }
  if (payload_bytes_ == 0) return block;
  block->offsets.reset(new std::int32_t[rows_ + 1]);
  block->text.reset(new char[rows_ * payload_bytes_]);
  for (std::size_t i = 0; i <= rows_; ++i) block->offsets[i] = static_cast<std::int32_t>(i * payload_bytes_);
  for (std::size_t i = 0; i < rows_ * payload_bytes_; ++i) {
    block->text[i] = static_cast<char>('a' + i % payload_bytes_ % 26);
  }
  block->payload_buffers[1] = block->offsets.get();
  block->payload_buffers[2] = block->text.get();
  return block;
}

void Pool::Make(std::int64_t first, std::int64_t count, ArrowArray* out) {
  Block* const block = Take().release();
  FillSequence(block->ids.get(), first, count);
  int columns = 0;
  block->columns[columns++] = {count, 0, 0, 2, 0, block->id_buffers, nullptr, nullptr, ReleaseColumn, block};
  if (payload_bytes_) block->columns[columns++] = {count, 0, 0, 3, 0, block->payload_buffers, nullptr, nullptr, ReleaseColumn, block};
  if (vector_) {
    block->items = {count * static_cast<std::int64_t>(vector_), 0, 0, 2, 0, block->item_buffers, nullptr, nullptr, ReleaseColumn, block};
    block->columns[columns++] = {count, 0, 0, 1, 1, block->batch_buffers, block->item_child, nullptr, ReleaseVector, block};
  }
  block->holders.store(1 + columns + (vector_ ? 1 : 0), std::memory_order_relaxed);
  block->pool = shared_from_this();
  *out = {count, 0, 0, 1, columns, block->batch_buffers, block->children, nullptr, ReleaseBatch, block};
}

void Pool::Return(std::unique_ptr<Block> block) noexcept {
  const std::lock_guard lock(mutex_);
  if (free_.size() == kMostFree) return;
  if (free_.capacity() == 0) free_.reserve(kMostFree);
  free_.push_back(std::move(block));
}

}  // namespace etl::generate
