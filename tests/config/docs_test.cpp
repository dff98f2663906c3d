// Info, reference, example and schema, all from the option tables.
#include "docs/docs.h"

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <doctest/doctest.h>

#include <set>

#include "components.h"
#include "config/describe.h"
#include "config/load.h"

namespace {

using namespace etl::host;
using Object = Poco::JSON::Object;

std::string Check(const std::string& text) {
  try {
    std::string said;
    for (const Problem& warning :
         LoadConfigText(text, "users.toml", {}, etl::test::Resolver()).warnings)
      said += warning.Text() + "\n";
    return said;
  } catch (const ConfigErrors& errors) {
    return errors.what();
  }
}

// The example among the simplest other stages.
std::string Whole(const Component& component, const std::string& example) {
  std::string text = example;
  if (component.kind != Kind::kSource) text += "\n[source]\ntype = \"lines\"\npath = \"in.txt\"\n";
  if (component.kind != Kind::kSink) text += "\n[[sink]]\ntype = \"discard\"\n";
  return text;
}

// With every commented-out key switched on.
std::string Uncommented(const std::string& example) {
  std::string out;
  std::istringstream in(example);
  for (std::string line; std::getline(in, line);) {
    const std::size_t equals = line.find(" = ");
    const bool key = line.starts_with("# ") && equals != std::string::npos &&
                     line.substr(2, equals - 2).find_first_of(" .,;:") == std::string::npos;
    out += (key ? line.substr(2) : line) + "\n";
  }
  return out;
}

Object::Ptr Schema(const std::vector<const Component*>& components) {
  return Poco::JSON::Parser().parse(JsonSchema(components)).extract<Object::Ptr>();
}
Object::Ptr At(Object::Ptr object, const std::vector<std::string>& path) {
  for (const std::string& key : path) {
    CAPTURE(key);
    REQUIRE(object->isObject(key));
    object = object->getObject(key);
  }
  return object;
}

// Every "$ref" below, and what stands at each "type".
void Walk(const Poco::Dynamic::Var& value, std::set<std::string>& refs) {
  if (value.type() == typeid(Object::Ptr)) {
    const auto object = value.extract<Object::Ptr>();
    for (const std::string& key : object->getNames()) {
      if (key == "$ref") refs.insert(object->getValue<std::string>(key));
      Walk(object->get(key), refs);
    }
  } else if (value.type() == typeid(Poco::JSON::Array::Ptr)) {
    for (const auto& item : *value.extract<Poco::JSON::Array::Ptr>()) Walk(item, refs);
  }
}

}  // namespace

TEST_CASE("info names every option with type, default, range, choices and meaning") {
  CHECK(InfoText(etl::test::Find(Kind::kTransform, "window")) ==
        "window (transform): Groups rows by time\n"
        "plugin test 1.2.3, /plugins/test.so\n"
        "\n"
        "options, below [[transform]]\n"
        "  every: duration, required, from 1s to 1d\n"
        "      Length of a window.\n");
  const std::string database = InfoText(etl::test::Find(Kind::kSink, "database"));
  for (const char* line :
       {"  mode: string, default \"insert\", one of \"insert\", \"upsert\", \"replace\"\n",
        "  password: string, secret\n",
        "    batch.bytes: size, default \"8MiB\", from 1KiB to 1GiB\n",
        "  batch: table, a bare value stands for \"rows\"\n", "  retries: integer, deprecated\n",
        "    indexes[].columns: list of string, required\n", "  writers: integer, from 1 to 256\n",
        "  when: string\n"})
    CHECK_MESSAGE(database.find(line) != std::string::npos, line);
  CHECK(database.find("  level:") < database.find("  headers:"));    // advanced ones later,
  CHECK(database.find("  headers:") < database.find("  retries:"));  // deprecated ones last
}

TEST_CASE("the example of every component passes the check, as it is and with all keys on") {
  ::setenv("NAME", "a value", 1);
  for (const Component* component : etl::test::AllComponents()) {
    const std::string example = ExampleToml(*component);
    CAPTURE(example);
    CHECK(Check(Whole(*component, example)) == "");
    CHECK(Check(Whole(*component, Uncommented(example))) == "");
  }
}

TEST_CASE("an example says what each key means") {
  CHECK(
      ExampleToml(etl::test::Find(Kind::kTransform, "sql")) ==
      "# Runs a SELECT over each batch.\n"
      "[[transform]]\n"
      "type = \"sql\"\n"
      "\n"
      "# A SELECT over the table batch.\n"
      "query = \"SELECT * FROM batch\"\n"
      "\n"
      "# How many batches this transform works on at once; the host chooses where it is left out. "
      "From 1 to\n"
      "# 256.\n"
      "# workers = 1\n");
}

TEST_CASE("reference pages hold every option once, in tables of four columns") {
  for (const Component* component : etl::test::AllComponents()) {
    const std::string page = ReferencePage(*component);
    CAPTURE(page);
    for (const std::string& name : Names(component->table.options))
      CHECK(page.find("\n| `" + name + "` | ") != std::string::npos);
    std::istringstream in(page);
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("| ")) {
        CHECK(line.ends_with(" |"));
        std::size_t bars = 0;
        for (std::size_t i = 0; i < line.size(); ++i)
          bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
        CHECK(bars == 5);
      }
  }
  const std::string pipeline = PipelineReference();
  for (const char* part :
       {"| `retry.max_elapsed` | duration | `\"15m\"` |", "| `readers` |", "| `workers` |",
        "| `writers` |", "| `when` |", "| `on_reject` | string | `\"stop\"` |"})
    CHECK_MESSAGE(pipeline.find(part) != std::string::npos, part);
}

TEST_CASE("the schema is JSON Schema 2020-12 in which every reference leads somewhere") {
  const Object::Ptr schema = Schema(etl::test::AllComponents());
  CHECK(schema->getValue<std::string>("$schema") == "https://json-schema.org/draft/2020-12/schema");
  CHECK(JsonSchema(etl::test::AllComponents()).starts_with("{\n  \"$schema\":"));
  std::set<std::string> refs;
  Walk(schema, refs);
  CHECK(refs.size() > 8);
  for (const std::string& ref : refs) {
    REQUIRE(ref.starts_with("#/$defs/"));
    CHECK_MESSAGE(schema->getObject("$defs")->has(ref.substr(8)), ref);
  }
}

TEST_CASE("the schema chooses a component's options by its type") {
  const Object::Ptr schema = Schema(etl::test::AllComponents());
  const Object::Ptr sink = At(schema, {"$defs", "sink"});
  const auto cases = sink->getArray("allOf");
  REQUIRE(cases->size() == 2);
  const Object::Ptr first = cases->getObject(0);
  CHECK(At(first, {"if", "properties", "type"})->getValue<std::string>("const") == "database");
  CHECK(At(first, {"then"})->getValue<std::string>("$ref") == "#/$defs/sink.database");
  CHECK(At(sink, {"properties", "type"})->getArray("enum")->size() == 2);

  const Object::Ptr database = At(schema, {"$defs", "sink.database"});
  CHECK(database->getValue<bool>("additionalProperties") == false);
  CHECK(database->getArray("required")->size() == 2);
  const Object::Ptr options = database->getObject("properties");
  for (const std::string& name : Names(etl::test::Find(Kind::kSink, "database").table.options))
    CHECK(options->has(name));
  CHECK(options->has("writers"));
  CHECK(options->has("type"));
  CHECK(At(options, {"password"})->getValue<bool>("writeOnly"));
  CHECK(At(options, {"retries"})->getValue<bool>("deprecated"));
  CHECK(At(options, {"mode"})->getValue<std::string>("default") == "insert");
  CHECK(At(options, {"mode"})->getArray("anyOf")->getObject(0)->getArray("enum")->size() == 3);
  CHECK(At(options, {"level"})->getArray("enum")->getElement<int>(1) == 3);
  CHECK(At(options, {"batch"})->getArray("anyOf")->size() == 2);
  const Object::Ptr rows = At(schema, {"$defs", "source.csv", "properties", "batch_rows"});
  CHECK(rows->getValue<std::string>("type") == "integer");
  CHECK(rows->getValue<int>("minimum") == 1);
  CHECK(rows->getValue<int>("maximum") == 1'000'000);
  CHECK(rows->getValue<int>("default") == 8192);
  CHECK(!At(schema, {"$defs", "source.lines", "properties"})->has("readers"));
}

TEST_CASE("the schema of one component leaves the other kinds open") {
  const Object::Ptr schema = Schema({&etl::test::Find(Kind::kSource, "csv")});
  CHECK(At(schema, {"$defs"})->has("source.csv"));
  const Object::Ptr sink = At(schema, {"$defs", "sink"});
  CHECK(!sink->has("allOf"));
  CHECK(At(sink, {"properties", "type"})->getValue<std::string>("type") == "string");
}

TEST_CASE("two components of one type are told apart by their plugins") {
  Component other = etl::test::Find(Kind::kSource, "csv");
  other.plugin = "acme.csv";
  const Object::Ptr schema = Schema({&etl::test::Find(Kind::kSource, "csv"), &other});
  CHECK(At(schema, {"$defs"})->has("source.test.csv"));
  CHECK(At(schema, {"$defs", "source.acme.csv.csv", "properties", "type"})
            ->getValue<std::string>("const") == "acme.csv/csv");
}
