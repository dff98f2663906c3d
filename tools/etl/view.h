// What a run shows of itself while it goes on: pure functions from statuses to lines.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "run/run.h"

namespace etl::cli {

struct ViewStyle {
  std::size_t width = 80;  ///< lines are cut to it
  bool colour = false;
};

/// The view that is redrawn in place.  Rates are those between `before`, some seconds old, and
/// `now`.
std::vector<std::string> LiveView(const host::RunStatus& before, const host::RunStatus& now,
                                  const ViewStyle& style);

/// One plain line for logs.
std::string ProgressLine(const host::RunStatus& before, const host::RunStatus& now);

/// "csv → sql → sqlite"; names that several stages share are told apart by their keys.
std::string Chain(const std::vector<host::StageStatus>& stages);
std::string StageLabel(const std::vector<host::StageStatus>& stages, std::size_t index);

/// Rows that count for a stage: read, given on, or settled.
std::int64_t RowsOf(const host::StageStatus& stage);

}  // namespace etl::cli
