#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "load.h"

namespace etl::host {
namespace {

// In the order of PipelineOptions().
enum { kName, kMemoryLimit, kOnReject, kMaxRejects, kRetry, kGrace, kWorkers };

constexpr std::string_view kNameRule =
    "1 to 64 of A-Z a-z 0-9 _ . -, the first a letter, a digit or _";

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
         });
}

std::string_view View(const etl_value& value) { return {value.as.s.ptr, value.as.s.len}; }

void Name(PipelineConfig& config, const Entry* entry, const etl_value& value,
          const SourceText& text, Problems& problems) {
  if (entry && value.type == 0) return;  // reported already
  if (entry) {
    config.name = View(value);
    if (!IsName(config.name))
      problems.Mistake(*entry->node.origin, entry->node.begin,
                       fmt::format("\"name\" must be {}", kNameRule));
    return;
  }
  config.name = config.file == kStandardInput ? "pipeline"
                                              : std::filesystem::path(config.file).stem().string();
  if (!IsName(config.name))
    problems.Mistake(text, {},
                     fmt::format("the file's name cannot name the pipeline, which must be {}; "
                                 "add name = \"…\" to [pipeline]",
                                 kNameRule));
}

}  // namespace

void ReadSettings(PipelineConfig& config, const Node& table, const SourceText& text,
                  ReadContext& context) {
  Values::Store store;
  TableRequest request;
  request.label = "[pipeline]";
  request.component = "etl";
  for (const etl_option* const* option = PipelineOptions(); *option; ++option)
    request.options.push_back(*option);
  const std::vector<etl_value> values = ReadTable(context, store, request, table).values;
  Problems& problems = context.problems;

  Name(config, table.Find("name"), values[kName], text, problems);
  if (values[kMemoryLimit].type != 0) config.memory_limit = values[kMemoryLimit].as.i;
  if (values[kGrace].type != 0) config.grace_ns = values[kGrace].as.i;
  if (values[kWorkers].type != 0) config.workers = static_cast<int>(values[kWorkers].as.i);
  if (values[kOnReject].type != 0 && View(values[kOnReject]) == "file")
    config.on_reject = OnReject::kFile;

  if (values[kMaxRejects].type != 0) {
    const etl_value *count = values[kMaxRejects].as.items, *rate = count + 1;
    if (count->type != 0) config.max_reject_count = count->as.i;
    if (rate->type != 0) config.max_reject_rate = rate->as.f;
    const Entry* entry = table.Find("max_rejects");
    if (values[kOnReject].type != 0 && config.on_reject == OnReject::kStop)
      problems.Warning(*entry->origin, entry->at,
                       "\"max_rejects\" has no effect: the first rejected row stops the run, "
                       "unless on_reject = \"file\" is set");
  }
  if (values[kRetry].type != 0) {
    const etl_value *elapsed = values[kRetry].as.items, *initial = elapsed + 1, *max = elapsed + 2;
    config.retry = {elapsed->as.i, initial->as.i, max->as.i};
    if (initial->type != 0 && max->type != 0 && initial->as.i > max->as.i) {
      const Entry* entry = table.Find("retry");
      problems.Mistake(
          *entry->node.origin, entry->node.begin,
          "\"retry.initial\" must not be longer than \"retry.max\"; the wait only grows");
    }
  }
}

}  // namespace etl::host
