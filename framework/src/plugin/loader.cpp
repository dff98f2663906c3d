#include "loader.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "table.h"
#include "trust.h"

namespace etl::host {
namespace {

constexpr const char* kRebuild = "rebuild it with the etl headers, or remove it from the folder";

ElfFacts ReadFacts(const std::string& path) {
  try {
    return ReadElf(path);
  } catch (const std::runtime_error& error) {
    throw Refusal(path, error.what(), "a shared object", "build the plugin again, or remove the file");
  }
}

bool OnlyOrigin(const std::string& runpath) {
  for (std::size_t at = 0; at <= runpath.size();) {
    const auto end = std::min(runpath.find(':', at), runpath.size());
    const std::string one = runpath.substr(at, end - at);
    if (one != "$ORIGIN" && !one.starts_with("$ORIGIN/")) return false;
    at = end + 1;
  }
  return true;
}

std::unique_ptr<Plugin> OpenPlugin(const std::string& path, const ElfFacts& facts) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char* reason = ::dlerror();
    throw Refusal(path, fmt::format("\"{}\"", reason ? reason : "no reason given"), "a library that loads",
                  "install what is missing, or rebuild the plugin");
  }
  using Entry = const etl_plugin* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(library, "etl_plugin_v1"));
  if (!entry) throw Refusal(path, "no function etl_plugin_v1", "the entry of a plugin", kRebuild);
  const etl_plugin* table = entry();
  if (!table) throw Refusal(path, "null from etl_plugin_v1()", "its table", kRebuild);
  if (entry() != table) throw Refusal(path, "another table at the second call of etl_plugin_v1()", "the same one", kRebuild);
  auto plugin = TakePlugin(table, path);
  if (plugin->name != facts.note->name || plugin->version != facts.note->version || plugin->abi_minor != facts.note->abi_minor)
    throw Refusal(path,
                  fmt::format("a table of {} {} (ABI {}.{}) under a note of {} {} (ABI {}.{})", plugin->name, plugin->version,
                              ETL_ABI_MAJOR, plugin->abi_minor, facts.note->name, facts.note->version, facts.note->abi_major,
                              facts.note->abi_minor),
                  "the same in both", kRebuild);
  return plugin;
}

struct Loaded {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Plugin>> plugins;
};
Loaded& AllLoaded() {
  static Loaded* const loaded = new Loaded;  // plugins outlive every destructor
  return *loaded;
}

}  // namespace

std::string RealPluginPath(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (!real)
    throw Refusal(path, fmt::format("nothing there that can be opened ({})", std::strerror(errno)), "a plugin file",
                  "check the path");
  const std::unique_ptr<char, decltype(&::free)> owner(real, ::free);
  return real;
}

std::vector<std::string> PluginWarnings(const ElfFacts& facts) {
  static const std::set<std::string> kHarmful = {"exit", "_exit", "signal", "setlocale", "fork", "chdir", "setenv", "dlopen"};
  std::vector<std::string> warnings;
  for (const std::string& name : facts.imported)
    if (kHarmful.contains(name)) warnings.push_back(fmt::format("imports {}(), which acts on the whole process", name));
  if (facts.static_tls) warnings.push_back("uses static thread-local storage, of which a process has little");
  if (!facts.unique.empty())
    warnings.push_back(fmt::format("exports {} unique symbols ({}, ...), shared with every library that has them too",
                                   facts.unique.size(), facts.unique.front()));
  if (facts.exported.size() > 1)
    warnings.push_back(fmt::format("exports {} symbols, where one is enough", facts.exported.size()));
  return warnings;
}

ElfFacts CheckPluginFile(const std::string& path, bool allow_unsafe, std::vector<std::string>* warnings) {
  if (!allow_unsafe) {
    const std::string who = WhoElseCanChange(path);
    if (!who.empty())
      throw Refusal(path, who, "file and folders that only root or you can change",
                    "run chmod go-w (or chown) on it, or pass --allow-unsafe-plugins while developing");
  }
  ElfFacts facts = ReadFacts(path);
  if (!facts.this_machine)
    throw Refusal(path, "an ELF file for " + facts.machine, "one for this machine", "build the plugin for this machine");
  if (!facts.shared_object || facts.executable)
    throw Refusal(path, facts.executable ? "an executable" : "an object file", "a shared object", "link the plugin with -shared");
  if (!facts.Exports("etl_plugin_v1"))
    throw Refusal(path, "no exported function etl_plugin_v1", "the entry of a plugin",
                  "use ETL_PLUGIN and etl_add_plugin(), or remove the file if it is none");
  if (!facts.note)
    throw Refusal(path, "no readable etl note", "one that names ABI, plugin and version", "rebuild it with ETL_PLUGIN or ETL_NOTE");
  if (facts.note->abi_major != ETL_ABI_MAJOR)
    throw Refusal(path, fmt::format("plugin ABI {}.{}", facts.note->abi_major, facts.note->abi_minor),
                  fmt::format("{}.x", ETL_ABI_MAJOR), "install the release of the plugin that is made for this etl");
  if (facts.executable_stack)
    throw Refusal(path, "an executable stack", "none", "link with -Wl,-z,noexecstack");
  if (facts.text_relocations) throw Refusal(path, "text relocations", "none", "compile with -fPIC");
  if (!facts.runpath.empty() && !OnlyOrigin(facts.runpath))
    throw Refusal(path, fmt::format("the library search path \"{}\"", facts.runpath), "paths that begin with $ORIGIN only",
                  "relink it without -rpath");
  if (warnings) *warnings = PluginWarnings(facts);
  return facts;
}

const Plugin& LoadPlugin(const std::string& path, bool allow_unsafe) {
  const std::string real = RealPluginPath(path);
  std::vector<std::string> warnings;
  const ElfFacts facts = CheckPluginFile(real, allow_unsafe, &warnings);
  Loaded& loaded = AllLoaded();
  const std::lock_guard lock(loaded.mutex);
  std::unique_ptr<Plugin>& plugin = loaded.plugins[real];
  if (!plugin) {
    auto fresh = OpenPlugin(real, facts);
    fresh->warnings = std::move(warnings);
    plugin = std::move(fresh);
  }
  return *plugin;
}

}  // namespace etl::host
