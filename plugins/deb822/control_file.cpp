// SPDX-License-Identifier: Apache-2.0
#include "control_file.h"

#include <etl/error.h>
#include <lz4frame.h>
#include <simdjson.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

namespace deb822 {
namespace {

using std::string_view;
using Reader = std::function<std::size_t(char* to, std::size_t size)>;

constexpr std::size_t kChunk = 1 << 18;
constexpr std::size_t kLongest =
    16 << 20;  // of a line or a stanza: anything longer is another kind of file

etl::Fatal CannotRead(const std::string& path) {
  return etl::Fatal("cannot read " + path + ": " + std::strerror(errno), errno);
}

/// Gzip files, and plain ones, which zlib hands through as they are.
Reader OpenGzip(const std::string& path) {
  const std::shared_ptr<gzFile_s> file(gzopen(path.c_str(), "rb"), [](gzFile f) { gzclose(f); });
  if (!file) throw CannotRead(path);
  const bool packed = EndsWith(path, ".gz");
  return [file, path, packed](char* to, std::size_t size) {
    if (packed && gzdirect(file.get())) throw etl::Fatal(path + " is damaged: it is no gzip file");
    const int n = gzread(file.get(), to, static_cast<unsigned>(size));
    int error = Z_OK;
    const char* text = gzerror(file.get(), &error);
    // A file that was cut off is no error to gzread(), only to gzerror().
    if (n < 0 || error == Z_BUF_ERROR) throw etl::Fatal(path + " is damaged: " + text, error);
    return static_cast<std::size_t>(n);
  };
}

struct Lz4 {
  std::FILE* file = nullptr;
  LZ4F_dctx* context = nullptr;
  std::vector<char> in = std::vector<char>(kChunk);
  std::size_t begin = 0, end = 0;  // of what is still to decode
  std::size_t wanted = 1;          // by the decoder; 0 after a whole frame
  Lz4() = default;
  Lz4(const Lz4&) = delete;
  ~Lz4() {
    if (file) std::fclose(file);
    LZ4F_freeDecompressionContext(context);
  }
};

Reader OpenLz4(const std::string& path) {
  const auto z = std::make_shared<Lz4>();
  z->file = std::fopen(path.c_str(), "rb");
  if (!z->file) throw CannotRead(path);
  if (LZ4F_isError(LZ4F_createDecompressionContext(&z->context, LZ4F_VERSION)))
    throw std::bad_alloc();
  return [z, path](char* to, std::size_t size) {
    for (;;) {
      if (z->begin == z->end) {
        z->begin = 0;
        z->end = std::fread(z->in.data(), 1, z->in.size(), z->file);
        if (std::ferror(z->file)) throw CannotRead(path);
        if (z->end == 0 && z->wanted) throw etl::Fatal(path + " is damaged: it was cut off");
        if (z->end == 0) return std::size_t{0};
      }
      std::size_t written = size, consumed = z->end - z->begin;
      z->wanted =
          LZ4F_decompress(z->context, to, &written, z->in.data() + z->begin, &consumed, nullptr);
      if (LZ4F_isError(z->wanted))
        throw etl::Fatal(path + " is damaged: " + LZ4F_getErrorName(z->wanted));
      z->begin += consumed;
      if (written) return written;
    }
  };
}

string_view Trim(string_view s) {
  const auto begin = s.find_first_not_of(" \t\r");
  if (begin == string_view::npos) return {};
  return s.substr(begin, s.find_last_not_of(" \t\r") - begin + 1);
}

}  // namespace

std::string Lower(string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

bool EndsWith(string_view s, string_view end) {
  return s.size() >= end.size() && s.substr(s.size() - end.size()) == end;
}

Lines::Lines(const std::string& path)
    : read_(EndsWith(path, ".lz4") ? OpenLz4(path) : OpenGzip(path)) {}

bool Lines::Next(string_view& line) {
  std::size_t end = buffer_.find('\n', begin_);
  while (end == std::string::npos) {
    const std::size_t seen = buffer_.size() - begin_;
    if (!Fill()) break;
    end = buffer_.find('\n', begin_ + seen);
  }
  if (begin_ == buffer_.size()) return false;
  line = string_view(buffer_).substr(begin_, end - begin_);
  const std::size_t used = line.size() + (end != std::string::npos);
  begin_ += used;
  offset_ += used;
  ++number_;
  return true;
}

bool Lines::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t size = buffer_.size();
  if (size > kLongest) throw etl::Fatal("a line of more than 16 MiB: this is no control file");
  buffer_.resize(size + kChunk);
  const std::size_t n = read_(buffer_.data() + size, kChunk);
  buffer_.resize(size + n);
  return n > 0;
}

bool Stanza::Read(Lines& lines) {
  *this = {};
  std::string* field = nullptr;
  for (string_view s; lines.Next(s);) {
    if (Trim(s).empty()) {
      if (text.empty()) continue;
      break;
    }
    if (text.empty()) line = lines.number();
    text.append(s).push_back('\n');
    if (text.size() > kLongest)
      throw etl::Fatal("a stanza of more than 16 MiB: this is no control file");
    if (problem.empty() && s[0] != '#') field = Add(s, lines.number(), field);
  }
  if (problem.empty() && !simdjson::validate_utf8(text)) problem = "the stanza is not UTF-8";
  return !text.empty();
}

/// Takes a line in; returns the field that a continuation would belong to.
std::string* Stanza::Add(string_view s, std::uint64_t number, std::string* field) {
  if (s[0] == ' ' || s[0] == '\t') {
    if (!field) return Bad(number, "continues a field, and there is none above it");
    const string_view more = Trim(s);
    field->append("\n").append(more == "." ? string_view() : more);  // a dot: an empty line
    return field;
  }
  const auto colon = s.find(':');
  if (colon == 0 || colon == string_view::npos || s.find_first_of(" \t") < colon)
    return Bad(number, "is not \"Name: value\"");
  const std::string name(s.substr(0, colon));
  const auto [at, is_new] = fields.emplace(Lower(name), Trim(s.substr(colon + 1)));
  return is_new ? &at->second : Bad(number, "gives the field " + name + " a second time");
}

std::string* Stanza::Bad(std::uint64_t number, const std::string& what) {
  problem = "line " + std::to_string(number) + " " + what;
  return nullptr;
}

}  // namespace deb822
