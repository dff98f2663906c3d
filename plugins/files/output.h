// SPDX-License-Identifier: Apache-2.0
/// A file that is written in big pieces, and whose safe length is known.
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>

#include <memory>
#include <string>

#include "direct_file.h"
#include "encoder.h"
#include "file_handle.h"

namespace etl::files {

/// What is appended comes to the file by Drain() and Flush().  When one of them throws Retry, nothing is lost and it can
/// be called again.
class Output {
 public:
  static constexpr std::size_t kBigWrite = 256 << 10;

  enum class Mode {
    kNew,     ///< the file begins anew
    kResume,  ///< it is cut back to `length`
    kAppend   ///< what is there stays
  };
  /// "-" is standard output.  Makes missing folders.  Throws ConfigError("path") when it cannot be opened, Fatal when the
  /// file is shorter than `length`.
  Output(const std::string& path, Compression compression, int level, Mode mode, std::int64_t length);

  /// Appends what `write`, called with a Tail, appends to that; nothing if it throws.
  template <class Write>
  void Append(Write write) {
    json_detail::Tail tail(buffer_, used_, 0);
    write(tail);
    used_ += tail.Keep();
  }
  /// The file was empty when it was opened.
  bool fresh() const { return fresh_; }
  /// Writes the buffer if it is big.
  void Drain();
  /// Likewise; leaves a fault that may pass to the next call.
  void TryDrain();
  /// Writes everything, so that it survives a crash and the file can be cut cleanly there.  Returns its length.
  std::int64_t Flush();

 private:
  void Encode();
  void WriteEncoded();
  void Write(std::string_view bytes);
  void EndHalfLine();
  void SyncFolder() const;

  std::string path_;
  FileHandle file_;
  bool regular_ = false, fresh_ = false, made_ = false;
  std::unique_ptr<DirectFile> direct_;    // none where it cannot be
  std::unique_ptr<Encoder> encoder_;
  bool in_member_ = false;
  std::string buffer_, encoded_;
  std::size_t used_ = 0;        // of the buffer, which does not shrink
  std::size_t written_ = 0;     // of what is being written
  std::int64_t length_ = 0, safe_length_ = -1;
};

}  // namespace etl::files
