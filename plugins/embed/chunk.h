// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "tokenizer.h"

namespace etl::embed {

/// Where a chunk may end before it is full.
enum class ChunkEnd { kSentence, kLine, kToken };

/// Tokens [first, last) of a text, and its bytes [begin, end).
struct Chunk {
  std::size_t first, last, begin, end;
};

/// Cuts a text, which has these tokens, into chunks of at most `window` tokens; each begins `overlap` tokens before the end of the
/// one before it, but for kToken where a word begins there.  A chunk ends at the last sentence's
/// or line's end in its second half; else between words; else where it is full.  A text without tokens is one chunk.
std::vector<Chunk> CutChunks(std::string_view text, const std::vector<Token>& tokens, std::size_t window, std::size_t overlap, ChunkEnd at);

}  // namespace etl::embed
