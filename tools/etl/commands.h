// One function for each command: its exit code, or an exception that main() turns into one.
#pragma once
#include <functional>
#include <string>

#include "cli.h"
#include "console.h"

namespace etl::cli {

struct Context {
  const Args& args;
  const CLI::App& root;
  Console& console;

  host::SearchOptions Search() const { return {args.plugin_dirs, args.allow_unsafe}; }
  host::RunOptions Options() const { return {args.state_dir, &console, LevelOf(args.log_level)}; }
  /// Loads the pipeline file, shows its warnings, and lets the console hide its secrets.
  host::PipelineConfig Load(host::Registry& registry) const;
};

int RunPipeline(Context& c);
int CheckPipeline(Context& c);
int Preview(Context& c);
int Plan(Context& c);
int Tune(Context& c);
int Verify(Context& c);
int StateShow(Context& c);
int StateReset(Context& c);
int StateAccept(Context& c);
int RejectsList(Context& c);
int RejectsShow(Context& c);
int RejectsReplay(Context& c);
int PluginList(Context& c);
int PluginInfo(Context& c);
int PluginCheck(Context& c);
int PluginNew(Context& c);
int Schema(Context& c);
int Docs(Context& c);

/// Writes --report if it was asked for, shows the summary, and says the exit code.
int Conclude(Context& c, const host::RunResult& result);

}  // namespace etl::cli
