// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

namespace etl::files {
namespace {

/// Holds back SIGPIPE in this thread, so that a closed pipe is an error of write() and not the end of the process.
class HoldPipeSignal {
 public:
  HoldPipeSignal() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~HoldPipeSignal() {
    const timespec at_once{0, 0};
    while (!was_pending_ && ::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  HoldPipeSignal(const HoldPipeSignal&) = delete;
  HoldPipeSignal& operator=(const HoldPipeSignal&) = delete;

 private:
  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

ssize_t WriteSome(int fd, const char* bytes, std::size_t n, bool regular) {
  if (regular) return ::write(fd, bytes, n);
  ssize_t result = 0;
  int error = 0;
  {
    const HoldPipeSignal held;
    result = ::write(fd, bytes, n);
    error = errno;
  }
  if (result < 0 && error == EAGAIN) {
    pollfd wait{fd, POLLOUT, 0};
    ::poll(&wait, 1, 1000);
  }
  errno = error;
  return result;
}

FileHandle OpenForWriting(const std::string& path, Output::Mode mode) {
  if (path == "-") return FileHandle(1);
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  if (failed) throw ConfigError("path", "cannot make the folder " + folder.string() + ": " + failed.message());
  const int how = O_RDWR | O_CREAT | O_CLOEXEC | (mode == Output::Mode::kNew ? O_TRUNC : 0);
  int fd = ::open(path.c_str(), how, 0666);
  // A pipe that is opened for both would never tell that its reader has gone.
  struct stat info {};
  if (fd >= 0 && ::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode)) {
    ::close(fd);
    fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  }
  if (fd >= 0) return FileHandle(fd);
  const int error = errno;
  const std::string message = "cannot write " + path + ": " + ErrnoText(error);
  if (IsPassing(error)) throw Retry(message, error);
  throw ConfigError("path", message);
}

}  // namespace

Output::Output(const std::string& path, Compression compression, int level, Mode mode, std::int64_t length)
    : path_(path == "-" ? "standard output" : path),
      file_(OpenForWriting(path, mode)),
      encoder_(MakeEncoder(compression, level)) {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) ThrowErrno("cannot look at " + path_, errno);
  regular_ = S_ISREG(info.st_mode) && path != "-";
  made_ = regular_;
  if (!regular_) {
    fresh_ = mode == Mode::kNew;
    length_ = mode == Mode::kResume ? length : 0;
    return;
  }
  length_ = info.st_size;
  if (mode == Mode::kResume) {
    if (length_ < length) {
      throw Fatal(path_ + " has only " + std::to_string(length_) + " bytes, but the interrupted run had written " +
                  std::to_string(length) + ": put it back, or reset the state to write it anew");
    }
    if (::ftruncate(file_.get(), length) != 0) ThrowErrno("cannot cut " + path_, errno);
    length_ = length;
  }
  fresh_ = length_ == 0;
  if (::lseek(file_.get(), length_, SEEK_SET) < 0) ThrowErrno("cannot go to the end of " + path_, errno);
  if (!encoder_ && regular_) direct_ = std::make_unique<DirectFile>(file_.get(), path_, length_);
  if (direct_ && !*direct_) direct_.reset();
  if (mode == Mode::kAppend) EndHalfLine();
}

/// A run that was killed may have left half a line; it must not become part of the next one.
void Output::EndHalfLine() {
  char last = '\n';
  if (length_ == 0 || encoder_) return;
  if (::pread(file_.get(), &last, 1, length_ - 1) < 0) ThrowErrno("cannot read the end of " + path_, errno);
  if (last != '\n') Append([](json_detail::Tail& out) { out.Append("\n"); });
}

void Output::Drain() {
  if (used_ < kBigWrite && encoded_.empty() && written_ == 0) return;
  Encode();
}

void Output::TryDrain() {
  try {
    Drain();
  } catch (const Retry&) {
  }
}

void Output::Encode() {
  if (!encoder_) {
    Write({buffer_.data(), used_});
    used_ = 0;
    return;
  }
  WriteEncoded();
  if (used_ == 0) return;
  in_member_ = true;
  try {
    encoder_->Encode({buffer_.data(), used_}, encoded_);
  } catch (const std::bad_alloc&) {
    throw Fatal("out of memory while compressing for " + path_);  // half of it is in the encoder
  }
  used_ = 0;
  WriteEncoded();
}

void Output::WriteEncoded() {
  Write(encoded_);
  encoded_.clear();
}

void Output::Write(std::string_view bytes) {
  while (written_ < bytes.size()) {
    if (direct_) {
      const std::size_t n = direct_->Take(bytes.substr(written_));
      written_ += n;
      length_ += static_cast<std::int64_t>(n);
      continue;
    }
    const ssize_t n = WriteSome(file_.get(), bytes.data() + written_, bytes.size() - written_, regular_);
    if (n >= 0) {
      written_ += static_cast<std::size_t>(n);
      length_ += n;
    } else if (errno == EPIPE) {
      throw Fatal(path_ + " was closed by whoever read it; what had not been read is not delivered", EPIPE);
    } else if (errno != EINTR && (regular_ || errno != EAGAIN)) {
      ThrowErrno("cannot write " + path_, errno);
    }
  }
  written_ = 0;
}

std::int64_t Output::Flush() {
  Encode();
  if (in_member_) {
    encoder_->End(encoded_);
    in_member_ = false;
  }
  if (encoder_) WriteEncoded();
  if (direct_) direct_->Finish();
  if (!regular_ || length_ == safe_length_) return length_;
  while (::fdatasync(file_.get()) != 0) {
    // What could not be written back may be gone from memory too: trying again would only hide that.
    if (errno != EINTR) throw Fatal("cannot bring " + path_ + " to disk: " + ErrnoText(errno), errno);
  }
  if (made_) SyncFolder();
  made_ = false;
  safe_length_ = length_;
  return length_;
}

void Output::SyncFolder() const {
  const auto folder = std::filesystem::path(path_).parent_path();
  const FileHandle handle(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems do not sync folders, and need not.
  if (!handle || (::fsync(handle.get()) != 0 && errno != EINVAL)) ThrowErrno("cannot bring " + path_ + " to disk", errno);
}

}  // namespace etl::files
