// `etl plugin check`: is a plugin safe to load and true to its contract?
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../config/config.h"
#include "registry.h"

namespace etl::host {

struct CheckResult {
  enum Verdict { kPass, kFail, kSkip };
  int number = 0;
  std::string name;
  Verdict verdict = kSkip;
  std::string detail;  ///< what failed, what was measured, or why it was not run
};

struct CheckOptions {
  std::set<int> only;  ///< empty: all
  /// For each check; one that takes longer has failed.
  std::chrono::milliseconds time_limit{30'000};
  /// Resident bytes for each check; one that takes more has failed.
  std::size_t memory_limit = 4ull << 30;
  /// Option values of a component for the checks that run it; nothing: made up from its declarations.  Called for each
  /// instance, in the check's process; `folder` is a temporary one of that check, where relative paths should begin.
  std::function<std::optional<Values>(const Component& component, const std::string& folder)> values;
  /// Called after each check.
  std::function<void(const CheckResult&)> progress;
};

/// Runs the checks in order of their numbers, each in its own child process.  What the plugin does ends there: a crash or
/// a hang is a failed check.  Call it before threads start.
std::vector<CheckResult> CheckPlugin(const std::string& path, const CheckOptions& options);

/// True when none failed.
bool Passed(const std::vector<CheckResult>& results);

}  // namespace etl::host
