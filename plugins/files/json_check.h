// SPDX-License-Identifier: Apache-2.0
/// Is it JSON to the last token?  simdjson itself checks only the values that are asked for.
#pragma once
#include <simdjson.h>

#include <string>
#include <string_view>

namespace etl::files {

/// A token without the white space that simdjson leaves behind it.
std::string_view Trimmed(std::string_view token);

/// Goes through a value and all that is in it; consumes it.  Nesting deeper than 512 is refused.
simdjson::error_code CheckJson(simdjson::ondemand::value value, int depth = 1);

/// For texts that stand alone.  One thread at a time.
class JsonChecker {
 public:
  bool IsJson(std::string_view text);

 private:
  simdjson::ondemand::parser parser_;
  std::string padded_;
};

}  // namespace etl::files
