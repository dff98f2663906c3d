// One plugin file: checked by reading, loaded, checked again.
#pragma once
#include <string>
#include <vector>

#include "elf.h"
#include "registry.h"

namespace etl::host {

/// Real path of a plugin file.  Throws Error(kPlugin) where there is none.
std::string RealPluginPath(const std::string& path);

/// Who may change the file, and what its ELF headers say; runs none of it.  Throws Error(kPlugin).  `warnings` receives
/// what is suspicious and no reason to refuse.
ElfFacts CheckPluginFile(const std::string& real_path, bool allow_unsafe, std::vector<std::string>* warnings);

/// The suspicious things that an ELF file may do, each a sentence.
std::vector<std::string> PluginWarnings(const ElfFacts& facts);

/// Loads a file that passes the checks; the second time the same Plugin.  It stays loaded until the process ends.  Throws
/// Error(kPlugin) with one sentence: path, found, expected, what to do.  Thread-safe.
const Plugin& LoadPlugin(const std::string& path, bool allow_unsafe);

}  // namespace etl::host
