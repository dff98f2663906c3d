// SPDX-License-Identifier: Apache-2.0
/// Files and standard input as a stream of plain bytes, whatever they are compressed with.
#pragma once
#include <etl/sdk.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "file_handle.h"

namespace etl::files {

enum class Compression { kAuto, kNone, kGzip, kZstd };
Compression CompressionOf(std::string_view name);  ///< "auto", "none", "gzip", "zstd"

/// Ends blocked reads, from any thread, for good.
class Interruption {
 public:
  Interruption();
  void Fire() noexcept;
  int descriptor() const { return event_.get(); }

 private:
  FileHandle event_;
};

/// Turns compressed bytes into plain ones.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Moves both views' beginnings on.  True when a member (gzip) or frame (zstd) ended right there.  Throws Fatal with
  /// what is wrong with the data.
  virtual bool Decode(std::string_view& in, char*& out, char* out_end) = 0;
};

/// One open file.  Not for several threads at once.
class Input {
 public:
  /// "-" is standard input.  Throws ConfigError("path") when it cannot be opened, Retry when it may be later.
  Input(const std::string& path, Compression compression, std::shared_ptr<const Interruption> interruption);

  /// Up to n plain bytes; 0 = the end.  Throws Fatal when compressed data is damaged or ends too early, Cancelled when
  /// interrupted.
  std::size_t Read(char* to, std::size_t n);
  /// Bytes can be had within that time, or the end has come.
  bool Ready(int milliseconds) const;
  /// Only for plain files.
  void Seek(std::int64_t offset);
  /// Gives bytes back, to be read again first.
  void Unread(std::string bytes);

  bool regular() const { return regular_; }
  bool seekable() const { return regular_ && !decoder_; }
  Compression compression() const { return compression_; }
  std::int64_t size() const { return size_; }  ///< of the file as it lies there, when regular; else -1
  const std::string& path() const { return path_; }

 private:
  std::size_t ReadRaw(char* to, std::size_t n);
  std::size_t ReadDecoded(char* to, std::size_t n);
  void FillRaw();
  void Wait() const;

  std::string path_;
  std::shared_ptr<const Interruption> interruption_;
  FileHandle file_;
  bool regular_ = false, raw_end_ = false;
  std::int64_t size_ = -1;
  Compression compression_;
  std::unique_ptr<Decoder> decoder_;
  bool between_members_ = true;
  std::vector<char> raw_buffer_;
  std::string_view raw_;     // of raw_buffer_, not yet used
  std::string unread_;
  std::size_t unread_at_ = 0;
};

/// The files that paths and patterns (* ? [) name, in the order given, those of a pattern sorted, none twice.  Throws
/// ConfigError("path") when one names nothing.
std::vector<std::string> Expand(const std::vector<std::string>& paths);

}  // namespace etl::files
