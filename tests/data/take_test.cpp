#include <doctest/doctest.h>

#include <numeric>

#include "data/batch.h"
#include "random_data.h"

namespace etl::test {
namespace {

const std::uint64_t kSeed = Seed();

void RequireTaken(const ArrowSchema& schema, const ArrowArray& from,
                  const std::vector<std::int64_t>& rows) {
  Holder taken;
  host::Take(schema, from, rows, &taken.array);
  REQUIRE(taken.array.length == static_cast<std::int64_t>(rows.size()));
  REQUIRE(taken.array.offset == 0);
  const auto fault = host::CheckArray(schema, taken.array, true);
  REQUIRE_MESSAGE(!fault, *fault);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    REQUIRE(RowText(schema, taken.array, static_cast<std::int64_t>(i)) ==
            RowText(schema, from, rows[i]));
  }
}

std::vector<std::int64_t> RandomRows(Random& random, std::int64_t of) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(of));
  std::iota(rows.begin(), rows.end(), 0);
  switch (random.Below(4)) {
    case 0:
      return rows;
    case 1:
      return {};
    case 2:
      rows.erase(rows.begin(), rows.begin() + random.Below(of + 1));
      return rows;
    default:
      for (std::int64_t& row : rows) row = random.Below(of);
      return rows;
  }
}

TEST_CASE("rows taken from a batch of every type are those rows") {
  Random random(kSeed);
  for (int i = 0; i < 30; ++i) {
    const Shape shape = EveryType({});
    const host::SchemaHandle schema = MakeSchema(shape);
    const std::int64_t rows = random.Below(40);
    const Holder batch(RandomArray(random, shape, rows, {}));
    RequireTaken(*schema, batch.array, RandomRows(random, rows));
  }
  CHECK(LiveArrays() == 0);
}

TEST_CASE("rows taken from random nested batches are those rows") {
  Random random(kSeed + 1);
  for (int i = 0; i < 400; ++i) {
    const Shape shape = RandomBatch(random, {});
    const host::SchemaHandle schema = MakeSchema(shape);
    const std::int64_t rows = random.Below(30);
    const Holder batch(RandomArray(random, shape, rows, {}));
    CAPTURE(host::SchemaText(*schema));
    RequireTaken(*schema, batch.array, RandomRows(random, rows));
  }
  CHECK(LiveArrays() == 0);
}

TEST_CASE("taking rows keeps only the dictionary entries in use, in their order") {
  const Shape shape = Batch({{"c", "d", {}, {{"i", "", {}, {}, true, ""}}, true, ""}});
  const host::SchemaHandle schema = MakeSchema(shape);
  Holder values(MakeArray(4, 0, 0, {"", Bytes<std::int32_t>({10, 11, 12, 13})}));
  ArrowArray column = MakeArray(3, 0, 0, {"", Bytes<std::int8_t>({3, 0, 1})});
  column.dictionary = &values.array;
  const Holder batch(MakeArray(3, 0, 0, {""}, {column}));
  Holder taken;
  const std::vector<std::int64_t> rows{0, 2, 0};
  host::Take(*schema, batch.array, rows, &taken.array);
  const ArrowArray& indexes = *taken.array.children[0];
  CHECK(indexes.dictionary->length == 2);
  CHECK(RowText(*schema->children[0]->dictionary, *indexes.dictionary, 0) == "0b000000");
  CHECK(RowText(*schema->children[0]->dictionary, *indexes.dictionary, 1) == "0d000000");
}

TEST_CASE("a plain batch from an encoded one has the same rows") {
  Random random(kSeed + 2);
  for (int i = 0; i < 400; ++i) {
    const Shape shape = i < 40 ? EveryType({}) : RandomBatch(random, {});
    const host::SchemaHandle schema = MakeSchema(shape);
    const host::SchemaHandle plain_schema = host::PlainSchema(*schema);
    CAPTURE(host::SchemaText(*schema));
    REQUIRE(host::IsPlain(*plain_schema));
    REQUIRE_FALSE(host::CheckSchema(*plain_schema));
    ArrowArray batch = RandomArray(random, shape, random.Below(30), {});
    std::vector<std::string> rows;
    for (std::int64_t row = 0; row < batch.length; ++row)
      rows.push_back(RowText(*schema, batch, row));
    Holder plain;
    host::MakePlain(*schema, batch, &plain.array);
    const auto fault = host::CheckArray(*plain_schema, plain.array, false);
    REQUIRE_MESSAGE(!fault, *fault);
    REQUIRE(plain.array.length == static_cast<std::int64_t>(rows.size()));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      REQUIRE(RowText(*plain_schema, plain.array, static_cast<std::int64_t>(row)) == rows[row]);
    }
  }
  CHECK(LiveArrays() == 0);
}

TEST_CASE("plain columns of a mixed batch are moved, not copied") {
  const Shape shape = Batch({{"l", "id", {}, {}, true, ""}, {"vu", "text", {}, {}, true, ""}});
  const host::SchemaHandle schema = MakeSchema(shape);
  Random random(kSeed);
  ArrowArray batch = RandomArray(random, shape, 10, {});
  const void* values = batch.children[0]->buffers[1];
  Holder plain;
  host::MakePlain(*schema, batch, &plain.array);
  CHECK(plain.array.children[0]->buffers[1] == values);
  CHECK(host::SchemaText(*host::PlainSchema(*schema)) == "id int64, text utf8");
}

TEST_CASE("bytes count what offset and length use") {
  const host::SchemaHandle schema =
      MakeSchema(Batch({{"l", "id", {}, {}, true, ""}, {"u", "text", {}, {}, true, ""}}));
  const auto batch = [](std::int64_t length, std::int64_t offset) {
    return MakeArray(
        length, 0, offset, {""},
        {MakeArray(4, 0, 0, {"\x0F", Bytes<std::int64_t>({1, 2, 3, 4})}),
         MakeArray(4, 0, 0, {"", Bytes<std::int32_t>({0, 1, 3, 6, 10}), "abbcccdddd"})});
  };
  const Holder whole(batch(4, 0)), part(batch(2, 1)), none(batch(0, 4));
  CHECK(host::ArrayBytes(*schema, whole.array) == 1 + 32 + 20 + 10);
  CHECK(host::ArrayBytes(*schema, part.array) == 1 + 16 + 12 + 5);
  CHECK(host::ArrayBytes(*schema, none.array) == 0);
}

TEST_CASE("bytes of any batch and its parts can be counted") {
  Random random(kSeed + 3);
  for (int i = 0; i < 200; ++i) {
    const Shape shape = RandomBatch(random, {});
    const host::SchemaHandle schema = MakeSchema(shape);
    Holder batch(RandomArray(random, shape, 20, {}));
    const std::int64_t all = host::ArrayBytes(*schema, batch.array);
    batch.array.length = 7;
    CHECK(host::ArrayBytes(*schema, batch.array) <= all);
  }
}

}  // namespace
}  // namespace etl::test
