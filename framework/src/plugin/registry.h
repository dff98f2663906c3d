// Which plugins there are, and the components in them.
#pragma once
#include <etl/plugin.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace etl::host {

enum class Kind { kSource, kTransform, kSink };
std::string_view KindName(Kind kind);  ///< "source", "transform", "sink"

/// One component in the host's own layout: `table` is a copy in which what the plugin's (older, shorter) table lacks reads
/// as null, and its source, transform and sink tables are such copies too.  Lives until the process ends.
struct Component {
  std::string plugin, plugin_version, path;  ///< path: of the .so
  Kind kind = Kind::kSource;
  etl_component table{};
  /// Set when it cannot be used here, as in "needs a newer etl: option type 17 of \"x\" is unknown".
  std::string unavailable;
};

/// A loaded or described plugin.
struct Plugin {
  std::string path, name, version, license, summary, url;
  int abi_minor = 0;
  std::vector<std::unique_ptr<Component>> components;
  std::vector<std::string> warnings;  ///< of the checks before dlopen
};

/// What was found under one path, without any of its code having run in this process.
struct Found {
  std::string path;
  std::string name, version;                               ///< from the note, or from the scan
  std::vector<std::pair<Kind, std::string>> components;    ///< kind and type, from the scan
  std::vector<std::string> summaries;                      ///< beside components
  std::string refused;                                     ///< one sentence, when it will not be loaded
  std::string shadowed_by;                                 ///< path of the plugin of the same name that comes first
};

struct SearchOptions {
  std::vector<std::string> plugin_dirs;   ///< --plugin-dir, first
  bool allow_unsafe = false;              ///< --allow-unsafe-plugins: skip the checks of owner and mode
};

/// Finds plugins along the search path (--plugin-dir, $ETL_PLUGIN_PATH unless privileged, $XDG_DATA_HOME/etl/plugins/1,
/// <prefix>/lib/etl/plugins/1), scans unknown files in a child process, caches what the scan said by device, inode, size
/// and mtime under $XDG_CACHE_HOME/etl, and loads those that are asked for.  Thread-safe.
class Registry {
 public:
  explicit Registry(SearchOptions options);
  ~Registry();

  /// The component of that kind and type ("csv", or "acme.lines/lines" where two plugins offer one).  Loads its plugin.
  /// Throws Error(kPlugin) with path, found, expected and what to do; Error(kConfig) with the nearest name when unknown.
  const Component& Find(Kind kind, std::string_view type);

  /// All that is there, in the order of the search path, names sorted within a folder; refused and shadowed ones too.
  const std::vector<Found>& List();

  /// The types on offer, sorted.
  std::vector<std::string> Types(Kind kind);

  /// Loads one file, whatever its folder, after all checks.  Throws Error(kPlugin).
  const Plugin& Load(const std::string& path);

  /// The first component of that kind that offers extension `id` (one that the host knows: ETL_EXT_...), or null.  Which one
  /// it is was found by the scan; only its plugin is loaded.
  const Component* WithExtension(Kind kind, const char* id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace etl::host
