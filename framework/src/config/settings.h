// The keys of [pipeline].
#pragma once
#include "config.h"
#include "tree.h"
#include "values.h"

namespace etl::host {

/// Reads [pipeline] (an empty table where there is none) into `config`.
void ReadSettings(PipelineConfig& config, const Node& table, const SourceText& text,
                  ReadContext& context);

}  // namespace etl::host
