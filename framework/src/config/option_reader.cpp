#include "option_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "../error.h"
#include "describe.h"
#include "suggest.h"
#include "utf8.h"

namespace etl::host {

void OptionReader::Misdeclared(const etl_option& option, const std::string& why) const {
  throw Error(Exit::kPlugin, fmt::format("{} declares its option \"{}\" wrongly: {}; ask the "
                                         "plugin's author for a corrected version",
                                         component_, option.name, why));
}

std::vector<ReadValue> OptionReader::Table(const std::vector<const etl_option*>& options,
                                           const TableRequest& request, const Node& table,
                                           const std::string& prefix, bool secret) {
  label_ = request.label;
  std::vector<std::string> meant;  // what is there under a mistyped name is not missing
  for (const Entry& entry : table.entries) {
    const bool known = std::any_of(options.begin(), options.end(),
                                   [&](const etl_option* o) { return o->name == entry.key; });
    const bool skipped =
        std::find(request.skip.begin(), request.skip.end(), entry.key) != request.skip.end();
    if (!known && !skipped) meant.push_back(UnknownKey(request, options, entry));
  }
  std::vector<ReadValue> reads;
  for (const etl_option* option : options) {
    const Entry* entry = table.Find(option->name);
    if (!entry) {
      const bool mistyped = std::find(meant.begin(), meant.end(), option->name) != meant.end();
      reads.push_back(mistyped ? ReadValue{} : Missing(*option, request, table));
      continue;
    }
    const OptionSlot slot{*option, prefix + option->name,
                          secret || (option->flags & ETL_SECRET) != 0};
    places[slot.path] = entry->origin->PlaceOf(entry->at);
    if (slot.secret) MaskAll(entry->node);
    if ((option->flags & ETL_DEPRECATED) != 0)
      context_.problems.Warning(
          *entry->origin, entry->at,
          fmt::format("\"{}\" is deprecated: {}", slot.path, option->doc ? option->doc : ""));
    reads.push_back(Value(slot, option->type, entry->node));
  }
  return reads;
}

// Returns the key that was probably meant, or nothing.
std::string OptionReader::UnknownKey(const TableRequest& request,
                                     const std::vector<const etl_option*>& options,
                                     const Entry& entry) {
  std::vector<std::string> names = request.skip;
  for (const etl_option* option : options)
    if ((option->flags & ETL_DEPRECATED) == 0) names.emplace_back(option->name);
  const std::string near = Nearest(entry.key, names);
  const auto meant = std::find_if(options.begin(), options.end(),
                                  [&](const etl_option* o) { return o->name == near; });
  if (LooksSecret(entry.key)) MaskAll(entry.node);
  if (const auto refused = request.refused.find(entry.key); refused != request.refused.end()) {
    context_.problems.Mistake(*entry.origin, entry.at, refused->second);
    return {};
  }
  if (meant != options.end() && ((*meant)->flags & ETL_SECRET) != 0) MaskAll(entry.node);
  const std::string other = EditDistance(entry.key, near) <= 1
                                ? std::string()
                                : PlaceElsewhere(request, options, entry.key);
  const std::string hint = !other.empty()  ? other
                           : !near.empty() ? fmt::format("did you mean \"{}\"?", near)
                           : names.empty() ? "this table takes no keys"
                                           : fmt::format("keys are {}", QuotedList(names));
  context_.problems.Mistake(
      *entry.origin, entry.at,
      fmt::format("unknown key \"{}\" in {}; {}", Shortened(entry.key), request.label, hint));
  return other.empty() ? near : std::string();
}

std::string OptionReader::PlaceElsewhere(const TableRequest& request,
                                         const std::vector<const etl_option*>& options,
                                         const std::string& key) const {
  for (const etl_option* option : options)
    for (const std::string& field : Names(option->type == ETL_TABLE ? option->fields : nullptr))
      if (field == key)
        return fmt::format("it belongs in the table \"{0}\", as in {0} = {{ {1} = … }}",
                           option->name, field);
  for (const OtherTable& other : context_.tables)
    if (other.label != request.label &&
        std::find(other.keys.begin(), other.keys.end(), key) != other.keys.end())
      return fmt::format("it belongs in {}", other.label);
  return {};
}

ReadValue OptionReader::Missing(const etl_option& option, const TableRequest& request,
                                const Node& table) {
  if (option.def) return Default(option);
  if ((option.flags & ETL_REQUIRED) != 0) {
    Mistake(table, fmt::format("{} needs \"{}\", as in {} = {}", request.label, option.name,
                               TomlKey(option.name), ExampleValue(option)));
  }
  return {};
}

ReadValue OptionReader::Default(const etl_option& option) {
  SourceText text(fmt::format("default of \"{}\"", option.name), fmt::format("v = {}", option.def),
                  1);
  const ScanResult scan = Scan(text.text());
  Parsed parsed;
  if (!scan.refused) parsed = ParseToml(text, scan.unclosed);
  const Entry* entry = parsed.root ? parsed.root->Find("v") : nullptr;
  if (!entry || parsed.root->entries.size() != 1)
    Misdeclared(option, fmt::format("its default {} is not a TOML value", Visible(option.def)));
  Problems problems;
  std::vector<std::string> secrets;
  ReadContext context{problems, secrets, context_.dir, context_.dir, {}};
  OptionReader reader(context, store_, component_);
  reader.label_ = label_;
  ReadValue read = reader.Value({option, option.name, false}, option.type, entry->node);
  if (problems.mistakes() > 0)
    Misdeclared(option, fmt::format("of its default, {}", problems.Take().front().message));
  return read;
}

ReadValue OptionReader::Value(const OptionSlot& slot, std::uint32_t type, const Node& node) {
  switch (type) {
    case ETL_BOOL:
      if (node.type != Node::Type::kBool) return Wrong(slot, type, node);
      return {{ETL_BOOL, 0, {.i = node.truth ? 1 : 0}},
              {node.truth ? "true" : "false", node.truth ? "true" : "false"}};
    case ETL_INT:
      return Integer(slot, node);
    case ETL_FLOAT:
      return Float(slot, node);
    case ETL_STRING:
    case ETL_PATH:
      return Text(slot, type, node);
    case ETL_DURATION:
    case ETL_BYTES:
      return Measure(slot, type, node);
    case ETL_LIST:
      return List(slot, node);
    case ETL_TABLE:
      return Fields(slot, node);
    case ETL_MAP:
      return Map(slot, node);
    default:
      Misdeclared(slot.option, fmt::format("option type {} is unknown", type));
  }
}

}  // namespace etl::host
