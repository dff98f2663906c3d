// What is wrong with a value, in words.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "describe.h"
#include "interpolate.h"
#include "option_reader.h"
#include "suggest.h"
#include "units.h"
#include "utf8.h"

namespace etl::host {

std::string_view LastPart(std::string_view path) {
  if (path.ends_with(']')) path = path.substr(0, path.rfind('['));
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::string OptionSlot::AsIn() const {
  if (part == kMapItem)
    return fmt::format("{} = {}", TomlKey(path.substr(path.rfind('.') + 1)), ExampleItem(option));
  const bool in_list = path.find('[') != std::string::npos;
  return fmt::format("{} = {}", in_list ? std::string(LastPart(path)) : path, ExampleValue(option));
}

bool IsOneReference(std::string_view text) {
  return text.starts_with("${") && text.find('}') == text.size() - 1;
}

std::string Shortened(std::string_view text) {
  constexpr std::size_t kMost = 60;
  if (text.size() <= kMost) return Visible(text);
  std::size_t cut = kMost;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return Visible(text.substr(0, cut)) + "…";
}

std::string Found(const Node& node, bool secret) {
  switch (node.type) {
    case Node::Type::kTable:
      return "a table";
    case Node::Type::kArray:
      return "a list";
    case Node::Type::kString:
      return secret ? "text"
                    : fmt::format("the text \"{}\"", Shortened(WithoutUserInfo(node.text)));
    case Node::Type::kInt:
      return secret ? "a number" : fmt::format("the number {}", node.integer);
    case Node::Type::kFloat:
      return secret ? "a number" : fmt::format("the number {}", FormatFloat(node.number));
    case Node::Type::kBool:
      return node.truth ? "true" : "false";
    case Node::Type::kDate:
      return secret ? "a date or time" : "the date or time " + node.text;
  }
  return "something else";
}

ReadValue OptionReader::Wrong(const OptionSlot& slot, std::uint32_t type, const Node& node) {
  std::string hint;
  const bool for_list = slot.option.type == ETL_LIST && slot.part == OptionSlot::kOption;
  if (node.type == Node::Type::kString && !slot.secret) {
    std::int64_t number = 0;
    const char* end = node.text.data() + node.text.size();
    if ((type == ETL_INT || type == ETL_FLOAT) && !node.text.empty() &&
        std::from_chars(node.text.data(), end, number).ptr == end)
      hint = "; leave out the quotes";
    if ((type == ETL_INT || type == ETL_FLOAT || type == ETL_BOOL) && IsOneReference(node.text))
      hint = "; a reference stands for text, so set this with --set";
    if (type == ETL_BOOL && (node.text == "true" || node.text == "false"))
      hint = "; leave out the quotes";
  }
  const bool scalar = node.type != Node::Type::kTable && node.type != Node::Type::kArray &&
                      node.type != Node::Type::kString;
  if (scalar && (type == ETL_STRING || type == ETL_PATH)) hint = "; put it in quotes";
  Mistake(node, fmt::format("\"{}\" takes {}, as in {}, not {}{}", slot.path,
                            TypePhrase(for_list ? std::uint32_t{ETL_LIST} : type), slot.AsIn(),
                            Found(node, slot.secret), for_list ? "" : hint));
  return {};
}

bool OptionReader::Choice(const OptionSlot& slot, const Node& node, const std::string& value,
                          bool references) {
  if (!slot.option.choices) return true;
  const std::vector<std::string> choices = Choices(slot.option);
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return true;
  const bool hide = references || slot.secret;
  const std::string near = hide ? std::string() : Nearest(value, choices);
  const bool text = LeafType(slot.option) == ETL_STRING || LeafType(slot.option) == ETL_PATH;
  const std::string offer =
      text ? QuotedList(choices) : fmt::format("{}", fmt::join(choices, ", "));
  const std::string found = references ? fmt::format("what \"{}\" stands for", Shortened(node.text))
                            : slot.secret ? "this"
                            : text        ? fmt::format("\"{}\"", Shortened(value))
                                          : value;
  Mistake(node, fmt::format("\"{}\" must be {}{}, not {}{}", slot.path,
                            choices.size() > 1 ? "one of " : "", offer, found,
                            near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
  return false;
}

bool OptionReader::InRange(const OptionSlot& slot, std::uint32_t type, const Node& node,
                           double value, std::int64_t whole) {
  if (!slot.option.range) return true;
  const std::optional<RangeText> range = RangeOfText(slot.option);
  if (!range)
    Misdeclared(slot.option,
                fmt::format("its range \"{}\" is not of the form a..b", slot.option.range));
  const auto end = [&](const std::string& text, bool* outside, bool low) {
    if (text.empty()) return;
    double number = 0;
    std::int64_t exact = 0;
    const char* last = text.data() + text.size();
    bool fine = true;
    if (type == ETL_FLOAT) {
      fine = std::from_chars(text.data(), last, number).ptr == last;
      *outside |= low ? value < number : value > number;
    } else {
      const Measured measured = type == ETL_DURATION ? ParseDuration(text)
                                : type == ETL_BYTES  ? ParseBytes(text)
                                                     : Measured{};
      fine = type == ETL_INT ? std::from_chars(text.data(), last, exact).ptr == last
                             : measured.value.has_value();
      exact = measured.value.value_or(exact);
      *outside |= low ? whole < exact : whole > exact;
    }
    if (!fine)
      Misdeclared(slot.option, fmt::format("its range \"{}\" has an end that is not of its type",
                                           slot.option.range));
  };
  bool outside = false;
  end(range->low, &outside, true);
  end(range->high, &outside, false);
  if (!outside) return true;
  const std::string must = range->high.empty() ? fmt::format("at least {}", range->low)
                           : range->low.empty()
                               ? fmt::format("at most {}", range->high)
                               : fmt::format("from {} to {}", range->low, range->high);
  const bool hide = slot.secret ||
                    (node.type == Node::Type::kString && node.text.find("${") != std::string::npos);
  const std::string found = node.type == Node::Type::kString ? Shortened(node.text)
                            : type == ETL_FLOAT              ? FormatFloat(value)
                                                             : fmt::format("{}", whole);
  Mistake(node, fmt::format("\"{}\" must be {}{}", slot.path, must,
                            hide ? std::string() : ", not " + found));
  return false;
}

}  // namespace etl::host
