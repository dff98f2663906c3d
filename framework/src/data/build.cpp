#include "build.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace etl::host::data {

Buffer::~Buffer() { std::free(bytes_); }

void Buffer::Resize(std::int64_t size) {
  present_ = true;
  if (size > capacity_) {
    const std::int64_t capacity = std::max<std::int64_t>({size, capacity_ * 2, 64});
    void* bytes = std::realloc(bytes_, static_cast<std::size_t>(capacity));
    if (!bytes) throw std::bad_alloc();
    bytes_ = bytes;
    capacity_ = capacity;
  }
  size_ = size;
}

void Buffer::Append(const void* bytes, std::size_t size) {
  const std::int64_t at = size_;
  Resize(size_ + static_cast<std::int64_t>(size));
  if (size) std::memcpy(static_cast<char*>(bytes_) + at, bytes, size);
}

const void* Buffer::exported() const {
  // Readers may look at the first offset of an array without rows.
  alignas(64) static const char kEmpty[64] = {};
  if (!present_) return nullptr;
  return size_ > 0 ? bytes_ : kEmpty;
}

namespace {

struct ArrayParts {
  std::vector<Buffer> buffers;
  std::vector<const void*> pointers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> child_pointers;
  ArrowArray dictionary{};
};

void ReleaseArray(ArrowArray* array) {
  auto* parts = static_cast<ArrayParts*>(array->private_data);
  for (ArrowArray& child : parts->children) {
    if (child.release) child.release(&child);
  }
  if (parts->dictionary.release) parts->dictionary.release(&parts->dictionary);
  array->release = nullptr;
  delete parts;
}

struct SchemaParts {
  std::string format;
  std::optional<std::string> name, metadata;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> child_pointers;
  ArrowSchema dictionary{};
};

void ReleaseSchema(ArrowSchema* schema) {
  auto* parts = static_cast<SchemaParts*>(schema->private_data);
  for (ArrowSchema& child : parts->children) {
    if (child.release) child.release(&child);
  }
  if (parts->dictionary.release) parts->dictionary.release(&parts->dictionary);
  schema->release = nullptr;
  delete parts;
}

}  // namespace

void Export(Node node, ArrowArray* out) {
  if (node.ready) {
    *out = node.ready.Release();
    return;
  }
  auto parts = std::make_unique<ArrayParts>();
  parts->buffers = std::move(node.buffers);
  for (const Buffer& buffer : parts->buffers) parts->pointers.push_back(buffer.exported());
  parts->children.resize(node.children.size());
  for (ArrowArray& child : parts->children) parts->child_pointers.push_back(&child);
  ArrowArray made{};
  made.length = node.length;
  made.null_count = node.null_count;
  made.n_buffers = static_cast<std::int64_t>(parts->pointers.size());
  made.n_children = static_cast<std::int64_t>(parts->children.size());
  made.buffers = parts->pointers.data();
  made.children = parts->child_pointers.data();
  made.dictionary = node.dictionary ? &parts->dictionary : nullptr;
  made.release = ReleaseArray;
  made.private_data = parts.release();
  OwnedArray owned(made);
  auto* into = static_cast<ArrayParts*>(made.private_data);
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    Export(std::move(node.children[i]), &into->children[i]);
  }
  if (node.dictionary) Export(std::move(*node.dictionary), &into->dictionary);
  *out = owned.Release();
}

void Export(Field field, ArrowSchema* out) {
  auto parts = std::make_unique<SchemaParts>();
  parts->format = std::move(field.format);
  parts->name = std::move(field.name);
  parts->metadata = std::move(field.metadata);
  parts->children.resize(field.children.size());
  for (ArrowSchema& child : parts->children) parts->child_pointers.push_back(&child);
  for (std::size_t i = 0; i < field.children.size(); ++i) {
    std::swap(parts->children[i], *field.children[i].out());
  }
  std::swap(parts->dictionary, *field.dictionary.out());
  ArrowSchema made{};
  made.format = parts->format.c_str();
  made.name = parts->name ? parts->name->c_str() : nullptr;
  made.metadata = parts->metadata ? parts->metadata->data() : nullptr;
  made.flags = field.flags;
  made.n_children = static_cast<std::int64_t>(parts->children.size());
  made.children = parts->child_pointers.data();
  made.dictionary = parts->dictionary.release ? &parts->dictionary : nullptr;
  made.release = ReleaseSchema;
  made.private_data = parts.release();
  *out = made;
}

}  // namespace etl::host::data
