// What all pages say of an option.
#pragma once
#include <etl/plugin.h>

#include <string>
#include <vector>

#include "../plugin/registry.h"

namespace etl::host {

/// An option with its full name ("batch.rows"); fields of a table follow the table.
struct Described {
  const etl_option* option;
  std::string name;
  int depth = 0;
};

/// The usual ones first, then the advanced, then the deprecated ones.
std::vector<Described> Describe(const etl_option* const* options);

/// "from 1 to 100", "at least 0"; empty without a range.
std::string RangeSentence(const etl_option& option);
/// "one of \"a\", \"b\""; empty without choices.
std::string ChoiceSentence(const etl_option& option);
/// The range, the choices, what a bare value stands for, "secret".
std::vector<std::string> Facts(const etl_option& option);

/// The table's header in a pipeline file: "[source]", "[[transform]]", "[[sink]]".
std::string Header(Kind kind);
/// With a full stop at its end.
std::string Sentence(std::string text);

}  // namespace etl::host
