#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSONString.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "../config/config.h"
#include "../config/describe.h"
#include "../config/tree.h"
#include "docs.h"
#include "facts.h"

namespace etl::host {
namespace {

using Poco::Dynamic::Var;
using Object = Poco::JSON::Object;
using Array = Poco::JSON::Array;

Object::Ptr New() { return new Object(Poco::JSON_PRESERVE_KEY_ORDER); }

Object::Ptr New(const std::string& key, const Var& value) {
  Object::Ptr object = New();
  object->set(key, value);
  return object;
}

Object::Ptr Ref(const std::string& name) { return New("$ref", "#/$defs/" + name); }

Object::Ptr AnyOf(const std::vector<Object::Ptr>& schemas) {
  Array::Ptr list = new Array;
  for (const Object::Ptr& schema : schemas) list->add(schema);
  return New("anyOf", list);
}

Var JsonOf(const Node& node) {
  switch (node.type) {
    case Node::Type::kTable: {
      Object::Ptr object = New();
      for (const Entry& entry : node.entries) object->set(entry.key, JsonOf(entry.node));
      return object;
    }
    case Node::Type::kArray: {
      Array::Ptr array = new Array;
      for (const Node& item : node.items) array->add(JsonOf(item));
      return array;
    }
    case Node::Type::kInt:
      return Poco::Int64{node.integer};
    case Node::Type::kFloat:
      return node.number;
    case Node::Type::kBool:
      return node.truth;
    case Node::Type::kString:
    case Node::Type::kDate:
      break;
  }
  return node.text;
}

void Bounds(Object& schema, const etl_option& option, std::uint32_t type) {
  const std::optional<RangeText> range = RangeOfText(option);
  if (!range || (type != ETL_INT && type != ETL_FLOAT)) return;
  const auto bound = [&](const char* key, const std::string& text) {
    if (text.empty()) return;
    Poco::Int64 whole = 0;
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data(), end, whole).ptr == end) {
      schema.set(key, whole);
      return;
    }
    double number = 0;
    if (std::from_chars(text.data(), end, number).ptr == end) schema.set(key, number);
  };
  bound("minimum", range->low);
  bound("maximum", range->high);
}

Object::Ptr Table(const std::vector<const etl_option*>& options);

// A scalar, or a table that stands in the place of one.
Object::Ptr Leaf(const etl_option& option, std::uint32_t type) {
  if (type == ETL_TABLE) {
    std::vector<const etl_option*> fields;
    for (const etl_option* const* field = option.fields; field && *field; ++field)
      fields.push_back(*field);
    Object::Ptr table = Table(fields);
    if ((option.flags & ETL_SHORT) == 0 || fields.empty()) return table;
    const etl_option& first = *fields.front();
    if (first.type != ETL_LIST) return AnyOf({Leaf(first, first.type), table});
    Object::Ptr list = New("type", "array");
    list->set("items", Leaf(first, first.item));
    return AnyOf({Leaf(first, first.item), list, table});
  }
  if (option.choices && option.choices[0]) {
    Array::Ptr values = new Array;
    for (const std::string& choice : Choices(option)) {
      Poco::Int64 number = 0;
      const char* end = choice.data() + choice.size();
      if (type == ETL_INT && std::from_chars(choice.data(), end, number).ptr == end)
        values->add(number);
      else
        values->add(choice);
    }
    Object::Ptr choices = New("enum", values);
    return type == ETL_STRING || type == ETL_PATH ? AnyOf({choices, Ref("reference")}) : choices;
  }
  if (type == ETL_DURATION) return Ref("duration");
  if (type == ETL_BYTES) return Ref("size");
  Object::Ptr schema = New("type", type == ETL_BOOL    ? "boolean"
                                   : type == ETL_INT   ? "integer"
                                   : type == ETL_FLOAT ? "number"
                                                       : "string");
  Bounds(*schema, option, type);
  return schema;
}

Object::Ptr Value(const etl_option& option) {
  if (option.type == ETL_LIST) {
    Object::Ptr list = New("type", "array");
    list->set("items", Leaf(option, option.item));
    return AnyOf({Leaf(option, option.item), list});
  }
  if (option.type == ETL_MAP) {
    Object::Ptr map = New("type", "object");
    map->set("additionalProperties", Leaf(option, option.item));
    return map;
  }
  return Leaf(option, option.type);
}

Object::Ptr Property(const etl_option& option) {
  Object::Ptr schema = New();
  std::string doc = option.doc ? Sentence(option.doc) : std::string();
  for (const std::string& fact : Facts(option))
    if (fact.starts_with("from") || fact.starts_with("at ")) doc += fmt::format(" Takes {}.", fact);
  schema->set("description", doc);
  const Object::Ptr value = Value(option);
  for (const std::string& key : value->getNames()) schema->set(key, value->get(key));
  if (option.def && (option.flags & ETL_SECRET) == 0) {
    SourceText text("default", fmt::format("v = {}", option.def), 1);
    const ScanResult scan = Scan(text.text());
    const Parsed parsed = scan.refused ? Parsed{} : ParseToml(text, {});
    if (parsed.root && parsed.root->Find("v"))
      schema->set("default", JsonOf(parsed.root->Find("v")->node));
  }
  if ((option.flags & ETL_DEPRECATED) != 0) schema->set("deprecated", true);
  if ((option.flags & ETL_SECRET) != 0) schema->set("writeOnly", true);
  return schema;
}

Object::Ptr Table(const std::vector<const etl_option*>& options) {
  Object::Ptr schema = New("type", "object");
  schema->set("additionalProperties", false);
  Object::Ptr properties = New();
  Array::Ptr required = new Array;
  for (const etl_option* option : options) {
    properties->set(option->name, Property(*option));
    if ((option->flags & ETL_REQUIRED) != 0 && !option->def)
      required->add(std::string(option->name));
  }
  schema->set("properties", properties);
  if (required->size() > 0) schema->set("required", required);
  return schema;
}

Object::Ptr ComponentSchema(const Component& component, const std::string& type) {
  std::vector<const etl_option*> options;
  for (const etl_option* const* option = component.table.options; option && *option; ++option)
    options.push_back(*option);
  for (const etl_option* const* option = CommonOptions(component.kind, component.table.flags);
       *option; ++option)
    options.push_back(*option);
  Object::Ptr schema = Table(options);
  schema->set("description", Sentence(component.table.summary ? component.table.summary : ""));
  schema->getObject("properties")->set("type", New("const", type));
  return schema;
}

// A stage of one kind, and in `defs` its components.
Object::Ptr StageSchema(Kind kind, const std::vector<const Component*>& components, Object& defs) {
  Object::Ptr schema = New("type", "object");
  Array::Ptr types = new Array, cases = new Array, required = new Array;
  required->add(std::string("type"));
  for (const Component* component : components) {
    if (component->kind != kind) continue;
    const auto same = [&](const Component* other) {
      return other->kind == kind && std::string_view(other->table.type) == component->table.type;
    };
    const bool alone = std::count_if(components.begin(), components.end(), same) == 1;
    const std::string type = alone ? component->table.type
                                   : fmt::format("{}/{}", component->plugin, component->table.type);
    const std::string name = fmt::format(
        "{}.{}", KindName(kind), alone ? type : component->plugin + "." + component->table.type);
    types->add(type);
    defs.set(name, ComponentSchema(*component, type));
    Object::Ptr test = New("properties", New("type", New("const", type)));
    test->set("required", required);
    Object::Ptr one = New("if", test);
    one->set("then", Ref(name));
    cases->add(one);
  }
  Object::Ptr type = New(
      "description", fmt::format("Names the {}'s component; see etl plugin list.", KindName(kind)));
  if (types->size() > 0)
    type->set("enum", types);
  else
    type->set("type", "string");
  schema->set("properties", New("type", type));
  schema->set("required", required);
  if (cases->size() > 0) schema->set("allOf", cases);
  return schema;
}

Object::Ptr OneOrMany(const std::string& name, bool many, bool some) {
  Object::Ptr list = New("type", "array");
  list->set("items", Ref(name));
  if (some) list->set("minItems", 1);
  if (!many) list->set("maxItems", 1);
  return AnyOf({Ref(name), list});
}

}  // namespace

std::string JsonSchema(const std::vector<const Component*>& components) {
  Object::Ptr defs = New();
  Object::Ptr duration = New("type", "string");
  duration->set("pattern", R"(^([0-9]+(\.[0-9]+)? *(ns|us|µs|ms|s|m|min|h|d) *)+$|^0$|\$\{)");
  duration->set("description", "A duration, as in \"30s\", \"500ms\" or \"1h30m\".");
  Object::Ptr count = New("type", "integer");
  count->set("minimum", 0);
  Object::Ptr text = New("type", "string");
  text->set("pattern", R"(^([0-9]+(\.[0-9]+)? *(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)? *)+$|\$\{)");
  Object::Ptr size = AnyOf({text, count});
  size->set("description", "A size, as in \"8MiB\" or \"64KB\", or a number of bytes.");
  Object::Ptr reference = New("type", "string");
  reference->set("pattern", R"(\$\{(env|file):)");
  defs->set("duration", duration);
  defs->set("size", size);
  defs->set("reference", reference);

  std::vector<const etl_option*> settings;
  for (const etl_option* const* option = PipelineOptions(); *option; ++option)
    settings.push_back(*option);
  defs->set("pipeline", Table(settings));
  for (const Kind kind : {Kind::kSource, Kind::kTransform, Kind::kSink})
    defs->set(std::string(KindName(kind)), StageSchema(kind, components, *defs));

  Object::Ptr properties = New("pipeline", Ref("pipeline"));
  properties->set("source", OneOrMany("source", false, true));
  properties->set("transform", OneOrMany("transform", true, false));
  properties->set("sink", OneOrMany("sink", true, true));
  Array::Ptr required = new Array;
  required->add(std::string("source"));
  required->add(std::string("sink"));

  Object::Ptr root = New("$schema", "https://json-schema.org/draft/2020-12/schema");
  root->set("title", "A pipeline of etl");
  root->set("type", "object");
  root->set("additionalProperties", false);
  root->set("properties", properties);
  root->set("required", required);
  root->set("$defs", defs);
  std::ostringstream out;
  root->stringify(out, 2);
  return out.str() + "\n";
}

}  // namespace etl::host
