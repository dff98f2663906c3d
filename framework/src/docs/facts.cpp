#include "facts.h"

#include <fmt/format.h>

#include "../config/describe.h"
#include "../config/suggest.h"

namespace etl::host {
namespace {

int Group(const etl_option& option) {
  return (option.flags & ETL_DEPRECATED) != 0 ? 2 : (option.flags & ETL_ADVANCED) != 0 ? 1 : 0;
}

void Add(std::vector<Described>& out, const etl_option& option, const std::string& prefix,
         int depth) {
  out.push_back({&option, prefix + option.name, depth});
  const std::string inner = prefix + option.name + (option.type == ETL_LIST ? "[]." : ".");
  for (const etl_option* const* field = option.fields; field && *field; ++field)
    Add(out, **field, inner, depth + 1);
}

}  // namespace

std::vector<Described> Describe(const etl_option* const* options) {
  std::vector<Described> out;
  for (int group = 0; group < 3; ++group)
    for (const etl_option* const* option = options; option && *option; ++option)
      if (Group(**option) == group) Add(out, **option, "", 0);
  return out;
}

std::string RangeSentence(const etl_option& option) {
  const std::optional<RangeText> range = RangeOfText(option);
  if (!range || (range->low.empty() && range->high.empty())) return {};
  if (range->high.empty()) return fmt::format("at least {}", range->low);
  if (range->low.empty()) return fmt::format("at most {}", range->high);
  return fmt::format("from {} to {}", range->low, range->high);
}

std::string ChoiceSentence(const etl_option& option) {
  if (!option.choices || !option.choices[0]) return {};
  const std::vector<std::string> choices = Choices(option);
  const bool text = LeafType(option) == ETL_STRING || LeafType(option) == ETL_PATH;
  return fmt::format(
      "{}{}", choices.size() > 1 ? "one of " : "",
      text ? QuotedList(choices, choices.size()) : fmt::format("{}", fmt::join(choices, ", ")));
}

std::vector<std::string> Facts(const etl_option& option) {
  std::vector<std::string> facts;
  if (std::string range = RangeSentence(option); !range.empty()) facts.push_back(std::move(range));
  if (std::string choices = ChoiceSentence(option); !choices.empty())
    facts.push_back(std::move(choices));
  if ((option.flags & ETL_SHORT) != 0 && option.fields && option.fields[0])
    facts.push_back(fmt::format("a bare value stands for \"{}\"", option.fields[0]->name));
  if ((option.flags & ETL_SECRET) != 0) facts.emplace_back("secret");
  if ((option.flags & ETL_DEPRECATED) != 0) facts.emplace_back("deprecated");
  return facts;
}

std::string Header(Kind kind) {
  return kind == Kind::kSource      ? "[source]"
         : kind == Kind::kTransform ? "[[transform]]"
                                    : "[[sink]]";
}

std::string Sentence(std::string text) {
  if (!text.empty() && std::string_view(".!?:").find(text.back()) == std::string_view::npos)
    text += '.';
  return text;
}

}  // namespace etl::host
