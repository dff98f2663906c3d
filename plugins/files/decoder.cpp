// SPDX-License-Identifier: Apache-2.0
#include "decoder.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

namespace etl::files {
namespace {

class GzipDecoder : public Decoder {
 public:
  explicit GzipDecoder(std::string name) : name_(std::move(name)) {
    if (::inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();
  }
  GzipDecoder(const GzipDecoder&) = delete;
  ~GzipDecoder() override { ::inflateEnd(&stream_); }

  bool Decode(std::string_view& in, char*& out, char* out_end) override {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(std::min(in.size(), kMost));
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(std::min(static_cast<std::size_t>(out_end - out), kMost));
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(static_cast<std::size_t>(reinterpret_cast<const char*>(stream_.next_in) - in.data()));
    out = reinterpret_cast<char*>(stream_.next_out);
    if (result == Z_STREAM_END) {
      ::inflateReset(&stream_);
      return true;
    }
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result != Z_OK && result != Z_BUF_ERROR) {
      throw Fatal(name_ + " is damaged: its gzip data cannot be unpacked (" +
                  (stream_.msg ? stream_.msg : "no reason given") + "); restore the file or take it out of path");
    }
    return false;
  }

 private:
  std::string name_;
  z_stream stream_{};
};

class ZstdDecoder : public Decoder {
 public:
  explicit ZstdDecoder(std::string name) : name_(std::move(name)), stream_(::ZSTD_createDStream(), ::ZSTD_freeDStream) {
    if (!stream_) throw std::bad_alloc();
  }

  bool Decode(std::string_view& in, char*& out, char* out_end) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out, static_cast<std::size_t>(out_end - out), 0};
    const std::size_t result = ::ZSTD_decompressStream(stream_.get(), &to, &from);
    if (::ZSTD_isError(result)) {
      throw Fatal(name_ + " is damaged: its zstd data cannot be unpacked (" + ::ZSTD_getErrorName(result) +
                  "); restore the file or take it out of path");
    }
    in.remove_prefix(from.pos);
    out += to.pos;
    return result == 0;
  }

 private:
  std::string name_;
  std::unique_ptr<ZSTD_DStream, decltype(&::ZSTD_freeDStream)> stream_;
};

}  // namespace

Compression Detect(std::string_view head) {
  if (head.substr(0, 2) == "\x1f\x8b") return Compression::kGzip;
  if (head.substr(0, 4) == "\x28\xb5\x2f\xfd") return Compression::kZstd;
  return Compression::kNone;
}

std::unique_ptr<Decoder> MakeDecoder(Compression compression, const std::string& name) {
  if (compression == Compression::kGzip) return std::make_unique<GzipDecoder>(name);
  if (compression == Compression::kZstd) return std::make_unique<ZstdDecoder>(name);
  return nullptr;
}

}  // namespace etl::files
