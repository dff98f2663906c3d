#include <fmt/format.h>

#include "config.h"

namespace etl::host {
namespace {

std::string Join(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!text.empty()) text += '\n';
    text += problem.Text();
  }
  return text;
}

}  // namespace

std::string Problem::Text() const {
  std::string text;
  if (!place.file.empty()) text = place.file + ":";
  if (place.line > 0) text += fmt::format("{}:{}:", place.line, place.column);
  if (!text.empty()) text += ' ';
  if (warning) text += "warning: ";
  text += message;
  if (place.line > 0)
    text += fmt::format("\n{:>5} | {}\n      | {:>{}}", place.line, source_line, '^', caret);
  return text;
}

ConfigErrors::ConfigErrors(std::vector<Problem> problems)
    : std::runtime_error(Join(problems)), problems_(std::move(problems)) {}

}  // namespace etl::host
