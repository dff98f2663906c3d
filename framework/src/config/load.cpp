#include "load.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <optional>

#include "../error.h"
#include "describe.h"
#include "problems.h"
#include "sets.h"
#include "settings.h"
#include "suggest.h"
#include "tree.h"
#include "utf8.h"
#include "values.h"

namespace etl::host {
namespace {

struct Stage {
  Kind kind;
  std::size_t index;
  const Node* table;
  std::string label;  // "[sink]", "[[sink]]"
  StageConfig config;
};

bool IsTables(const Node& node) {
  const auto is_table = [](const Node& item) { return item.type == Node::Type::kTable; };
  return is_table(node) || (node.type == Node::Type::kArray &&
                            std::all_of(node.items.begin(), node.items.end(), is_table));
}

// Loads one pipeline file; what it finds wrong it collects.
class Loader {
 public:
  Loader(std::string text, const std::string& file, const TypeResolver& resolver)
      : resolver_(resolver),
        file_(file),
        text_(file == kStandardInput ? "standard input" : file, std::move(text), 0) {}

  PipelineConfig Load(const std::vector<std::string>& sets);

 private:
  [[noreturn]] void Fail() { throw ConfigErrors(problems_.Take()); }
  Node ParseFile();
  void HideSecretsOfLine(int line);
  void FindStages(const Node& root);
  void AddStages(Kind kind, const Entry& entry);
  void CheckTopLevel(const Node& root);
  void CheckCounts(const Node& root);
  void Resolve(Stage& stage);
  void UnknownType(const Stage& stage, const Node& type, const std::string& name);
  void CannotUse(const Node& type, const std::string& why);
  void ReadStage(Stage& stage, ReadContext& context);
  void CheckSameSinks();

  const TypeResolver& resolver_;
  std::string file_;
  SourceText text_;
  std::deque<SourceText> origins_;
  Problems problems_;
  std::optional<Error> refused_;  // the first plugin that will not load,
  std::size_t refusals_ = 0;      // and how many mistakes are of that kind
  PipelineConfig config_;
  std::deque<Stage> stages_;
  Node nothing_;
};

Node Loader::ParseFile() {
  const ScanResult scan = Scan(text_.text());
  if (scan.refused) {
    problems_.Mistake(text_, scan.refused->at, scan.refused->message);
    HideSecretsOfLine(scan.refused->at.line);
    Fail();
  }
  Parsed parsed = ParseToml(text_, scan.unclosed);
  text_.MaskUrls();
  if (parsed.root) return std::move(*parsed.root);
  problems_.Mistake(text_, parsed.mistake.at, parsed.mistake.message);
  HideSecretsOfLine(parsed.mistake.at.line);
  Fail();
}

// Of a file that cannot be parsed it is not known what is secret: what looks like it is hidden.
void Loader::HideSecretsOfLine(int line) {
  int key_line = line;  // of a list over several lines the key stands further up
  while (key_line > 1 && text_.Line(key_line).find('=') == std::string_view::npos &&
         !text_.Line(key_line).starts_with('['))
    --key_line;
  const std::string_view text = text_.Line(key_line);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !LooksSecret(text)) return;
  std::size_t begin = 0;
  if (key_line == line) begin = std::min(text.find_first_not_of(' ', equals + 1), text.size());
  text_.Mask({line, static_cast<int>(begin) + 1},
             {line, static_cast<int>(text_.Line(line).size()) + 1});
}

void Loader::AddStages(Kind kind, const Entry& entry) {
  const std::string name(KindName(kind));
  const auto add = [&](const Node& table, const std::string& label) {
    Stage stage{kind, 0, &table, label, {}};
    for (const Stage& other : stages_)
      if (other.kind == kind) ++stage.index;
    stage.config.key = kind == Kind::kSource ? name : fmt::format("{}[{}]", name, stage.index);
    stage.config.place = table.origin->PlaceOf(table.begin);
    stages_.push_back(std::move(stage));
  };
  if (entry.node.type == Node::Type::kTable) return add(entry.node, "[" + name + "]");
  if (!IsTables(entry.node))
    return problems_.Mistake(
        *entry.origin, entry.at,
        fmt::format("\"{0}\" is a table: write {1}, then type = \"…\" on the next line", name,
                    kind == Kind::kSource ? "[source]" : fmt::format("[[{}]]", name)));
  for (const Node& table : entry.node.items) add(table, "[[" + name + "]]");
}

void Loader::FindStages(const Node& root) {
  for (const Kind kind : {Kind::kSource, Kind::kTransform, Kind::kSink})
    if (const Entry* entry = root.Find(KindName(kind))) AddStages(kind, *entry);
}

void Loader::CheckTopLevel(const Node& root) {
  const std::vector<std::string> tables{"pipeline", "source", "transform", "sink"};
  const std::vector<std::string> settings = Names(PipelineOptions());
  for (const Entry& entry : root.entries) {
    if (std::find(tables.begin(), tables.end(), entry.key) != tables.end()) continue;
    if (LooksSecret(entry.key)) MaskLikelySecrets(root);
    if (entry.node.type == Node::Type::kTable) MaskLikelySecrets(entry.node);
    const bool table =
        entry.node.type == Node::Type::kTable || entry.node.type == Node::Type::kArray;
    const std::string near = Nearest(entry.key, tables);
    std::string hint = "tables are [pipeline], [source], [[transform]] and [[sink]]";
    if (!table && std::find(settings.begin(), settings.end(), entry.key) != settings.end())
      hint = "it belongs in [pipeline]";
    else if (!table && entry.key == "type")
      hint = "it belongs in [source], [[transform]] or [[sink]]";
    else if (!near.empty())
      hint =
          fmt::format("did you mean {}?", near == "transform" || near == "sink" ? "[[" + near + "]]"
                                                                                : "[" + near + "]");
    else if (const std::string setting = Nearest(entry.key, settings); !table && !setting.empty())
      hint = fmt::format("did you mean \"{}\", which belongs in [pipeline]?", setting);
    else if (!table)
      hint = "keys stand below a table: [pipeline], [source], [[transform]] or [[sink]]";
    problems_.Mistake(*entry.origin, entry.at,
                      fmt::format("unknown {} \"{}\"; {}", table ? "table" : "key",
                                  Visible(entry.key.substr(0, 60)), hint));
  }
}

void Loader::CheckCounts(const Node& root) {
  std::size_t sources = 0, sinks = 0;
  // What is there in a wrong form or under a wrong name is not missing.
  for (const Entry& entry : root.entries) {
    const std::string near = Nearest(entry.key, {"pipeline", "source", "transform", "sink"});
    const bool wrong = entry.key != near || !IsTables(entry.node);
    if (wrong && near == "source") sources = 1;
    if (wrong && near == "sink") sinks = 1;
  }
  for (const Stage& stage : stages_) {
    if (stage.kind == Kind::kSink) ++sinks;
    if (stage.kind == Kind::kSource) ++sources;
    if (stage.kind == Kind::kSource && stage.index > 0)
      problems_.Mistake(
          *stage.table->origin, stage.table->begin,
          "a pipeline has one source; remove this one, or make a pipeline of its own for it");
  }
  if (sources == 0)
    problems_.Mistake(text_, {},
                      "there is no [source]; add one, with type = \"…\" for what it reads");
  if (sinks == 0)
    problems_.Mistake(text_, {},
                      "there is no [sink]; add one, with type = \"…\" for where the rows go");
}

void Loader::CannotUse(const Node& type, const std::string& why) {
  problems_.Mistake(*type.origin, type.begin, why);
  ++refusals_;
  if (!refused_) refused_ = Error(Exit::kPlugin, why);
}

void Loader::UnknownType(const Stage& stage, const Node& type, const std::string& name) {
  for (const Kind other : {Kind::kSource, Kind::kTransform, Kind::kSink}) {
    const std::vector<std::string> types = resolver_.types(other);
    if (other == stage.kind || std::find(types.begin(), types.end(), name) == types.end()) continue;
    return problems_.Mistake(
        *type.origin, type.begin,
        fmt::format("\"{}\" is a {}, not a {}; types of {} are {}", name, KindName(other),
                    KindName(stage.kind), KindName(stage.kind),
                    QuotedList(resolver_.types(stage.kind))));
  }
  const std::vector<std::string> types = resolver_.types(stage.kind);
  if (name.find("://") != std::string::npos || name[0] == '.' || name[0] == '/')
    return problems_.Mistake(
        *type.origin, type.begin,
        fmt::format("\"type\" takes the name of a {}, not an address or a path; types are {}",
                    KindName(stage.kind), QuotedList(types)));
  const std::string near = Nearest(name, types);
  std::string hint = near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near);
  if (near.empty())
    hint = types.empty() ? "; no plugin with one is installed: see etl plugin list"
                         : fmt::format("; types are {}", QuotedList(types));
  problems_.Mistake(*type.origin, type.begin,
                    fmt::format("there is no {} of type \"{}\"{}", KindName(stage.kind),
                                Visible(name.substr(0, 60)), hint));
}

void Loader::Resolve(Stage& stage) {
  const Entry* type = stage.table->Find("type");
  const auto types = [&] { return QuotedList(resolver_.types(stage.kind)); };
  if (!type)
    return problems_.Mistake(*stage.table->origin, stage.table->begin,
                             fmt::format("{} needs \"type\"; types are {}", stage.label, types()));
  if (type->node.type != Node::Type::kString || type->node.text.empty())
    return problems_.Mistake(*type->node.origin, type->node.begin,
                             fmt::format("\"type\" takes the name of a {} in quotes; types are {}",
                                         KindName(stage.kind), types()));
  ReadContext context{problems_, config_.secrets, config_.dir, config_.dir, {}};
  const std::size_t before = problems_.mistakes();
  const std::string name = ReadString(context, type->node, "type");
  if (problems_.mistakes() > before) return;
  stage.config.type = name;
  try {
    const Component& component = resolver_.find(stage.kind, name);
    if (!component.unavailable.empty())
      return CannotUse(type->node,
                       fmt::format("\"{}\" cannot be used: {}", name, component.unavailable));
    stage.config.component = &component;
  } catch (const Error& error) {
    const std::vector<std::string> known = resolver_.types(stage.kind);
    if (error.exit() != Exit::kConfig) return CannotUse(type->node, error.what());
    const bool qualified = name.find('/') != std::string::npos &&
                           name.find("://") == std::string::npos && name[0] != '.' &&
                           name[0] != '/';
    if (qualified || std::find(known.begin(), known.end(), name) != known.end())
      return problems_.Mistake(*type->node.origin, type->node.begin, error.what());
    UnknownType(stage, type->node, name);
  }
}

void Loader::ReadStage(Stage& stage, ReadContext& context) {
  StageConfig& config = stage.config;
  if (!config.component) return MaskLikelySecrets(*stage.table);
  const Component& component = *config.component;
  TableRequest request;
  request.label = stage.label;
  request.component =
      fmt::format("{} \"{}\" of {}", KindName(component.kind), config.type, component.path);
  request.skip = {"type"};
  for (const etl_option* const* option = component.table.options; option && *option; ++option)
    request.options.push_back(*option);
  const std::size_t own = request.options.size();
  const std::uint32_t flags = component.table.flags;
  for (const etl_option* const* option = CommonOptions(stage.kind, flags); *option; ++option)
    request.options.push_back(*option);
  const std::vector<std::string> here = Names(CommonOptions(stage.kind, flags));
  for (const std::string& key : Names(CommonOptions(stage.kind, ETL_PARALLEL)))
    if (std::find(here.begin(), here.end(), key) == here.end())
      request.refused[key] = fmt::format(
          "\"{}\" is not possible here: the {} \"{}\" cannot share its work; remove this key", key,
          KindName(stage.kind), config.type);

  const std::pair<Kind, std::string_view> parallel[] = {
      {Kind::kSource, "readers"}, {Kind::kTransform, "workers"}, {Kind::kSink, "writers"}};
  for (const auto& [kind, key] : parallel)
    for (const auto& [mine, word] : parallel)
      if (mine == stage.kind && kind != mine)
        request.refused[std::string(key)] = fmt::format("\"{}\" is a key of a {}; a {} has \"{}\"",
                                                        key, KindName(kind), KindName(mine), word);

  TableResult result = ReadTable(context, *config.values.store, request, *stage.table);
  for (std::size_t i = own; i < request.options.size(); ++i) {
    const etl_value& value = result.values[i];
    if (value.type == ETL_INT) config.workers = static_cast<int>(value.as.i);
    if (value.type == ETL_STRING) config.when = std::string(value.as.s.ptr, value.as.s.len);
  }
  config.values.store->root = std::move(result.values);
  config.values.store->root.push_back({});  // so that data() is never null
  config.places = std::move(result.places);
  config.identity = std::move(result.identity);
}

void Loader::CheckSameSinks() {
  for (std::size_t i = 0; i < stages_.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const StageConfig &a = stages_[j].config, &b = stages_[i].config;
      if (stages_[i].kind != Kind::kSink || stages_[j].kind != Kind::kSink) continue;
      if (a.component != b.component || b.identity.empty() || a.identity != b.identity) continue;
      problems_.Mistake(
          *stages_[i].table->origin, stages_[i].table->begin,
          fmt::format("this sink writes the same rows to the same place as the one of "
                      "line {}; remove one, or tell them apart",
                      a.place.line));
      break;
    }
}

PipelineConfig Loader::Load(const std::vector<std::string>& sets) {
  const std::filesystem::path cwd = std::filesystem::current_path();
  const std::filesystem::path path = (cwd / file_).lexically_normal();
  config_.file = file_ == kStandardInput ? file_ : path.string();
  config_.dir = file_ == kStandardInput ? cwd.string() : path.parent_path().string();

  Node root = ParseFile();
  nothing_.origin = &text_;
  ApplySets(root, sets, origins_, problems_);
  CheckTopLevel(root);
  FindStages(root);
  CheckCounts(root);
  for (Stage& stage : stages_) Resolve(stage);

  ReadContext context{problems_, config_.secrets, config_.dir, cwd, {}};
  context.tables.push_back({"[pipeline]", Names(PipelineOptions())});
  for (const Stage& stage : stages_) {
    if (!stage.config.component) continue;
    OtherTable other{stage.label, Names(stage.config.component->table.options)};
    for (const std::string& key :
         Names(CommonOptions(stage.kind, stage.config.component->table.flags)))
      other.keys.push_back(key);
    context.tables.push_back(std::move(other));
  }
  const Entry* pipeline = root.Find("pipeline");
  const bool is_table = pipeline && pipeline->node.type == Node::Type::kTable;
  if (pipeline && !is_table)
    problems_.Mistake(*pipeline->origin, pipeline->at,
                      "\"pipeline\" is one table: write [pipeline], then its keys below it");
  ReadSettings(config_, is_table ? pipeline->node : nothing_, text_, context);
  for (Stage& stage : stages_) ReadStage(stage, context);

  CheckSameSinks();
  if (refused_ && problems_.mistakes() == refusals_) throw *refused_;
  if (problems_.mistakes() > 0) Fail();
  for (Stage& stage : stages_) {
    if (stage.kind == Kind::kSource) config_.source = std::move(stage.config);
    if (stage.kind == Kind::kTransform) config_.transforms.push_back(std::move(stage.config));
    if (stage.kind == Kind::kSink) config_.sinks.push_back(std::move(stage.config));
  }
  config_.warnings = problems_.Take();
  std::sort(config_.secrets.begin(), config_.secrets.end());
  config_.secrets.erase(std::unique(config_.secrets.begin(), config_.secrets.end()),
                        config_.secrets.end());
  config_.text = std::make_shared<const std::string>(text_.text());
  return std::move(config_);
}

}  // namespace

PipelineConfig LoadConfigText(std::string text, const std::string& file,
                              const std::vector<std::string>& sets, const TypeResolver& resolver) {
  return Loader(std::move(text), file, resolver).Load(sets);
}

}  // namespace etl::host
