#include <cstdlib>
#include <new>

#include "batch.h"

namespace etl::host {

std::shared_ptr<SharedArray> SharedArray::Own(ArrowArray taken, std::int64_t bytes) {
  std::shared_ptr<SharedArray> owner;
  try {
    owner = std::make_shared<SharedArray>();
  } catch (const std::bad_alloc&) {
    if (taken.release) taken.release(&taken);
    throw;
  }
  owner->array_ = taken;
  owner->bytes_ = bytes;
  return owner;
}

SharedArray::~SharedArray() {
  if (array_.release) array_.release(&array_);
}

namespace {

/// One allocation for a share: this, then the arrays below its root, then the pointers to them.
struct Block {
  std::shared_ptr<SharedArray> owner;
  std::atomic<std::int64_t> live;  ///< arrays of the share that are not released
};
static_assert(sizeof(Block) % alignof(ArrowArray) == 0);

std::int64_t Below(const ArrowArray& array) {
  std::int64_t n = array.dictionary ? 1 + Below(*array.dictionary) : 0;
  for (std::int64_t i = 0; i < array.n_children; ++i) n += 1 + Below(*array.children[i]);
  return n;
}

void Release(ArrowArray* array);

/// Releases what is still in place below; says how many arrays of the block that ends, this one
/// included.
std::int64_t ReleaseTree(ArrowArray* array) {
  array->release = nullptr;
  std::int64_t ended = 1;
  const auto below = [&](ArrowArray* child) {
    if (!child->release) return;
    if (child->release == Release && child->private_data == array->private_data) {
      ended += ReleaseTree(child);
    } else {
      child->release(child);
    }
  };
  for (std::int64_t i = 0; i < array->n_children; ++i) below(array->children[i]);
  if (array->dictionary) below(array->dictionary);
  return ended;
}

void Release(ArrowArray* array) {
  auto* block = static_cast<Block*>(array->private_data);
  const std::int64_t ended = ReleaseTree(array);
  if (block->live.fetch_sub(ended, std::memory_order_acq_rel) != ended) return;
  block->~Block();
  std::free(block);
}

struct Space {
  Block* block;
  ArrowArray* arrays;
  ArrowArray** pointers;
};

void Fill(const ArrowArray& from, ArrowArray* to, Space& space) {
  *to = from;
  to->release = Release;
  to->private_data = space.block;
  if (from.n_children > 0) {
    to->children = space.pointers;
    space.pointers += from.n_children;
    for (std::int64_t i = 0; i < from.n_children; ++i) to->children[i] = space.arrays++;
    for (std::int64_t i = 0; i < from.n_children; ++i)
      Fill(*from.children[i], to->children[i], space);
  }
  if (from.dictionary) {
    to->dictionary = space.arrays++;
    Fill(*from.dictionary, to->dictionary, space);
  }
}

}  // namespace

void Share(const std::shared_ptr<SharedArray>& owner, ArrowArray* out) {
  const auto below = static_cast<std::size_t>(Below(owner->array()));
  void* memory = std::malloc(sizeof(Block) + below * (sizeof(ArrowArray) + sizeof(ArrowArray*)));
  if (!memory) throw std::bad_alloc();
  auto* block = new (memory) Block{owner, {}};
  block->live.store(static_cast<std::int64_t>(below) + 1, std::memory_order_relaxed);
  auto* arrays = reinterpret_cast<ArrowArray*>(block + 1);
  Space space{block, arrays, reinterpret_cast<ArrowArray**>(arrays + below)};
  Fill(owner->array(), out, space);
}

}  // namespace etl::host
