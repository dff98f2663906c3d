// SPDX-License-Identifier: Apache-2.0
#include "compress.h"

#include <etl/error.h>
#include <zlib.h>
#include <zstd.h>

namespace etl::http {
namespace {

std::string Gzip(std::string_view text) {
  z_stream z{};
  if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  std::string out;
  out.resize(deflateBound(&z, static_cast<uLong>(text.size())));
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int said = deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  if (said != Z_STREAM_END) throw Fatal("zlib could not compress a request");
  return out;
}

}  // namespace

std::string Name(Coding coding) { return coding == Coding::kGzip ? "gzip" : coding == Coding::kZstd ? "zstd" : ""; }

std::string Compress(Coding coding, std::string_view text) {
  if (coding == Coding::kNone) return std::string(text);
  if (coding == Coding::kGzip) return Gzip(text);
  std::string out;
  out.resize(ZSTD_compressBound(text.size()));
  const std::size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1);
  if (ZSTD_isError(size)) throw Fatal(std::string("zstd could not compress a request: ") + ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

}  // namespace etl::http
