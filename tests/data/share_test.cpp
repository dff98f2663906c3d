#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "data/batch.h"
#include "random_data.h"

namespace etl::test {
namespace {

const std::uint64_t kSeed = Seed();

std::vector<std::string> Rows(const ArrowSchema& schema, const ArrowArray& array) {
  std::vector<std::string> rows;
  for (std::int64_t row = 0; row < array.length; ++row) rows.push_back(RowText(schema, array, row));
  return rows;
}

/// Takes a share apart, as far as chance wills, and releases the parts in random order.
void TakeApart(Random& random, ArrowArray share) {
  std::vector<ArrowArray> parts{share};
  for (int steps = 0; steps < 20; ++steps) {
    const auto i = static_cast<std::size_t>(random.Below(static_cast<std::int64_t>(parts.size())));
    if (parts[i].n_children > 0) {
      ArrowArray* child = parts[i].children[random.Below(parts[i].n_children)];
      if (child->release) {
        const ArrowArray moved = *child;
        child->release = nullptr;
        parts.push_back(moved);
      }
    }
    if (parts[i].dictionary && parts[i].dictionary->release && random.Chance(50)) {
      const ArrowArray moved = *parts[i].dictionary;
      parts[i].dictionary->release = nullptr;
      parts.push_back(moved);
    }
  }
  while (!parts.empty()) {
    const auto i = static_cast<std::size_t>(random.Below(static_cast<std::int64_t>(parts.size())));
    parts[i].release(&parts[i]);
    CHECK(!parts[i].release);
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

TEST_CASE("shares live on without their owner and end with the last part") {
  Random random(kSeed);
  for (int i = 0; i < 200; ++i) {
    const Shape shape = i < 20 ? EveryType({}) : RandomBatch(random, {});
    const host::SchemaHandle schema = MakeSchema(shape);
    auto owner = host::SharedArray::Own(RandomArray(random, shape, 12, {}), 100);
    const std::vector<std::string> rows = Rows(*schema, owner->array());
    ArrowArray one, two;
    host::Share(owner, &one);
    host::Share(owner, &two);
    owner.reset();
    REQUIRE(Rows(*schema, one) == rows);
    TakeApart(random, one);
    REQUIRE(LiveArrays() > 0);
    REQUIRE(Rows(*schema, two) == rows);
    TakeApart(random, two);
    REQUIRE(LiveArrays() == 0);
  }
}

TEST_CASE("shares are made, taken apart and released by many threads") {
  Random random(kSeed + 1);
  const Shape shape = EveryType({});
  for (int round = 0; round < 20; ++round) {
    auto owner = host::SharedArray::Own(RandomArray(random, shape, 5, {}), 100);
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&shape, owner, seed = random.Bits()] {
        Random own(seed);
        const host::SchemaHandle schema = MakeSchema(shape);
        for (int i = 0; i < 20; ++i) {
          ArrowArray share;
          host::Share(owner, &share);
          RowText(*schema, share, own.Below(5));
          TakeApart(own, share);
        }
      });
    }
    owner.reset();
    for (std::thread& thread : threads) thread.join();
    REQUIRE(LiveArrays() == 0);
  }
}

TEST_CASE("a child of a share goes to another thread and outlives everything else") {
  const Shape shape = Batch({{"l", "id", {}, {}, true, ""}, {"u", "text", {}, {}, true, ""}});
  const host::SchemaHandle schema = MakeSchema(shape);
  Random random(kSeed + 2);
  auto owner = host::SharedArray::Own(RandomArray(random, shape, 100, {}), 1);
  const std::vector<std::string> rows = Rows(*schema->children[1], *owner->array().children[1]);
  ArrowArray share;
  host::Share(owner, &share);
  owner.reset();
  ArrowArray child = *share.children[1];
  share.children[1]->release = nullptr;
  std::thread reader([&] {
    const Holder held(child);
    CHECK(Rows(*schema->children[1], held.array) == rows);
  });
  share.release(&share);
  reader.join();
  CHECK(LiveArrays() == 0);
}

}  // namespace
}  // namespace etl::test
