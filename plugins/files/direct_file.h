// SPDX-License-Identifier: Apache-2.0
/// A file that is written past the page cache by a thread of its own, while more is taken.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "file_handle.h"

namespace etl::files {

/// Pages that nobody reads again cost more to find and to clear than the text costs to make.  When a call throws Retry,
/// nothing is lost and it can be called again.
class DirectFile {
 public:
  static constexpr std::size_t kBlock = 256 << 10;

  /// Goes on behind the file's `length` bytes.  `file`, which is open for both and stays the caller's, is named in errors.
  DirectFile(int file, std::string name, std::int64_t length);
  ~DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  /// The file system lets it.
  explicit operator bool() const { return static_cast<bool>(direct_); }
  /// Takes over some of the bytes, at least one; returns how many.
  std::size_t Take(std::string_view bytes);
  /// All that was taken is in the file, though it may not be safe yet.
  void Finish();

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  struct Block {
    std::unique_ptr<char, Free> bytes;
    std::int64_t at = 0;        // in the file: a multiple of what a direct write needs
    std::size_t size = 0, written = 0;
  };
  void Loop();
  int WriteFull();
  void WaitWritten();

  int file_;
  std::string name_;
  FileHandle direct_;
  Block filling_, full_;
  std::mutex mutex_;            // over the three below
  std::condition_variable changed_;
  bool writing_ = false, stop_ = false;   // full_ is the thread's while it is writing
  std::thread thread_;          // from the first full block on
};

}  // namespace etl::files
