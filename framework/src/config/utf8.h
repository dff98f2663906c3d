// UTF-8, one code point at a time.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace etl::host {

/// The code point at text[at] and the bytes it takes; length 0: these bytes are not UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;
};
CodePoint DecodeAt(std::string_view text, std::size_t at);

bool IsUtf8(std::string_view text);

/// Appends text[at..] code point `point` so that it is safe on a terminal and in a log: control
/// characters, what turns the direction of writing and bytes that are not UTF-8 become escapes
/// ("\x1b", "\u202e").
void AppendVisible(std::string& out, std::string_view text, std::size_t at, const CodePoint& point);
std::string Visible(std::string_view text);

/// Columns of a terminal.
int WidthOf(char32_t point);

}  // namespace etl::host
