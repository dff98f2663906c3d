#include <fmt/format.h>

#include <string_view>

#include "../config/config.h"
#include "../config/describe.h"
#include "docs.h"
#include "facts.h"

namespace etl::host {
namespace {

void Comment(std::string& out, std::string_view text) {
  constexpr std::size_t kWidth = 100;
  while (!text.empty()) {
    const std::size_t line = text.find('\n');
    std::size_t end = std::min(line, text.size());
    if (end > kWidth) {
      end = text.rfind(' ', kWidth);
      if (end == std::string_view::npos || end == 0) end = std::min(text.find(' '), text.size());
    }
    out += fmt::format("# {}\n", text.substr(0, end));
    text.remove_prefix(end);
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  }
}

void Line(std::string& out, const etl_option& option) {
  const bool required = (option.flags & ETL_REQUIRED) != 0;
  std::string doc = option.doc ? Sentence(option.doc) : std::string();
  for (const std::string& fact : Facts(option)) {
    if (fact == "secret") continue;
    doc +=
        fmt::format("{}{}", doc.empty() ? "" : " ",
                    Sentence(static_cast<char>(std::toupper(static_cast<unsigned char>(fact[0]))) +
                             fact.substr(1)));
  }
  out += '\n';
  Comment(out, doc);
  // A reference would fail the check as long as nobody has set what it names.
  const bool secret =
      required && (option.flags & ETL_SECRET) != 0 && LeafType(option) == ETL_STRING;
  if (secret)
    out +=
        fmt::format("# Better a reference: {} = {}\n", TomlKey(option.name), ExampleValue(option));
  out += fmt::format("{}{} = {}\n", required ? "" : "# ", TomlKey(option.name),
                     secret ? "\"change-me\"" : ExampleValue(option));
}

}  // namespace

std::string ExampleToml(const Component& component) {
  std::string out;
  Comment(out, component.table.summary ? Sentence(component.table.summary) : std::string());
  out += fmt::format("{}\ntype = {}\n", Header(component.kind), TomlString(component.table.type));
  for (const Described& one : Describe(component.table.options))
    if (one.depth == 0 && (one.option->flags & ETL_DEPRECATED) == 0) Line(out, *one.option);
  for (const Described& one : Describe(CommonOptions(component.kind, component.table.flags)))
    if (one.depth == 0) Line(out, *one.option);
  return out;
}

}  // namespace etl::host
