#include <doctest/doctest.h>

#include "data/json_read.h"
#include "error.h"
#include "random_data.h"

namespace etl::test {
namespace {

const std::uint64_t kSeed = Seed();

std::vector<std::string> Lines(const ArrowSchema& schema, const ArrowArray& batch,
                               const JsonOptions& options) {
  JsonWriter writer(schema, options);
  std::vector<std::string> lines(static_cast<std::size_t>(batch.length));
  for (std::int64_t row = 0; row < batch.length; ++row)
    writer.Row(batch, row, lines[static_cast<std::size_t>(row)]);
  return lines;
}

void RequireSame(Random& random, const Shape& shape, const Kinds& kinds,
                 const JsonOptions& options) {
  const host::SchemaHandle schema = MakeSchema(shape);
  const Holder batch(RandomArray(random, shape, random.Below(20), kinds));
  CAPTURE(host::SchemaText(*schema));
  const std::vector<std::string> lines = Lines(*schema, batch.array, options);
  Holder read;
  host::ReadJsonRows(*schema, lines, &read.array, options);
  REQUIRE(read.array.length == batch.array.length);
  const auto fault = host::CheckArray(*schema, read.array, false);
  REQUIRE_MESSAGE(!fault, *fault);
  for (std::int64_t row = 0; row < batch.array.length; ++row) {
    CAPTURE(lines[static_cast<std::size_t>(row)]);
    REQUIRE(RowText(*schema, read.array, row) == RowText(*schema, batch.array, row));
  }
}

TEST_CASE("rows of every type come back exactly") {
  Random random(kSeed);
  const Kinds kinds{false, true};
  for (int i = 0; i < 100; ++i) RequireSame(random, EveryType(kinds), kinds, JsonOptions::Exact());
  for (int i = 0; i < 500; ++i)
    RequireSame(random, RandomBatch(random, kinds), kinds, JsonOptions::Exact());
}

TEST_CASE("rows written for others come back too, as far as the text is valid") {
  Random random(kSeed + 1);
  const Kinds kinds{false, false};
  JsonOptions options;
  options.non_finite = JsonNonFinite::kText;
  options.omit_nulls = true;
  for (int i = 0; i < 100; ++i) RequireSame(random, EveryType(kinds), kinds, options);
  options.omit_nulls = false;
  options.decimals_as_text = true;
  for (int i = 0; i < 300; ++i) RequireSame(random, RandomBatch(random, kinds), kinds, options);
}

std::string Refusal(const std::vector<Shape>& columns, const std::string& row) {
  const host::SchemaHandle schema = MakeSchema(Batch(columns));
  Holder read;
  try {
    host::ReadJsonRows(*schema, std::vector<std::string>{row}, &read.array);
  } catch (const host::Error& e) {
    CHECK(e.exit() == host::Exit::kState);
    return e.what();
  }
  return "read";
}

TEST_CASE("a row that does not fit is refused by row and column") {
  const Shape small{"c", "n", {}, {}, true, ""},
      list{"+l", "l", {{"l", "item", {}, {}, true, ""}}, {}, true, ""};
  const std::string fits = "row 0 does not fit the schema: ", start = fits + "column \"";
  CHECK(Refusal({small}, R"({"n":128})") == start + "n\": 128 is out of range");
  CHECK(Refusal({small}, R"({"n":1.5})") == start + "n\": \"1.5\" is no integer");
  CHECK(Refusal({list}, R"({"l":[1,"x"]})") == start + "l.item\": \"x\" is no integer");
  CHECK(Refusal({small}, R"({"m":1})") == fits + "there is no column \"m\", or it is given twice");
  CHECK(Refusal({small}, R"({"n":1,"n":2})") ==
        fits + "there is no column \"n\", or it is given twice");
  CHECK(Refusal({{"tdD", "d", {}, {}, true, ""}}, R"({"d":"2024-13-01"})") ==
        start + "d\": \"2024-13-01\" is no date");
  CHECK(Refusal({{"d:9,2,32", "d", {}, {}, true, ""}}, R"({"d":1.234})") ==
        start + "d\": \"1.234\" is no decimal of this scale");
  CHECK(Refusal({{"z", "b", {}, {}, true, ""}}, R"({"b":"Zg="})") ==
        start + "b\": \"Zg=\" is no base64");
  CHECK(Refusal({small}, R"({"n":1} x)").rfind("row 0 is no JSON object: ", 0) == 0);
  CHECK(Refusal({small}, R"({"n":1} {"n":2})") == fits + "something follows the object");
  CHECK(Refusal({small}, R"([1])").rfind("row 0 is no JSON object: ", 0) == 0);
  CHECK(Refusal({small}, "").rfind("row 0 is no JSON object: ", 0) == 0);
  CHECK(Refusal({small}, R"({"n":)").rfind("row 0 ", 0) == 0);
  CHECK(Refusal({small}, R"({"n":null})") == "read");
}

bool Same(const ArrowSchema& a, const ArrowSchema& b) {
  const auto text = [](const char* s) { return s ? std::string("=") + s : std::string(); };
  const auto bytes = [](const char* m) { return std::string(m ? m : "", arrow::MetadataSize(m)); };
  if (text(a.format) != text(b.format) || text(a.name) != text(b.name) || a.flags != b.flags)
    return false;
  if (bytes(a.metadata) != bytes(b.metadata) || !a.metadata != !b.metadata) return false;
  if (a.n_children != b.n_children || !a.dictionary != !b.dictionary) return false;
  for (std::int64_t i = 0; i < a.n_children; ++i) {
    if (!Same(*a.children[i], *b.children[i])) return false;
  }
  return !a.dictionary || Same(*a.dictionary, *b.dictionary);
}

TEST_CASE("a schema comes back from JSON as it was") {
  Random random(kSeed + 2);
  const Kinds kinds{false, false};
  for (int i = 0; i < 200; ++i) {
    Shape shape = i < 2 ? EveryType(kinds) : RandomBatch(random, kinds);
    shape.children[0].name = "tab\t \"quoted\" \\ é \x01 \xF0\x9F\x98\x80";
    const host::SchemaHandle schema = MakeSchema(shape);
    CHECK(Same(*schema, *host::SchemaFromJson(host::SchemaToJson(*schema))));
    CHECK(Same(*schema, *host::CopySchema(*schema)));
  }
}

TEST_CASE("a schema with a dictionary is not saved, a broken one not loaded") {
  const host::SchemaHandle schema =
      MakeSchema(Batch({{"i", "d", {}, {{"u", "", {}, {}, true, ""}}, true, ""}}));
  CHECK_THROWS_WITH_AS(
      host::SchemaToJson(*schema),
      "column \"d\": a schema with a dictionary cannot be saved; save the plain one", host::Error);
  for (const char* text :
       {"", "[]", "{}", R"({"format":"+s","flags":0})", R"({"format":"u","flags":0,"children":[]})",
        R"({"format":"+s","flags":0,"children":[1]})",
        R"({"format":"+s","flags":0,"metadata":"AQAAAA==","children":[]})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(host::SchemaFromJson(text), host::Error);
  }
}

}  // namespace
}  // namespace etl::test
