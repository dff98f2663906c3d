// Checks and parts that follow from the pipeline as a whole.
#pragma once
#include "config.h"

namespace etl::host {

std::vector<Problem> CheckAcross(const PipelineConfig& config);

/// The transform that serves a sink's `when`, by a component that offers ETL_EXT_FILTER.
StageConfig MakeFilter(const StageConfig& sink, const Component& component);

}  // namespace etl::host
