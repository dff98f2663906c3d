#include "values.h"

#include <Poco/SHA2Engine.h>
#include <fmt/format.h>

#include "interpolate.h"
#include "option_reader.h"

namespace etl::host {
namespace {

std::string Digest(const std::string& text) {
  Poco::SHA2Engine engine(Poco::SHA2Engine::SHA_256);
  engine.update(text);
  return Poco::DigestEngine::digestToHex(engine.digest()).substr(0, 16);
}

}  // namespace

void MaskAll(const Node& node) {
  if (node.type == Node::Type::kTable) {
    for (const Entry& entry : node.entries) MaskAll(entry.node);
  } else if (node.type == Node::Type::kArray) {
    for (const Node& item : node.items) MaskAll(item);
  } else if (node.type != Node::Type::kString || !IsOneReference(node.text)) {
    if (node.origin->is_file()) node.origin->Mask(node.begin, node.end);
  }
}

TableResult ReadTable(ReadContext& context, Values::Store& store, const TableRequest& request,
                      const Node& table) {
  OptionReader reader(context, store, request.component);
  const std::vector<ReadValue> reads = reader.Table(request.options, request, table, "", false);
  TableResult result;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const etl_option& option = *request.options[i];
    result.values.push_back(reads[i].value);
    if (reads[i].value.type == 0 || (option.flags & (ETL_SECRET | ETL_TUNING)) != 0) continue;
    const Canonical& text = reads[i].text;
    result.identity.emplace_back(option.name,
                                 text.shown == text.full
                                     ? text.full
                                     : fmt::format("{} # {}", text.shown, Digest(text.full)));
  }
  result.places = std::move(reader.places);
  return result;
}

std::string ReadString(ReadContext& context, const Node& node, const std::string& path) {
  const Expansion expansion = Expand(node.text, node.origin->is_file() ? context.dir : context.cwd);
  for (const std::string& fault : expansion.faults)
    context.problems.Mistake(*node.origin, node.begin, fmt::format("\"{}\": {}", path, fault));
  return expansion.text;
}

void MaskLikelySecrets(const Node& table) {
  for (const Entry& entry : table.entries) {
    if (LooksSecret(entry.key))
      MaskAll(entry.node);
    else if (entry.node.type == Node::Type::kTable)
      MaskLikelySecrets(entry.node);
  }
}

}  // namespace etl::host
