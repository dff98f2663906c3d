#include <doctest/doctest.h>

#include "data/batch.h"
#include "data/build.h"
#include "random_data.h"

namespace etl::test {
namespace {

const std::uint64_t kSeed = Seed();

std::string SchemaFault(const Shape& shape) {
  return host::CheckSchema(*MakeSchema(shape)).value_or("fine");
}
std::string ColumnFault(const Shape& column) { return SchemaFault(Batch({column})); }

Shape Nested(int depth) {
  Shape shape{"l", "item", {}, {}, true, ""};
  for (int i = 1; i < depth; ++i) shape = {"+l", "item", {shape}, {}, true, ""};
  return shape;
}

TEST_CASE("types are named as people know them") {
  const auto text = [](const Shape& shape) { return host::TypeText(*MakeSchema(shape)); };
  const Shape number{"l", "a", {}, {}, true, ""}, name{"u", "b", {}, {}, false, ""};
  CHECK(text({"e", "", {}, {}, true, ""}) == "float16");
  CHECK(text({"d:12,2", "", {}, {}, true, ""}) == "decimal128(12, 2)");
  CHECK(text({"d:76,-3,256", "", {}, {}, true, ""}) == "decimal256(76, -3)");
  CHECK(text({"tsu:UTC", "", {}, {}, true, ""}) == "timestamp[us, UTC]");
  CHECK(text({"tsn:", "", {}, {}, true, ""}) == "timestamp[ns]");
  CHECK(text({"ttm", "", {}, {}, true, ""}) == "time32[ms]");
  CHECK(text({"w:16", "", {}, {}, true, ""}) == "fixed_size_binary[16]");
  CHECK(text({"+w:384", "", {{"f", "item", {}, {}, true, ""}}, {}, true, ""}) ==
        "fixed_size_list<item: float>[384]");
  CHECK(text({"+L", "", {name}, {}, true, ""}) == "large_list<b: utf8 not null>");
  CHECK(text({"+s", "", {number, name}, {}, true, ""}) == "struct<a: int64, b: utf8 not null>");
  CHECK(text({"+m", "", {{"+s", "e", {name, number}, {}, false, ""}}, {}, true, ""}) ==
        "map<utf8, int64>");
  CHECK(text({"+ud:0,1", "", {number, name}, {}, true, ""}) ==
        "dense_union<a: int64, b: utf8 not null>");
  CHECK(text({"+us:5,1", "", {number, name}, {}, true, ""}) ==
        "sparse_union<a: int64, b: utf8 not null>[5,1]");
  CHECK(text({"c", "", {}, {{"vu", "", {}, {}, true, ""}}, true, ""}) ==
        "dictionary<utf8_view, int8>");
  CHECK(host::SchemaText(*MakeSchema(
            Batch({{"l", "id", {}, {}, false, ""}, {"u", "name", {}, {}, true, ""}}))) ==
        "id int64 not null, name utf8");
}

TEST_CASE("a schema that no batch may have is refused with its reason") {
  const Shape number{"l", "n", {}, {}, true, ""};
  CHECK(ColumnFault(number) == "fine");
  CHECK(SchemaFault(EveryType({})) == "fine");
  CHECK(SchemaFault(number) == "the schema has the format \"l\" where a struct, \"+s\", is needed");
  CHECK(SchemaFault(Batch({number, number})) == "two columns are named \"n\"");
  CHECK(ColumnFault({"+vl", "n", {number}, {}, true, ""}) ==
        "column \"n\": \"+vl\" is not an Arrow format that batches may carry");
  CHECK(ColumnFault({"d:39,0", "n", {}, {}, true, ""}) ==
        "column \"n\": \"d:39,0\" is not an Arrow format that batches may carry");
  CHECK(ColumnFault({"+s", "s", {{"zz", "inner", {}, {}, true, ""}}, {}, true, ""}) ==
        "column \"s.inner\": \"zz\" is not an Arrow format that batches may carry");
  CHECK(ColumnFault({"+l", "l", {}, {}, true, ""}) ==
        "column \"l\": format \"+l\" has 0 children instead of 1");
  CHECK(ColumnFault({"u", "d", {}, {number}, true, ""}) ==
        "column \"d\": a dictionary needs integer indexes");
  CHECK(ColumnFault({"+ud:0,0", "u", {number, number}, {}, true, ""}) ==
        "column \"u\": the type ids of \"+ud:0,0\" are not 2 different numbers from 0 to 127");
  CHECK(ColumnFault({"+m", "m", {number}, {}, true, ""}) ==
        "column \"m\": the entries of a map must be a struct of two");
  CHECK(ColumnFault({"+r", "r", {{"C", "e", {}, {}, true, ""}, number}, {}, true, ""}) ==
        "column \"r\": run ends must be int16, int32 or int64");
  CHECK(ColumnFault({"l", "\xFF", {}, {}, true, ""}).find("its name is not valid UTF-8") !=
        std::string::npos);
  CHECK(ColumnFault({"l", "n", {}, {}, true, Bytes<std::int32_t>({1, -5})}) ==
        "column \"n\": its metadata has a part of -5 bytes");
  CHECK(ColumnFault(Nested(64)) == "fine");
  CHECK(ColumnFault(Nested(65)).find("nested deeper than 64 levels") != std::string::npos);
  CHECK(SchemaFault(Batch(std::vector<Shape>(4097, number))) ==
        "the schema has 4097 columns; the most is 4096");
  host::data::Field nameless;
  nameless.format = "l";
  host::data::Field batch;
  batch.format = "+s";
  batch.children.emplace_back();
  Export(std::move(nameless), batch.children[0].out());
  host::SchemaHandle schema;
  Export(std::move(batch), schema.out());
  CHECK(host::CheckSchema(*schema) == "column 0 has no name");
  CHECK(host::CheckSchema(*host::SchemaHandle()) == "the schema is empty or released");
}

/// What is wrong with a batch of one column; also that the cheap check finds it, or leaves it to
/// the full one.
std::string Fault(const Shape& column, ArrowArray array, bool cheap) {
  const host::SchemaHandle schema = MakeSchema(Batch({column}));
  const std::int64_t rows = array.length;
  const Holder batch(MakeArray(rows, 0, 0, {""}, {array}));
  const auto quick = host::CheckArray(*schema, batch.array, false);
  const auto full = host::CheckArray(*schema, batch.array, true);
  CHECK(quick.has_value() == cheap);
  return full.value_or("fine");
}

TEST_CASE("an array that is not what its schema says is refused by column and row") {
  const Shape number{"l", "n", {}, {}, true, ""}, text{"u", "t", {}, {}, true, ""};
  const auto numbers = [](std::int64_t length, std::int64_t nulls,
                          const std::string& validity = "") {
    return MakeArray(length, nulls, 0, {validity, std::string(64, '\0')});
  };
  const auto texts = [](const std::vector<std::int32_t>& offsets, const std::string& bytes,
                        const std::string& bits = "") {
    return MakeArray(static_cast<std::int64_t>(offsets.size()) - 1, -1, 0,
                     {bits, Bytes(offsets), bytes});
  };
  CHECK(Fault(number, numbers(2, 0), false) == "fine");
  CHECK(Fault(number, numbers(2, 3), true) == "column \"n\": 3 nulls in 2 rows");
  CHECK(Fault(number, numbers(2, 1), true) == "column \"n\": 1 nulls without a validity buffer");
  CHECK(Fault(number, numbers(2, 2, "\x01"), false) == "column \"n\": says 2 nulls, but has 1");
  CHECK(Fault(number, MakeArray(1, 0, 0, {""}), true) == "column \"n\": 1 buffers instead of 2");
  CHECK(Fault(number, MakeArray(1, 0, 0, {"", ""}), true) ==
        "column \"n\": buffer 1 is a null pointer");
  CHECK(Fault(number, MakeArray(1, 0, -1, {"", "12345678"}), true) == "column \"n\": offset -1");
  CHECK(Fault({"l", "n", {}, {}, false, ""}, numbers(2, -1, "\x02"), false) ==
        "column \"n\": 1 nulls, but the schema says not null");
  CHECK(Fault(text, texts({0, 2, 1, 3}, "abc"), false) ==
        "column \"t\": row 1 has offsets from 2 to 1");
  CHECK(Fault(text, texts({0, 2, 9, 3}, "abc"), false) ==
        "column \"t\": row 1 has offsets from 2 to 9");
  CHECK(Fault(text, texts({0, -1}, "abc"), true) == "column \"t\": offsets from 0 to -1");
  CHECK(Fault(text, texts({0, 1}, ""), true) == "column \"t\": buffer 2 is a null pointer");
  CHECK(Fault(text, texts({0, 1, 3}, "a\xC3x"), false) ==
        "column \"t\": row 1 is not valid UTF-8 from byte 0");
  CHECK(Fault(text, texts({0, 2, 3}, "a\xC3\xA9"), false) ==
        "column \"t\": row 0 is not valid UTF-8 from byte 1");
  CHECK(Fault(text, texts({0, 1, 3}, "a\xC3x", "\x01"), false) == "fine");
  CHECK(Fault({"+l", "l", {number}, {}, true, ""},
              MakeArray(1, 0, 0, {"", Bytes<std::int32_t>({0, 9})}, {numbers(2, 0)}),
              true) == "column \"l\": offsets up to 9, but only 2 items");
  CHECK(Fault({"+s", "s", {number}, {}, true, ""}, MakeArray(2, 0, 1, {""}, {numbers(2, 0)}),
              true) == "column \"s\": child 0 has 2 rows where 3 are needed");
  CHECK(Fault({"+s", "s", {number}, {}, true, ""}, MakeArray(1, 0, 0, {""}, {numbers(2, 3)}),
              true) == "column \"s.n\": 3 nulls in 2 rows");
  CHECK(Fault({"+w:3", "v", {number}, {}, true, ""}, MakeArray(1, 0, 0, {""}, {numbers(2, 0)}),
              true) == "column \"v\": child 0 has 2 rows where 3 are needed");
  CHECK(Fault({"+us:0", "u", {number}, {}, true, ""}, MakeArray(1, 0, 0, {"\x05"}, {numbers(2, 0)}),
              false) == "column \"u\": row 0 has the unknown type id 5");
  CHECK(Fault({"+ud:0", "u", {number}, {}, true, ""},
              MakeArray(1, 0, 0, {std::string(1, '\0'), Bytes<std::int32_t>({2})}, {numbers(2, 0)}),
              false) == "column \"u\": row 0 is value 2 of 2");
  const Shape runs{"+r", "r", {{"i", "e", {}, {}, false, ""}, number}, {}, true, ""};
  const auto run_ends = [&](const std::vector<std::int32_t>& ends, std::int64_t rows) {
    const auto n = static_cast<std::int64_t>(ends.size());
    return MakeArray(rows, 0, 0, {}, {MakeArray(n, 0, 0, {"", Bytes(ends)}), numbers(n, 0)});
  };
  CHECK(Fault(runs, run_ends({2, 3}, 4), true) ==
        "column \"r\": its runs end at row 3, before row 4");
  CHECK(Fault(runs, run_ends({5, 4}, 4), false) == "column \"r\": run 1 ends at 4, not after 5");
  const Shape view{"vu", "v", {}, {}, true, ""};
  const auto views = [](std::int32_t buffer, std::int32_t at, const std::string& prefix) {
    return MakeArray(1, 0, 0,
                     {"", Bytes<std::int32_t>({13}) + prefix + Bytes<std::int32_t>({buffer, at}),
                      "a long text of 24 bytes.", Bytes<std::int64_t>({24})});
  };
  CHECK(Fault(view, views(0, 2, "long"), false) == "fine");
  CHECK(Fault(view, views(1, 2, "long"), false) == "column \"v\": row 0 lies in buffer 1 of 1");
  CHECK(Fault(view, views(0, 12, "long"), false) == "column \"v\": row 0 reaches to byte 25 of 24");
  CHECK(Fault(view, views(0, 2, "lost"), false) ==
        "column \"v\": row 0 has another prefix than its text");
}

TEST_CASE("a null key, a wrong index and null rows are found") {
  const Shape key{"u", "k", {}, {}, false, ""}, number{"l", "n", {}, {}, true, ""};
  const auto keys = MakeArray(1, 1, 0, {std::string(1, '\0'), Bytes<std::int32_t>({0, 0}), ""});
  CHECK(Fault({"+m", "m", {{"+s", "e", {key, number}, {}, false, ""}}, {}, true, ""},
              MakeArray(1, 0, 0, {"", Bytes<std::int32_t>({0, 1})},
                        {MakeArray(1, 0, 0, {""},
                                   {keys, MakeArray(1, 0, 0, {"", Bytes<std::int64_t>({1})})})}),
              false) == "column \"m\": row 0 has a null key");
  Holder values(MakeArray(2, 0, 0, {"", Bytes<std::int64_t>({1, 2})}));
  ArrowArray indexes = MakeArray(2, 0, 0, {"", std::string("\x00\x02", 2)});
  indexes.dictionary = &values.array;
  CHECK(Fault({"c", "d", {}, {number}, true, ""}, indexes, false) ==
        "column \"d\": row 1 is entry 2 of a dictionary of 2");
  const host::SchemaHandle schema = MakeSchema(Batch({number}));
  const Holder batch(MakeArray(1, 1, 0, {std::string(1, '\0')},
                               {MakeArray(1, 0, 0, {"", Bytes<std::int64_t>({1})})}));
  CHECK(host::CheckArray(*schema, batch.array, false) ==
        "the batch: its rows themselves are null; only their columns may be");
  CHECK(host::CheckArray(*schema, Holder().array, false) ==
        "the batch: released, or moved out before");
}

/// Breaks something in the array or below it, never claiming memory that is not there.
void Mutate(Random& random, const ArrowSchema& schema, ArrowArray& array, const Shape& shape) {
  if (array.n_children > 0 && random.Chance(70)) {
    const std::int64_t i = random.Below(array.n_children);
    return Mutate(random, *schema.children[i], *array.children[i],
                  shape.children[static_cast<std::size_t>(i)]);
  }
  if (array.dictionary && random.Chance(40)) {
    return Mutate(random, *schema.dictionary, *array.dictionary, shape.dictionary[0]);
  }
  switch (random.Below(7)) {
    case 0:
      array.length = random.Below(array.length + 1);
      return;
    case 1:
      array.null_count = random.Below(30) - 5;
      return;
    case 2:
      array.offset = random.Chance(50) ? -1 : random.Below(array.offset + 1);
      return;
    case 3:
      if (array.n_buffers > 0) array.buffers[random.Below(array.n_buffers)] = nullptr;
      return;
    case 4:
      // A view would take other memory for its sizes.
      if (shape.format[0] == 'v') return;
      array.n_buffers = random.Below(array.n_buffers + 1);
      return;
    case 5:
      array.n_children = random.Below(array.n_children + 1);
      return;
    default:
      break;
  }
  // Values that say where others lie: offsets, indexes, type ids, run ends.  Not the sizes of a
  // view's buffers.
  const bool united = shape.format.rfind("+u", 0) == 0;
  const std::int64_t buffer = united && array.n_buffers > 0 ? random.Below(array.n_buffers) : 1;
  if (buffer >= array.n_buffers || !array.buffers[buffer] || array.length == 0) return;
  const bool bit_wide = shape.format == "b" || shape.format == "w:0";
  const std::int64_t width = united && buffer == 0 ? 1 : shape.format[0] == 'v' ? 16 : 1;
  if (bit_wide) return;
  auto* bytes = static_cast<unsigned char*>(const_cast<void*>(array.buffers[buffer]));
  for (int n = 0; n < 3; ++n) {
    bytes[(random.Below(array.length) + array.offset) * width] =
        static_cast<unsigned char>(random.Bits());
  }
}

TEST_CASE("what passes the full check can be read, taken, measured and spelled out") {
  Random random(kSeed);
  int refused = 0, passed = 0;
  for (int i = 0; i < 3000; ++i) {
    const Shape shape = i % 10 == 0 ? EveryType({}) : RandomBatch(random, {});
    const host::SchemaHandle schema = MakeSchema(shape);
    const std::int64_t rows = 1 + random.Below(12);
    ArrowArray batch = RandomArray(random, shape, rows, {});
    CAPTURE(host::SchemaText(*schema));
    REQUIRE_FALSE(host::CheckArray(*schema, batch, true));
    // The counts are what release goes by here.
    ArrowArray broken = batch;
    Mutate(random, *schema, broken, shape);
    const auto quick = host::CheckArray(*schema, broken, false),
               full = host::CheckArray(*schema, broken, true);
    if (quick) REQUIRE(full);
    if (!quick) host::ArrayBytes(*schema, broken);
    if (full) {
      ++refused;
    } else {
      ++passed;
      std::vector<std::int64_t> all;
      for (std::int64_t row = 0; row < broken.length; ++row) {
        RowText(*schema, broken, row);
        all.push_back(row);
      }
      Holder taken;
      host::Take(*schema, broken, all, &taken.array);
      const host::data::Node plain = host::data::Gather(*schema, broken, all, true);
      REQUIRE(plain.length == broken.length);
    }
    batch.release(&batch);
  }
  CHECK(refused > 300);
  CHECK(passed > 300);
  CHECK(LiveArrays() == 0);
}

}  // namespace
}  // namespace etl::test
