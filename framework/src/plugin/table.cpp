#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>

#include "../config/utf8.h"
#include "option_values.h"

namespace etl::host {
namespace {

constexpr std::uint32_t kLargestTable = 64 * 1024;
constexpr int kDeepest = 8;
constexpr const char* kRebuild = "rebuild it with the etl headers, or remove it from the folder";

/// Sizes in version 1.0 of the boundary: no table of major version 1 is smaller.
template <class T>
constexpr std::uint32_t kSmallest = sizeof(T);
#ifdef ETL_ABI_NEXT
template <>
constexpr std::uint32_t kSmallest<etl_option> = sizeof(etl_option) - 8;
template <>
constexpr std::uint32_t kSmallest<etl_source> = sizeof(etl_source) - 8;
template <>
constexpr std::uint32_t kSmallest<etl_component> = sizeof(etl_component) - 8;
#endif

/// Tables are read as long as the process lives, also by destructors that run at its end: never freed.
struct Arena {
  std::mutex mutex;
  std::deque<etl_source> sources;
  std::deque<etl_transform> transforms;
  std::deque<etl_sink> sinks;
  std::deque<etl_option> options;
  std::deque<std::vector<const etl_option*>> lists;
};
Arena& Tables() {
  static Arena* const arena = new Arena;
  return *arena;
}

class Taker {
 public:
  Taker(Plugin& plugin) : plugin_(plugin), arena_(Tables()), lock_(arena_.mutex) {}

  void Take(const etl_plugin* foreign) {
    const etl_plugin own = Copy(foreign, "etl_plugin");
    if (own.abi_minor_min > ETL_ABI_MINOR)
      throw Refusal(plugin_.path, fmt::format("that it needs plugin ABI {}.{}", ETL_ABI_MAJOR, own.abi_minor_min),
                    fmt::format("at most {}.{}, which is what this host has", ETL_ABI_MAJOR, ETL_ABI_MINOR),
                    "update etl, or install an older release of the plugin");
    plugin_.abi_minor = own.abi_minor;
    plugin_.name = Name(own.name, "the plugin's name");
    plugin_.version = Name(own.version, "the plugin's version");
    plugin_.license = Text(own.license, "license");
    plugin_.summary = Text(own.summary, "summary");
    plugin_.url = Text(own.url, "url");
    if (!own.components || !*own.components) Refuse("no components", "at least one");
    std::set<std::pair<Kind, std::string>> seen;
    for (const etl_component* const* component = own.components; *component; ++component) {
      TakeComponent(*component);
      const Component& last = *plugin_.components.back();
      if (!seen.emplace(last.kind, last.table.type).second)
        Refuse(fmt::format("two {}s of type \"{}\"", KindName(last.kind), last.table.type), "one of each");
    }
  }

 private:
  [[noreturn]] void Refuse(const std::string& found, const std::string& expected) const {
    throw Refusal(plugin_.path, found, expected, kRebuild);
  }

  template <class T>
  T Copy(const T* foreign, const char* name) const {
    std::uint32_t size = 0;
    std::memcpy(&size, foreign, sizeof size);
    if (size < kSmallest<T> || size > kLargestTable || size % 8 != 0)
      Refuse(fmt::format("a table {} of {} bytes", name, size),
             fmt::format("a multiple of 8 from {} to {}", kSmallest<T>, kLargestTable));
    T own{};
    std::memcpy(static_cast<void*>(&own), foreign, std::min<std::size_t>(size, sizeof own));
    own.size = sizeof own;
    return own;
  }

  std::string Text(const char* text, const std::string& what) const {
    if (!text) return {};
    if (!IsUtf8(text)) Refuse(what + " that is not UTF-8", "UTF-8 in every text");
    return text;
  }

  std::string Name(const char* text, const std::string& what) const {
    const std::string name = Text(text, what);
    const bool plain = !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '+';
    });
    if (!plain) Refuse(fmt::format("{} \"{}\"", what, name), "letters, digits and . _ - + only");
    return name;
  }

  void Need(bool there, const std::string& where, const char* function) const {
    if (!there) Refuse(fmt::format("no {}() in {}", function, where), "every function that is not optional");
  }

  void TakeComponent(const etl_component* foreign) {
    auto component = std::make_unique<Component>();
    component->plugin = plugin_.name;
    component->plugin_version = plugin_.version;
    component->path = plugin_.path;
    etl_component& own = component->table;
    own = Copy(foreign, "etl_component");
    const std::string type = Name(own.type, "a component's type");
    const std::string where = fmt::format("component \"{}\"", type);
    Text(own.summary, where + ": a summary");
    Text(own.doc, where + ": a doc");
    if (!own.summary) own.summary = "";
    if (!own.doc) own.doc = "";
    const int kinds = (own.source != nullptr) + (own.transform != nullptr) + (own.sink != nullptr);
    const bool newer = foreign->size > sizeof(etl_component);
    if (kinds == 0 && newer) component->unavailable = "needs a newer etl: it is neither source, transform nor sink";
    if (kinds > 1 || (kinds == 0 && !newer))
      Refuse(fmt::format("{} kinds in {}", kinds == 0 ? "no" : "several", where), "exactly one of source, transform and sink");
    TakeOptions(*component, where);
    CheckNeeds(*component);
    Need(own.create, where, "create");
    Need(own.destroy, where, "destroy");
    Need(own.start, where, "start");
    Need(own.stop, where, "stop");
    if (own.source) TakeSource(*component, where);
    if (own.transform) TakeTransform(*component, where);
    if (own.sink) TakeSink(*component, where);
    plugin_.components.push_back(std::move(component));
  }

  void TakeSource(Component& component, const std::string& where) {
    component.kind = Kind::kSource;
    const etl_source& own = arena_.sources.emplace_back(Copy(component.table.source, "etl_source"));
    Need(own.describe, where, "describe");
    Need(own.open, where, "open");
    Need(own.next, where, "next");
    Need(!own.plan == !own.plan_next, where, own.plan ? "plan_next" : "plan");
    component.table.source = &own;
  }

  void TakeTransform(Component& component, const std::string& where) {
    component.kind = Kind::kTransform;
    const etl_transform& own = arena_.transforms.emplace_back(Copy(component.table.transform, "etl_transform"));
    Need(own.describe, where, "describe");
    Need(own.open, where, "open");
    Need(own.apply, where, "apply");
    Need(own.flush || !(component.table.flags & ETL_HOLDS), where, "flush");
    component.table.transform = &own;
  }

  void TakeSink(Component& component, const std::string& where) {
    component.kind = Kind::kSink;
    const etl_sink& own = arena_.sinks.emplace_back(Copy(component.table.sink, "etl_sink"));
    Need(own.open, where, "open");
    Need(own.write, where, "write");
    Need(own.flush, where, "flush");
    component.table.sink = &own;
  }

  void TakeOptions(Component& component, const std::string& where) {
    const etl_option* const* options = CopyOptions(component.table.options, where, 0);
    component.table.options = options;
    if (const auto unknown = UnknownOptionType(options)) component.unavailable = "needs a newer etl: " + *unknown;
    if (const auto fault = OptionFault(options)) Refuse(where + ": " + *fault, "options that hold to their own declaration");
  }

  /// Never null: no options are an empty list.
  const etl_option* const* CopyOptions(const etl_option* const* foreign, const std::string& where, int depth) {
    if (depth > kDeepest) Refuse(where + ": options nested too deep", fmt::format("at most {} levels", kDeepest));
    std::vector<const etl_option*> list;
    for (; foreign && *foreign; ++foreign) {
      etl_option own = Copy(*foreign, "etl_option");
      for (const char* text : {own.name, own.doc, own.def, own.range}) Text(text, where + ": an option with a text");
      if (!own.doc) own.doc = "";
      if (own.fields) own.fields = CopyOptions(own.fields, where, depth + 1);
      list.push_back(&arena_.options.emplace_back(own));
    }
    list.push_back(nullptr);
    return arena_.lists.emplace_back(std::move(list)).data();
  }

  void CheckNeeds(Component& component) const {
    const char* const* needs = component.table.needs;
    if (!needs || !*needs) return;  // this version of the host has no extensions yet
    component.unavailable = fmt::format("needs a newer etl: host extension \"{}\" is unknown", *needs);
  }

  Plugin& plugin_;
  Arena& arena_;
  std::lock_guard<std::mutex> lock_;
};

}  // namespace

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kSource: return "source";
    case Kind::kTransform: return "transform";
    case Kind::kSink: return "sink";
  }
  return "component";
}

Error Refusal(const std::string& path, const std::string& found, const std::string& expected, const std::string& advice) {
  return Error(Exit::kPlugin, fmt::format("plugin {} is refused: found {}, expected {}; {}", path, found, expected, advice));
}

std::unique_ptr<Plugin> TakePlugin(const etl_plugin* foreign, const std::string& path) {
  auto plugin = std::make_unique<Plugin>();
  plugin->path = path;
  Taker(*plugin).Take(foreign);
  return plugin;
}

}  // namespace etl::host
