#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <sstream>
#include <stdexcept>

#include "build.h"
#include "error.h"
#include "json_read.h"
#include "json_values.h"

namespace etl::host {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

Object::Ptr ToObject(const ArrowSchema& schema) {
  if (schema.dictionary) {
    throw Error(Exit::kInternal,
                std::string("column \"") + (schema.name ? schema.name : "") +
                    "\": a schema with a dictionary cannot be saved; save the plain one");
  }
  const data::Field field = data::FieldOf(schema);
  Object::Ptr object = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
  object->set("format", field.format);
  if (field.name) object->set("name", *field.name);
  object->set("flags", field.flags);
  if (field.metadata) object->set("metadata", data::EncodeBase64(*field.metadata));
  Array::Ptr children = new Array;
  for (std::int64_t i = 0; i < schema.n_children; ++i) children->add(ToObject(*schema.children[i]));
  object->set("children", children);
  return object;
}

/// Whether the pairs of saved metadata end where its bytes do: nothing may read on from there.
bool MetadataFits(std::string_view bytes) {
  std::size_t at = 0;
  const auto number = [&]() -> std::int64_t {
    if (bytes.size() - at < 4) return -1;
    at += 4;
    return arrow::Load<std::int32_t>(bytes.data() + at - 4);
  };
  const std::int64_t pairs = number();
  if (pairs < 0) return false;
  for (std::int64_t i = 0; i < 2 * pairs; ++i) {
    const std::int64_t size = number();
    if (size < 0 || static_cast<std::size_t>(size) > bytes.size() - at) return false;
    at += static_cast<std::size_t>(size);
  }
  return at == bytes.size();
}

SchemaHandle FromObject(const Object& object) {
  data::Field field;
  field.format = object.getValue<std::string>("format");
  if (object.has("name")) field.name = object.getValue<std::string>("name");
  field.flags = object.getValue<Poco::Int64>("flags");
  if (object.has("metadata")) {
    field.metadata = data::DecodeBase64(object.getValue<std::string>("metadata"));
    if (!MetadataFits(*field.metadata))
      throw std::invalid_argument("the metadata of a field is cut");
  }
  const Array::Ptr children = object.getArray("children");
  if (!children) throw std::invalid_argument("a field has no \"children\"");
  for (std::size_t i = 0; i < children->size(); ++i) {
    const Object::Ptr child = children->getObject(static_cast<unsigned>(i));
    if (!child) throw std::invalid_argument("a child is no object");
    field.children.push_back(FromObject(*child));
  }
  SchemaHandle out;
  Export(std::move(field), out.out());
  return out;
}

}  // namespace

std::string SchemaToJson(const ArrowSchema& schema) {
  std::ostringstream out;
  ToObject(schema)->stringify(out);
  return out.str();
}

SchemaHandle SchemaFromJson(std::string_view text) {
  std::string why;
  try {
    Poco::JSON::Parser parser;
    parser.setDepth(256);
    const auto root = parser.parse(std::string(text)).extract<Object::Ptr>();
    SchemaHandle schema = FromObject(*root);
    const auto fault = CheckSchema(*schema);
    if (!fault) return schema;
    why = *fault;
  } catch (const Poco::Exception& e) {
    why = e.displayText();
  } catch (const std::invalid_argument& e) {
    why = e.what();
  }
  throw Error(Exit::kState, "a saved schema cannot be read: " + why);
}

}  // namespace etl::host
