// SPDX-License-Identifier: Apache-2.0
#include "chunk.h"

#include <algorithm>
#include <cctype>

namespace etl::embed {
namespace {

constexpr std::string_view kSpaces = " \t\n\r\f\v";
constexpr std::string_view kEnds[] = {".", "!", "?", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", "\xe2\x80\xa6", "\xef\xbc\x9b"};   // . ! ? and 。 ！ ？ … ；
/// What may stand behind it and belongs to the sentence: " ' ) ] } and ” ’ » 」 』 ） 】 》
constexpr std::string_view kCloses[] = {"\"", "'", ")", "]", "}", "\xe2\x80\x9d", "\xe2\x80\x99", "\xc2\xbb", "\xe3\x80\x8d", "\xe3\x80\x8f", "\xef\xbc\x89", "\xe3\x80\x91", "\xe3\x80\x8b"};

/// Which of them the text ends with; empty = none.
template <std::size_t n>
std::string_view EndsWith(std::string_view text, const std::string_view (&marks)[n]) {
  const auto mark = std::find_if(std::begin(marks), std::end(marks), [&](std::string_view m) { return text.size() >= m.size() && text.substr(text.size() - m.size()) == m; });
  return mark == std::end(marks) ? std::string_view() : *mark;
}
template <std::size_t n>
bool BeginsWith(std::string_view text, const std::string_view (&marks)[n]) {
  return std::any_of(std::begin(marks), std::end(marks), [&](std::string_view m) { return text.substr(0, m.size()) == m; });
}

/// How good an end is before token i: 2 = as wanted, 1 = between words, 0 = inside one.
int Worth(std::string_view text, const std::vector<Token>& tokens, std::size_t i, ChunkEnd at) {
  const std::size_t end = tokens[i - 1].end, next = std::max<std::size_t>(tokens[i].begin, end);
  const std::string_view gap = text.substr(end, next - end);
  if (gap.find('\n') != std::string_view::npos) return 2;
  if (at == ChunkEnd::kSentence && !(gap.empty() && (BeginsWith(text.substr(next), kCloses) || BeginsWith(text.substr(next), kEnds)))) {
    std::string_view before = text.substr(0, end);
    for (std::string_view mark = EndsWith(before, kCloses); !mark.empty(); mark = EndsWith(before, kCloses)) before.remove_suffix(mark.size());
    // A full stop inside 3.14 or U.S. is none; the wide ones need no space behind them.
    if (const std::string_view mark = EndsWith(before, kEnds); !mark.empty() && (!gap.empty() || mark.size() > 1)) return 2;
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

/// `place` is a byte of a character, but not its first.
bool InCharacter(std::string_view text, std::size_t place) { return place < text.size() && (static_cast<unsigned char>(text[place]) & 0xC0) == 0x80; }

/// Letters and digits of what is written with spaces between words; `place`: any byte of a character.
bool OfWord(std::string_view text, std::size_t place) {
  while (place > 0 && InCharacter(text, place)) --place;
  const auto c = static_cast<unsigned char>(text[place]);
  return std::isalnum(c) || (c >= 0xc3 && c <= 0xe1);   // up to U+1FFF; Chinese and Japanese are behind it
}

/// The token where the word of token i begins, but behind `first`; else where the next one does before `last`; else i.
std::size_t WordOf(std::string_view text, const std::vector<Token>& tokens, std::size_t first, std::size_t i, std::size_t last) {
  const auto begins = [&](std::size_t at) {
    const std::size_t end = tokens[at - 1].end, next = tokens[at].begin;
    return next > end || end == 0 || next >= text.size() || !OfWord(text, end - 1) || !OfWord(text, next);
  };
  for (std::size_t at = i; at > first; --at) {
    if (begins(at)) return at;
  }
  for (std::size_t at = i + 1; at < last; ++at) {
    if (begins(at)) return at;
  }
  return i;
}

}  // namespace

std::vector<Chunk> CutChunks(std::string_view text, const std::vector<Token>& tokens, std::size_t window, std::size_t overlap, ChunkEnd at) {
  if (tokens.empty()) return {{0, 0, 0, text.size()}};
  std::vector<Chunk> chunks;
  for (std::size_t first = 0; first < tokens.size();) {
    const std::size_t last = EndOf(text, tokens, first, window, at);
    std::size_t begin = tokens[first].begin, end = tokens[last - 1].end;
    while (InCharacter(text, begin)) --begin;   // tokens of bytes may begin and end inside a character
    while (InCharacter(text, end)) ++end;
    // What no token stands for, as an accent that the tokenizer drops, belongs to what is before it; in front to the first.
    const std::size_t next = last < tokens.size() ? std::max<std::size_t>(tokens[last].begin, end) : text.size();
    const std::size_t some = text.substr(end, next - end).find_last_not_of(kSpaces);
    if (some != std::string_view::npos) end += some + 1;
    if (first == 0) begin = std::min(begin, text.find_first_not_of(kSpaces));
    chunks.push_back({first, last, begin, end});
    if (last == tokens.size()) break;
    const std::size_t back = std::max(first + 1, last - std::min(overlap, last));
    first = overlap == 0 || at == ChunkEnd::kToken ? back : WordOf(text, tokens, first, back, last);
  }
  return chunks;
}

}  // namespace etl::embed
