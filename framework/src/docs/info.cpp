#include <fmt/format.h>

#include "../config/config.h"
#include "../config/describe.h"
#include "docs.h"
#include "facts.h"

namespace etl::host {
namespace {

void Options(std::string& out, std::string_view title, const etl_option* const* options) {
  const std::vector<Described> all = Describe(options);
  if (all.empty()) return;
  out += fmt::format("\n{}\n", title);
  for (const Described& one : all) {
    const etl_option& option = *one.option;
    std::vector<std::string> facts{TypeName(option)};
    if ((option.flags & ETL_REQUIRED) != 0) facts.emplace_back("required");
    if (option.def && option.type != ETL_TABLE)
      facts.push_back(fmt::format("default {}", option.def));
    for (std::string& fact : Facts(option)) facts.push_back(std::move(fact));
    out += fmt::format("  {:{}}{}: {}\n", "", 2 * one.depth, one.name, fmt::join(facts, ", "));
    if (option.doc && *option.doc)
      out += fmt::format("      {:{}}{}\n", "", 2 * one.depth, option.doc);
  }
}

}  // namespace

std::string InfoText(const Component& component) {
  const etl_component& table = component.table;
  std::string out = fmt::format("{} ({}): {}\n", table.type, KindName(component.kind),
                                table.summary ? table.summary : "");
  out +=
      fmt::format("plugin {} {}, {}\n", component.plugin, component.plugin_version, component.path);
  if (!component.unavailable.empty())
    out += fmt::format("cannot be used here: {}\n", component.unavailable);
  if (table.doc && *table.doc) out += fmt::format("\n{}\n", table.doc);
  Options(out, fmt::format("options, below {}", Header(component.kind)), table.options);
  Options(out, fmt::format("keys of etl for it, below {}", Header(component.kind)),
          CommonOptions(component.kind, table.flags));
  return out;
}

}  // namespace etl::host
