// etl rejects list, show, replay.
#include "state/rejects.h"

#include <Poco/JSONString.h>
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <tuple>

#include "commands.h"
#include "signals.h"
#include "state/store.h"
#include "text.h"

namespace etl::cli {
namespace {

std::string RejectsFile(const host::PipelineConfig& config, const Args& args) {
  return host::StateFolder(config, args.state_dir) + "/rejects.ndjson";
}

std::string Quoted(const std::string& text) { return Poco::toJSON(text, Poco::JSON_WRAP_STRINGS); }

std::string Line(const host::RejectRecord& r) {
  std::string out =
      fmt::format(R"({{"at":{},"stage":{},"type":{},"code":{},"reason":{})", Quoted(r.at),
                  Quoted(r.stage), Quoted(r.type), r.code, Quoted(r.reason));
  if (!r.row.empty()) out += ",\"row\":" + r.row;
  if (!r.raw.empty()) out += ",\"raw\":" + Quoted(r.raw);
  if (!r.where.empty()) out += ",\"where\":" + Quoted(r.where);
  return out + "}\n";
}

}  // namespace

int RejectsList(Context& c) {
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  const std::string file = RejectsFile(config, c.args);
  std::map<std::tuple<std::string, std::string>, std::int64_t> counts;
  std::int64_t all = 0;
  if (std::filesystem::exists(file)) {
    host::ReadRejects(file, [&](const host::RejectRecord& r, const std::string&) {
      ++counts[{r.stage, r.reason}], ++all;
    });
  }
  if (c.args.json) {
    auto list = NewArray();
    for (const auto& [key, n] : counts) {
      Json::Ptr one = NewObject();
      one->set("stage", std::get<0>(key));
      one->set("reason", std::get<1>(key));
      one->set("rows", n);
      list->add(one);
    }
    Json::Ptr json = NewObject();
    json->set("file", file);
    json->set("rows", all);
    json->set("reasons", list);
    Print(Text(json, 2) + "\n");
    return 0;
  }
  std::string out = all == 0 ? fmt::format("{}: no rows are rejected\n", config.name)
                             : fmt::format("{}: {} in {}\n", config.name,
                                           Plural(all, "rejected row", "rejected rows"), file);
  for (const auto& [key, n] : counts)
    out += fmt::format("  {}  {}  {}\n", Right(Count(n), 12), std::get<0>(key), std::get<1>(key));
  Print(c.console.Clean(out));
  return 0;
}

int RejectsShow(Context& c) {
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  const std::string file = RejectsFile(config, c.args);
  if (!std::filesystem::exists(file)) return 0;
  std::int64_t shown = 0, left = 0;
  host::ReadRejects(file, [&](const host::RejectRecord& r, const std::string&) {
    if (!c.args.stage.empty() && r.stage != c.args.stage) return;
    if (c.args.records > 0 && shown >= c.args.records) return void(++left);
    Print(Line(r));
    ++shown;
  });
  if (left > 0) c.console.Log(ETL_INFO, "", fmt::format("{} more; all of them: -n 0", Count(left)));
  return 0;
}

int RejectsReplay(Context& c) {
  if (!c.args.report.empty()) CheckWritable(c.args.report);
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  SignalWatch signals;
  host::Run run(config, c.Options());
  signals.Attach([&run](int signal) { run.Stop(signal); }, config.grace_ns,
                 [&c](const char* why) { c.console.Log(ETL_WARN, "", why); });
  const host::RunResult result = run.Replay();
  signals.Detach();
  return Conclude(c, result);
}

}  // namespace etl::cli
