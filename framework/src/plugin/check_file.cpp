// Checks 1 to 11: what the file says; only 4 and 5 let the dynamic linker at it.
#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "harness.h"
#include "loader.h"
#include "trust.h"

namespace etl::host {
namespace {

constexpr std::uint64_t kMostThreadLocal = 1024;

ElfFacts Facts(const CheckRun& run) {
  try {
    return ReadElf(run.path);
  } catch (const std::runtime_error& error) {
    throw CheckFailed(fmt::format("found {}", error.what()));
  }
}

std::string IsLibrary(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  if (!facts.this_machine) throw CheckFailed("is made for " + facts.machine);
  if (!facts.shared_object || facts.executable) throw CheckFailed(facts.executable ? "is an executable" : "is an object file");
  return facts.machine;
}

std::string HasNote(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  if (!facts.note) throw CheckFailed("has no readable etl note; use ETL_PLUGIN or ETL_NOTE");
  if (facts.note->abi_major != ETL_ABI_MAJOR) throw CheckFailed(fmt::format("is made for ABI major version {}", facts.note->abi_major));
  return fmt::format("{} {}, ABI {}.{}", facts.note->name, facts.note->version, facts.note->abi_major, facts.note->abi_minor);
}

std::string ExportsOne(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  if (!facts.Exports("etl_plugin_v1")) throw CheckFailed("does not export etl_plugin_v1");
  std::vector<std::string> others;
  for (const std::string& name : facts.exported)
    if (name != "etl_plugin_v1") others.push_back(name);
  if (others.empty()) return {};
  const std::size_t shown = std::min<std::size_t>(others.size(), 3), more = others.size() - shown;
  others.resize(shown);
  throw CheckFailed(fmt::format("exports {}{} besides etl_plugin_v1; compile with -fvisibility=hidden, link with a version script",
                                fmt::join(others, ", "), more ? fmt::format(" and {} more", more) : ""));
}

std::string LinkerSays(const CheckRun& run) {
  if (::dlopen(run.path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) return {};
  const char* reason = ::dlerror();
  return reason ? reason : "no reason given";
}

bool MissesLibrary(const std::string& reason) { return reason.find("cannot open shared object") != std::string::npos; }

std::string AllResolved(CheckRun& run) {
  const std::string reason = LinkerSays(run);
  if (!reason.empty() && !MissesLibrary(reason)) throw CheckFailed(reason);
  if (!reason.empty()) throw CheckSkipped("a library is missing: see 5");
  return {};
}

/// "2.36" > "2.4"
bool NewerVersion(const std::string& a, const std::string& b) {
  const auto next = [](std::string_view& text) {
    int number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number).ptr;
    text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(end - text.data()) + 1));
    return number;
  };
  for (std::string_view x = a, y = b; !x.empty() || !y.empty();)
    if (const int left = next(x), right = next(y); left != right) return left > right;
  return false;
}

std::string LibrariesFound(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  const std::string reason = LinkerSays(run);
  if (MissesLibrary(reason)) throw CheckFailed(reason);
  std::string newest;
  for (const char* family : {"GLIBC_", "GLIBCXX_"}) {
    std::string most;
    for (const std::string& version : facts.versions) {
      if (!version.starts_with(family)) continue;
      const std::string number = version.substr(std::char_traits<char>::length(family), version.find(' ') - std::char_traits<char>::length(family));
      if (most.empty() || NewerVersion(number, most)) most = number;
    }
    if (!most.empty()) newest += fmt::format("{}{}{}", newest.empty() ? "" : ", ", family, most);
  }
  return fmt::format("needs {} libraries{}{}", facts.needed.size(), newest.empty() ? "" : ", at most ", newest);
}

std::string RunpathIsOrigin(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  for (std::size_t at = 0; at < facts.runpath.size();) {
    const auto end = std::min(facts.runpath.find(':', at), facts.runpath.size());
    const std::string one = facts.runpath.substr(at, end - at);
    if (one != "$ORIGIN" && !one.starts_with("$ORIGIN/")) throw CheckFailed(fmt::format("searches libraries in \"{}\"; relink without -rpath", one));
    at = end + 1;
  }
  return facts.runpath;
}

std::string IsHardened(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  std::vector<std::string> faults;
  if (facts.executable_stack) faults.push_back("has an executable stack (link with -Wl,-z,noexecstack)");
  if (facts.text_relocations) faults.push_back("has text relocations (compile with -fPIC)");
  if (!facts.relro) faults.push_back("has no read-only relocations (link with -Wl,-z,relro)");
  if (!facts.now) faults.push_back("binds lazily (link with -Wl,-z,now)");
  if (!faults.empty()) throw CheckFailed(fmt::format("{}", fmt::join(faults, ", ")));
  return {};
}

std::string LittleThreadLocal(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  if (facts.static_tls) throw CheckFailed("uses static thread-local storage, of which a process has little (compile with -fPIC)");
  if (facts.tls_bytes > kMostThreadLocal)
    throw CheckFailed(fmt::format("has {} bytes of thread-local storage, expected at most {}", facts.tls_bytes, kMostThreadLocal));
  return fmt::format("{} bytes", facts.tls_bytes);
}

std::string NothingUnique(CheckRun& run) {
  const ElfFacts facts = Facts(run);
  if (!facts.unique.empty())
    throw CheckFailed(fmt::format("exports {} unique symbols, such as {} (compile with -fno-gnu-unique)", facts.unique.size(), facts.unique.front()));
  return {};
}

std::string SafeFromOthers(CheckRun& run) {
  const std::string who = WhoElseCanChange(run.path);
  if (!who.empty()) throw CheckFailed(fmt::format("lies in {}; run chmod go-w, or chown, on it", who));
  return {};
}

std::string ImportsNothingHarmful(CheckRun& run) {
  static const std::set<std::string> kHarmful = {"exit", "_exit", "signal", "setlocale", "fork", "chdir", "setenv"};
  std::vector<std::string> found;
  for (const std::string& name : Facts(run).imported)
    if (kHarmful.contains(name)) found.push_back(name + "()");
  if (!found.empty()) throw CheckFailed(fmt::format("imports {}, which acts on the whole process", fmt::join(found, ", ")));
  return {};
}

}  // namespace

std::vector<Check> FileChecks() {
  return {{1, "ELF library for this machine", IsLibrary},
          {2, "note present and readable", HasNote},
          {3, "exactly one exported symbol", ExportsOne},
          {4, "no undefined symbols", AllResolved},
          {5, "needed libraries found", LibrariesFound},
          {6, "library search path only $ORIGIN", RunpathIsOrigin},
          {7, "no executable stack, no text relocations, RELRO, NOW", IsHardened},
          {8, "little thread-local storage", LittleThreadLocal},
          {9, "no unique symbols", NothingUnique},
          {10, "only you or root can change the file", SafeFromOthers},
          {11, "imports nothing that acts on the process", ImportsNothingHarmful}};
}

}  // namespace etl::host
