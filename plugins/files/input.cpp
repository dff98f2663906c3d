// SPDX-License-Identifier: Apache-2.0
#include "input.h"

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "decoder.h"

namespace etl::files {
namespace {

constexpr std::size_t kRawBytes = 256 << 10;

FileHandle OpenForReading(const std::string& path) {
  if (path == "-") return FileHandle(0);
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file) return file;
  const int error = errno;
  const std::string message = "cannot read " + path + ": " + ErrnoText(error);
  if (IsPassing(error)) throw Retry(message, error);
  throw ConfigError("path", message);
}

}  // namespace

Compression CompressionOf(std::string_view name) {
  if (name == "gzip") return Compression::kGzip;
  if (name == "zstd") return Compression::kZstd;
  return name == "auto" ? Compression::kAuto : Compression::kNone;
}

Interruption::Interruption() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) ThrowErrno("cannot make an eventfd", errno);
}

void Interruption::Fire() noexcept {
  const std::uint64_t one = 1;
  // It cannot fail but by being full, and then it has fired already.
  while (::write(event_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

Input::Input(const std::string& path, Compression compression, std::shared_ptr<const Interruption> interruption)
    : path_(path == "-" ? "standard input" : path),
      interruption_(std::move(interruption)),
      file_(OpenForReading(path)),
      compression_(compression) {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) ThrowErrno("cannot look at " + path_, errno);
  if (S_ISDIR(info.st_mode)) {
    throw ConfigError("path", path_ + " is a directory; name its files, as in \"" + path_ + "/*\"");
  }
  regular_ = S_ISREG(info.st_mode) && path != "-";
  if (regular_) size_ = info.st_size;
  if (compression_ == Compression::kNone) return;
  while (raw_.size() < 4 && !raw_end_) FillRaw();
  if (compression_ == Compression::kAuto) compression_ = Detect(raw_);
  decoder_ = MakeDecoder(compression_, path_);
}

bool Input::Ready(int milliseconds) const {
  if (regular_ || unread_at_ < unread_.size() || !raw_.empty() || raw_end_) return true;
  pollfd wait{file_.get(), POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) != 0;
}

void Input::Seek(std::int64_t offset) {
  if (::lseek(file_.get(), offset, SEEK_SET) < 0) ThrowErrno("cannot go to byte " + std::to_string(offset) + " of " + path_, errno);
  raw_ = {};
  raw_end_ = false;
  unread_.clear();
  unread_at_ = 0;
}

void Input::Unread(std::string bytes) {
  unread_ = std::move(bytes) + unread_.substr(unread_at_);
  unread_at_ = 0;
}

std::size_t Input::Read(char* to, std::size_t n) {
  if (unread_at_ < unread_.size()) {
    const std::size_t some = std::min(n, unread_.size() - unread_at_);
    std::memcpy(to, unread_.data() + unread_at_, some);
    unread_at_ += some;
    if (unread_at_ == unread_.size()) {
      unread_ = {};
      unread_at_ = 0;
    }
    return some;
  }
  if (decoder_) return ReadDecoded(to, n);
  if (!raw_.empty()) {
    const std::size_t some = std::min(n, raw_.size());
    std::memcpy(to, raw_.data(), some);
    raw_.remove_prefix(some);
    return some;
  }
  return ReadRaw(to, n);
}

std::size_t Input::ReadDecoded(char* to, std::size_t n) {
  char* out = to;
  while (out == to) {
    if (raw_.empty() && !raw_end_) FillRaw();
    if (raw_.empty() && raw_end_ && between_members_) return 0;
    // Some writers fill up the last block of a gzip file with zeros.
    if (between_members_ && compression_ == Compression::kGzip && raw_.front() == '\0') {
      const std::size_t zeros = std::min(raw_.find_first_not_of('\0'), raw_.size());
      raw_.remove_prefix(zeros);
      continue;
    }
    const std::size_t before = raw_.size();
    between_members_ = decoder_->Decode(raw_, out, to + n);
    if (raw_end_ && raw_.empty() && before == 0 && out == to && !between_members_) {
      throw Fatal(path_ + " ends in the middle of its compressed data; restore the file or take it out of path");
    }
  }
  return static_cast<std::size_t>(out - to);
}

void Input::FillRaw() {
  if (raw_buffer_.empty()) raw_buffer_.resize(kRawBytes);
  // Only the first bytes of a file are asked for while others are still there.
  if (!raw_.empty()) std::memmove(raw_buffer_.data(), raw_.data(), raw_.size());
  const std::size_t kept = raw_.size();
  raw_ = std::string_view(raw_buffer_.data(), kept);
  const std::size_t more = ReadRaw(raw_buffer_.data() + kept, raw_buffer_.size() - kept);
  raw_ = std::string_view(raw_buffer_.data(), kept + more);
}

std::size_t Input::ReadRaw(char* to, std::size_t n) {
  for (;;) {
    if (!regular_) Wait();
    const ssize_t got = ::read(file_.get(), to, n);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      raw_end_ = true;
      return 0;
    }
    if (errno != EINTR && errno != EAGAIN) ThrowErrno("cannot read " + path_, errno);
  }
}

void Input::Wait() const {
  pollfd wait[] = {{file_.get(), POLLIN, 0}, {interruption_ ? interruption_->descriptor() : -1, POLLIN, 0}};
  while (::poll(wait, 2, -1) < 0) {
    if (errno != EINTR) ThrowErrno("cannot wait for " + path_, errno);
  }
  if (wait[1].revents) throw Cancelled();
}

std::vector<std::string> Expand(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  std::set<std::string> seen;
  const auto add = [&](const std::string& file) {
    if (seen.insert(file).second) files.push_back(file);
  };
  for (const std::string& path : paths) {
    struct stat info {};
    if (path.find_first_of("*?[") == std::string::npos || path == "-" || ::stat(path.c_str(), &info) == 0) {
      add(path);
      continue;
    }
    glob_t found{};
    const int result = ::glob(path.c_str(), 0, nullptr, &found);
    const std::unique_ptr<glob_t, decltype(&::globfree)> owner(&found, ::globfree);
    if (result == GLOB_NOSPACE) throw std::bad_alloc();
    const std::size_t before = files.size();
    bool any = false;
    for (std::size_t i = 0; result == 0 && i < found.gl_pathc; ++i) {
      if (::stat(found.gl_pathv[i], &info) == 0 && S_ISDIR(info.st_mode)) continue;
      any = true;
      add(found.gl_pathv[i]);
    }
    if (!any && files.size() == before) throw ConfigError("path", "no file matches \"" + path + "\"");
  }
  if (seen.count("-") && files.size() > 1) {
    throw ConfigError("path", "standard input (\"-\") can only be read alone, not among other files");
  }
  if (files.empty()) throw ConfigError("path", "names no file");
  return files;
}

}  // namespace etl::files
