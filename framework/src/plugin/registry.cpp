#include "registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <algorithm>
#include <set>

#include "../config/config.h"
#include "../error.h"
#include "loader.h"
#include "scan.h"
#include "table.h"

namespace etl::host {
namespace {

namespace fs = std::filesystem;

struct Folder {
  std::string path;
  bool asked_for = false;  ///< named on the command line: must be there
};

std::string Environment(const char* name) {
  const char* value = ::secure_getenv(name);
  return value ? value : "";
}

std::vector<Folder> SearchPath(const SearchOptions& options) {
  std::vector<Folder> path;
  for (const std::string& dir : options.plugin_dirs) path.push_back({fs::absolute(dir).lexically_normal().string(), true});
  const std::string listed = Environment("ETL_PLUGIN_PATH");
  for (std::size_t at = 0; at < listed.size();) {
    const auto end = std::min(listed.find(':', at), listed.size());
    const std::string one = listed.substr(at, end - at);
    if (!one.empty() && one.front() != '/')
      throw Error(Exit::kConfig, fmt::format("ETL_PLUGIN_PATH holds \"{}\", expected absolute paths; write it from / on", one));
    if (!one.empty()) path.push_back({one});
    at = end + 1;
  }
  const std::string data = Environment("XDG_DATA_HOME"), home = Environment("HOME");
  if (data.starts_with('/'))
    path.push_back({data + "/etl/plugins/1"});
  else if (home.starts_with('/'))
    path.push_back({home + "/.local/share/etl/plugins/1"});
  std::error_code unknown;
  const fs::path self = fs::read_symlink("/proc/self/exe", unknown);
  if (!unknown) path.push_back({(self.parent_path().parent_path() / "lib/etl/plugins/1").string()});
  return path;
}

std::vector<std::string> PluginFiles(const Folder& folder) {
  std::vector<std::string> files;
  std::error_code missing;
  for (fs::directory_iterator at(folder.path, missing), end; !missing && at != end; at.increment(missing))
    if (at->path().extension() == ".so") files.push_back(at->path().string());
  if (missing && folder.asked_for)
    throw Error(Exit::kConfig, fmt::format("--plugin-dir {}: {}; name a folder with plugins", folder.path, missing.message()));
  if (missing && missing != std::errc::no_such_file_or_directory && missing != std::errc::not_a_directory)
    throw Error(Exit::kPlugin, fmt::format("plugin folder {} cannot be read: {}; give yourself the right to, or take it off the "
                                           "search path", folder.path, missing.message()));
  std::sort(files.begin(), files.end());
  return files;
}

std::string Qualified(const Found& found, const std::string& type) { return found.name + "/" + type; }

}  // namespace

struct Registry::Impl {
  struct Offer {
    const Found* found = nullptr;
    const ScannedComponent* component = nullptr;
  };

  explicit Impl(SearchOptions given) : options(std::move(given)), folders(SearchPath(options)) {}

  void Examine(const std::string& path, ScanCache& cache) {
    Found found;
    found.path = path;
    PluginScan scan;
    try {
      found.path = RealPluginPath(path);
      const ElfFacts facts = CheckPluginFile(found.path, options.allow_unsafe, nullptr);
      found.name = facts.note->name;
      found.version = facts.note->version;
      auto known = cache.Get(found.path);
      if (!known) cache.Put(found.path, *(known = ScanPlugin(found.path)));
      scan = std::move(*known);
      found.refused = scan.refused;
    } catch (const Error& error) {
      found.refused = error.what();
    }
    for (const ScannedComponent& component : scan.components) {
      found.components.emplace_back(component.kind, component.type);
      found.summaries.push_back(component.summary);
    }
    for (const Found& earlier : list)
      if (found.refused.empty() && earlier.refused.empty() && earlier.shadowed_by.empty() && earlier.name == found.name)
        found.shadowed_by = earlier.path;
    list.push_back(std::move(found));
    scans.push_back(std::move(scan));
  }

  void Search() {
    if (searched) return;
    list.clear();
    scans.clear();
    ScanCache cache(ScanCache::DefaultFile());
    std::set<std::string> seen;
    for (const Folder& folder : folders)
      for (const std::string& file : PluginFiles(folder)) {
        std::error_code broken;
        const std::string real = fs::canonical(file, broken).string();
        if (broken || seen.insert(real).second) Examine(file, cache);
      }
    cache.Save();
    searched = true;
  }

  template <class Wanted>
  std::vector<Offer> Offers(const Wanted& wanted) const {
    std::vector<Offer> offers;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!list[i].refused.empty() || !list[i].shadowed_by.empty()) continue;
      for (const ScannedComponent& component : scans[i].components)
        if (wanted(list[i], component)) offers.push_back({&list[i], &component});
    }
    return offers;
  }

  std::vector<std::string> Types(Kind kind) const {
    std::map<std::string, int> count;
    const auto offers = Offers([&](const Found&, const ScannedComponent& c) { return c.kind == kind; });
    for (const Offer& offer : offers) ++count[offer.component->type];
    std::vector<std::string> types;
    for (const Offer& offer : offers)
      types.push_back(count[offer.component->type] > 1 ? Qualified(*offer.found, offer.component->type) : offer.component->type);
    std::sort(types.begin(), types.end());
    return types;
  }

  [[noreturn]] void Unknown(Kind kind, const std::string& type) const {
    const std::string last = type.substr(type.rfind('/') + 1);
    std::size_t refused = 0;
    for (const Found& found : list) {
      if (found.refused.empty()) continue;
      ++refused;
      const std::string file = fs::path(found.path).stem().string(), name = found.name.substr(found.name.rfind('.') + 1);
      if (last == file || "lib" + last == file || last == name || type.starts_with(found.name + "/"))
        throw Error(Exit::kPlugin, found.refused);
    }
    std::string message = fmt::format("unknown {} type \"{}\"", KindName(kind), type);
    const auto elsewhere = Offers([&](const Found&, const ScannedComponent& c) { return c.type == last; });
    const std::string near = Nearest(type, Types(kind));
    if (!elsewhere.empty())
      message += fmt::format("; it is there as a {} only", KindName(elsewhere.front().component->kind));
    else if (!near.empty())
      message += fmt::format("; did you mean \"{}\"?", near);
    else
      message += "; install its plugin, or run \"etl plugin list\"";
    std::vector<std::string> looked;
    for (const Folder& folder : folders) looked.push_back(folder.path);
    message += fmt::format(" (looked in {})", fmt::join(looked, ", "));
    if (refused) message += fmt::format("; {} refused: \"etl plugin list\" says why", refused == 1 ? "one plugin was" : std::to_string(refused) + " plugins were");
    throw Error(Exit::kConfig, message);
  }

  const Component& Find(Kind kind, const std::string& type) {
    Search();
    const auto offers = Offers([&](const Found& found, const ScannedComponent& component) {
      return component.kind == kind && (component.type == type || Qualified(found, component.type) == type);
    });
    if (offers.empty()) Unknown(kind, type);
    if (offers.size() > 1) {
      std::vector<std::string> names;
      for (const Offer& offer : offers) names.push_back('"' + Qualified(*offer.found, type) + '"');
      throw Error(Exit::kConfig, fmt::format("{} type \"{}\" is offered by {} plugins; write {}", KindName(kind), type,
                                             offers.size(), fmt::join(names, " or ")));
    }
    const Component& component = Loaded(kind, offers.front());
    if (!component.unavailable.empty())
      throw Error(Exit::kPlugin, fmt::format("{} \"{}\" of plugin {} {}; update etl, or install an older release of the plugin",
                                             KindName(kind), type, component.path, component.unavailable));
    return component;
  }

  const Component& Loaded(Kind kind, const Offer& offer) const {
    const Plugin& plugin = LoadPlugin(offer.found->path, options.allow_unsafe);
    for (const auto& component : plugin.components)
      if (component->kind == kind && component->table.type == offer.component->type) return *component;
    throw Refusal(plugin.path, fmt::format("no {} \"{}\"", KindName(kind), offer.component->type),
                  "what it offered when it was examined", "run the command again, as the file has just changed");
  }

  SearchOptions options;
  std::vector<Folder> folders;
  std::mutex mutex;
  bool searched = false;
  std::vector<Found> list;
  std::vector<PluginScan> scans;  ///< beside list
};

Registry::Registry(SearchOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Registry::~Registry() = default;

const Component& Registry::Find(Kind kind, std::string_view type) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->Find(kind, std::string(type));
}

const std::vector<Found>& Registry::List() {
  const std::lock_guard lock(impl_->mutex);
  impl_->Search();
  return impl_->list;
}

std::vector<std::string> Registry::Types(Kind kind) {
  const std::lock_guard lock(impl_->mutex);
  impl_->Search();
  return impl_->Types(kind);
}

const Plugin& Registry::Load(const std::string& path) { return LoadPlugin(path, impl_->options.allow_unsafe); }

const Component* Registry::WithExtension(Kind kind, const char* id) {
  const std::lock_guard lock(impl_->mutex);
  impl_->Search();
  const auto offers = impl_->Offers([&](const Found&, const ScannedComponent& c) {
    return c.kind == kind && std::find(c.extensions.begin(), c.extensions.end(), id) != c.extensions.end();
  });
  for (const Impl::Offer& offer : offers) {
    const Component& component = impl_->Loaded(kind, offer);
    if (component.unavailable.empty()) return &component;
  }
  return nullptr;
}

}  // namespace etl::host
