// etl run.
#include <Poco/Exception.h>
#include <fmt/format.h>

#include <optional>

#include "commands.h"
#include "http.h"
#include "progress.h"
#include "signals.h"
#include "summary.h"

namespace etl::cli {
namespace {

ProgressMode Mode(const Args& args) {
  if (args.no_progress || args.quiet) return ProgressMode::kNone;
  return CanDraw(2) && args.log_format == "text" ? ProgressMode::kLive : ProgressMode::kLines;
}

std::unique_ptr<StatusServer> Serve(Context& c, const Progress& progress) {
  if (c.args.http.empty()) return nullptr;
  const HttpAddress address = ParseHttpAddress(c.args.http);
  try {
    auto server =
        std::make_unique<StatusServer>(address, [&progress] { return progress.Latest(); });
    Json::Ptr more = NewObject();
    more->set("url", server->url());
    c.console.Log(ETL_INFO, "", "status at " + server->url() + "/status", more);
    if (!address.loopback()) {
      c.console.Log(
          ETL_WARN, "",
          fmt::format("{} can be reached from other machines, by anybody and without a password",
                      server->url()));
    }
    return server;
  } catch (const Poco::Exception& e) {
    const std::string what = fmt::format("--http {}: {}", c.args.http, e.displayText());
    if (c.args.http_required)
      throw host::Error(host::Exit::kConfig,
                        what + "; name another port, or leave out --http-required");
    c.console.Log(ETL_WARN, "", what + "; the run goes on without");
    return nullptr;
  }
}

/// A run that never began is reported too.
void ReportFailure(Context& c, host::Exit exit, const std::string& message,
                   const std::vector<host::Problem>& problems) {
  if (c.args.report.empty()) return;
  host::RunResult result;
  result.exit = exit;
  result.message = c.console.Clean(message);
  result.status.phase = "ended";
  Json::Ptr json = ToJson(result);
  json->set("problems", ToJson(problems));
  WriteAtomically(c.args.report, Text(json, 2) + "\n");
}

host::RunResult Execute(Context& c, const host::PipelineConfig& config) {
  SignalWatch signals;
  host::Run run(config, c.Options());
  Progress progress(c.console, Mode(c.args), WantsColour(2));
  const auto server = Serve(c, progress);
  signals.Attach([&run](int signal) { run.Stop(signal); }, config.grace_ns,
                 [&c](const char* why) { c.console.Log(ETL_WARN, "", why); });
  progress.Start([&run] { return run.Status(); });
  host::RunResult result = run.Execute();
  signals.Detach();
  progress.Stop();
  return result;
}

}  // namespace

int Conclude(Context& c, const host::RunResult& result) {
  std::string unwritten;
  if (!c.args.report.empty()) {
    try {
      Json::Ptr json = ToJson(result);
      json->set("message", c.console.Clean(result.message));
      WriteAtomically(c.args.report, Text(json, 2) + "\n");
    } catch (const host::Error& e) {
      unwritten = e.what();
    }
  }
  const bool well = result.exit == host::Exit::kOk;
  Json::Ptr more = NewObject();
  more->set("event", "summary");
  more->set("result", ToJson(result));
  c.console.Say(well ? ETL_INFO : ETL_ERROR, Summary(result), more);
  if (!unwritten.empty()) c.console.Fail(unwritten, host::Exit::kInternal);
  return static_cast<int>(!unwritten.empty() && well ? host::Exit::kInternal : result.exit);
}

int RunPipeline(Context& c) {
  if (!c.args.report.empty()) CheckWritable(c.args.report);
  if (!c.args.http.empty()) ParseHttpAddress(c.args.http);
  try {
    host::Registry registry(c.Search());
    const host::PipelineConfig config = c.Load(registry);
    return Conclude(c, Execute(c, config));
  } catch (const host::ConfigErrors& e) {
    ReportFailure(c, host::Exit::kConfig, e.what(), e.problems());
    throw;
  } catch (const host::Error& e) {
    ReportFailure(c, e.exit(), e.what(), {});
    throw;
  }
}

}  // namespace etl::cli
