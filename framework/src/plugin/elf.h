// What an ELF file says about itself, read without running any of it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace etl::host {

/// The text of a plugin's note: "1.0 acme.lines 2.3.1".
struct PluginNote {
  int abi_major = 0, abi_minor = 0;
  std::string name, version;
};

struct ElfFacts {
  std::string machine;  ///< "x86-64"
  bool this_machine = false, shared_object = false, executable = false;
  std::optional<PluginNote> note;
  std::vector<std::string> exported, imported;  ///< dynamic symbols
  std::vector<std::string> unique;              ///< of those, STB_GNU_UNIQUE
  std::vector<std::string> needed;              ///< DT_NEEDED
  std::vector<std::string> versions;            ///< "GLIBC_2.36 of libc.so.6"
  std::string runpath;                          ///< RUNPATH or RPATH
  bool executable_stack = false, text_relocations = false, static_tls = false, now = false, relro = false;
  std::uint64_t tls_bytes = 0;

  bool Exports(const std::string& symbol) const;
};

/// Reads the headers, notes and dynamic symbols of a file.  Throws std::runtime_error with what was found instead ("a text
/// file", "a cut-off ELF file") where it is no such file; errno's text where it cannot be read.
ElfFacts ReadElf(const std::string& path);

}  // namespace etl::host
