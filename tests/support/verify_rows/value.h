// What the verifier takes a cell to be, and when two of them are the same.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace verify {

/// Input that cannot be judged: unreadable, malformed, or a question that makes no sense.
struct Unusable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Kind : std::uint8_t {
  kNull,
  kBool,     ///< text is "true" or "false"
  kInteger,  ///< text is the number as it was spelled
  kReal,     ///< the same, with a fraction or an exponent
  kText,
  kNested,  ///< a JSON array or object, as text with the object's names in order
  kBlob,
  kUntyped,  ///< a field of a CSV file: means what the other side says
};

struct Cell {
  std::uint32_t column = 0;  ///< number of the column's name in Columns
  Kind kind = Kind::kNull;
  std::string_view text;
};

struct Rules {
  bool numbers_by_value = false;  ///< 1 and 1.0 are the same
  bool missing_is_null = false;   ///< a row without the column is like one with null in it
  bool zero_one_is_bool = false;  ///< set when one of the sides is SQLite, which has no bool
};

/// True when both cells hold the same; Unicode text only when it is the same bytes.
bool Same(const Cell& a, const Cell& b, const Rules& rules);

/// How a cell reads in a report, cut when it is long.
std::string Show(const Cell& cell);

/// The cell as part of a key: its text, with numbers in one spelling, so that 5 in a database meets
/// 5 in a CSV file.
std::string KeyText(const Cell& cell);

}  // namespace verify
