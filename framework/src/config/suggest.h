// Nearest names, and lists of names, for messages.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace etl::host {

/// Insertions, deletions, replacements and swaps of neighbours between the two; capitals and '-'
/// for '_' cost nothing.
std::size_t EditDistance(std::string_view a, std::string_view b);

/// "a", "b", "c" …
std::string QuotedList(const std::vector<std::string>& names, std::size_t most = 20);

}  // namespace etl::host
