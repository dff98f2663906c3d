// Pipelines through the real runtime and the built plugins.
#pragma once
#include <fstream>
#include <string>

#include "plugin/registry.h"
#include "run/run.h"
#include "support/temp_dir.h"

namespace etl::test {

/// Runs a pipeline, written into p.toml of the folder, to its end.
inline host::RunResult RunPipeline(const TempDir& dir, const std::string& toml) {
  static host::Registry plugins({{ETL_BUILD_DIR "/lib/etl/plugins/1"}, true});
  const host::PipelineConfig config = host::LoadConfig(dir.Write("p.toml", toml), {}, plugins);
  host::Run run(config, {});
  return run.Execute();
}

}  // namespace etl::test
