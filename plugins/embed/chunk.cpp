// SPDX-License-Identifier: Apache-2.0
#include "chunk.h"

#include <algorithm>

namespace etl::embed {
namespace {

bool EndsSentence(std::string_view before) {
  static constexpr std::string_view kEnds[] = {".", "!", "?", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", "\xe2\x80\xa6", "\xef\xbc\x9b"};   // . ! ? and 。 ！ ？ … ；
  return std::any_of(std::begin(kEnds), std::end(kEnds), [&](std::string_view end) { return before.size() >= end.size() && before.substr(before.size() - end.size()) == end; });
}

/// How good an end is before token i: 2 = as wanted, 1 = between words, 0 = inside one.
int Worth(std::string_view text, const std::vector<Token>& tokens, std::size_t i, ChunkEnd at) {
  const std::size_t end = tokens[i - 1].end, next = std::max<std::size_t>(tokens[i].begin, end);
  const std::string_view gap = text.substr(end, next - end);
  if (gap.find('\n') != std::string_view::npos) return 2;
  if (at == ChunkEnd::kSentence && EndsSentence(text.substr(0, end))) {
    // A full stop inside 3.14 or U.S. is none; the wide ones need no space behind them.
    if (!gap.empty() || static_cast<unsigned char>(text[end - 1]) >= 0x80) return 2;
  }
  return gap.empty() ? 0 : 1;
}

std::size_t EndOf(std::string_view text, const std::vector<Token>& tokens, std::size_t first, std::size_t window, ChunkEnd at) {
  const std::size_t last = first + window;
  if (last >= tokens.size()) return tokens.size();
  if (at == ChunkEnd::kToken) return last;
  std::size_t best = last;
  int worth = 0;
  for (std::size_t i = last; i > first + window / 2 && worth < 2; --i) {
    if (const int w = Worth(text, tokens, i, at); w > worth) best = i, worth = w;
  }
  return best;
}

}  // namespace

std::vector<Chunk> CutChunks(std::string_view text, const std::vector<Token>& tokens, std::size_t window, std::size_t overlap, ChunkEnd at) {
  const auto inside = [&](std::size_t place) { return place < text.size() && (static_cast<unsigned char>(text[place]) & 0xC0) == 0x80; };
  if (tokens.empty()) return {{0, 0, 0, text.size()}};
  std::vector<Chunk> chunks;
  for (std::size_t first = 0; first < tokens.size();) {
    const std::size_t last = EndOf(text, tokens, first, window, at);
    std::size_t begin = tokens[first].begin, end = tokens[last - 1].end;
    while (inside(begin)) --begin;   // tokens of bytes may begin and end inside a character
    while (inside(end)) ++end;
    chunks.push_back({first, last, begin, end});
    if (last == tokens.size()) break;
    first = std::max(first + 1, last - std::min(overlap, last));
  }
  return chunks;
}

}  // namespace etl::embed
