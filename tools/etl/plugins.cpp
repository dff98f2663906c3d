// etl plugin list, info, check; etl schema; etl docs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "commands.h"
#include "docs/docs.h"
#include "help.h"
#include "plugin/conformance.h"
#include "text.h"

namespace etl::cli {
namespace {

using host::Component;
using host::Error;
using host::Exit;
using host::Kind;
constexpr std::array kKinds = {Kind::kSource, Kind::kTransform, Kind::kSink};

Json::Ptr FoundJson(const host::Found& f) {
  Json::Ptr json = NewObject();
  json->set("path", f.path);
  json->set("name", f.name);
  json->set("version", f.version);
  json->set("refused", f.refused);
  json->set("shadowed_by", f.shadowed_by);
  auto components = NewArray();
  for (std::size_t i = 0; i < f.components.size(); ++i) {
    Json::Ptr one = NewObject();
    one->set("kind", std::string(KindName(f.components[i].first)));
    one->set("type", f.components[i].second);
    one->set("summary", i < f.summaries.size() ? f.summaries[i] : "");
    components->add(one);
  }
  json->set("components", components);
  return json;
}

std::string FoundText(const host::Found& f) {
  std::string out = fmt::format("{} {}  {}\n", f.name.empty() ? "?" : f.name, f.version, f.path);
  if (!f.refused.empty()) return out + "  refused: " + f.refused + "\n";
  if (!f.shadowed_by.empty()) return out + "  shadowed by " + f.shadowed_by + "\n";
  for (std::size_t i = 0; i < f.components.size(); ++i) {
    out +=
        fmt::format("  {}  {}  {}\n", Left(KindName(f.components[i].first), 9),
                    Left(f.components[i].second, 14), i < f.summaries.size() ? f.summaries[i] : "");
  }
  return out;
}

std::vector<Kind> KindsAsked(const Args& args) {
  std::vector<Kind> kinds;
  if (args.source) kinds.push_back(Kind::kSource);
  if (args.transform) kinds.push_back(Kind::kTransform);
  if (args.sink) kinds.push_back(Kind::kSink);
  if (kinds.empty()) kinds.assign(kKinds.begin(), kKinds.end());
  return kinds;
}

/// Components of that type, of one kind or several.  Throws Error(kConfig) with the nearest name.
std::vector<const Component*> FindAll(host::Registry& registry, const std::string& type,
                                      const std::vector<Kind>& kinds) {
  std::vector<const Component*> found;
  std::vector<std::string> known;
  const std::string plain =
      type.substr(type.find('/') == std::string::npos ? 0 : type.find('/') + 1);
  for (const Kind kind : kinds) {
    const std::vector<std::string> types = registry.Types(kind);
    if (std::find(types.begin(), types.end(), type) != types.end() ||
        std::find(types.begin(), types.end(), plain) != types.end()) {
      found.push_back(&registry.Find(kind, type));
    }
    known.insert(known.end(), types.begin(), types.end());
  }
  if (found.empty()) {
    const std::string nearest = host::Nearest(type, known);
    throw Error(Exit::kConfig,
                fmt::format("no component is called \"{}\"; {}", type,
                            nearest.empty() ? "etl plugin list shows what there is"
                                            : fmt::format("did you mean \"{}\"?", nearest)));
  }
  return found;
}

/// All that can be loaded; what cannot is said.
std::vector<const Component*> Everything(Context& c, host::Registry& registry) {
  std::vector<const Component*> all;
  for (const Kind kind : kKinds) {
    for (const std::string& type : registry.Types(kind)) {
      try {
        all.push_back(&registry.Find(kind, type));
      } catch (const Error& e) {
        c.console.Log(ETL_WARN, "", e.what());
      }
    }
  }
  return all;
}

const char* VerdictName(host::CheckResult::Verdict v) {
  return v == host::CheckResult::kPass ? "pass" : v == host::CheckResult::kFail ? "FAIL" : "skip";
}

Json::Ptr CheckJson(const std::vector<host::CheckResult>& results, const std::string& path) {
  Json::Ptr json = NewObject();
  json->set("path", path);
  json->set("passed", host::Passed(results));
  auto checks = NewArray();
  for (const auto& r : results) {
    Json::Ptr one = NewObject();
    one->set("number", r.number);
    one->set("name", r.name);
    one->set("verdict", Poco::toLower(std::string(VerdictName(r.verdict))));
    one->set("detail", r.detail);
    checks->add(one);
  }
  json->set("checks", checks);
  return json;
}

/// Values of the component from a pipeline file that names it; nothing where it does not.
std::optional<host::Values> ValuesOf(const Component& component, const std::string& file,
                                     const Args& args, const std::string& library) {
  host::SearchOptions search{args.plugin_dirs, args.allow_unsafe};
  search.plugin_dirs.insert(search.plugin_dirs.begin(),
                            std::filesystem::absolute(library).parent_path().string());
  host::Registry registry(search);
  host::PipelineConfig config = host::LoadConfig(file, args.sets, registry);
  std::vector<host::StageConfig*> stages = {&config.source};
  for (auto& t : config.transforms) stages.push_back(&t);
  for (auto& s : config.sinks) stages.push_back(&s);
  for (host::StageConfig* stage : stages) {
    if (stage->component != nullptr && stage->component->kind == component.kind &&
        std::string_view(stage->component->table.type) == component.table.type) {
      return std::move(stage->values);
    }
  }
  return std::nullopt;
}

void WritePage(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  WriteAtomically(file.string(), text);
}

}  // namespace

int PluginList(Context& c) {
  host::Registry registry(c.Search());
  if (c.args.json) {
    auto list = NewArray();
    for (const auto& f : registry.List()) list->add(FoundJson(f));
    Json::Ptr json = NewObject();
    json->set("plugins", list);
    Print(Text(json, 2) + "\n");
    return 0;
  }
  std::string out;
  for (const auto& f : registry.List()) out += FoundText(f);
  if (out.empty())
    c.console.Log(ETL_WARN, "",
                  "no plugins are found; name a folder with --plugin-dir or in ETL_PLUGIN_PATH");
  Print(c.console.Clean(out));
  return 0;
}

int PluginInfo(Context& c) {
  host::Registry registry(c.Search());
  std::string out;
  for (const Component* component : FindAll(registry, c.args.type, KindsAsked(c.args))) {
    out += (out.empty() ? "" : "\n") + host::InfoText(*component);
  }
  Print(out);
  return 0;
}

int PluginCheck(Context& c) {
  if (!std::filesystem::is_regular_file(c.args.library))
    throw Error(Exit::kConfig,
                fmt::format("there is no file {}; name the plugin's .so", c.args.library));
  host::CheckOptions options;
  options.only.insert(c.args.only.begin(), c.args.only.end());
  if (!c.args.options.empty()) {
    Args absolute = c.args;  // each check runs in a folder of its own
    for (std::string* path : {&absolute.options, &absolute.library})
      *path = std::filesystem::absolute(*path).string();
    for (std::string& dir : absolute.plugin_dirs) dir = std::filesystem::absolute(dir).string();
    options.values = [absolute](const Component& component, const std::string&) {
      return ValuesOf(component, absolute.options, absolute, absolute.library);
    };
  }
  if (!c.args.json) {
    options.progress = [&c](const host::CheckResult& r) {
      Print(c.console.Clean(fmt::format("{:2}  {}  {}{}{}", r.number, VerdictName(r.verdict),
                                        r.name, r.detail.empty() ? "" : ": ", r.detail)) +
            "\n");
    };
  }
  const auto results = host::CheckPlugin(c.args.library, options);
  const bool passed = host::Passed(results);
  if (c.args.json) {
    Print(Text(CheckJson(results, c.args.library), 2) + "\n");
  } else {
    const auto n = [&results](auto v) {
      return std::count_if(results.begin(), results.end(),
                           [v](const auto& r) { return r.verdict == v; });
    };
    Print(fmt::format("{}: {} passed, {} failed, {} skipped\n", c.args.library,
                      n(host::CheckResult::kPass), n(host::CheckResult::kFail),
                      n(host::CheckResult::kSkip)));
  }
  return static_cast<int>(passed ? Exit::kOk : Exit::kPlugin);
}

int Schema(Context& c) {
  host::Registry registry(c.Search());
  std::vector<const Component*> components;
  for (const auto& type : c.args.types) {
    for (const Component* component : FindAll(registry, type, {kKinds.begin(), kKinds.end()}))
      components.push_back(component);
  }
  if (c.args.types.empty()) components = Everything(c, registry);
  std::string schema = host::JsonSchema(components);
  if (schema.empty() || schema.back() != '\n') schema += '\n';
  Print(schema);
  return 0;
}

int Docs(Context& c) {
  host::Registry registry(c.Search());
  const std::filesystem::path folder = c.args.folder;
  WritePage(folder / "cli.md", CommandReference(c.root));
  WritePage(folder / "pipeline.md", host::PipelineReference());
  for (const Component* component : Everything(c, registry)) {
    WritePage(folder / "plugins" /
                  fmt::format("{}-{}.md", component->table.type, KindName(component->kind)),
              host::ReferencePage(*component));
  }
  return 0;
}

}  // namespace etl::cli
