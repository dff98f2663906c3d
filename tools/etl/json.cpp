#include "json.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "text.h"

namespace etl::cli {
namespace {

using host::Error;
using host::Exit;

double Seconds(std::int64_t ns) { return std::round(static_cast<double>(ns) / 1e6) / 1e3; }

void SetNumber(Json& json, const std::string& key, double value) {
  if (std::isfinite(value))
    json.set(key, value);
  else
    json.set(key, Poco::Dynamic::Var());
}

/// -1 means unknown, which JSON has a word for.
void SetKnown(Json& json, const std::string& key, std::int64_t value, double shown) {
  if (value < 0)
    json.set(key, Poco::Dynamic::Var());
  else
    json.set(key, shown);
}

std::string Folder(const std::string& file) {
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

[[noreturn]] void CannotWrite(const std::string& file, int error) {
  throw Error(Exit::kConfig,
              fmt::format("cannot write {}: {}; name a file in a folder that you may write to",
                          file, std::strerror(error)));
}

}  // namespace

Json::Ptr NewObject() { return new Json(Poco::JSON_PRESERVE_KEY_ORDER); }
Poco::JSON::Array::Ptr NewArray() { return new Poco::JSON::Array; }

std::string Text(const Json::Ptr& json, unsigned indent) {
  std::ostringstream out;
  json->stringify(out, indent);
  return out.str();
}

Json::Ptr ToJson(const host::StageStatus& s) {
  Json::Ptr json = NewObject();
  json->set("stage", s.key);
  json->set("type", s.type);
  json->set("kind", std::string(KindName(s.kind)));
  json->set("workers", s.workers);
  json->set("rows_in", s.rows_in);
  json->set("rows_out", s.rows_out);
  json->set("bytes", s.bytes);
  json->set("batches", s.batches);
  SetNumber(*json, "busy", std::round(s.busy * 1000) / 1000);
  json->set("queue_bytes", s.queue_bytes);
  json->set("queue_limit", s.queue_limit);
  json->set("retries", s.retries);
  json->set("rejects", s.rejects);
  json->set("in_flight", s.in_flight);
  Json::Ptr metrics = NewObject();
  for (const auto& [name, value] : s.metrics) SetNumber(*metrics, name, value);
  json->set("metrics", metrics);
  Json::Ptr identity = NewObject();
  for (const auto& [name, value] : s.identity) identity->set(name, value);
  json->set("identity", identity);
  return json;
}

Json::Ptr ToJson(const host::RunStatus& s) {
  Json::Ptr json = NewObject();
  json->set("pipeline", s.pipeline);
  json->set("phase", s.phase);
  json->set("generation", s.generation);
  json->set("resumed", s.resumed);
  json->set("elapsed_s", Seconds(s.elapsed_ns));
  json->set("rows_read", s.rows_read);
  json->set("rows_read_before", s.rows_read_before);
  json->set("rows_delivered", s.rows_delivered);
  json->set("rows_filtered", s.rows_filtered);
  json->set("rows_rejected", s.rows_rejected);
  json->set("splits_planned", s.splits_planned);
  json->set("splits_done", s.splits_done);
  json->set("planned_all", s.planned_all);
  SetKnown(*json, "fraction", s.fraction < 0 ? -1 : 0, s.fraction);
  SetKnown(*json, "eta_s", s.eta_ns, Seconds(s.eta_ns));
  json->set("memory_used", s.memory_used);
  json->set("memory_limit", s.memory_limit);
  const bool known = s.limiter >= 0 && static_cast<std::size_t>(s.limiter) < s.stages.size();
  json->set("limiter", known ? Poco::Dynamic::Var(s.stages[static_cast<std::size_t>(s.limiter)].key)
                             : Poco::Dynamic::Var());
  json->set("last_error", s.last_error);
  auto stages = NewArray();
  for (const auto& stage : s.stages) stages->add(ToJson(stage));
  json->set("stages", stages);
  return json;
}

Json::Ptr ToJson(const host::RunResult& r) {
  Json::Ptr json = NewObject();
  json->set("exit", static_cast<int>(r.exit));
  json->set("message", r.message);
  json->set("status", ToJson(r.status));
  auto reasons = NewArray();
  for (const auto& reason : r.reasons) {
    Json::Ptr one = NewObject();
    one->set("stage", reason.stage);
    one->set("reason", reason.reason);
    one->set("rows", reason.count);
    reasons->add(one);
  }
  json->set("reasons", reasons);
  auto limited = NewArray();
  for (const auto& [stage, ns] : r.limited) {
    Json::Ptr one = NewObject();
    one->set("stage", stage);
    one->set("seconds", Seconds(ns));
    limited->add(one);
  }
  json->set("limited", limited);
  json->set("rejects_file", r.rejects_file);
  auto next = NewArray();
  for (const auto& command : r.next) next->add(command);
  json->set("next", next);
  json->set("written_at", UtcNow());
  return json;
}

Json::Ptr ToJson(const host::Problem& p) {
  Json::Ptr json = NewObject();
  json->set("level", p.warning ? "warn" : "error");
  json->set("file", p.place.file);
  json->set("line", p.place.line);
  json->set("column", p.place.column);
  json->set("message", p.message);
  return json;
}

Poco::JSON::Array::Ptr ToJson(const std::vector<host::Problem>& problems) {
  auto array = NewArray();
  for (const auto& problem : problems) array->add(ToJson(problem));
  return array;
}

void WriteAtomically(const std::string& file, const std::string& text, bool same_access) {
  const std::string temporary = fmt::format("{}.{}.tmp", file, ::getpid());
  const int fd =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, same_access ? 0600 : 0666);
  if (fd < 0) CannotWrite(file, errno);
  int error = 0;
  if (same_access) {
    struct stat old {};
    if (::stat(file.c_str(), &old) != 0) error = errno;
    // Only root may give a file away; anybody else who could write it keeps what can be kept.
    if (error == 0 && ::fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM) error = errno;
    if (error == 0 && ::fchmod(fd, old.st_mode & 07777) != 0) error = errno;
  }
  for (std::size_t done = 0; done < text.size() && error == 0;) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n > 0)
      done += static_cast<std::size_t>(n);
    else if (n == 0 || errno != EINTR)
      error = n == 0 ? EIO : errno;
  }
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), file.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    CannotWrite(file, error);
  }
}

void CheckWritable(const std::string& file) {
  if (::access(Folder(file).c_str(), W_OK | X_OK) != 0) CannotWrite(file, errno);
}

}  // namespace etl::cli
