// SPDX-License-Identifier: Apache-2.0
#include "runtime.h"

#include <dlfcn.h>
#include <etl/error.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <mutex>

namespace etl::embed {
namespace {

constexpr std::uint32_t kOldestApi = 16;   // all that is called here is in it

std::vector<std::string> Places(const std::string& path) {
  if (!path.empty()) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) return {path};
    return {path + "/libonnxruntime.so.1", path + "/libonnxruntime.so", path + "/lib/libonnxruntime.so.1", path + "/lib/libonnxruntime.so"};
  }
  if (const char* set = std::getenv("ETL_ONNXRUNTIME"); set && *set) return Places(set);
  std::vector<std::string> places = {"libonnxruntime.so.1", "libonnxruntime.so"};
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache && *cache) places.push_back(std::string(cache) + "/etl/onnxruntime/lib/libonnxruntime.so.1");
  else if (home) places.push_back(std::string(home) + "/.cache/etl/onnxruntime/lib/libonnxruntime.so.1");
  places.push_back("/usr/local/lib/libonnxruntime.so.1");
  places.push_back("/opt/onnxruntime/lib/libonnxruntime.so.1");
  return places;
}

std::string Lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}

}  // namespace

const Runtime& Runtime::Load(const std::string& path) {
  static std::mutex mutex;
  static Runtime loaded;
  static std::string asked;
  const std::lock_guard lock(mutex);
  if (loaded.env_) {
    if (path != asked && !path.empty()) {
      const auto same = [](const std::string& a) { std::error_code e; return std::filesystem::equivalent(a, loaded.path_, e); };
      const std::vector<std::string> places = Places(path);
      if (std::none_of(places.begin(), places.end(), same)) throw ConfigError("runtime", "this process uses " + loaded.path_ + " already, and can have one ONNX Runtime only");
    }
    return loaded;
  }
  std::string tried;
  for (const std::string& place : Places(path)) {
    void* library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
      tried += "\n  " + std::string(::dlerror());
      continue;
    }
    const auto base = reinterpret_cast<const OrtApiBase* (*)()>(::dlsym(library, "OrtGetApiBase"));
    if (!base) {
      tried += "\n  " + place + " is no ONNX Runtime";
      continue;
    }
    const OrtApi* api = nullptr;
    for (std::uint32_t v = ORT_API_VERSION; !api && v >= kOldestApi; --v) api = base()->GetApi(v);
    loaded.version_ = base()->GetVersionString();
    if (!api) throw ConfigError("runtime", place + " is ONNX Runtime " + loaded.version_ + "; 1." + std::to_string(kOldestApi) + " is the oldest that will do");
    Ort::InitApi(api);
    Dl_info where{};
    loaded.path_ = ::dladdr(reinterpret_cast<void*>(base), &where) && where.dli_fname ? where.dli_fname : place;
    loaded.env_ = new Ort::Env(ORT_LOGGING_LEVEL_FATAL, "etl");   // what fails is thrown
    loaded.env_->DisableTelemetryEvents();   // `etl` sees to it that none began before
    asked = path;
    return loaded;
  }
  throw ConfigError("runtime", "ONNX Runtime was not found; from a checkout: tools/dev/onnxruntime, otherwise name libonnxruntime.so as runtime.  Tried:" + tried);
}

std::vector<std::string> Runtime::Providers() const {
  std::vector<std::string> names;
  for (std::string name : Ort::GetAvailableProviders()) {
    if (const auto end = name.find("ExecutionProvider"); end != std::string::npos) name.resize(end);
    names.push_back(Lower(name));
  }
  return names;
}

std::string Runtime::LibraryOf(const std::string& provider) const {
  return (std::filesystem::path(path_).parent_path() / ("libonnxruntime_providers_" + provider + ".so")).string();
}

std::string Runtime::Missing(const std::string& provider) const {
  void* const library = ::dlopen(LibraryOf(provider).c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (!library) return "; " + std::string(::dlerror());
  ::dlclose(library);
  return {};
}

}  // namespace etl::embed
