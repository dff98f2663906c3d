// What is in a plugin file, found out in a child process and remembered.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "registry.h"

namespace etl::host {

struct ScannedComponent {
  Kind kind = Kind::kSource;
  std::string type, summary;
  std::vector<std::string> extensions;  ///< of those that the host knows
};

struct PluginScan {
  std::string refused;  ///< one sentence, when it cannot be loaded
  std::string name, version;
  std::vector<ScannedComponent> components;
  bool lasting = true;  ///< false where the reason may lie outside the file: not remembered
};

/// Loads the file in a child process and says what is in it.  The file has passed CheckPluginFile().
PluginScan ScanPlugin(const std::string& real_path, std::chrono::milliseconds limit = std::chrono::seconds(10));

/// Scans by device, inode, size and times of the file.  One JSON file, 0600, replaced as a whole.  A file that cannot be
/// read or is damaged counts as empty: it is only a matter of speed.
class ScanCache {
 public:
  /// `file`: empty = remember nothing.
  explicit ScanCache(std::string file);
  /// $XDG_CACHE_HOME/etl/plugins.json or ~/.cache/etl/plugins.json; empty where there is neither.
  static std::string DefaultFile();

  std::optional<PluginScan> Get(const std::string& real_path) const;
  void Put(const std::string& real_path, const PluginScan& scan);
  /// Writes the file if something was Put.
  void Save();

 private:
  struct Entry {
    std::string identity;
    PluginScan scan;
  };
  void Read();

  std::string file_;
  std::map<std::string, Entry> entries_;
  bool changed_ = false;
};

}  // namespace etl::host
