#include "scan.h"

#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "child.h"
#include "loader.h"
#include "table.h"

namespace etl::host {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr int kFormat = 1;
constexpr std::size_t kLargestCache = 16 << 20;
constexpr const char* kKnownExtensions[] = {ETL_EXT_FILTER};

Object::Ptr ToJson(const PluginScan& scan) {
  Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
  if (!scan.refused.empty()) json->set("refused", scan.refused);
  json->set("name", scan.name);
  json->set("version", scan.version);
  Array::Ptr components = new Array;
  for (const ScannedComponent& component : scan.components) {
    Object::Ptr one = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    one->set("kind", static_cast<int>(component.kind));
    one->set("type", component.type);
    one->set("summary", component.summary);
    Array::Ptr extensions = new Array;
    for (const std::string& id : component.extensions) extensions->add(id);
    one->set("extensions", extensions);
    components->add(one);
  }
  json->set("components", components);
  if (!scan.lasting) json->set("lasting", false);
  return json;
}

PluginScan FromJson(const Object& json) {
  PluginScan scan;
  scan.refused = json.optValue<std::string>("refused", "");
  scan.name = json.getValue<std::string>("name");
  scan.version = json.getValue<std::string>("version");
  scan.lasting = json.optValue("lasting", true);
  const Array::Ptr components = json.getArray("components");
  for (unsigned i = 0; components && i < components->size(); ++i) {
    const Object::Ptr one = components->getObject(i);
    if (one.isNull()) throw Poco::DataFormatException("component");
    ScannedComponent component;
    component.kind = static_cast<Kind>(one->getValue<int>("kind") % 3);
    component.type = one->getValue<std::string>("type");
    component.summary = one->getValue<std::string>("summary");
    const Array::Ptr extensions = one->getArray("extensions");
    for (unsigned k = 0; extensions && k < extensions->size(); ++k)
      component.extensions.push_back(extensions->getElement<std::string>(k));
    scan.components.push_back(std::move(component));
  }
  return scan;
}

std::string Text(const Object& json) {
  std::ostringstream text;
  json.stringify(text);
  return text.str();
}

Object::Ptr Parse(const std::string& text) {
  Poco::JSON::Parser parser;
  parser.setDepth(16);
  return parser.parse(text).extract<Object::Ptr>();
}

/// Runs in the child.
std::string Describe(const std::string& path) {
  PluginScan scan;
  try {
    const Plugin& plugin = LoadPlugin(path, true);
    scan.name = plugin.name;
    scan.version = plugin.version;
    for (const auto& component : plugin.components) {
      ScannedComponent one{component->kind, component->table.type, component->table.summary, {}};
      for (const char* id : kKnownExtensions)
        if (component->table.extension && component->table.extension(id)) one.extensions.push_back(id);
      scan.components.push_back(std::move(one));
    }
  } catch (const Error& error) {
    scan.refused = error.what();
    scan.lasting = scan.refused.find("a library that loads") == std::string::npos;
  }
  return Text(*ToJson(scan));
}

/// Changes whenever the file does; empty when there is none.
std::string Identity(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return {};
  return fmt::format("{}:{}:{}:{}.{}:{}.{}", st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

std::string Abi() { return fmt::format("{}.{}", ETL_ABI_MAJOR, ETL_ABI_MINOR); }

}  // namespace

PluginScan ScanPlugin(const std::string& path, std::chrono::milliseconds limit) {
  const ChildEnd end = RunInChild({limit}, [&] { return Describe(path); });
  if (end.how == ChildEnd::kReturned) {
    try {
      return FromJson(*Parse(end.output));
    } catch (const Poco::Exception& error) {
      PluginScan scan;
      scan.refused = Refusal(path, "a description that cannot be read (" + error.displayText() + ")", "one that can",
                             "rebuild the plugin").what();
      return scan;
    }
  }
  const std::string how = end.how == ChildEnd::kTimedOut
                              ? fmt::format("that loading it did not end within {} ms", limit.count())
                              : "that loading it " + end.Text();
  PluginScan scan;
  scan.refused = Refusal(path, how, "a library that loads without side effects",
                         "report it to its author, or remove it from the folder").what();
  return scan;
}

ScanCache::ScanCache(std::string file) : file_(std::move(file)) {
  try {
    Read();
  } catch (const Poco::Exception&) {
    entries_.clear();  // damaged or of another version: every file is scanned again, and the cache replaced
  } catch (const std::exception&) {
    entries_.clear();
  }
}

std::string ScanCache::DefaultFile() {
  const char* cache = ::secure_getenv("XDG_CACHE_HOME");
  if (cache && *cache == '/') return std::string(cache) + "/etl/plugins.json";
  const char* home = ::secure_getenv("HOME");
  return home && *home == '/' ? std::string(home) + "/.cache/etl/plugins.json" : std::string();
}

void ScanCache::Read() {
  std::error_code missing;
  const auto size = file_.empty() ? 0 : std::filesystem::file_size(file_, missing);
  if (missing || size == 0 || size > kLargestCache) return;
  std::ifstream in(file_, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const Object::Ptr json = Parse(text);
  if (json->optValue("format", 0) != kFormat || json->optValue<std::string>("abi", "") != Abi()) return;
  const Object::Ptr files = json->getObject("files");
  if (files.isNull()) return;
  for (const std::string& path : files->getNames()) {
    const Object::Ptr one = files->getObject(path);
    if (one.isNull() || one->getObject("scan").isNull()) continue;
    entries_[path] = {one->getValue<std::string>("identity"), FromJson(*one->getObject("scan"))};
  }
}

std::optional<PluginScan> ScanCache::Get(const std::string& path) const {
  const auto entry = entries_.find(path);
  if (entry == entries_.end() || entry->second.identity != Identity(path)) return {};
  return entry->second.scan;
}

void ScanCache::Put(const std::string& path, const PluginScan& scan) {
  if (!scan.lasting) return;
  entries_[path] = {Identity(path), scan};
  changed_ = true;
}

void ScanCache::Save() {
  if (!changed_ || file_.empty()) return;
  changed_ = false;
  Object::Ptr files = new Object;
  for (const auto& [path, entry] : entries_) {
    if (Identity(path).empty()) continue;
    Object::Ptr one = new Object;
    one->set("identity", entry.identity);
    one->set("scan", ToJson(entry.scan));
    files->set(path, one);
  }
  Object json;
  json.set("format", kFormat);
  json.set("abi", Abi());
  json.set("files", files);
  const std::string text = Text(json), fresh = fmt::format("{}.{}", file_, ::getpid());
  std::error_code ignored;  // a folder that cannot be written to costs a scan at the next start, nothing else
  std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), ignored);
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (!whole || ::rename(fresh.c_str(), file_.c_str()) != 0) ::unlink(fresh.c_str());
}

}  // namespace etl::host
