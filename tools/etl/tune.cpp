// etl tune.
#include <etl/plugin.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "commands.h"
#include "config/edit.h"
#include "config/units.h"
#include "signals.h"
#include "text.h"
#include "tune_report.h"

namespace etl::cli {
namespace {

using host::Error;
using host::Exit;

host::TuneOptions OptionsOf(Context& c, bool live) {
  host::TuneOptions options;
  options.rows = c.args.tune_rows;
  options.stage = c.args.stage;
  if (options.rows < 1) throw Error(Exit::kConfig, "--rows of etl tune is at least 1");
  const host::Measured time = host::ParseDuration(c.args.time);
  if (!time.value || *time.value <= 0) {
    throw Error(Exit::kConfig, fmt::format("--time of etl tune is a time such as 10m or 90s, not \"{}\"", c.args.time));
  }
  options.time_ns = *time.value;
  if (live) {
    options.progress = [&c](int done, int all) { c.console.Draw({fmt::format("measuring: {} of {}", done + 1, all)}); };
  }
  return options;
}

std::string ReadText(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw Error(Exit::kConfig, fmt::format("cannot read the pipeline file {}; check its permissions", file));
  return std::move(text).str();
}

/// The file itself, where the name is a link to it.
void WriteAdvice(Context& c, const host::TuneReport& report) {
  const std::filesystem::path file = std::filesystem::canonical(c.args.pipeline);
  const std::string text = host::WithOptions(ReadText(file.string()), c.args.pipeline, report.stage, report.advice);
  WriteAtomically(file.string(), text, true);
  c.console.Log(ETL_INFO, report.stage, fmt::format("{} now has these values", c.args.pipeline));
}

host::TuneReport Measure(Context& c, host::Registry& registry, std::int64_t grace_ns) {
  const bool live = !c.args.quiet && CanDraw(2) && c.args.log_format == "text";
  SignalWatch signals;
  host::Tuner tuner(
      [&](const std::vector<std::string>& more) {
        std::vector<std::string> sets = c.args.sets;
        sets.insert(sets.end(), more.begin(), more.end());
        return host::LoadConfig(c.args.pipeline, sets, registry);
      },
      c.Options(), OptionsOf(c, live));
  signals.Attach([&tuner](int signal) { tuner.Stop(signal); }, grace_ns, [&c](const char* why) { c.console.Log(ETL_WARN, "", why); });
  struct End {
    Console& console;
    SignalWatch& signals;
    ~End() {
      signals.Detach();
      console.EndView();
    }
  } const end{c.console, signals};
  return tuner.Execute();
}

}  // namespace

int Tune(Context& c) {
  if (c.args.pipeline == "-") throw Error(Exit::kConfig, "etl tune reads the pipeline file many times, so it cannot be standard input; name a file");
  if (!c.args.report.empty()) CheckWritable(c.args.report);
  OptionsOf(c, false);   // what is wrong with them is said before anything is contacted
  host::Registry registry(c.Search());
  const std::int64_t grace = c.Load(registry).grace_ns;
  const host::TuneReport report = Measure(c, registry, grace);
  Print(c.console.Clean(TuneText(report)));
  if (!c.args.report.empty()) {
    const bool page = c.args.report.ends_with(".html") || c.args.report.ends_with(".htm");
    WriteAtomically(c.args.report, page ? TuneHtml(report) : TuneSvg(report));
  }
  if (c.args.write) WriteAdvice(c, report);
  return 0;
}

}  // namespace etl::cli
