// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/sdk.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace etl::files {

/// Owns a file descriptor.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) : fd_(fd) {}
  FileHandle(FileHandle&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  FileHandle& operator=(FileHandle&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~FileHandle() {
    if (fd_ > 2) ::close(fd_);  // the standard ones are the process's
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// "Permission denied" and the like.
inline std::string ErrnoText(int error) { return std::generic_category().message(error); }

/// Faults of the system that may pass: no descriptors, no space, a busy or stale file server.
inline bool IsPassing(int error) {
  return error == EMFILE || error == ENFILE || error == ENOSPC || error == EDQUOT || error == EAGAIN ||
         error == ENOMEM || error == ETIMEDOUT || error == ESTALE;
}

/// Throws Retry or Fatal, by the error.
[[noreturn]] inline void ThrowErrno(const std::string& what, int error) {
  const std::string message = what + ": " + ErrnoText(error);
  if (IsPassing(error)) throw Retry(message, error);
  throw Fatal(message, error);
}

}  // namespace etl::files
