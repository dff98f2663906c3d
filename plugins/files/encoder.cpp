// SPDX-License-Identifier: Apache-2.0
#include "encoder.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>

namespace etl::files {
namespace {

constexpr std::size_t kPiece = 64 << 10;

class GzipEncoder : public Encoder {
 public:
  explicit GzipEncoder(int level) {
    if (::deflateInit2(&stream_, level ? std::min(level, 9) : Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  GzipEncoder(const GzipEncoder&) = delete;
  ~GzipEncoder() override { ::deflateEnd(&stream_); }

  void Encode(std::string_view in, std::string& out) override {
    constexpr std::size_t kMost = 1 << 30;
    for (; !in.empty(); in.remove_prefix(std::min(in.size(), kMost))) Run(in.substr(0, kMost), Z_NO_FLUSH, out);
  }
  void End(std::string& out) override {
    Run({}, Z_FINISH, out);
    ::deflateReset(&stream_);
  }

 private:
  void Run(std::string_view in, int flush, std::string& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    int result = Z_OK;
    do {
      const std::size_t before = out.size();
      out.resize(before + kPiece);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kPiece;
      result = ::deflate(&stream_, flush);
      out.erase(out.size() - stream_.avail_out);
      if (result == Z_STREAM_ERROR) throw Fatal("zlib does not compress: its state is damaged");
    } while (stream_.avail_out == 0 && result != Z_STREAM_END);
  }

  z_stream stream_{};
};

class ZstdEncoder : public Encoder {
 public:
  explicit ZstdEncoder(int level) : context_(::ZSTD_createCCtx(), ::ZSTD_freeCCtx) {
    if (!context_) throw std::bad_alloc();
    Check(::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level));
    Check(::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
  }
  void Encode(std::string_view in, std::string& out) override { Run(in, ZSTD_e_continue, out); }
  void End(std::string& out) override { Run({}, ZSTD_e_end, out); }

 private:
  static std::size_t Check(std::size_t result) {
    if (::ZSTD_isError(result)) throw Fatal(std::string("zstd does not compress: ") + ::ZSTD_getErrorName(result));
    return result;
  }
  void Run(std::string_view in, ZSTD_EndDirective how, std::string& out) {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    for (bool more = true; more;) {
      const std::size_t before = out.size();
      out.resize(before + kPiece);
      ZSTD_outBuffer to{out.data() + before, kPiece, 0};
      const std::size_t left = Check(::ZSTD_compressStream2(context_.get(), &to, &from, how));
      out.resize(before + to.pos);
      more = how == ZSTD_e_end ? left > 0 : from.pos < from.size;
    }
  }

  std::unique_ptr<ZSTD_CCtx, decltype(&::ZSTD_freeCCtx)> context_;
};

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

std::unique_ptr<Encoder> MakeEncoder(Compression compression, int level) {
  if (compression == Compression::kGzip) return std::make_unique<GzipEncoder>(level);
  if (compression == Compression::kZstd) return std::make_unique<ZstdEncoder>(level);
  return nullptr;
}

Compression CompressionOfName(std::string_view path) {
  if (EndsWith(path, ".gz") || EndsWith(path, ".gzip")) return Compression::kGzip;
  if (EndsWith(path, ".zst") || EndsWith(path, ".zstd")) return Compression::kZstd;
  return Compression::kNone;
}

}  // namespace etl::files
