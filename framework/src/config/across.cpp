// What only the pipeline as a whole can say: who serves `when`, and which guarantees several sinks
// cannot give.
#include "across.h"

#include <fmt/format.h>

#include "../error.h"
#include "interpolate.h"
#include "values.h"

namespace etl::host {

std::vector<Problem> CheckAcross(const PipelineConfig& config) {
  std::vector<Problem> problems;
  if (config.sinks.size() < 2) return problems;
  for (const StageConfig& sink : config.sinks) {
    const etl_option* const* option = sink.component->table.options;
    for (std::size_t i = 0; option && option[i]; ++i) {
      if (std::string_view(option[i]->name) != "exactly_once" ||
          !sink.places.contains("exactly_once"))
        continue;
      if (!sink.values.data()[i].as.i) continue;
      problems.push_back(config.At(sink, "exactly_once",
                                   "exactly_once is not possible with several sinks: what one "
                                   "commits may not be ahead of what "
                                   "another has; make a pipeline of each sink, or leave it out and "
                                   "use a mode that bears repeats"));
    }
  }
  return problems;
}

StageConfig MakeFilter(const StageConfig& sink, const Component& component) {
  const auto* filter = static_cast<const etl_filter*>(component.table.extension(ETL_EXT_FILTER));
  SourceText text(sink.key + ".when", sink.when, 1);
  Problems problems;
  std::vector<std::string> secrets;
  ReadContext context{problems, secrets, {}, {}, {}};
  TableRequest request;
  request.label = sink.key;
  request.component = component.table.type;
  for (const etl_option* const* option = component.table.options; option && *option; ++option)
    request.options.push_back(*option);
  Node table;
  table.origin = &text;
  Entry entry;
  entry.key = filter->option;
  entry.origin = &text;
  entry.node.type = Node::Type::kString;
  entry.node.origin = &text;
  entry.node.text = Escaped(sink.when);  // its references are resolved already
  table.entries.push_back(std::move(entry));

  StageConfig config;
  config.key = sink.key + ".when";
  config.type = component.table.type;
  config.component = &component;
  config.place = sink.places.contains("when") ? sink.places.at("when") : sink.place;
  TableResult result = ReadTable(context, *config.values.store, request, table);
  const std::vector<Problem> found = problems.Take();
  if (problems.mistakes())
    throw Error(Exit::kConfig, fmt::format("{}: {}", sink.key, found.front().message));
  config.values.store->root = std::move(result.values);
  return config;
}

}  // namespace etl::host
