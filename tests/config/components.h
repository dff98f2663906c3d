// Components of every option type, declared as a plugin would, and nothing behind them.
#pragma once
#include "config/load.h"

namespace etl::test {

/// Sources "csv", "lines", "newer" (needs a newer host), "refused" (does not load); transforms
/// "sql", "window"; sinks "database", "discard", "misdeclared".
const host::TypeResolver& Resolver();
const host::Component& Find(host::Kind kind, std::string_view type);
std::vector<const host::Component*> AllComponents();

}  // namespace etl::test
