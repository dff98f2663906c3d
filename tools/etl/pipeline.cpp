// etl check, preview, plan: what can be known of a pipeline without running it.
#include <fmt/format.h>

#include <algorithm>

#include "commands.h"
#include "text.h"

namespace etl::cli {
namespace {

std::string Chain(const host::PipelineConfig& config) {
  std::string text = config.source.type;
  for (const auto& t : config.transforms) text += " → " + t.type;
  for (std::size_t i = 0; i < config.sinks.size(); ++i)
    text += (i == 0 ? " → " : ", ") + config.sinks[i].type;
  return text;
}

std::string Known(std::int64_t n) { return n < 0 ? "?" : Count(n); }

Json::Ptr PlanJson(const host::PlanReport& plan) {
  Json::Ptr json = NewObject();
  json->set("standing", plan.standing);
  json->set("rows", plan.rows < 0 ? Poco::Dynamic::Var() : Poco::Dynamic::Var(plan.rows));
  json->set("truncated", plan.truncated);
  json->set("schema", plan.schema);
  auto schemas = NewArray();
  for (const auto& schema : plan.schemas) schemas->add(schema);
  json->set("schemas", schemas);
  auto splits = NewArray();
  for (const auto& s : plan.splits) {
    Json::Ptr one = NewObject();
    one->set("id", s.id);
    one->set("rows", s.rows < 0 ? Poco::Dynamic::Var() : Poco::Dynamic::Var(s.rows));
    one->set("bytes", s.bytes < 0 ? Poco::Dynamic::Var() : Poco::Dynamic::Var(s.bytes));
    one->set("standing", s.standing);
    splits->add(one);
  }
  json->set("splits", splits);
  if (!plan.foreseen.empty()) {
    Json::Ptr foreseen = NewObject();
    for (const auto& [name, value] : plan.foreseen) foreseen->set(name, value);
    json->set("foreseen", foreseen);
  }
  return json;
}

std::string PlanText(const host::PipelineConfig& config, const host::PlanReport& plan) {
  std::string out = fmt::format(
      "{}: {}\n  {}\n  {} estimated rows in {}{}\n\n", config.name, Chain(config), plan.standing,
      Known(plan.rows), Plural(static_cast<std::int64_t>(plan.splits.size()), "split", "splits"),
      plan.truncated ? " and more" : "");
  std::size_t id = 5, rows = 4;
  for (const auto& s : plan.splits) {
    id = std::max(id, Width(s.id));
    rows = std::max(rows, Known(s.rows).size());
  }
  out += fmt::format("  {}  {}  {}  standing\n", Left("split", id), Right("rows", rows),
                     Right("bytes", 8));
  for (const auto& s : plan.splits) {
    out +=
        fmt::format("  {}  {}  {}  {}\n", Left(s.id, id), Right(Known(s.rows), rows),
                    Right(s.bytes < 0 ? "?" : Amount(static_cast<double>(s.bytes)), 8), s.standing);
  }
  std::size_t width = 0;
  for (const auto& [name, value] : plan.foreseen) width = std::max(width, Width(name));
  if (width) out += "\n";
  for (const auto& [name, value] : plan.foreseen) out += fmt::format("  {}  {}\n", Left(name, width), value);
  out += fmt::format("\n  rows of {}: {}\n", config.source.key, plan.schema);
  for (std::size_t i = 0; i < plan.schemas.size() && i < config.transforms.size(); ++i) {
    out += fmt::format("  rows of {}: {}\n", config.transforms[i].key, plan.schemas[i]);
  }
  return out;
}

}  // namespace

host::PipelineConfig Context::Load(host::Registry& registry) const {
  host::PipelineConfig config = host::LoadConfig(args.pipeline, args.sets, registry);
  console.Know(config.name, config.secrets);
  console.Show(config.warnings);
  return config;
}

int CheckPipeline(Context& c) {
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  std::vector<host::Problem> problems = host::CheckStages(config, c.Options(), c.args.connect);
  c.console.Show(problems);
  if (std::any_of(problems.begin(), problems.end(), [](const auto& p) { return !p.warning; })) return static_cast<int>(host::Exit::kConfig);
  Print(c.console.Clean(fmt::format("ok: {}: {}", config.name, Chain(config))) + "\n");
  return 0;
}

int Preview(Context& c) {
  if (c.args.rows < 1) throw host::Error(host::Exit::kConfig, "-n of etl preview is at least 1");
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  bool closed = false;  // thrown through the run, it would be taken for a failure of a stage
  host::PreviewPipeline(config, c.Options(), c.args.rows, [&closed](const std::string& line) {
    try {
      if (!closed) Print(line + "\n");
    } catch (const OutputClosed&) {
      closed = true;
    }
  });
  return 0;
}

int Plan(Context& c) {
  if (c.args.splits < 1) throw host::Error(host::Exit::kConfig, "-n of etl plan is at least 1");
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  const host::PlanReport plan =
      host::PlanPipeline(config, c.Options(), static_cast<std::size_t>(c.args.splits), c.args.write_to);
  Print(c.console.Clean(c.args.json ? Text(PlanJson(plan), 2) + "\n" : PlanText(config, plan)));
  return 0;
}

}  // namespace etl::cli
