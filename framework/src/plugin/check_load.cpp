// Checks 12 to 19: loading, and the tables.
#include <dlfcn.h>
#include <etl/compare.h>
#include <etl/plan.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <filesystem>
#include <regex>

#include "../error.h"
#include "child.h"
#include "harness.h"

namespace etl::host {
namespace {

constexpr auto kLoadTime = std::chrono::milliseconds(100);
constexpr int kLoadTries = 3;

std::size_t CountIn(const char* folder) {
  std::size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) n += !entry.path().empty();
  return n;
}

/// What a library must not change by being loaded.
struct ProcessState {
  std::size_t threads = CountIn("/proc/self/task"), files = CountIn("/proc/self/fd");
  std::string locale = std::setlocale(LC_ALL, nullptr), folder = std::filesystem::current_path().string();
  mode_t mask = 0;
  std::array<void (*)(int), 65> handlers{};
  std::size_t variables = 0;

  ProcessState() {
    mask = ::umask(0);
    ::umask(mask);
    for (int number = 1; number < 65; ++number) {
      struct sigaction action {};
      if (::sigaction(number, nullptr, &action) == 0) handlers[static_cast<std::size_t>(number)] = action.sa_handler;
    }
    for (char** variable = environ; *variable; ++variable) ++variables;
  }

  std::string Difference(const ProcessState& later) const {
    if (later.threads != threads) return fmt::format("{} thread(s) running", later.threads - threads);
    if (later.files != files) return "an open file";
    if (later.locale != locale) return fmt::format("the locale \"{}\"", later.locale);
    if (later.folder != folder) return "another working directory";
    if (later.mask != mask) return "another umask";
    if (later.variables != variables) return "another environment";
    for (std::size_t i = 0; i < handlers.size(); ++i)
      if (handlers[i] != later.handlers[i]) return fmt::format("a handler of signal {}", i);
    return {};
  }
};

std::string LoadsFast(CheckRun& run) {
  auto best = std::chrono::milliseconds::max();
  for (int i = 0; i < kLoadTries && best > kLoadTime; ++i) {
    const ChildEnd end = RunInChild({run.options.time_limit, true, run.options.memory_limit}, [&]() -> std::string {
      try {
        const auto begin = std::chrono::steady_clock::now();
        run.Load();
        return fmt::format("P{}", std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count());
      } catch (const CheckFailed& failure) {
        return std::string("F") + failure.what();
      }
    });
    if (end.how != ChildEnd::kReturned) throw CheckFailed("loading it " + end.Text());
    if (end.output.front() == 'F') throw CheckFailed(end.output.substr(1));
    best = std::min(best, std::chrono::milliseconds(std::stoll(end.output.substr(1))));
  }
  if (best > kLoadTime) throw CheckFailed(fmt::format("takes {} ms to load, expected at most {}", best.count(), kLoadTime.count()));
  return fmt::format("{} ms", best.count());
}

std::string LeavesNothingBehind(CheckRun& run) {
  const std::string file = run.folder + "/output";
  const int output = ::open(file.c_str(), O_RDWR | O_CREAT, 0600);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const ProcessState before;
  run.Load();
  const std::string left = before.Difference(ProcessState());
  std::fflush(nullptr);
  if (!left.empty()) throw CheckFailed("being loaded leaves " + left);
  if (std::filesystem::file_size(file) != 0) throw CheckFailed("being loaded prints");
  return {};
}

using Entry = const etl_plugin* (*)();

Entry EntryOf(CheckRun& run) {
  run.Load();
  void* library = ::dlopen(run.path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  return reinterpret_cast<Entry>(::dlsym(library, "etl_plugin_v1"));
}

std::string EntryIsConstant(CheckRun& run) {
  const Entry entry = EntryOf(run);
  const etl_plugin* const table = entry();
  std::atomic<int> others = 0;
  const auto ask = [&] {
    for (int i = 0; i < 1000; ++i) others += entry() != table;
  };
  std::thread one(ask), two(ask);
  one.join();
  two.join();
  if (others) throw CheckFailed("etl_plugin_v1() does not always give the same table");
  return {};
}

std::string TablesAreSane(CheckRun& run) {
  const etl_plugin* const plugin = EntryOf(run)();
  for (const etl_component* const* component = plugin->components; *component; ++component) {
    const etl_component& one = **component;
    const bool used = (one.source && one.source->reserved) || (one.transform && one.transform->reserved) || (one.sink && one.sink->reserved);
    if (used) throw CheckFailed(fmt::format("component \"{}\" uses a reserved field", one.type));
  }
  return fmt::format("ABI 1.{}, {} bytes", plugin->abi_minor, plugin->size);
}

std::string NamesAreGood(CheckRun& run) {
  static const std::regex kName("[a-z][a-z0-9_-]*(\\.[a-z0-9][a-z0-9_-]*)*"), kType("[a-z][a-z0-9_]*"),
      kVersion("(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?"),
      kLicense("[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*");
  const Plugin& plugin = run.Load();
  const auto expect = [](const std::string& text, const std::regex& form, const std::string& what) {
    if (!std::regex_match(text, form)) throw CheckFailed(what);
  };
  expect(plugin.name, kName, fmt::format("the name \"{}\" is not of the form acme.lines", plugin.name));
  expect(plugin.version, kVersion, fmt::format("the version \"{}\" is not of the form 1.2.3", plugin.version));
  expect(plugin.license, kLicense, fmt::format("the license \"{}\" is no SPDX expression such as Apache-2.0", plugin.license));
  for (const auto& component : plugin.components) {
    expect(component->table.type, kType, fmt::format("the type \"{}\" is not snake_case", component->table.type));
    if (!*component->table.summary) throw CheckFailed(NameOf(*component) + " has no summary");
  }
  return fmt::format("{} {}", plugin.name, plugin.version);
}

/// An extension of sinks is offered by sinks, one of sources by sources, and whole.
void ExtensionsAreWhole(const Component& component) {
  const auto extension = component.table.extension;
  const auto* plan = static_cast<const etl_plan*>(extension(ETL_EXT_PLAN));
  if (plan && component.kind != Kind::kSource) throw CheckFailed("offers the extension " ETL_EXT_PLAN ", which is one of sources");
  if (plan && !ETL_HAS(plan, foresee)) throw CheckFailed("offers the extension " ETL_EXT_PLAN " without all of its functions");
  const auto* compare = static_cast<const etl_compare*>(extension(ETL_EXT_COMPARE));
  if (!compare) return;
  if (component.kind != Kind::kSink) throw CheckFailed("offers the extension " ETL_EXT_COMPARE ", which is one of sinks");
  const bool whole = ETL_HAS(compare, open) && ETL_HAS(compare, describe) && ETL_HAS(compare, rewind) && ETL_HAS(compare, next) && ETL_HAS(compare, close);
  if (!whole) throw CheckFailed("offers the extension " ETL_EXT_COMPARE " without all of its functions");
}

std::string ComponentsAreWhole(CheckRun& run) {
  return ForEach(run, {}, [](const Component& component) {
    const auto extension = component.table.extension;
    if (extension && extension("etl.no_such_thing/99")) throw CheckFailed("offers the extension etl.no_such_thing/99, which does not exist");
    if (extension) ExtensionsAreWhole(component);
  });
}

std::string LivesWith(CheckRun& run, FakeHost::Table table) {
  return ForEach(run, {}, [&](const Component& component) { UseComponent(run, component, table); });
}

}  // namespace

std::vector<Check> LoadChecks() {
  return {{12, "loads and describes itself in 100 ms", LoadsFast},
          {13, "being loaded leaves nothing behind", LeavesNothingBehind},
          {14, "the entry is constant, also from two threads", EntryIsConstant},
          {15, "sizes, reserved fields, note and table agree", TablesAreSane},
          {16, "names, version and license", NamesAreGood},
          {17, "one kind, required functions, types unique", ComponentsAreWhole},
          {18, "lives with the smallest host", [](CheckRun& run) { return LivesWith(run, FakeHost::Table::kSmallest); }},
          {19, "lives with a larger host", [](CheckRun& run) { return LivesWith(run, FakeHost::Table::kLarger); }}};
}

}  // namespace etl::host
