// SPDX-License-Identifier: Apache-2.0
#include "direct_file.h"

#include <etl/sdk.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace etl::files {
namespace {

constexpr std::int64_t kAlign = 4096;

char* Aligned(std::size_t size) {
  void* const bytes = std::aligned_alloc(kAlign, size);
  if (!bytes) throw std::bad_alloc();
  return static_cast<char*>(bytes);
}

}  // namespace

DirectFile::DirectFile(int file, std::string name, std::int64_t length) : file_(file), name_(std::move(name)) {
  filling_.bytes.reset(Aligned(kBlock));
  full_.bytes.reset(Aligned(kBlock));
  filling_.at = length / kAlign * kAlign;
  filling_.size = static_cast<std::size_t>(length - filling_.at);
  if (::pread(file_, filling_.bytes.get(), filling_.size, filling_.at) != static_cast<ssize_t>(filling_.size)) return;
  direct_ = FileHandle(::open(("/proc/self/fd/" + std::to_string(file_)).c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
}

DirectFile::~DirectFile() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::size_t DirectFile::Take(std::string_view bytes) {
  if (filling_.size == kBlock) {
    WaitWritten();
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
    std::swap(filling_, full_);
    filling_.at = full_.at + static_cast<std::int64_t>(kBlock);
    filling_.size = 0;
    {
      const std::lock_guard lock(mutex_);
      writing_ = true;
    }
    changed_.notify_all();
  }
  const std::size_t n = std::min(bytes.size(), kBlock - filling_.size);
  std::memcpy(filling_.bytes.get() + filling_.size, bytes.data(), n);
  filling_.size += n;
  return n;
}

void DirectFile::Finish() {
  WaitWritten();
  std::size_t done = 0;
  while (done < filling_.size) {
    const ssize_t n = ::pwrite(file_, filling_.bytes.get() + done, filling_.size - done, filling_.at + static_cast<std::int64_t>(done));
    if (n >= 0) done += static_cast<std::size_t>(n);
    else if (errno != EINTR) ThrowErrno("cannot write " + name_, errno);
  }
  // What is behind the last whole page comes again with what follows it.
  const std::size_t whole = filling_.size / kAlign * kAlign;
  std::memmove(filling_.bytes.get(), filling_.bytes.get() + whole, filling_.size - whole);
  filling_.at += static_cast<std::int64_t>(whole);
  filling_.size -= whole;
}

void DirectFile::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || writing_; });
    if (!writing_) return;
    lock.unlock();
    WriteFull();   // should it fail, WaitWritten() goes on, and says why
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
}

/// 0, or why the rest of the full block is not written.
int DirectFile::WriteFull() {
  while (full_.written < full_.size) {
    // A rest that is no whole pages, or a file system that refuses after all: EINVAL, and it goes the usual way.
    const char* const from = full_.bytes.get() + full_.written;
    const std::size_t left = full_.size - full_.written;
    const std::int64_t at = full_.at + static_cast<std::int64_t>(full_.written);
    ssize_t n = ::pwrite(direct_.get(), from, left, at);
    if (n < 0 && errno == EINVAL) n = ::pwrite(file_, from, left, at);
    if (n >= 0) full_.written += static_cast<std::size_t>(n);
    else if (errno != EINTR) return errno;
  }
  full_.size = full_.written = 0;
  return 0;
}

void DirectFile::WaitWritten() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !writing_; });
  }
  if (const int error = WriteFull()) ThrowErrno("cannot write " + name_, error);
}

}  // namespace etl::files
