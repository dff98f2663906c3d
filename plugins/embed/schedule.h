// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "model.h"

namespace etl::embed {

/// A text on its way to its vector.  Written by one thread at a time: first the transform's, then a model's.
struct Text {
  std::vector<std::uint32_t> ids;
  std::vector<float> vector;
  std::uint64_t key[2] = {0, 0};   ///< what it is known by among those under way, and in the cache
};
using TextPtr = std::shared_ptr<Text>;

/// Texts that go to the model together.
struct Work {
  std::vector<TextPtr> texts;
  std::size_t longest = 0;
  std::size_t padded() const { return texts.size() * longest; }
};

/// Sorted by length, longest first, and cut so that none has more than `most` padded tokens, but for a text that is longer alone.
std::vector<Work> Cut(std::vector<TextPtr> texts, std::size_t most);

/// How the model is driven.
struct Setting {
  int sessions = 1;           ///< calls at once
  int threads = 1;            ///< inside each
  std::size_t tokens = 1024;  ///< padded, of a call
};

}  // namespace etl::embed
