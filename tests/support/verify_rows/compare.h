// The verdict: which rows are lost, duplicated, changed or invented.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "table.h"

namespace verify {

struct Question {
  Input expected;
  Input actual;
  std::vector<std::string> key;      ///< empty: the whole row is its key
  std::vector<std::string> columns;  ///< only these; empty: all
  std::vector<std::string> ignored;
  Rules rules;
  std::size_t shown = 10;  ///< so many of each are named
};

struct Finding {
  std::size_t count = 0;
  std::vector<std::string> first;  ///< "key", or "key: column: expected, found"
};

struct Verdict {
  std::size_t expected = 0;
  std::size_t actual = 0;
  Finding lost, duplicated, changed, invented;
  bool ok() const { return lost.count + duplicated.count + changed.count + invented.count == 0; }
};

/// Reads both sides; throws Unusable when that cannot be done or the key is not one.
Verdict Compare(const Question& question);

}  // namespace verify
