// Lists, maps and tables.
#include <fmt/format.h>

#include "describe.h"
#include "option_reader.h"
#include "utf8.h"

namespace etl::host {

ReadValue OptionReader::Items(std::uint32_t type, std::vector<etl_value> items, Canonical text) {
  const std::vector<etl_value>& kept = store_.items.emplace_back(std::move(items));
  etl_value out{type, static_cast<std::uint32_t>(kept.size()), {}};
  out.as.items = kept.data();
  return {out, std::move(text)};
}

ReadValue OptionReader::List(const OptionSlot& slot, const Node& node) {
  std::vector<etl_value> items;
  Canonical text;
  const auto add = [&](const OptionSlot& at, const Node& item) {
    ReadValue read = Value(at, slot.option.item, item);
    text.shown += (items.empty() ? "" : ", ") + read.text.shown;
    text.full += (items.empty() ? "" : ", ") + read.text.full;
    items.push_back(read.value);
  };
  if (node.type != Node::Type::kArray) {
    add(slot, node);
  } else {
    for (std::size_t i = 0; i < node.items.size(); ++i)
      add({slot.option, fmt::format("{}[{}]", slot.path, i), slot.secret, OptionSlot::kItem},
          node.items[i]);
  }
  return Items(ETL_LIST, std::move(items), {"[" + text.shown + "]", "[" + text.full + "]"});
}

ReadValue OptionReader::Map(const OptionSlot& slot, const Node& node) {
  if (node.type != Node::Type::kTable) return Wrong(slot, ETL_MAP, node);
  std::vector<etl_value> items;
  Canonical text;
  for (const Entry& entry : node.entries) {
    const std::string path = fmt::format("{}.{}", slot.path, Visible(entry.key));
    places[path] = entry.origin->PlaceOf(entry.at);
    ReadValue read =
        Value({slot.option, path, slot.secret, OptionSlot::kMapItem}, slot.option.item, entry.node);
    const std::string& key = store_.strings.emplace_back(entry.key);
    etl_value name{ETL_STRING, 0, {}};
    name.as.s = {key.c_str(), key.size()};
    const std::string head = (items.empty() ? "" : ", ") + TomlKey(key) + " = ";
    text.shown += head + read.text.shown;
    text.full += head + read.text.full;
    items.push_back(name);
    items.push_back(read.value);
  }
  const auto braces = [&](const std::string& inside) {
    return inside.empty() ? "{}" : "{ " + inside + " }";
  };
  return Items(ETL_MAP, std::move(items), {braces(text.shown), braces(text.full)});
}

ReadValue OptionReader::Fields(const OptionSlot& slot, const Node& node) {
  std::vector<const etl_option*> options;
  for (const etl_option* const* field = slot.option.fields; field && *field; ++field)
    options.push_back(*field);
  Node table;
  const Node* from = &node;
  if (node.type != Node::Type::kTable) {
    if ((slot.option.flags & ETL_SHORT) == 0 || options.empty())
      return Wrong(slot, ETL_TABLE, node);
    table.origin = node.origin;
    table.begin = node.begin;
    table.end = node.end;
    table.entries.push_back({options.front()->name, node.begin, node.origin, node});
    from = &table;
  }
  const std::string outer = label_;
  TableRequest request;
  const std::size_t name = outer.find_first_not_of('[');
  request.label =
      fmt::format("[{}.{}]", outer.substr(name, outer.find(']') - name), LastPart(slot.path));
  const std::vector<ReadValue> reads = Table(options, request, *from, slot.path + ".", slot.secret);
  label_ = outer;

  std::vector<etl_value> items;
  Canonical text;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    items.push_back(reads[i].value);
    if (reads[i].value.type == 0 || (options[i]->flags & (ETL_SECRET | ETL_TUNING)) != 0) continue;
    const std::string head = (text.full.empty() ? "" : ", ") + TomlKey(options[i]->name) + " = ";
    text.shown += head + reads[i].text.shown;
    text.full += head + reads[i].text.full;
  }
  const auto braces = [&](const std::string& inside) {
    return inside.empty() ? "{}" : "{ " + inside + " }";
  };
  return Items(ETL_TABLE, std::move(items), {braces(text.shown), braces(text.full)});
}

}  // namespace etl::host
