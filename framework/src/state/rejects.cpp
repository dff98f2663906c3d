#include "rejects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/Base64Decoder.h>
#include <Poco/Base64Encoder.h>
#include <Poco/Checksum.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSONString.h>
#include <Poco/UTF8Encoding.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "../error.h"

namespace etl::host {
namespace {

/// The call's result; a signal that comes in between is no failure.
template <class F>
auto Uninterrupted(F&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

std::string Quote(const std::string& s) { return Poco::toJSON(s); }

bool ValidUtf8(const std::string& s) {
  const auto* p = reinterpret_cast<const unsigned char*>(s.data());
  const auto* end = p + s.size();
  while (p < end) {
    if (*p < 0x80) {
      ++p;
      continue;
    }
    const int n = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
    if (*p < 0xC2 || p + n > end || !Poco::UTF8Encoding::isLegal(p, n)) return false;
    p += n;
  }
  return true;
}

std::string Base64(const std::string& s) {
  std::ostringstream out;
  Poco::Base64Encoder encoder(out);
  encoder.rdbuf()->setLineLength(0);
  encoder << s;
  encoder.close();
  return out.str();
}
std::string FromBase64(const std::string& s) {
  std::istringstream in(s);
  Poco::Base64Decoder decoder(in);
  return {std::istreambuf_iterator<char>(decoder), {}};
}

std::string Crc(std::string_view text) {
  Poco::Checksum sum(Poco::Checksum::TYPE_CRC32);
  sum.update(text.data(), static_cast<unsigned>(text.size()));
  return fmt::format("{:08x}", sum.checksum());
}

/// `,"crc":"01234567"}` at a line's end
constexpr std::size_t kTail = 8 + 8 + 2;

std::string Line(const RejectRecord& r) {
  std::string line = fmt::format(
      R"({{"at":{},"pipeline":{},"run":{},"stage":{},"type":{},"code":{},"reason":{},"split":{},"seq":{})", Quote(r.at),
      Quote(r.pipeline), Quote(r.run), Quote(r.stage), Quote(r.type), r.code, Quote(r.reason), Quote(r.split), r.seq);
  if (r.source_row >= 0) line += fmt::format(",\"source_row\":{}", r.source_row);
  if (!r.where.empty()) line += ",\"where\":" + Quote(r.where);
  if (r.schema_hash.empty()) {
    line += ValidUtf8(r.raw) ? ",\"raw\":" + Quote(r.raw) : ",\"raw_base64\":\"" + Base64(r.raw) + "\"";
  } else {
    line += fmt::format(R"(,"schema":{},"row":{})", Quote(r.schema_hash), r.row);
  }
  return line + ",\"crc\":\"" + Crc(line) + "\"}\n";
}

}  // namespace

struct RejectsWriter::Impl {
  std::string file;
  std::mutex mutex;
  std::string buffer;
  std::set<std::string> schemas;
  std::int64_t added = 0;
  int fd = -1;

  [[noreturn]] void Fail(const char* doing) const {
    throw Error(Exit::kState, fmt::format("{}: {}: {}; rejected rows must be on disk before the run goes on", file, doing,
                                          std::strerror(errno)));
  }
  void Open() {
    fd = Uninterrupted([&] { return open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); });
    if (fd < 0) Fail("cannot be opened");
    // A crash may have left half a line: it belongs to rows that come again.
    off_t end = lseek(fd, 0, SEEK_END);
    char c = '\n';
    while (end > 0 && Uninterrupted([&] { return pread(fd, &c, 1, end - 1); }) == 1 && c != '\n') --end;
    if (Uninterrupted([&] { return ftruncate(fd, end); }) != 0 || lseek(fd, end, SEEK_SET) < 0) Fail("cannot be cut to its last whole line");
    if (end == 0) SyncFolder();
  }
  /// The name of a new file must outlast a crash of the machine as its content does.
  void SyncFolder() const {
    const int folder = Uninterrupted([&] { return open(std::filesystem::path(file).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    const bool synced = folder >= 0 && Uninterrupted([&] { return fsync(folder); }) == 0;
    const int why = errno;
    if (folder >= 0) close(folder);
    errno = why;
    if (!synced) Fail("its folder cannot be synced");
  }
};

RejectsWriter::RejectsWriter(std::string file) : impl_(std::make_unique<Impl>()) { impl_->file = std::move(file); }
RejectsWriter::~RejectsWriter() {
  if (impl_->fd >= 0) close(impl_->fd);
}
std::int64_t RejectsWriter::added() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->added;
}

void RejectsWriter::Add(const RejectRecord& record, const std::string& schema_json) {
  RejectRecord r = record;
  const std::lock_guard lock(impl_->mutex);
  if (!schema_json.empty()) {
    r.schema_hash = Crc(schema_json);
    if (impl_->schemas.insert(r.schema_hash).second) {
      const std::string line = fmt::format(R"({{"schema":"{}","fields":{})", r.schema_hash, schema_json);
      impl_->buffer += line + ",\"crc\":\"" + Crc(line) + "\"}\n";
    }
  }
  impl_->buffer += Line(r);
  ++impl_->added;
}

void RejectsWriter::Sync() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->buffer.empty()) return;
  if (impl_->fd < 0) impl_->Open();
  std::size_t at = 0;
  const off_t begin = lseek(impl_->fd, 0, SEEK_CUR);
  while (at < impl_->buffer.size()) {
    const ssize_t n = Uninterrupted([&] { return write(impl_->fd, impl_->buffer.data() + at, impl_->buffer.size() - at); });
    if (n <= 0) {
      const int why = errno;
      if (Uninterrupted([&] { return ftruncate(impl_->fd, begin); }) != 0 || lseek(impl_->fd, begin, SEEK_SET) < 0) {
        errno = why;
        impl_->Fail("cannot be written, nor cut back");
      }
      errno = why;
      impl_->Fail("cannot be written");
    }
    at += static_cast<std::size_t>(n);
  }
  if (Uninterrupted([&] { return fdatasync(impl_->fd); }) != 0) impl_->Fail("cannot be synced");
  impl_->buffer.clear();
}

void ReadRejects(const std::string& file,
                 const std::function<void(const RejectRecord&, const std::string& schema_json)>& each) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return;
  std::map<std::string, std::string> schemas;
  std::string line;
  for (std::int64_t number = 1; std::getline(in, line); ++number) {
    if (in.eof()) return;  // torn by a crash
    const auto damaged = [&](const std::string& what) {
      throw Error(Exit::kState, fmt::format("{}:{}: {}; the record was changed or damaged", file, number, what));
    };
    if (line.size() < kTail || line.compare(line.size() - kTail, 8, ",\"crc\":\"") != 0) damaged("has no checksum");
    const std::string body = line.substr(0, line.size() - kTail);
    if (line.substr(line.size() - 10, 8) != Crc(body)) damaged("the checksum does not fit");
    if (const auto fields = body.find(",\"fields\":"); body.rfind("{\"schema\":", 0) == 0 && fields != std::string::npos) {
      schemas[body.substr(11, 8)] = body.substr(fields + 10);
      continue;
    }
    // The row comes last, and inside a string no unescaped quote can stand: the first ,"row": is the key.
    const auto row = body.find(",\"row\":");
    try {
      const auto object = Poco::JSON::Parser().parse(body.substr(0, row) + "}").extract<Poco::JSON::Object::Ptr>();
      const auto text = [&](const char* key) { return object->optValue<std::string>(key, ""); };
      RejectRecord r{text("at"), text("pipeline"), text("run"), text("stage"), text("type"), text("reason"), text("split"),
                     text("schema"), object->optValue<std::int64_t>("code", 0), object->optValue<std::uint64_t>("seq", 0),
                     object->optValue<std::int64_t>("source_row", -1),
                     row == std::string::npos ? "" : body.substr(row + 7),
                     object->has("raw_base64") ? FromBase64(text("raw_base64")) : text("raw"), text("where")};
      each(r, r.schema_hash.empty() ? std::string() : schemas[r.schema_hash]);
    } catch (const Poco::Exception& e) {
      damaged(e.displayText());
    }
  }
}

}  // namespace etl::host
