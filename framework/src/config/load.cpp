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
  void ReadPipeline(const Node* table, ReadContext& context);
  void Name(const etl_value& given);

  const TypeResolver& resolver_;
  std::string file_;
  SourceText text_;
  std::deque<SourceText> origins_;
  Problems problems_;
  std::optional<Error> refused_;  // the first plugin that will not load
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
  int key_line = line;
  while (key_line > 1 && text_.Line(key_line).find('=') == std::string_view::npos &&
         !text_.Line(key_line).starts_with('['))
    --key_line;
  const std::string_view text = text_.Line(key_line);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !LooksSecret(text)) return;
  const int end = static_cast<int>(text_.Line(line).size()) + 1;
  const int begin =
      key_line == line
          ? static_cast<int>(text.find_first_not_of(' ', equals + 1) == std::string_view::npos
                                 ? equals
                                 : text.find_first_not_of(' ', equals + 1))
          : 0;
  text_.Mask({line, begin + 1}, {line, end});
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
  for (const Entry& entry :
       root.entries) {  // what is there in a wrong form or under a wrong name is not missing
    const bool form = (entry.key == "source" || entry.key == "sink") && !IsTables(entry.node);
    const std::string near = Nearest(entry.key, {"pipeline", "source", "transform", "sink"});
    if (form ? entry.key == "source" : near == "source" && entry.key != near) sources = 1;
    if (form ? entry.key == "sink" : near == "sink" && entry.key != near) sinks = 1;
  }
  for (const Stage& stage : stages_) {
    if (stage.kind == Kind::kSink) ++sinks;
    if (stage.kind == Kind::kSource && (sources++, stage.index > 0))
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
  config.places = std::move(result.places);
  config.identity = std::move(result.identity);
}

void Loader::Name(const etl_value& given) {
  const bool is_given = given.type != 0;
  const std::string stem = std::filesystem::path(file_).stem().string();
  config_.name = is_given                  ? std::string(given.as.s.ptr, given.as.s.len)
                 : file_ == kStandardInput ? "pipeline"
                                           : stem;
  const std::string& name = config_.name;
  const bool fine = !name.empty() && name.size() <= 64 && name[0] != '.' && name[0] != '-' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
                    });
  if (fine) return;
  const std::string rule =
      "a name is 1 to 64 of A-Z a-z 0-9 _ . - and begins with a letter, a digit or _";
  if (!is_given)
    return problems_.Mistake(
        text_, {},
        fmt::format("the file's name cannot name the pipeline: {}; add name = \"…\" to [pipeline]",
                    rule));
  config_.name.clear();
}

void Loader::ReadPipeline(const Node* table, ReadContext& context) {
  Values::Store store;
  TableRequest request;
  request.label = "[pipeline]";
  request.component = "etl";
  for (const etl_option* const* option = PipelineOptions(); *option; ++option)
    request.options.push_back(*option);
  const Node& from = table ? *table : nothing_;
  const TableResult result = ReadTable(context, store, request, from);
  const auto entry = [&](std::string_view key) { return from.Find(key); };

  const auto& v = result.values;  // in the order of PipelineOptions()
  const Entry* name = entry("name");
  if (v[0].type != 0 || !name) Name(v[0]);
  if (name && v[0].type != 0 && config_.name.empty())
    problems_.Mistake(
        *name->node.origin, name->node.begin,
        "\"name\" must be 1 to 64 of A-Z a-z 0-9 _ . - and begin with a letter, a digit or _");
  if (v[1].type != 0) config_.memory_limit = v[1].as.i;
  if (v[2].type != 0 && std::string_view(v[2].as.s.ptr, v[2].as.s.len) == "file")
    config_.on_reject = OnReject::kFile;
  if (v[3].type != 0) {
    if (v[3].as.items[0].type != 0) config_.max_reject_count = v[3].as.items[0].as.i;
    if (v[3].as.items[1].type != 0) config_.max_reject_rate = v[3].as.items[1].as.f;
    const Entry* at = entry("max_rejects");
    if (at && v[2].type != 0 && config_.on_reject == OnReject::kStop)
      problems_.Warning(*at->origin, at->at,
                        "\"max_rejects\" has no effect: the first rejected row stops the run, "
                        "unless on_reject = \"file\" is set");
  }
  if (v[4].type != 0) {
    const etl_value* retry = v[4].as.items;
    config_.retry = {retry[0].as.i, retry[1].as.i, retry[2].as.i};
    const Entry* at = entry("retry");
    if (at && retry[1].type != 0 && retry[2].type != 0 &&
        config_.retry.initial_ns > config_.retry.max_ns)
      problems_.Mistake(
          *at->node.origin, at->node.begin,
          "\"retry.initial\" must not be longer than \"retry.max\"; the wait only grows");
  }
  if (v[5].type != 0) config_.grace_ns = v[5].as.i;
  if (v[6].type != 0) config_.workers = static_cast<int>(v[6].as.i);
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
  ReadPipeline(is_table ? &pipeline->node : nullptr, context);
  for (Stage& stage : stages_) ReadStage(stage, context);

  if (refused_ && problems_.mistakes() == 1) throw *refused_;
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
